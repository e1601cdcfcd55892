// The record that a device's JavaScript and native sides share, in one ArrayBuffer.
//
// - Arguments and results of a turn travel here, so that a turn is a call without
//   arguments: one crossing, no conversion.
// - packet-socket.ts has the same offsets; change both.
// - Pointers are offsets into the linear memory.
#ifndef PROTEUS_CONTROL_H
#define PROTEUS_CONTROL_H

#include <stdint.h>

#define QUEUE_MAX 256
#define ARRIVED_MAX 256

struct queued_frame {
  uint32_t head, head_length, body, body_length;
};

struct arrived_frame {
  uint32_t pointer, length;
};

struct control {
  uint32_t spin_us;       // 0   in: how long a turn may wait for a frame
  uint32_t queued;        // 4   in: frames in the queue; a turn leaves 0
  uint32_t arrived;       // 8   out: frames listed by the last turn
  uint32_t unused;        // 12
  double received;        // 16  counters, all in frames
  double sent;            // 24
  double receive_dropped; // 32
  double send_dropped;    // 40
  double polled_us;       // 48  out: CLOCK_MONOTONIC when the last turn ended, whole microseconds
  double began_us;        // 56  out: when it began, by the coarse clock (some ms behind)
  struct queued_frame queue[QUEUE_MAX];        // 64
  struct arrived_frame arrivals[ARRIVED_MAX];  // 4160
};

_Static_assert(sizeof(struct control) == 6208, "packet-socket.ts counts on it");

#endif
