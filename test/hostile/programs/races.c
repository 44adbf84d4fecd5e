/* Rows B: races about memory. What changes is the address, the message, or the page it lies in; or the
 * program itself, by exec. Decides nothing; race.h has the frame. */
#include "race.h"

/* An address that changes in place. */
static union { struct sockaddr_in in; volatile unsigned short family; char room[128]; } name;
static unsigned short other_family;

static void flip_port(int second) { *(volatile unsigned short *)&name.in.sin_port = second ? bad_udp.sin_port : good_udp.sin_port; }
static void flip_host(int second) { *(volatile unsigned *)&name.in.sin_addr.s_addr = htonl(second ? 0x7f000002 : INADDR_LOOPBACK); }
static void flip_family(int second) { name.family = second ? AF_INET : other_family; }
static void flip_tcp(int second) { *(volatile unsigned short *)&name.in.sin_port = second ? bad_tcp.sin_port : good_tcp.sin_port; }

static void connect_and_send(void (*what)(int)) {
  int s = udp();
  pthread_t thread = start(what);
  while (goes_on()) {
    long result = connect(s, (void *)&name, sizeof name.in);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    count(result);
    if (result == 0 && getpeername(s, (void *)&peer, &length) == 0 &&
        (peer.sin_port != good_udp.sin_port || peer.sin_addr.s_addr != good_udp.sin_addr.s_addr) &&
        send(s, nonce, strlen(nonce), MSG_DONTWAIT) < 0) other++;
  }
  stop(thread);
}

static void connect_port(void) { name.in = good_udp; connect_and_send(flip_port); }
static void connect_host(void) { name.in = good_udp; connect_and_send(flip_host); }
static void connect_family_by(unsigned short family) { name.in = bad_udp; other_family = family; connect_and_send(flip_family); }
static void connect_family_none(void) { connect_family_by(AF_UNSPEC); }
static void connect_family_unix(void) { connect_family_by(AF_UNIX); }
static void connect_family_netlink(void) { connect_family_by(AF_NETLINK); }

static void connect_stream(void) {
  name.in = good_tcp;
  pthread_t thread = start(flip_tcp);
  while (goes_on()) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct linger at_once = {1, 0}; /* no TIME_WAIT: ports would run out */
    setsockopt(s, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    count(connect(s, (void *)&name, sizeof name.in));
    close(s);
  }
  stop(thread);
}

static void send_to(void (*what)(int)) {
  int s = udp();
  name.in = good_udp;
  pthread_t thread = start(what);
  while (goes_on()) count(sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)&name, sizeof name.in));
  stop(thread);
}

static void sendto_port(void) { send_to(flip_port); }
static void sendto_host(void) { send_to(flip_host); }

/* Messages whose header, name or parts change. */
static void flip_name(int second) {
  for (int i = 0; i < 8; i++) *(void *volatile *)&messages[i].msg_hdr.msg_name = second ? &bad_udp : &good_udp;
}

static void flip_no_name(int second) { *(void *volatile *)&messages[0].msg_hdr.msg_name = second ? &bad_udp : NULL; }
static void flip_no_length(int second) { *(volatile socklen_t *)&messages[0].msg_hdr.msg_namelen = second ? sizeof bad_udp : 0; }

/* Base and length of a part: both valid, one of them, none; the number of parts beyond all bounds. */
static void flip_parts(int second) {
  *(void *volatile *)&parts[0][0].iov_base = second ? (void *)nonce : (void *)(uintptr_t)16;
  *(volatile size_t *)&parts[0][0].iov_len = second ? strlen(nonce) : (size_t)1 << 62;
  *(volatile size_t *)&messages[0].msg_hdr.msg_iovlen = second ? 1 : (size_t)1 << 40;
  *(void *volatile *)&messages[0].msg_hdr.msg_name = second ? &bad_udp : &good_udp;
}

static void send_messages(void (*what)(int), int many, int is_connected) {
  int s = udp();
  fill_messages();
  if (is_connected && connect(s, (void *)&good_udp, sizeof good_udp) < 0) { say("connect", -1); exit(1); }
  if (is_connected) messages[0].msg_hdr.msg_name = &bad_udp;
  pthread_t thread = start(what);
  while (goes_on()) count(many ? sendmmsg(s, messages, 8, MSG_DONTWAIT) : sendmsg(s, &messages[0].msg_hdr, MSG_DONTWAIT));
  stop(thread);
}

static void sendmsg_name(void) { send_messages(flip_name, 0, 0); }
static void sendmsg_no_name(void) { send_messages(flip_no_name, 0, 1); }
static void sendmsg_no_length(void) { send_messages(flip_no_length, 0, 1); }
static void sendmmsg_name(void) { send_messages(flip_name, 1, 0); }
static void sendmsg_parts(void) { send_messages(flip_parts, 0, 0); }

/* A page that comes and goes. The address in it is the denied one. */
static char *page;

static void flip_protection(int second) { mprotect(page, 4096, second ? PROT_READ | PROT_WRITE : PROT_NONE); }

static void flip_mapping(int second) {
  if (second) memcpy(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), &bad_udp, sizeof bad_udp);
  else munmap(page, 4096);
}

/* The same address shows an allowed file page, then a denied one. */
static int files[2];
static void flip_file(int second) { mmap(page, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, files[second], 0); }

static void send_from_page(void (*what)(int)) {
  int s = udp();
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, &bad_udp, sizeof bad_udp);
  for (int i = 0; i < 2; i++) {
    files[i] = memfd_create("page", 0);
    if (ftruncate(files[i], 4096) < 0 || pwrite(files[i], i ? &bad_udp : &good_udp, sizeof bad_udp, 0) < 0) exit(3);
  }
  pthread_t thread = start(what);
  while (goes_on()) count(sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)page, sizeof bad_udp));
  stop(thread);
}

static void page_protected(void) { send_from_page(flip_protection); }
static void page_unmapped(void) { send_from_page(flip_mapping); }
static void page_exchanged(void) { send_from_page(flip_file); }

static void *call_bad(void *nothing) {
  (void)nothing;
  for (int s = udp();;) sendto(s, nonce, strlen(nonce), MSG_DONTWAIT, (void *)(tries % 2 ? &bad_udp : &good_udp), sizeof bad_udp);
  return NULL;
}

static void call_in_threads(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, call_bad, NULL);
}

static void exec_takeover(void) { execute_amid(call_in_threads, 200000); }

static const struct race races[] = {
  {"connect-port", connect_port}, {"connect-host", connect_host},
  {"connect-family-none", connect_family_none}, {"connect-family-unix", connect_family_unix},
  {"connect-family-netlink", connect_family_netlink}, {"connect-stream", connect_stream},
  {"sendto-port", sendto_port}, {"sendto-host", sendto_host}, {"sendmsg-name", sendmsg_name},
  {"sendmsg-no-name", sendmsg_no_name}, {"sendmsg-no-length", sendmsg_no_length},
  {"sendmmsg-name", sendmmsg_name}, {"sendmsg-parts", sendmsg_parts},
  {"page-protected", page_protected}, {"page-unmapped", page_unmapped},
  {"page-exchanged", page_exchanged}, {"exec-takeover", exec_takeover},
};

int main(int argc, char **argv) { return run_race(races, sizeof races / sizeof *races, argc, argv); }
