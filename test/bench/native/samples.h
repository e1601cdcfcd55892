// What both C controls share: the clock, the spin, and the printing of samples.
//
// - `yield` spins with sched_yield (both ends on one core), otherwise with pause: the
//   caller knows the placement, so nothing is probed here.
// - Output: one JSON object a run, microseconds, as the other controls of the benchmark.
#ifndef PROTEUS_SAMPLES_H
#define PROTEUS_SAMPLES_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline void between_looks(int yield) {
  if (yield) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

static int by_size(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static inline void print_samples(double *samples, int count) {
  qsort(samples, (size_t)count, sizeof *samples, by_size);
  printf("{\"rounds\":%d,\"p50Us\":%.3f,\"p99Us\":%.3f,\"minimumUs\":%.3f}\n", count, samples[count / 2],
         samples[(int)(count * 0.99)], samples[0]);
}

#endif
