// Waiting without sleeping, in the way that suits where the processes run.
//
// - Peers on different cores: pause between looks; nobody is ever woken up.
// - Peers on one core: sched_yield between looks, or the peer never runs.
// - Which of the two is learnt from timed yields, one every few microseconds: a yield that
//   takes long let another task run on this core, so only yields follow, until a row of
//   them has been short. A process that may run on one CPU only probes more often.
// - What a yield gave to peers does not count as waiting: several that share a core take
//   their turns there, not in their hosts. There is a limit to that.
// - A yield of a millisecond went to a task that computes, not to a peer: then no waiting
//   at all for a while, so that the host sleeps and the system wakes it at once.
// - Shared by the packet socket and the TCP control: the same spin for both.
#ifndef PROTEUS_SPIN_H
#define PROTEUS_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
  uint64_t now_ns; // when the clock was last read; 0: not yet
  uint64_t deadline_ns;
  uint64_t limit_ns; // the deadline may move up to here
  uint64_t probe_ns;
  uint32_t looks;
  uint32_t microseconds;
};

uint64_t clock_ns(void);

/** The same clock as of the system's last tick: next to free. */
uint64_t coarse_clock_ns(void);

/** Starts a wait of at most `microseconds`. */
void spin_begin(struct spin *spin, uint32_t microseconds);

/** Between two looks. False once the time is over: look a last time, then stop. */
bool spin_again(struct spin *spin);

/** The time, as a wait read it last (at most some hundred nanoseconds ago), or read now. */
uint64_t spin_time_ns(const struct spin *spin);

#endif
