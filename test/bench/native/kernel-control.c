// Control: what C makes of the loops in core-wasm/bench/loops.ts, with the same data in the same order.
//
//   kernel-control codec|match|segment|copy|hash|crc BYTES
//
// - Prints the nanoseconds of one operation: of many short samples after a warm-up that one below
//   which a tenth of them lie, as control/bench/kernel/loops.ts takes it.
// - codec: packed headers; match: the kernel's own table, in C; segment: malloc and free; copy:
//   memcpy; hash: xxHash's own header; crc: the processor's instruction, in one stream.
// - Status 3: built without what the operation needs (hash without xxhash.h).
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "samples.h"

#if __has_include(<xxhash.h>)
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif
#if defined(__SSE4_2__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define PORTS 10000u
#define ORDER 16384u
#define HEADERS 256u
#define SEGMENTS 512u
#define BLOCK_MOST (1u << 20)
#define WARM_UP_US 60000.0
#define SAMPLE_US 200.0
#define SAMPLES 201

// The compiler may neither drop what comes before this nor carry it over in registers.
#define BARRIER() __asm__ volatile("" ::: "memory")

static uint32_t turn = 0; // of match and segment: a loop goes on where the last one ended
static uint64_t seed = 1;
static uint32_t pseudorandom(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33);
}

static uint64_t ports[ORDER];
static uint32_t sizes[ORDER];
static void *live[SEGMENTS];
static uint8_t *source, *target;

// ---- headers -----------------------------------------------------------------------------

struct __attribute__((packed)) request {
  uint64_t kernel;
  uint8_t port[6];
  uint8_t type, flags;
  uint32_t tid;
  uint16_t dest, from;
  uint8_t server[6], signature[6], private_part[10];
  uint16_t command;
  int32_t offset;
  uint16_t size, extra;
};

static struct {
  struct request request;
  uint8_t padding[64 - sizeof(struct request)];
} headers[HEADERS];

static uint64_t load48(const uint8_t *at) {
  uint32_t low;
  uint16_t high;
  memcpy(&low, at, 4);
  memcpy(&high, at + 4, 2);
  return low | (uint64_t)high << 32;
}

static void store48(uint8_t *at, uint64_t value) {
  uint32_t low = (uint32_t)value;
  uint16_t high = (uint16_t)(value >> 32);
  memcpy(at, &low, 4);
  memcpy(at + 4, &high, 2);
}

static uint64_t codec(uint32_t count) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct request *r = &headers[i & (HEADERS - 1)].request;
    r->kernel = 0x1122334455667788 + i;
    store48(r->port, i);
    r->type = 3;
    r->flags = 0;
    r->tid = i;
    r->dest = (uint16_t)i;
    r->from = 7;
    store48(r->server, i);
    store48(r->signature, 0x665544332211);
    uint64_t private_low = i;
    uint16_t private_high = (uint16_t)i;
    memcpy(r->private_part, &private_low, 8);
    memcpy(r->private_part + 8, &private_high, 2);
    r->command = (uint16_t)i;
    r->offset = (int32_t)i;
    r->size = (uint16_t)i;
    r->extra = (uint16_t)i;
    BARRIER();
    if (r->type < 1 || r->type > 12 || (r->flags & 1)) sum++;
    sum += r->kernel + load48(r->port) + r->type + r->flags + r->tid + r->dest + r->from;
    memcpy(&private_low, r->private_part, 8);
    memcpy(&private_high, r->private_part + 8, 2);
    sum += load48(r->server) + load48(r->signature) + private_low + private_high;
    sum += (uint64_t)r->command + (uint64_t)r->offset + r->size + r->extra;
  }
  return sum;
}

// ---- ports -------------------------------------------------------------------------------

struct record {
  uint32_t next, used; // next: index + 1
  uint64_t key, key2;
  uint32_t first, threads;
  uint64_t get_port;
};

static struct record records[PORTS];
static uint32_t buckets[16384];

static uint32_t mix(uint64_t a, uint64_t b) {
  uint64_t h = a ^ (b * 0x9e3779b97f4a7c15);
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccd;
  h ^= h >> 33;
  return (uint32_t)h;
}

static uint64_t port(uint32_t i) {
  return ((uint64_t)mix(i, 1) << 16 | (mix(i, 2) & 0xffff)) & 0xffffffffffff;
}

static uint64_t match(uint32_t count) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t wanted = ports[turn++ & (ORDER - 1)];
    for (uint32_t at = buckets[mix(wanted, 0) & 16383]; at != 0; at = records[at - 1].next) {
      if (records[at - 1].key == wanted && records[at - 1].key2 == 0) {
        sum += records[at - 1].first;
        break;
      }
    }
  }
  return sum;
}

