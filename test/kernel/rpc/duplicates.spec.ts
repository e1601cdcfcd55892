// At most once: an id that is forgotten is a call executed twice; one that is remembered
// wrongly is a client that can never be served again.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import { now, resetNow, setNow } from "../../../core-wasm/memory/clock";
import { countersOpen } from "../../../core-wasm/memory/counters";
import {
  TRANSACTION_EXECUTED,
  TRANSACTION_NEW,
  TRANSACTION_REFUSED,
  TRANSACTION_UNKNOWABLE,
  duplicatesOpen,
  transactionMark,
  transactionState,
} from "../../../core-wasm/rpc/duplicates";

const WINDOW: u32 = 65536;
const ARENA: usize = 1 << 20;
const bytes = heap.alloc(ARENA);

let seed: u32 = 5;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

function open(kernels: u32, window: u32, stones: u32): void {
  arenaOpen(bytes, bytes + ARENA);
  countersOpen();
  duplicatesOpen(kernels, window, stones);
  arenaSeal();
  resetNow();
  setNow(1000000);
}

function pass(milliseconds: i32): void {
  setNow((now as f64) + (milliseconds as f64) * 1000);
}

function execute(kernel: u64, tid: u32): void {
  transactionMark(kernel, tid, TRANSACTION_EXECUTED);
}

describe("the duplicate window", () => {
  it("remembers 65,536 transactions of a client, each as executed, refused or new", () => {
    open(2, WINDOW, 4);
    for (let tid: u32 = 0; tid < WINDOW; tid++) {
      if (tid % 3 != 0) transactionMark(9, tid, tid % 3 == 1 ? TRANSACTION_EXECUTED : TRANSACTION_REFUSED);
    }
    let wrong = 0;
    for (let tid: u32 = 0; tid < WINDOW; tid++) if (transactionState(9, tid) != tid % 3) wrong++;
    expect(wrong).toBe(0);
  });

  it("takes what is older than the window for executed, and what is newer for new", () => {
    open(2, WINDOW, 4);
    for (let tid: u32 = 0; tid < 3 * WINDOW; tid += 100) execute(9, tid);
    const last = 3 * WINDOW - ((3 * WINDOW) % 100);
    expect(transactionState(9, 50)).toBe(TRANSACTION_EXECUTED);
    expect(transactionState(9, last)).toBe(TRANSACTION_EXECUTED);
    expect(transactionState(9, last - 50)).toBe(TRANSACTION_NEW);
    expect(transactionState(9, last + 50)).toBe(TRANSACTION_NEW);
    expect(transactionState(9, last + 10 * WINDOW)).toBe(TRANSACTION_NEW);
  });

  it("agrees with a plain row over a random walk that leaves and enters the window", () => {
    open(2, 1024, 4);
    const row = new StaticArray<u8>(200000);
    let front: u32 = 0;
    let wrong = 0;
    for (let step = 0; step < 60000; step++) {
      front = min<u32>(front + random(random(50) == 0 ? 3000 : 4), 199999);
      const back = random(1500);
      const tid = front > back ? front - back : 0;
      const state = transactionState(9, tid);
      // Too old may be taken for executed; what was marked must never look new.
      if (row[tid as i32] != 0 && state != (row[tid as i32] as u32) && state != TRANSACTION_EXECUTED) wrong++;
      if (row[tid as i32] == 0 && state != TRANSACTION_NEW && back < 900) wrong++;
      if (state != TRANSACTION_NEW) continue;
      const mark = 1 + random(2);
      transactionMark(9, tid, mark);
      row[tid as i32] = mark as u8;
    }
    expect(wrong).toBe(0);
  });

  it("serves a client that has made more than 2^31 calls before it came here", () => {
    open(2, 1024, 4);
    const tids: StaticArray<u32> = [0x7fffffff, 0x80000001, 0xfffffff0];
    for (let i = 0; i < tids.length; i++) {
      const kernel: u64 = 100 + i;
      expect(transactionState(kernel, tids[i])).toBe(TRANSACTION_NEW);
      execute(kernel, tids[i]);
      expect(transactionState(kernel, tids[i])).toBe(TRANSACTION_EXECUTED);
      expect(transactionState(kernel, tids[i] + 1)).toBe(TRANSACTION_NEW);
      execute(kernel, tids[i] + 100); // wraps in the last case
      expect(transactionState(kernel, tids[i] + 100)).toBe(TRANSACTION_EXECUTED);
      expect(transactionState(kernel, tids[i])).toBe(TRANSACTION_EXECUTED);
    }
  });
});

describe("more kernels than the table holds", () => {
  it("have what they called before taken for executed when they come back", () => {
    open(4, 1024, 64);
    for (let kernel: u64 = 1; kernel <= 40; kernel++) {
      for (let tid: u32 = 0; tid < 10; tid++) execute(kernel, tid);
      pass(10);
    }
    let wrong = 0;
    for (let kernel: u64 = 1; kernel <= 40; kernel++) {
      for (let tid: u32 = 0; tid < 10; tid++) {
        if (transactionState(kernel, tid) != TRANSACTION_EXECUTED) wrong++;
      }
      if (transactionState(kernel, 10) != TRANSACTION_NEW) wrong++;
      pass(10);
    }
    expect(wrong).toBe(0);
  });

  it("are put off when nothing more can be remembered, and served when what is old has faded", () => {
    open(2, 1024, 3);
    for (let kernel: u64 = 1; kernel <= 5; kernel++) {
      execute(kernel, 7);
      pass(10);
    }
    expect(transactionState(6, 0)).toBe(TRANSACTION_UNKNOWABLE);
    for (let kernel: u64 = 1; kernel <= 5; kernel++) {
      expect(transactionState(kernel, 7)).toBe(TRANSACTION_EXECUTED);
    }
    pass(700000);
    expect(transactionState(6, 0)).toBe(TRANSACTION_NEW);
  });

  it("never take another's place among the forgotten: each keeps its own last transaction", () => {
    open(1, 1024, 2);
    for (let round = 0; round < 300; round++) {
      const kernel: u64 = 1 + random(3);
      const tid = (round as u32) * 2;
      expect(transactionState(kernel, tid)).not.toBe(TRANSACTION_EXECUTED);
      if (transactionState(kernel, tid) == TRANSACTION_NEW) {
        execute(kernel, tid);
        expect(transactionState(kernel, tid)).toBe(TRANSACTION_EXECUTED);
      }
      pass(random(400000) as i32);
    }
  });
});
