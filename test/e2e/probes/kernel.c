/* What the kernel has of its own to hold a program by, found by trying: `kernel` prints a line for each.
 *
 *   tcp     a Landlock domain without TCP is entered, and a connect is refused (0)
 *   scopes  one with signal scope is entered, and the parent is out of reach (0)
 *   files   one that handles files is entered, and in it nobody mounts, not in a user namespace either (0)
 *   threads a single thread can be held by a descriptor (0)
 *   waits   calls handed to a listener wait killably (0)
 *   wakes   a listener wakes its callers on its own processor (0)
 *   rewrites a tracer can change a call by PTRACE_SET_SYSCALL_INFO (0)
 *
 * Otherwise the error of what failed first; `-1 -` where the domain holds nothing. */
#include "probe.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define MAKE_BLOCK (1 << 11)
#define BOTH_OF_TCP 3
#define SIGNALS 2
#define WAIT_KILLABLE (1 << 5)
#define SET_FLAGS _IOW('!', 4, unsigned long long)
#define WAKE_UP 1

struct ruleset { unsigned long long files, net, scoped; };

static int enter(unsigned long long files, unsigned long long net, unsigned long long scoped) {
  struct ruleset rules = {files, net, scoped};
  int fd = (int)syscall(444, &rules, sizeof rules, 0);
  if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  return (int)syscall(446, fd, 0);
}

static int tcp(void) {
  struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (enter(0, BOTH_OF_TCP, 0) < 0) return errno;
  return connect(s, (void *)&nobody, sizeof nobody) < 0 && errno == EACCES ? 0 : -1;
}

static int scopes(void) {
  if (enter(0, 0, SIGNALS) < 0) return errno;
  return kill(getppid(), 0) < 0 && errno == EPERM ? 0 : -1;
}

static int files(void) {
  if (enter(MAKE_BLOCK, 0, 0) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return errno;
  return mount("/tmp", "/tmp", NULL, MS_BIND, NULL) < 0 && errno == EPERM ? 0 : -1;
}

static int threads(void) { return syscall(SYS_pidfd_open, getpid(), O_EXCL) < 0 ? errno : 0; }

/* Of a tracee that stands: what the kernel has not is EIO, what it has wants more bytes. */
static int rewrites(void) {
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    _exit(0);
  }
  if (waitpid(child, NULL, 0) < 0) return errno;
  int error = ptrace(0x4212, child, 0, 0) < 0 ? errno : 0;
  kill(child, SIGKILL);
  return error == EINVAL ? 0 : error;
}

/* A listener to which nothing is handed. */
static int listen_to(unsigned long more) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {1, &allow};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | more, &filter);
}

static int waits(void) { return listen_to(WAIT_KILLABLE) < 0 ? errno : 0; }
static int wakes(void) { return ioctl(listen_to(0), SET_FLAGS, WAKE_UP) < 0 ? errno : 0; }

static void tell(const char *name, int (*found)(void)) {
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(found());
  waitpid(child, &status, 0);
  int error = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  printf("%s %d %s\n", name, error ? -1 : 0, error && error < 255 ? errno_name(error) : "-");
}

int main(void) {
  tell("tcp", tcp);
  tell("scopes", scopes);
  tell("files", files);
  tell("threads", threads);
  tell("waits", waits);
  tell("wakes", wakes);
  tell("rewrites", rewrites);
  return 0;
}
