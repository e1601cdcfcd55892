// Waiting without sleeping: see spin.h.
//
// The thresholds: a sched_yield that finds nobody else costs 0.2 to 0.6 us, one that
// runs another task and comes back more than two switches, about 2 us.
#define _GNU_SOURCE
#include "spin.h"

#include <sched.h>
#include <time.h>

#define AFFINITY_AGE_NS 20000000ull // the mask is read again after this long
#define PROBE_NS 5000ull
#define PROBE_ONE_CPU_NS 2000ull
#define YIELD_LONG_NS 1500ull
#define YIELD_BUSY_NS 1000000ull
#define STRETCH 10u // a wait is over after so many times what it may last, whoever ran
#define REST_NS 20000000ull
#define SHORT_YIELDS_TO_PAUSE 32u
#define LOOKS_A_CLOCK 8u

static _Thread_local struct {
  uint64_t affinity_read_ns;
  uint64_t probe_every_ns;
  uint64_t rest_until_ns;
  uint32_t short_yields;
  bool one_cpu;
  bool yielding;
} placement;

uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

uint64_t coarse_clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#else
  __asm__ volatile("" ::: "memory");
#endif
}

static void read_affinity(uint64_t now) {
  cpu_set_t mask;
  bool one_cpu = sched_getaffinity(0, sizeof mask, &mask) == 0 && CPU_COUNT(&mask) == 1;
  placement.affinity_read_ns = now;
  placement.probe_every_ns = one_cpu ? PROBE_ONE_CPU_NS : PROBE_NS;
  if (one_cpu && !placement.one_cpu) placement.yielding = true; // safe to begin with
  placement.one_cpu = one_cpu;
}

static void begin_at(struct spin *spin, uint64_t now) {
  if (now - placement.affinity_read_ns > AFFINITY_AGE_NS) read_affinity(now);
  spin->now_ns = now;
  spin->deadline_ns = now < placement.rest_until_ns ? 0 : now + (uint64_t)spin->microseconds * 1000;
  spin->limit_ns = now + (uint64_t)spin->microseconds * 1000 * STRETCH;
  spin->probe_ns = now + placement.probe_every_ns;
}

void spin_begin(struct spin *spin, uint32_t microseconds) {
  spin->looks = 0;
  spin->microseconds = microseconds;
  spin->now_ns = 0;
  // On one CPU the first thing is a yield anyway: the clock is read after it.
  if (!placement.one_cpu) begin_at(spin, clock_ns());
}

/** Lets others run, and learns from how long that took. */
static void yield_timed(struct spin *spin) {
  uint64_t before = spin->now_ns;
  sched_yield();
  uint64_t after = clock_ns();
  spin->now_ns = after;
  if (after - before >= YIELD_LONG_NS) {
    placement.short_yields = 0;
    placement.yielding = true;
    if (after - before < YIELD_BUSY_NS) {
      uint64_t deadline = spin->deadline_ns + (after - before); // others ran: that was not our waiting
      spin->deadline_ns = deadline < spin->limit_ns ? deadline : spin->limit_ns;
    } else if (!placement.one_cpu) {
      placement.rest_until_ns = after + REST_NS;
    }
  } else if (placement.yielding && ++placement.short_yields >= SHORT_YIELDS_TO_PAUSE) {
    placement.short_yields = 0;
    placement.yielding = false;
  }
}

bool spin_again(struct spin *spin) {
  if (spin->now_ns == 0) {
    sched_yield();
    begin_at(spin, clock_ns());
    return true;
  }
  if (spin->deadline_ns == 0) return false;
  if (placement.yielding) {
    yield_timed(spin);
    return spin->now_ns < spin->deadline_ns;
  }
  cpu_pause();
  if (++spin->looks % LOOKS_A_CLOCK != 0) return true;
  spin->now_ns = clock_ns();
  if (spin->now_ns >= spin->probe_ns) {
    yield_timed(spin);
    spin->probe_ns = spin->now_ns + placement.probe_every_ns;
  }
  return spin->now_ns < spin->deadline_ns;
}

uint64_t spin_time_ns(const struct spin *spin) {
  return spin->now_ns != 0 ? spin->now_ns : clock_ns();
}
