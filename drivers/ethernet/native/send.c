// Sending: the queued frames go out in one sendmmsg, straight from linear memory.
//
// - A frame is two pieces and, when short, zeros up to 60 bytes.
// - EAGAIN and ENOBUFS are back-pressure (a full socket buffer, a full queue at the
//   interface): wait a little, at most WAIT_NS a flush, then drop and count.
// - Any other error costs the frame that met it, never the ones behind it.
#include "device.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "spin.h"

#define WAIT_NS 2000000ull
#define WAIT_STEP_NS 50000

static uint8_t zeros[FRAME_BYTES_MIN];

static bool inside(const struct device *device, uint32_t pointer, uint32_t length) {
  return (uint64_t)pointer + length <= device->memory_length;
}

/** The queue as messages; how many there are. */
static uint32_t gather(struct device *device) {
  struct control *control = device->control;
  uint32_t queued = control->queued < QUEUE_MAX ? control->queued : QUEUE_MAX;
  uint32_t count = 0;
  for (uint32_t i = 0; i < queued; i++) {
    const struct queued_frame *frame = &control->queue[i];
    if (!inside(device, frame->head, frame->head_length) || !inside(device, frame->body, frame->body_length)) {
      control->send_dropped += 1;
      continue;
    }
    struct iovec *piece = device->send_pieces[count];
    uint32_t pieces = 0;
    uint32_t length = frame->head_length + frame->body_length;
    piece[pieces++] = (struct iovec){device->memory + frame->head, frame->head_length};
    if (frame->body_length > 0) piece[pieces++] = (struct iovec){device->memory + frame->body, frame->body_length};
    if (length < FRAME_BYTES_MIN) piece[pieces++] = (struct iovec){zeros, FRAME_BYTES_MIN - length};
    device->send[count].msg_hdr.msg_iov = piece;
    device->send[count].msg_hdr.msg_iovlen = pieces;
    count++;
  }
  control->queued = 0;
  return count;
}

/** Waits for room. False when the time that a flush may wait is used up. */
static bool wait_for_room(struct device *device, int error, uint64_t *wait_until) {
  uint64_t now = clock_ns();
  if (*wait_until == 0) *wait_until = now + WAIT_NS;
  if (now >= *wait_until) return false;
  if (error == EAGAIN) {
    struct pollfd room = {.fd = device->fd, .events = POLLOUT};
    poll(&room, 1, 1);
  } else {
    struct timespec step = {.tv_nsec = WAIT_STEP_NS};
    nanosleep(&step, NULL);
  }
  return true;
}

/** send, without the check for a cancelled thread that the C library adds in programs with threads. */
static inline long send_at_once(int fd, const void *data, size_t length) {
#ifdef SYS_sendto
  return syscall(SYS_sendto, fd, data, length, MSG_DONTWAIT, NULL, 0);
#else
  return send(fd, data, length, MSG_DONTWAIT);
#endif
}

/** One frame in one piece, the usual case of a small call: the cheapest system call does it. */
static bool send_plain(struct device *device) {
  const struct queued_frame *frame = &device->control->queue[0];
  if (device->control->queued != 1 || frame->body_length != 0 || frame->head_length < FRAME_BYTES_MIN ||
      !inside(device, frame->head, frame->head_length) ||
      send_at_once(device->fd, device->memory + frame->head, frame->head_length) < 0) {
    return false;
  }
  device->control->queued = 0;
  device->control->sent += 1;
  return true;
}

void send_queued(struct device *device) {
  if (send_plain(device)) return;
  struct control *control = device->control;
  uint32_t count = gather(device);
  uint32_t done = 0;
  uint64_t wait_until = 0;
  while (done < count) {
    int sent;
    if (count - done == 1) {
      sent = sendmsg(device->fd, &device->send[done].msg_hdr, MSG_DONTWAIT) < 0 ? -1 : 1;
    } else {
      sent = sendmmsg(device->fd, &device->send[done], count - done, MSG_DONTWAIT);
    }
    if (sent > 0) {
      control->sent += sent;
      done += (uint32_t)sent;
      continue;
    }
    if (errno == EINTR) continue;
    if ((errno == EAGAIN || errno == ENOBUFS) && wait_for_room(device, errno, &wait_until)) continue;
    control->send_dropped += 1;
    done++;
  }
}