// ---- memory ------------------------------------------------------------------------------

static uint64_t segment(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t order = turn++ & (ORDER - 1);
    void **at = &live[(order * 7) & (SEGMENTS - 1)];
    free(*at);
    *at = malloc(sizes[order]);
    BARRIER();
  }
  return 0;
}

static uint64_t copy(uint32_t count, size_t bytes) {
  for (uint32_t i = 0; i < count; i++) {
    memcpy(target, source, bytes);
    BARRIER();
  }
  return target[0];
}

static uint64_t hash(uint32_t count, size_t bytes) {
  uint64_t sum = 0;
#ifdef XXH_INLINE_ALL
  for (uint32_t i = 0; i < count; i++) {
    sum += XXH3_64bits(source, bytes);
    BARRIER();
  }
#else
  (void)count;
  (void)bytes;
  exit(3);
#endif
  return sum;
}

static uint32_t crc_table[256];

static uint64_t crc(uint32_t count, size_t bytes) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    sum = ~sum;
    size_t at = 0;
#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)
    for (; at + 8 <= bytes; at += 8) {
      uint64_t word;
      memcpy(&word, source + at, 8);
#if defined(__SSE4_2__)
      sum = (uint32_t)_mm_crc32_u64(sum, word);
#else
      sum = __crc32cd(sum, word);
#endif
    }
#endif
    for (; at < bytes; at++) sum = sum >> 8 ^ crc_table[(sum ^ source[at]) & 255];
    sum = ~sum;
    BARRIER();
  }
  return sum;
}

// ---- the clock ---------------------------------------------------------------------------

static void prepare(void) {
  source = aligned_alloc(64, BLOCK_MOST);
  target = aligned_alloc(64, BLOCK_MOST);
  if (source == NULL || target == NULL) fail("aligned_alloc");
  for (uint32_t i = 0; i < PORTS; i++) {
    uint32_t *bucket = &buckets[mix(port(i), 0) & 16383];
    records[i] = (struct record){.next = *bucket, .used = 1, .key = port(i), .first = i + 1, .get_port = i};
    *bucket = i + 1;
  }
  for (uint32_t i = 0; i < ORDER; i++) {
    ports[i] = port(pseudorandom() % PORTS);
    uint32_t exponent = pseudorandom() % 11;
    sizes[i] = 16 + pseudorandom() % (16u << exponent);
  }
  for (uint32_t i = 0; i < SEGMENTS; i++) live[i] = malloc(sizes[i]);
  for (uint32_t i = 0; i < BLOCK_MOST; i += 4) {
    uint32_t word = pseudorandom();
    memcpy(source + i, &word, 4);
  }
  memset(target, 0, BLOCK_MOST);
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (0x82f63b78 & (0 - (value & 1)));
    crc_table[byte] = value;
  }
}

static volatile uint64_t result; // nobody reads it, and the compiler cannot know

static double run(const char *name, uint32_t count, size_t bytes) {
  double begun = now_us();
  if (strcmp(name, "codec") == 0) result = codec(count);
  else if (strcmp(name, "match") == 0) result = match(count);
  else if (strcmp(name, "segment") == 0) result = segment(count);
  else if (strcmp(name, "copy") == 0) result = copy(count, bytes);
  else if (strcmp(name, "hash") == 0) result = hash(count, bytes);
  else if (strcmp(name, "crc") == 0) result = crc(count, bytes);
  else exit(2);
  return now_us() - begun;
}

int main(int count, char **argument) {
  if (count != 3) return fprintf(stderr, "kernel-control codec|match|segment|copy|hash|crc BYTES\n"), 2;
  size_t bytes = strtoul(argument[2], NULL, 10);
  if (bytes > BLOCK_MOST) return fprintf(stderr, "at most %u bytes\n", BLOCK_MOST), 2;
  alarm(120);
  prepare();
  uint32_t turns = 1;
  for (double end = now_us() + WARM_UP_US; now_us() < end;) {
    double took = run(argument[1], turns, bytes);
    if (took < SAMPLE_US / 2) turns *= 2;
    else if (took > SAMPLE_US * 2 && turns > 1) turns = (turns + 1) / 2;
  }
  static double samples[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) samples[i] = run(argument[1], turns, bytes) * 1000 / turns;
  qsort(samples, SAMPLES, sizeof *samples, by_size);
  printf("%.4f\n", samples[SAMPLES / 10]);
  return 0;
}
