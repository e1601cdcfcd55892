// The TCP control of the benchmarks: a ping-pong in which both ends spin.
//
// - One crossing a turn, like the packet socket: send, then look until the answer is
//   complete or the time is over. The same spin, non-blocking sockets, TCP_NODELAY.
// - `tcp(server, address, port, waitMs, control)` answers a connected {turn, close};
//   the server listens, takes one connection and stops listening.
// - control: u32 {spinUs, sendBytes, receiveBytes, received}. A turn with received <
//   receiveBytes goes on where it stopped when called again with sendBytes 0.
#include "device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spin.h"

#define BUFFER_BYTES 65536

struct tcp_control {
  uint32_t spin_us, send_bytes, receive_bytes, received;
};

struct tcp {
  int fd;
  struct tcp_control *control;
  napi_ref control_reference;
  uint8_t out[BUFFER_BYTES], in[BUFFER_BYTES];
};

static void close_tcp(napi_env env, struct tcp *tcp) {
  if (tcp->fd < 0) return;
  close(tcp->fd);
  tcp->fd = -1;
  napi_delete_reference(env, tcp->control_reference);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  close_tcp(env, data);
  free(data);
}

static napi_value turn(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) return NULL;
  struct tcp *tcp = data;
  struct tcp_control *control = tcp->control;
  if (tcp->fd < 0) return throw_usage(env, "tcp: closed");
  uint32_t sending = control->send_bytes < BUFFER_BYTES ? control->send_bytes : BUFFER_BYTES;
  uint32_t wanted = control->receive_bytes < BUFFER_BYTES ? control->receive_bytes : BUFFER_BYTES;
  for (uint32_t sent = 0; sent < sending;) {
    ssize_t done = send(tcp->fd, tcp->out + sent, sending - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done > 0) sent += (uint32_t)done;
    else if (errno != EAGAIN && errno != EINTR) return throw_errno(env, "send", errno);
  }
  struct spin spin;
  bool more = true, begun = false;
  while (control->received < wanted && more) {
    ssize_t done = recv(tcp->fd, tcp->in + control->received, wanted - control->received, MSG_DONTWAIT);
    if (done > 0) control->received += (uint32_t)done;
    else if (done == 0) return throw_errno(env, "recv", ECONNRESET);
    else if (errno != EAGAIN && errno != EINTR) return throw_errno(env, "recv", errno);
    else if (begun) more = spin_again(&spin);
    else spin_begin(&spin, control->spin_us), begun = true;
  }
  return NULL;
}

static napi_value close_function(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) == napi_ok) close_tcp(env, data);
  return NULL;
}

/** A connected socket, or -1 with errno. */
static int serve(struct sockaddr_in *address, int wait_ms) {
  int on = 1, fd = -1, error = 0;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  struct pollfd incoming = {.fd = listener, .events = POLLIN};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)address, sizeof *address) != 0 || listen(listener, 1) != 0) error = errno;
  else if (poll(&incoming, 1, wait_ms) != 1) error = ETIMEDOUT;
  else if ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) error = errno;
  close(listener);
  errno = error;
  return fd;
}

/** Tries again while the server is not up yet. */
static int reach(struct sockaddr_in *address, int wait_ms) {
  uint64_t until = clock_ns() + (uint64_t)wait_ms * 1000000;
  for (;;) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)address, sizeof *address) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    if ((error != ECONNREFUSED && error != EHOSTUNREACH && error != ENETUNREACH) || clock_ns() > until) return -1;
    poll(NULL, 0, 10);
  }
}

napi_value tcp_open(napi_env env, napi_callback_info info) {
  size_t count = 5, length;
  napi_value arguments[5], object;
  bool server;
  char host[64];
  uint32_t port, wait_ms;
  void *control;
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 5 ||
      napi_get_value_bool(env, arguments[0], &server) != napi_ok ||
      napi_get_value_string_utf8(env, arguments[1], host, sizeof host, NULL) != napi_ok ||
      napi_get_value_uint32(env, arguments[2], &port) != napi_ok ||
      napi_get_value_uint32(env, arguments[3], &wait_ms) != napi_ok ||
      napi_get_arraybuffer_info(env, arguments[4], &control, &length) != napi_ok ||
      length != sizeof(struct tcp_control) || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
    return throw_usage(env, "tcp: server, IPv4 address, port, waitMs, control");
  }
  address.sin_port = htons((uint16_t)port);
  int on = 1;
  int fd = server ? serve(&address, (int)wait_ms) : reach(&address, (int)wait_ms);
  if (fd < 0) return throw_errno(env, server ? "accept" : "connect", errno);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct tcp *tcp = calloc(1, sizeof *tcp);
  if (tcp == NULL) {
    close(fd);
    return throw_errno(env, "calloc", ENOMEM);
  }
  tcp->fd = fd;
  tcp->control = control;
  napi_create_reference(env, arguments[4], 1, &tcp->control_reference);
  napi_create_object(env, &object);
  napi_wrap(env, object, tcp, finalize, NULL, NULL);
  define_function(env, object, "turn", turn, tcp);
  define_function(env, object, "close", close_function, tcp);
  return object;
}
