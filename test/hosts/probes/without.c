/* Runs a command on a kernel, or in a container, that has less: system calls answer with an errno
 * instead of being made. usage: without RULE… -- COMMAND…
 *   CALL=ERRNO             the call fails so
 *   CALL=ERRNO@N:VALUE     only when the low word of argument N is VALUE
 *   CALL=ERRNO&N:BITS      only when the low word of argument N has one of BITS
 * CALL is a name or a number. The first rule of a call that matches holds. The filter has no
 * listener, so the command can install one of its own. */
#include "probe.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* Numbers from 424 on are the same on every architecture. */
static const struct { const char *name; long number; } calls[] = {
#define C(name) {#name, SYS_##name}
    C(acct), C(add_key), C(adjtimex), C(bpf), C(chroot), C(clock_adjtime), C(clock_settime), C(clone), C(delete_module),
    C(fanotify_init), C(finit_module), C(get_mempolicy), C(init_module), C(ioctl), C(kcmp), C(kexec_file_load), C(kexec_load),
    C(keyctl), C(lookup_dcookie), C(mbind), C(memfd_create), C(migrate_pages), C(mount), C(move_pages), C(open_by_handle_at),
    C(perf_event_open), C(personality), C(pivot_root), C(prctl), C(preadv), C(process_vm_readv), C(process_vm_writev), C(ptrace), C(quotactl), C(reboot),
    C(request_key), C(seccomp), C(set_mempolicy), C(setdomainname), C(sethostname), C(setns), C(settimeofday), C(socket),
    C(swapoff), C(swapon), C(syslog), C(umount2), C(unshare), C(userfaultfd), C(vhangup),
#undef C
    {"pidfd_send_signal", 424}, {"io_uring_setup", 425}, {"io_uring_enter", 426}, {"io_uring_register", 427},
    {"open_tree", 428}, {"move_mount", 429}, {"fsopen", 430}, {"fsconfig", 431}, {"fsmount", 432}, {"fspick", 433},
    {"pidfd_open", 434}, {"clone3", 435}, {"close_range", 436}, {"pidfd_getfd", 438}, {"mount_setattr", 442},
    {"landlock_create_ruleset", 444}, {"landlock_add_rule", 445}, {"landlock_restrict_self", 446},
};

static struct sock_filter program[4096];
static unsigned short length;

static void add(unsigned short code, unsigned value, unsigned char yes, unsigned char no) {
  program[length++] = (struct sock_filter){code, yes, no, value};
}

static long number_of(const char *name) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (strcmp(calls[i].name, name) == 0) return calls[i].number;
  if (name[0] >= '0' && name[0] <= '9') return atol(name);
  fprintf(stderr, "no such call: %s\n", name);
  exit(2);
}

static unsigned errno_of(const char *name) {
  for (unsigned error = 1; error < 133; error++)
    if (strcmp(errno_name((int)error), name) == 0) return error;
  fprintf(stderr, "no such errno: %s\n", name);
  exit(2);
}

static void rule(const char *text) {
  char call[64] = "", error[32] = "", kind = 0;
  unsigned argument = 0, value = 0;
  int words = sscanf(text, "%63[^=]=%31[A-Z0-9]%c%u:%i", call, error, &kind, &argument, (int *)&value);
  if (words != 2 && words != 5) { fprintf(stderr, "not a rule: %s\n", text); exit(2); }
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number_of(call), 0, words == 2 ? 1 : 3);
  if (words == 5) {
    add(BPF_LD | BPF_W | BPF_ABS, (unsigned)(offsetof(struct seccomp_data, args) + 8 * argument), 0, 0);
    add(BPF_JMP | (kind == '@' ? BPF_JEQ : BPF_JSET) | BPF_K, value, 0, 1);
  }
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_of(error), 0, 0);
}

int main(int argc, char **argv) {
  int i = 1;
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) rule(argv[i]);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  if (i + 1 >= argc) return 2;
  struct sock_fprog filter = {length, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
    perror("without: seccomp");
    return 2;
  }
  execvp(argv[i + 1], argv + i + 1);
  perror(argv[i + 1]);
  return 127;
}
