// Control: a TCP ping-pong in plain C in which both ends spin.
//
//   spin-tcp server|client ADDRESS PORT ROUNDS pause|yield
//
// - What the addon's spin-tcp is held against: it has to stay within 1.3 times of this.
// - 64 bytes each way, TCP_NODELAY, non-blocking sockets.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "samples.h"

#define MESSAGE_BYTES 64
#define WARMUP 1000

static int receive(int fd, int yield) {
  char message[MESSAGE_BYTES];
  for (size_t got = 0; got < sizeof message;) {
    ssize_t done = recv(fd, message + got, sizeof message - got, MSG_DONTWAIT);
    if (done > 0) got += (size_t)done;
    else if (done == 0) return 0;
    else if (errno == EAGAIN) between_looks(yield);
    else fail("recv");
  }
  return 1;
}

static void transmit(int fd) {
  char message[MESSAGE_BYTES] = {0};
  if (send(fd, message, sizeof message, MSG_NOSIGNAL) != sizeof message) fail("send");
}

static int connect_or_accept(int server, struct sockaddr_in *address) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (server) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)address, sizeof *address) != 0 || listen(fd, 1) != 0) fail("listen");
    fd = accept(fd, NULL, NULL);
  } else {
    for (int tries = 500; connect(fd, (struct sockaddr *)address, sizeof *address) != 0; tries--) {
      if (tries == 0) fail("connect");
      close(fd);
      usleep(10000);
      fd = socket(AF_INET, SOCK_STREAM, 0);
    }
  }
  if (fd < 0) fail("accept");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

int main(int count, char **argument) {
  if (count != 6) return fprintf(stderr, "spin-tcp server|client ADDRESS PORT ROUNDS pause|yield\n"), 2;
  int server = strcmp(argument[1], "server") == 0, yield = strcmp(argument[5], "yield") == 0;
  int rounds = atoi(argument[4]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argument[3]))};
  if (inet_pton(AF_INET, argument[2], &address.sin_addr) != 1) fail("ADDRESS");
  alarm(120);
  int fd = connect_or_accept(server, &address);
  if (server) {
    while (receive(fd, yield)) transmit(fd);
    return 0;
  }
  double *samples = calloc((size_t)rounds, sizeof *samples);
  double before = now_us();
  for (int round = -WARMUP; round < rounds; round++) {
    transmit(fd);
    if (!receive(fd, yield)) fail("closed");
    double after = now_us();
    if (round >= 0) samples[round] = after - before;
    before = after;
  }
  print_samples(samples, rounds);
  return 0;
}
