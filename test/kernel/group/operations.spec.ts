// Handles of group operations: a stale one that is taken for another would end a message
// that somebody else waits for.

import {
  COMPLETION_ENTRIES,
  COMPLETION_HANDLE,
  COMPLETION_PRODUCED,
  HANDLE_GROUP,
} from "../../../core-wasm/layout";
import {
  JOIN,
  Operation,
  RECEIVE,
  SEND,
  operationEnd,
  operationHandle,
  operationOf,
  operationTake,
  operationsOpen,
} from "../../../core-wasm/group/operations";
import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import { completionsOpen } from "../../../core-wasm/rpc/completions";

const ARENA: usize = 1 << 20;
const bytes = heap.alloc(ARENA);
let ring: usize = 0;

function open(operations: u32, entries: u32): void {
  arenaOpen(bytes, bytes + ARENA);
  ring = completionsOpen(entries);
  operationsOpen(operations);
  arenaSeal();
}

// @ts-ignore: decorator
@inline
function isNull(operation: Operation): bool {
  return changetype<usize>(operation) == 0;
}

/** The host takes what has ended. */
function drain(): void {
  store<u32>(ring, load<u32>(ring, COMPLETION_PRODUCED), 4);
}

describe("a handle", () => {
  it("leads to its operation until that ends, and to none after", () => {
    open(8, 64);
    const operation = operationTake(SEND, 3);
    const handle = operationHandle(operation);
    expect(handle & HANDLE_GROUP).toBe(HANDLE_GROUP);
    expect(operationOf(handle) == operation).toBe(true);
    operationEnd(operation, 0, 0, 0);
    expect(isNull(operationOf(handle))).toBe(true);
    expect(load<i32>(ring + COMPLETION_ENTRIES, COMPLETION_HANDLE)).toBe(handle);
  });

  it("is not that of the next operation in the same place", () => {
    open(1, 64);
    let before = operationHandle(operationTake(JOIN, 0));
    for (let round = 0; round < 1000; round++) {
      operationEnd(operationOf(before), 0, 0, 0);
      drain();
      const next = operationHandle(operationTake(RECEIVE, 0));
      expect(next).not.toBe(before);
      expect(isNull(operationOf(before))).toBe(true);
      before = next;
    }
  });

  it("that nobody gave leads nowhere", () => {
    open(4, 64);
    const handle = operationHandle(operationTake(SEND, 0));
    expect(isNull(operationOf(-1))).toBe(true);
    expect(isNull(operationOf(0))).toBe(true);
    expect(isNull(operationOf(handle & ~HANDLE_GROUP))).toBe(true);
    expect(isNull(operationOf(handle | 0x7fff))).toBe(true);
    expect(isNull(operationOf(handle + (1 << 15)))).toBe(true);
    expect(isNull(operationOf(handle + 1))).toBe(true);
    expect(isNull(operationOf(i32.MIN_VALUE))).toBe(true);
    expect(isNull(operationOf(i32.MAX_VALUE))).toBe(true);
  });
});

describe("operations", () => {
  it("are refused when as many are out as there are, and when their completions would not fit", () => {
    open(4, 64);
    for (let i = 0; i < 4; i++) expect(isNull(operationTake(SEND, 0))).toBe(false);
    expect(isNull(operationTake(SEND, 0))).toBe(true);
    open(64, 16);
    let out = 0;
    while (out < 64 && !isNull(operationTake(SEND, 0))) out++;
    expect(out).toBeGreaterThan(0);
    expect(out).toBeLessThanOrEqual(16);
  });

  it("begin clean: nothing of the one before is left in them", () => {
    open(1, 64);
    const first = operationTake(SEND, 1);
    first.record = 77;
    first.message = 5;
    first.sentAt = 9;
    first.tries = 3;
    first.large = 1;
    first.next = 123;
    operationEnd(first, 0, 0, 0);
    const next = operationTake(RECEIVE, 2);
    expect(next.kind).toBe(RECEIVE);
    expect(next.gid).toBe(2);
    expect(next.record | next.message | next.tries | next.large | next.next).toBe(0);
    expect(next.sentAt).toBe(0);
  });
});
