/* A supervisor as one must not be, to measure the races against: it reads what the caller points
 * to, decides, and lets the kernel read it again (SECCOMP_USER_NOTIF_FLAG_CONTINUE); it looks at
 * the descriptor of the process, not of the thread; what it can not read or does not know as IP it
 * lets run. Every race program must get past it.
 *
 * usage: naive COMMAND…   the policy is that of hostile.h. Its own speed is that of an honest one: a notification, a
 * read, an answer. Exit status: the command's. */
#include "hostile.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

static int is_good(int type, const struct sockaddr_in *to) {
  return to->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && ntohs(to->sin_port) == (type == SOCK_STREAM ? GOOD_TCP : GOOD_UDP);
}

static long read_there(pid_t pid, void *into, unsigned long from, size_t length) {
  struct iovec here = {into, length}, there = {(void *)from, length};
  return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

/* The process of a thread: what pidfd_open takes. */
static pid_t process_of(pid_t tid) {
  char path[40], line[128];
  pid_t process = tid;
  snprintf(path, sizeof path, "/proc/%d/status", tid);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file) && sscanf(line, "Tgid: %d", &process) != 1) {}
  if (file) fclose(file);
  return process;
}

/* 0: let it run; else the errno. */
static int judge(pid_t process, int fd, unsigned long name, unsigned long length) {
  struct sockaddr_in to = {0};
  int type = 0, domain = 0;
  socklen_t size = sizeof type;
  if (!name) return 0;
  if (read_there(process, &to, name, length < sizeof to ? length : sizeof to) <= 0) return 0;
  long pidfd = syscall(SYS_pidfd_open, process, 0), ours = pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, fd, 0);
  getsockopt((int)ours, SOL_SOCKET, SO_TYPE, &type, &size);
  getsockopt((int)ours, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  close((int)ours);
  close((int)pidfd);
  if (to.sin_family != AF_INET || domain == AF_UNIX) return 0;
  return is_good(type, &to) ? 0 : ECONNREFUSED;
}

static int judge_call(const struct seccomp_notif *call) {
  const unsigned long long *a = (const void *)call->data.args;
  pid_t process = process_of((pid_t)call->pid);
  struct mmsghdr m[16] = {0};
  switch (call->data.nr) {
    case SYS_connect: return judge(process, (int)a[0], a[1], a[2]);
    case SYS_sendto: return judge(process, (int)a[0], a[4], a[5]);
    case SYS_sendmsg:
      if (read_there(process, &m[0].msg_hdr, a[1], sizeof m[0].msg_hdr) <= 0) return 0;
      return judge(process, (int)a[0], (unsigned long)m[0].msg_hdr.msg_name, m[0].msg_hdr.msg_namelen);
    default: {
      size_t count = a[2] < 16 ? a[2] : 16;
      if (read_there(process, m, a[1], count * sizeof *m) <= 0) return 0;
      for (size_t i = 0; i < count; i++) {
        int error = judge(process, (int)a[0], (unsigned long)m[i].msg_hdr.msg_name, m[i].msg_hdr.msg_namelen);
        if (error) return error;
      }
      return 0;
    }
  }
}

static int install(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 4, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 2, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmmsg, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* The child leaves its listener in the table it shares until it executes. */
static volatile int listener = -1;
static char **command;

static int child(void *nothing) {
  (void)nothing;
  listener = install();
  while (listener >= 0) {
    unshare(CLONE_FILES);
    execv(command[0], command);
    _exit(127);
  }
  _exit(126);
}

int main(int argc, char **argv) {
  static char stack[65536] __attribute__((aligned(16)));
  if (argc < 2) return 2;
  stay_on(0); /* with the caller, which waits; the thread that changes things has the other processor */
  command = argv + 1;
  pid_t pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);
  if (pid < 0 || listener < 0) { perror("naive"); return 125; }
  struct pollfd ready = {listener, POLLIN, 0};
  while (poll(&ready, 1, -1) > 0 && (ready.revents & POLLIN)) {
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) continue;
    int error = judge_call(&call);
    struct seccomp_notif_resp answer = {.id = call.id, .error = -error};
    if (!error) answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
