// Receiving: from a TPACKET_V2 ring that is mapped over pages of the linear memory, or
// with recvmmsg into slots of the same pages.
//
// - Ring: the kernel writes a frame and then its status word; we read the frame where
//   it lies and give the slot back in the turn after. No system call on the way.
//   (V3 hands over by the block, with a timer: a round trip would take 1 ms.)
// - A slot: struct tpacket2_hdr, struct sockaddr_ll, then the frame at offset 66, so
//   that what follows the Ethernet header is aligned to 16. Both modes keep that.
// - Detaching puts ordinary memory back over the mapped pages.
#include "device.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>

#include "spin.h"

#define FRAME_OFFSET 66

static void restore_memory(struct device *device) {
  mmap(device->region, device->region_length, PROT_READ | PROT_WRITE,
       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int receive_attach_ring(struct device *device) {
  int version = TPACKET_V2;
  struct tpacket_req request = {
      .tp_block_size = device->block_bytes,
      .tp_block_nr = device->slots / device->slots_a_block,
      .tp_frame_size = device->slot_bytes,
      .tp_frame_nr = device->slots,
  };
  size_t length = (size_t)request.tp_block_size * request.tp_block_nr;
  if (length > device->region_length) {
    errno = EINVAL;
    return -1;
  }
  if (setsockopt(device->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0) return -1;
  if (setsockopt(device->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) return -1;
  void *mapped = mmap(device->region, length, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, device->fd, 0);
  if (mapped == MAP_FAILED) {
    int error = errno;
    restore_memory(device); // a refused MAP_FIXED may have taken the old pages away
    struct tpacket_req none;
    memset(&none, 0, sizeof none);
    setsockopt(device->fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none);
    errno = error;
    return -1;
  }
  device->next = device->oldest = (struct cursor){.slot = device->region};
  device->held = 0;
  device->mode = RECEIVE_RING;
  return 0;
}

int receive_attach_batches(struct device *device) {
  for (uint32_t i = 0; i < RECEIVE_BATCH; i++) {
    device->receive_pieces[i] = (struct iovec){
        device->region + (size_t)i * device->slot_bytes + FRAME_OFFSET,
        device->slot_bytes - FRAME_OFFSET,
    };
    device->receive[i].msg_hdr.msg_iov = &device->receive_pieces[i];
    device->receive[i].msg_hdr.msg_iovlen = 1;
  }
  device->mode = RECEIVE_BATCHES;
  return 0;
}

void receive_detach(struct device *device) {
  if (device->mode == RECEIVE_RING) restore_memory(device);
  device->mode = RECEIVE_NOTHING;
}

static inline struct tpacket2_hdr *slot_at(const struct cursor *cursor) {
  return (struct tpacket2_hdr *)cursor->slot;
}

/** To the next slot; without a division, since every turn comes here. */
static inline void advance(const struct device *device, struct cursor *cursor) {
  if (++cursor->index == device->slots) {
    *cursor = (struct cursor){.slot = device->region};
  } else if (++cursor->within == device->slots_a_block) {
    cursor->within = 0;
    cursor->slot = device->region + (size_t)(cursor->index / device->slots_a_block) * device->block_bytes;
  } else {
    cursor->slot += device->slot_bytes;
  }
}

static inline bool slot_filled(const struct tpacket2_hdr *slot) {
  return (__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) != 0;
}

/** A frame waits here, or in a ring that is looked after together with this one. */
static inline bool anything_filled(const struct device *device) {
  if (slot_filled(slot_at(&device->next))) return true;
  for (uint32_t i = 0; i < device->beside_count; i++) {
    const struct device *other = device->beside[i];
    if (other->mode == RECEIVE_RING && slot_filled(slot_at(&other->next))) return true;
  }
  return false;
}

static void ring_release(struct device *device) {
  for (; device->held > 0; device->held--) {
    __atomic_store_n(&slot_at(&device->oldest)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    advance(device, &device->oldest);
  }
}

static void ring_list(struct device *device) {
  struct control *control = device->control;
  uint32_t listed = 0;
  while (device->held < ARRIVED_MAX && device->held < device->slots) {
    const struct tpacket2_hdr *slot = slot_at(&device->next);
    if (!slot_filled(slot)) break;
    device->held++;
    advance(device, &device->next);
    if (slot->tp_snaplen != slot->tp_len) { // the interface's MTU grew: cut off, useless
      control->receive_dropped += 1;
      continue;
    }
    control->arrivals[listed].pointer = (uint32_t)((const uint8_t *)slot + slot->tp_mac - device->memory);
    control->arrivals[listed].length = slot->tp_snaplen;
    listed++;
  }
  control->received += listed;
  control->arrived = listed;
}

static void batch_list(struct device *device) {
  struct control *control = device->control;
  uint32_t listed = 0;
  uint32_t most = device->slots < RECEIVE_BATCH ? device->slots : RECEIVE_BATCH;
  int got = recvmmsg(device->fd, device->receive, most, MSG_DONTWAIT, NULL);
  for (int i = 0; i < got; i++) {
    if (device->receive[i].msg_hdr.msg_flags & MSG_TRUNC) {
      control->receive_dropped += 1;
      continue;
    }
    control->arrivals[listed].pointer = (uint32_t)((uint8_t *)device->receive_pieces[i].iov_base - device->memory);
    control->arrivals[listed].length = device->receive[i].msg_len;
    listed++;
  }
  control->received += listed;
  control->arrived = listed;
}

/** Looks until something has arrived, or for `spin_us`; notes when that was. */
void receive_turn(struct device *device, uint32_t spin_us) {
  struct control *control = device->control;
  struct spin spin = {0};
  control->arrived = 0;
  control->began_us = (double)(coarse_clock_ns() / 1000);
  if (device->mode == RECEIVE_RING) {
    ring_release(device);
    ring_list(device);
    if (control->arrived == 0 && spin_us > 0) {
      spin_begin(&spin, spin_us);
      while (!anything_filled(device) && spin_again(&spin)) continue;
      ring_list(device);
    }
  } else if (device->mode == RECEIVE_BATCHES) {
    batch_list(device);
    if (control->arrived == 0 && spin_us > 0) {
      spin_begin(&spin, spin_us);
      for (bool more = true; more && control->arrived == 0;) {
        more = spin_again(&spin);
        batch_list(device);
      }
    }
  }
  control->polled_us = (double)(spin_time_ns(&spin) / 1000);
}
