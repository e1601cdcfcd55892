// Control: one member of a closed process group of Corosync, driven over its standard input.
//
//   cpg-member sleep|yield
//     join MEMBERS                                 -> {"ready":true} once the group has MEMBERS members
//     run SENDS BYTES OUTSTANDING START FROM UNTIL -> the figures of the run, one JSON object
//
// - Times are microseconds of CLOCK_MONOTONIC, which all members share. SENDS is 1 for a
//   member that sends. OUTSTANDING is how many of its messages may be under way; 0: as many as
//   Corosync takes. A message has ended when this member gets it back in its place in the order.
// - `sleep` waits in poll(2) for the daemon, `yield` looks again and again.
// - The figures are those of control/bench/group/load.ts.
#define _GNU_SOURCE
#include <corosync/cpg.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "samples.h"

#define UNDER_WAY_MAX 4096
#define SAMPLES_MAX 1000000
#define BYTES_MAX (512 * 1024)
#define JOIN_US 30e6
#define DRAIN_US 5e6
#define SLEEP_MS 1

static cpg_handle_t handle;
static unsigned own_node;
static uint32_t own_process;
static size_t members;
static double sent_at[UNDER_WAY_MAX];
static unsigned sent, ended;
static double from, until, ended_at, gap_us;
static long delivered, ended_inside;
static double *samples;
static char data[BYTES_MAX];

static void check(cs_error_t error, const char *what) {
  if (error == CS_OK) return;
  fprintf(stderr, "%s: Corosync error %d\n", what, (int)error);
  exit(1);
}

static void on_message(cpg_handle_t from_handle, const struct cpg_name *group, uint32_t node, uint32_t process, void *message, size_t bytes) {
  (void)from_handle, (void)group, (void)message, (void)bytes;
  double now = now_us();
  int inside = now >= from && now < until;
  delivered += inside;
  if (node != own_node || process != own_process || sent == ended) return;
  double took = now - sent_at[ended++ % UNDER_WAY_MAX];
  if (inside && ended_inside < SAMPLES_MAX) samples[ended_inside++] = took;
  if (ended_at > 0 && now - ended_at > gap_us) gap_us = now - ended_at;
  ended_at = now;
}

static void on_change(cpg_handle_t from_handle, const struct cpg_name *group, const struct cpg_address *list, size_t count, const struct cpg_address *left,
                      size_t left_count, const struct cpg_address *joined, size_t joined_count) {
  (void)from_handle, (void)group, (void)list, (void)left, (void)left_count, (void)joined, (void)joined_count;
  members = count;
}

/** Hands out what has come; waits for it at most SLEEP_MS, or not at all. */
static void turn(int yields) {
  int fd;
  check(cpg_fd_get(handle, &fd), "cpg_fd_get");
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  if (poll(&ready, 1, yields ? 0 : SLEEP_MS) <= 0) {
    if (yields) sched_yield();
    return;
  }
  cs_error_t error = cpg_dispatch(handle, CS_DISPATCH_ALL);
  if (error != CS_ERR_TRY_AGAIN) check(error, "cpg_dispatch");
}

/** Sends while it may; 0 when Corosync takes no more for now. */
static int send_more(size_t bytes, unsigned outstanding) {
  struct iovec part = {.iov_base = data, .iov_len = bytes};
  while (sent - ended < outstanding) {
    double now = now_us();
    cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
    if (error == CS_ERR_TRY_AGAIN) return 0;
    check(error, "cpg_mcast_joined");
    sent_at[sent++ % UNDER_WAY_MAX] = now;
  }
  return 1;
}

static void run(int yields, int sends, size_t bytes, unsigned outstanding, double start) {
  unsigned window = outstanding == 0 || outstanding > UNDER_WAY_MAX ? UNDER_WAY_MAX : outstanding;
  sent = ended = 0;
  delivered = ended_inside = 0;
  ended_at = gap_us = 0;
  for (double now = now_us(); now < until; now = now_us()) {
    if (now >= start && sends && !send_more(bytes, window) && yields) sched_yield();
    turn(yields);
  }
  for (double end = now_us() + DRAIN_US; sent != ended && now_us() < end;) turn(yields);
  qsort(samples, (size_t)ended_inside, sizeof *samples, by_size);
  printf("{\"delivered\":%ld,\"ended\":%ld,\"total\":%u,\"lost\":%u,", delivered, ended_inside, ended, sent - ended);
  printf("\"gapUs\":%.1f,\"sinceUs\":%.1f,", gap_us, ended_at > 0 && ended_at < until ? until - ended_at : 0);
  if (ended_inside == 0) printf("\"p50Us\":null,\"p99Us\":null}\n");
  else printf("\"p50Us\":%.3f,\"p99Us\":%.3f}\n", samples[ended_inside / 2], samples[(long)((double)ended_inside * 0.99)]);
}

static void join(size_t wanted) {
  struct cpg_name group = {.length = 5, .value = "bench"};
  cpg_model_v1_data_t model = {.model = CPG_MODEL_V1, .cpg_deliver_fn = on_message, .cpg_confchg_fn = on_change};
  double end = now_us() + JOIN_US;
  cs_error_t error;
  while ((error = cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL)) != CS_OK && now_us() < end) usleep(10000);
  check(error, "cpg_model_initialize");
  while ((error = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN && now_us() < end) usleep(10000);
  check(error, "cpg_join");
  check(cpg_local_get(handle, &own_node), "cpg_local_get");
  own_process = (uint32_t)getpid();
  while (members != wanted && now_us() < end) turn(0);
  if (members != wanted) {
    fprintf(stderr, "the group has %zu members instead of %zu\n", members, wanted);
    exit(1);
  }
  printf("{\"ready\":true}\n");
}

int main(int count, char **argument) {
  if (count != 2) return fprintf(stderr, "cpg-member sleep|yield\n"), 2;
  int yields = strcmp(argument[1], "yield") == 0;
  samples = calloc(SAMPLES_MAX, sizeof *samples);
  if (samples == NULL) fail("samples");
  setvbuf(stdout, NULL, _IOLBF, 0);
  char line[256];
  while (fgets(line, sizeof line, stdin) != NULL) {
    size_t wanted, bytes;
    int sends;
    unsigned outstanding;
    double start;
    if (sscanf(line, "join %zu", &wanted) == 1) join(wanted);
    else if (sscanf(line, "run %d %zu %u %lf %lf %lf", &sends, &bytes, &outstanding, &start, &from, &until) == 6 && bytes <= BYTES_MAX)
      run(yields, sends, bytes, outstanding, start);
    else return fprintf(stderr, "not an order: %s", line), 2;
  }
  return 0;
}
