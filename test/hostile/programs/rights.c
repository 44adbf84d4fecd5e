/* Row I and the kernel's own helpers of J: rights, namespaces, set-user-id programs, calls that are
 * attack surface. Nothing here sends; each line tells what the kernel answered, and the tests
 * compare bare and sandboxed. usage: rights NONCE WAY… */
#include "hostile.h"
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

/* Each in a child: a namespace is never left. */
static void in_child(const char *way, long (*what)(long), long argument) {
  pid_t child = fork();
  if (child == 0) { tell(way, what(argument)); _exit(0); }
  waitpid(child, NULL, 0);
}

static long do_unshare(long flags) { return syscall(SYS_unshare, flags); }

static long do_clone(long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}

static long do_clone3(long flags) {
  struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls, set_tid, set_size, cgroup; } args = {.flags = (uint64_t)flags, .signal = SIGCHLD};
  long pid = syscall(435, &args, sizeof args);
  if (pid == 0) _exit(0);
  return pid;
}

static const struct { const char *name; long flag; } namespaces[] = {
  {"user", 0x10000000}, {"net", 0x40000000}, {"mount", 0x20000}, {"pid", 0x20000000}, {"ipc", 0x8000000}, {"uts", 0x4000000},
  {"cgroup", 0x2000000},
};

/* Together with a user namespace, which gives the right to the other. */
static void namespaces_by(long (*what)(long), const char *how) {
  char name[40];
  for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
    snprintf(name, sizeof name, "%s-%s", how, namespaces[i].name);
    in_child(name, what, namespaces[i].flag | 0x10000000);
  }
}

static void unshares(const char *way) { namespaces_by(do_unshare, way); }
static void clones(const char *way) { namespaces_by(do_clone, way); }
static void clones3(const char *way) { namespaces_by(do_clone3, way); }

static long do_setns(long nothing) { (void)nothing; return setns(open("/proc/self/ns/uts", O_RDONLY), 0); }
static void joins(const char *way) { in_child(way, do_setns, 0); }

/**
 * Is there a capability in any set after this program was executed? The bounding set is but what
 * exec could give, and gives nothing under no_new_privs.
 */
static void capabilities(const char *way) {
  char line[128];
  unsigned long long set, all = 0;
  FILE *status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status)) {
    if (strncmp(line, "CapBnd", 6) != 0 && sscanf(line, "Cap%*[A-Za-z]: %llx", &set) == 1) all |= set;
    if (sscanf(line, "NoNewPrivs: %llu", &set) == 1) say("no-new-privs", (long)set);
  }
  if (status) fclose(status);
  say(way, all != 0);
}

/* The same program as a set-user-id one, beside this one: says whose rights it has. */
static void set_user_id(const char *way) {
  (void)way;
  pid_t child = fork();
  if (child == 0) {
    execl(getenv("HOSTILE_SETUID"), "rights", nonce, "who", (char *)NULL);
    _exit(127);
  }
  waitpid(child, NULL, 0);
}

static void who(const char *way) { say(way, geteuid() == 0); }

static void mounts(const char *way) { tell(way, mount("none", "/mnt", "tmpfs", 0, NULL) == 0 ? umount("/mnt") : -1); }
static void changes_root(const char *way) { pid_t c = fork(); if (c == 0) { tell(way, chroot("/tmp")); _exit(0); } waitpid(c, NULL, 0); }

static void programs(const char *way) {
  union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  tell(way, syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

static void counters(const char *way) {
  struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1, .exclude_hv = 1};
  tell(way, syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static void faults(const char *way) { tell(way, syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY)); }
/* The same by its device, which takes no right but that to open it. */
static void faults_by_device(const char *way) {
  const char *path = getenv("HOSTILE_USERFAULTFD");
  tell(way, ioctl(open(path ? path : "/dev/userfaultfd", O_RDWR), 0xaa00, O_CLOEXEC)); /* USERFAULTFD_IOC_NEW */
}

static void adds_key(const char *way) { tell(way, syscall(SYS_add_key, "user", nonce, "x", 1, -2)); }
static void reads_keys(const char *way) { tell(way, syscall(SYS_keyctl, 0, -2, 1)); }

/* The kernel would start a helper that asks a name server. Bare it finds none: ENOKEY, or another error of its own. */
static void requests_key(const char *way) {
  long result = syscall(SYS_request_key, "user", nonce, NULL, -2);
  say(way, result < 0 && errno != EPERM && errno != ENOSYS ? 0 : -1);
}

static void diagnoses(const char *way) { tell(way, socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG)); }
static void generic(const char *way) { tell(way, socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)); }

/* Types into the terminal that is its standard input, as its user would. */
static void types(const char *way) {
  long result = 0;
  for (const char *c = "owned\n"; *c && result == 0; c++) result = ioctl(0, TIOCSTI, c);
  tell(way, result);
}

/* The same with rubbish in the upper half of the request, which the kernel drops. */
static void types_rubbish(const char *way) {
  long result = 0;
  for (const char *c = "owned\n"; *c && result == 0; c++) result = syscall(SYS_ioctl, 0, 0x5eed00000000 | TIOCSTI, c);
  tell(way, result);
}

static const struct way ways[] = {
  {"unshare", unshares}, {"clone", clones}, {"clone3", clones3}, {"setns", joins}, {"capabilities", capabilities},
  {"set-user-id", set_user_id}, {"who", who}, {"mount", mounts}, {"chroot", changes_root}, {"bpf", programs},
  {"perf", counters}, {"userfaultfd", faults}, {"userfaultfd-device", faults_by_device}, {"add-key", adds_key}, {"keyctl", reads_keys}, {"request-key", requests_key},
  {"sock-diag", diagnoses}, {"generic-netlink", generic}, {"types", types}, {"types-rubbish", types_rubbish},
};

int main(int argc, char **argv) { return RUN_WAYS(argc, argv, ways); }
