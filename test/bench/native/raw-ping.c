// Control: a raw Ethernet ping-pong in plain C over a TPACKET_V2 receive ring.
//
//   raw-ping server|client IFACE PEER_MAC ROUNDS pause|yield
//
// - The least that this machine needs for a round trip on AF_PACKET: bound to its own
//   ethertype alone, no filter, one frame at a time, both ends spinning.
// - The server ends after 5 s of silence.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "samples.h"

#define ETHERTYPE 0x8146
#define FRAME_BYTES 120
#define ROUND_AT 22
#define SLOT_BYTES 2048
#define SLOTS 256
#define SILENCE_US 5e6
#define WARMUP 1000

static uint8_t *ring;
static unsigned next_slot;

static int open_interface(const char *name, uint8_t *own) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  int version = TPACKET_V2, ignore = 1;
  struct tpacket_req request = {65536, SLOTS * SLOT_BYTES / 65536, SLOT_BYTES, SLOTS};
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE), .sll_ifindex = (int)if_nametoindex(name)};
  struct ifreq interface;
  memset(&interface, 0, sizeof interface);
  strncpy(interface.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &interface) != 0) fail("socket");
  memcpy(own, interface.ifr_hwaddr.sa_data, 6);
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0) fail("PACKET_VERSION");
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, sizeof ignore) != 0) fail("PACKET_IGNORE_OUTGOING");
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) fail("PACKET_RX_RING");
  ring = mmap(NULL, SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (ring == MAP_FAILED) fail("mmap");
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  return fd;
}

/** Waits for one frame, notes its round and gives the slot back; 0 when none came in time. */
static int receive(int yield, double silence_us, uint32_t *round) {
  struct tpacket2_hdr *slot = (struct tpacket2_hdr *)(ring + next_slot * SLOT_BYTES);
  double until = 0;
  for (unsigned look = 1; !(__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER); look++) {
    between_looks(yield);
    if (look % 1024 != 0) continue;
    double now = now_us();
    if (until == 0) until = now + silence_us;
    if (now > until) return 0;
  }
  memcpy(round, (uint8_t *)slot + slot->tp_mac + ROUND_AT, sizeof *round);
  __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  next_slot = (next_slot + 1) % SLOTS;
  return 1;
}

int main(int count, char **argument) {
  if (count != 6) return fprintf(stderr, "raw-ping server|client IFACE PEER_MAC ROUNDS pause|yield\n"), 2;
  int server = strcmp(argument[1], "server") == 0, yield = strcmp(argument[5], "yield") == 0;
  int rounds = atoi(argument[4]);
  uint8_t frame[FRAME_BYTES] = {0};
  unsigned peer[6];
  if (sscanf(argument[3], "%x:%x:%x:%x:%x:%x", peer, peer + 1, peer + 2, peer + 3, peer + 4, peer + 5) != 6) fail("PEER_MAC");
  for (int i = 0; i < 6; i++) frame[i] = (uint8_t)peer[i];
  int fd = open_interface(argument[2], frame + 6);
  frame[12] = ETHERTYPE >> 8;
  frame[13] = ETHERTYPE & 0xff;
  if (server) {
    uint32_t asked;
    while (receive(yield, SILENCE_US, &asked)) {
      memcpy(frame + ROUND_AT, &asked, sizeof asked);
      if (send(fd, frame, sizeof frame, 0) < 0) fail("send");
    }
    return 0;
  }
  double *samples = calloc((size_t)rounds, sizeof *samples);
  double before = now_us();
  for (int round = -WARMUP; round < rounds; round++) {
    uint32_t asked = (uint32_t)round, answered = ~asked;
    memcpy(frame + ROUND_AT, &asked, sizeof asked);
    if (send(fd, frame, sizeof frame, 0) < 0) fail("send");
    while (answered != asked) {
      if (!receive(yield, 1e6, &answered)) fail("a frame was lost");
    }
    double after = now_us();
    if (round >= 0) samples[round] = after - before;
    before = after;
  }
  print_samples(samples, rounds);
  return 0;
}
