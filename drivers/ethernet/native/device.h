// One packet socket and what belongs to it. device.c opens and configures it,
// receive.c and send.c move frames, readiness.c wakes the event loop.
//
// - The socket receives nothing before `attach`: it is bound last.
// - Bound to every protocol, not to 0x8146 alone: frames that other processes send
//   through the same interface are shown only to such sockets. The filter (filter.ts)
//   passes our ethertype.
// - Never PACKET_QDISC_BYPASS: it would hide our frames from those processes, and step
//   around the traffic control that a lab puts on a link.
#ifndef PROTEUS_DEVICE_H
#define PROTEUS_DEVICE_H

#define _GNU_SOURCE
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

#include "control.h"

#define FRAME_BYTES_MIN 60
#define RECEIVE_BATCH 64
#define BESIDE_MAX 15

enum receive_mode { RECEIVE_NOTHING, RECEIVE_RING, RECEIVE_BATCHES };

struct device;

struct readiness {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_cleanup_hook_handle cleanup; // removed once the handle is closed
  struct device *owner;
  int fd;
};

/** A place in the ring. */
struct cursor {
  uint32_t index;  // of all slots
  uint32_t within; // the slots of its block
  uint8_t *slot;
};

struct device {
  int fd;
  int claim; // holds the interface's own address for this process; -1 without
  int interface;
  enum receive_mode mode;

  struct control *control;
  napi_ref control_reference;
  napi_ref memory_reference;
  uint8_t *memory; // the linear memory
  size_t memory_length;
  uint8_t *region;
  size_t region_length;

  uint32_t slot_bytes, slots, block_bytes, slots_a_block;
  struct cursor next;   // ring: the slot that fills next
  struct cursor oldest; // ring: the first slot that the host still reads
  uint32_t held;        // ring: how many it reads, up to `next`

  struct device *beside[BESIDE_MAX]; // a wait ends for their frames too
  uint32_t beside_count;
  napi_ref beside_reference;

  struct readiness *readiness;

  struct mmsghdr send[QUEUE_MAX];
  struct iovec send_pieces[QUEUE_MAX][3];
  struct mmsghdr receive[RECEIVE_BATCH];
  struct iovec receive_pieces[RECEIVE_BATCH];
};

/** Throws {message, code: errno as decimal digits}; system-error.ts names it. */
napi_value throw_errno(napi_env env, const char *what, int error);
napi_value throw_usage(napi_env env, const char *message);
void define_function(napi_env env, napi_value object, const char *name, napi_callback callback, void *data);
void define_number(napi_env env, napi_value object, const char *name, double value);

/** receive.c: 0, or -1 with errno; the region is ordinary memory again after a failure. */
int receive_attach_ring(struct device *device);
int receive_attach_batches(struct device *device);
void receive_detach(struct device *device);
void receive_turn(struct device *device, uint32_t spin_us);

/** send.c: sends or drops all that is queued. */
void send_queued(struct device *device);

/** readiness.c */
int readiness_watch(napi_env env, struct device *device, napi_value callback);
void readiness_stop(struct device *device);
void readiness_reference(struct device *device, bool referenced);
void readiness_close(struct device *device);

napi_value device_open(napi_env env, napi_callback_info info);
napi_value tcp_open(napi_env env, napi_callback_info info);

/** shared.c */
napi_value memory_share(napi_env env, napi_callback_info info);
napi_value memory_map(napi_env env, napi_callback_info info);
napi_value memory_unmap(napi_env env, napi_callback_info info);

#endif
