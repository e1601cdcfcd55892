// The timers against a plain row of deadlines: one that fired late or never would leave a
// call hanging, one that fired twice would give up a machine that lives.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import {
  NEVER,
  timerClear,
  timerDeadline,
  timerPop,
  timerSet,
  timersNext,
  timersOpen,
} from "../../../core-wasm/memory/timers";

const TIMERS: u32 = 50;
const bytes = heap.alloc(16384);
const model: StaticArray<i64> = new StaticArray<i64>(TIMERS as i32);

let seed: u32 = 7;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

function open(): void {
  arenaOpen(bytes, bytes + 16384);
  timersOpen(TIMERS);
  arenaSeal();
  for (let id = 0; id < (TIMERS as i32); id++) model[id] = NEVER;
}

function earliest(): i64 {
  let first = NEVER;
  for (let id = 0; id < (TIMERS as i32); id++) first = min<i64>(first, model[id]);
  return first;
}

describe("timers", () => {
  it("fire once each when they are due, whatever was set, moved and cleared before", () => {
    open();
    let now: i64 = 0;
    let wrong = 0;
    for (let step = 0; step < 30000; step++) {
      const id = random(TIMERS);
      const what = random(8);
      if (what < 4) {
        const deadline = now + (random(200) as i64) - 20; // in the past too
        timerSet(id, deadline);
        model[id as i32] = deadline;
      } else if (what == 4) {
        timerClear(id);
        model[id as i32] = NEVER;
      } else if (what == 5) {
        if (timersNext() != earliest()) wrong++;
      } else {
        now += random(15) as i64;
        for (let fired = timerPop(now); fired >= 0; fired = timerPop(now)) {
          if (model[fired] > now || timerDeadline(fired as u32) != NEVER) wrong++;
          model[fired] = NEVER;
        }
        if (earliest() <= now) wrong++;
      }
      if (timerDeadline(id) != model[id as i32]) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("fire in the order of their deadlines, so that an old call is not overtaken", () => {
    open();
    for (let id: u32 = 0; id < TIMERS; id++) timerSet(id, random(1000) as i64);
    let before: i64 = -1;
    for (let left = TIMERS; left > 0; left--) {
      const next = timersNext();
      expect(next).toBeGreaterThanOrEqual(before);
      before = next;
      expect(timerPop(next)).toBeGreaterThanOrEqual(0);
    }
    expect(timerPop(i64.MAX_VALUE - 1)).toBe(-1);
  });

  it("wake nobody when all are cleared, so that an idle machine sleeps", () => {
    open();
    for (let id: u32 = 0; id < TIMERS; id++) timerSet(id, (id as i64) * 10);
    for (let id: u32 = 0; id < TIMERS; id++) timerClear(id);
    expect(timersNext()).toBe(NEVER);
    expect(timerPop(1000000)).toBe(-1);
  });
});
