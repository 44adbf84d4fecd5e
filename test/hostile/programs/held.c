/* A tree that tries all the time, in one of the states of the kill matrix. usage: held NONCE STATE
 *
 * STATE: idle · connect (one call that waits) · sendmsg (one that waits) · threads (100 calls that
 * wait). Beside that, a thread of the command and an orphan in a session of its own send to the
 * denied place a hundred times a second; when a call comes back with ENOSYS, the sign that its
 * supervisor is gone, they become their own: a filter with a listener that answers CONTINUE, and
 * then the call again. Prints `held` once all is in place. Ends when its input does, if ever. */
#include "hostile.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

static volatile int listener = -1;

static void *answer_oneself(void *nothing) {
  (void)nothing;
  for (;;) {
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) return NULL;
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

/* The filter is the calling thread's alone: another one answers. */
static void take_over(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  pthread_t thread;
  listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener >= 0) pthread_create(&thread, NULL, answer_oneself, NULL);
}

static void *try_always(void *nothing) {
  struct sockaddr_in to = ip4("127.0.0.1", BAD_UDP);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  while (s >= 0) {
    if (sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&to, sizeof to) < 0 && errno == ENOSYS && listener < 0) take_over();
    usleep(10000);
  }
  return nothing;
}

static void *wait_in_connect(void *nothing) {
  struct sockaddr_in to = ip4("127.0.0.1", HUNG_TCP);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  (void)nothing;
  /* Whatever the answer: it must not be success, and the witness would see what went elsewhere. */
  if (connect(s, (void *)&to, sizeof to) == 0) say("connect", 0);
  return NULL;
}

static void *wait_in_sendmsg(void *nothing) {
  static char bytes[1 << 20];
  int pair[2];
  struct iovec part = {bytes, sizeof bytes};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
  (void)nothing;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
    while (sendmsg(pair[0], &m, MSG_NOSIGNAL) > 0) {}
  return NULL;
}

int main(int argc, char **argv) {
  char byte;
  pthread_t thread;
  if (argc != 3) return 2;
  nonce = argv[1];
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  pid_t first = fork();
  if (first == 0) {
    setsid();
    if (fork() == 0) try_always(NULL);
    _exit(0);
  }
  waitpid(first, NULL, 0);
  pthread_create(&thread, NULL, try_always, NULL);
  int is_connect = strcmp(argv[2], "connect") == 0, is_sendmsg = strcmp(argv[2], "sendmsg") == 0;
  int count = strcmp(argv[2], "threads") == 0 ? 100 : is_connect || is_sendmsg;
  for (int i = 0; i < count; i++) pthread_create(&thread, NULL, is_sendmsg ? wait_in_sendmsg : wait_in_connect, NULL);
  usleep(200000);
  say("held", 0);
  while (read(0, &byte, 1) > 0) {}
  kill(0, SIGKILL); /* the orphan stays */
  return 0;
}
