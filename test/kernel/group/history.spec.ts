// The history of a group: a message lost from it can be given to nobody that missed it; one
// that is never given up fills the memory of all groups.

import { Group, groupAt, groupRoom, groupsOpen, memberAt } from "../../../core-wasm/group/groups";
import {
  Record,
  historyAt,
  historyCut,
  historyFind,
  historyFree,
  historyPut,
  historyRoom,
  historyTrim,
  recordHold,
  recordRelease,
  recordTake,
} from "../../../core-wasm/group/history";
import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import { segmentsOpen, segmentsReclaim, segmentsTaken } from "../../../core-wasm/memory/segments";

const ARENA: usize = 4 << 20;
const bytes = heap.alloc(ARENA);
let tables: u32 = 0;

/** A group whose order begins at `seqno`, with 16 slots. */
function open(seqno: u32): Group {
  arenaOpen(bytes, bytes + ARENA);
  groupsOpen(1, 0, 1);
  segmentsOpen(1 << 20);
  arenaSeal();
  const group = groupAt(0);
  group.membersMax = 4;
  group.logHistory = 4;
  group.logMessage = 10;
  expect(groupRoom(group)).toBe(true);
  group.low = seqno;
  group.delivered = seqno;
  group.accepted = seqno;
  group.next = seqno;
  tables = segmentsTaken();
  return group;
}

/** Puts one in at `next`; false when there is no room. */
function put(group: Group, member: u32, message: u32, length: u32 = 32): bool {
  if (!historyRoom(group, group.next, length)) return false;
  const record = recordTake(length);
  record.seqno = group.next;
  record.member = member;
  record.message = message;
  historyPut(group, record);
  recordRelease(record);
  group.next++;
  return true;
}

// @ts-ignore: decorator
@inline
function isNull(record: Record): bool {
  return changetype<usize>(record) == 0;
}

/** All that is in [low, next) is there under its own number, and nothing else is. */
function isSound(group: Group): bool {
  for (let seqno = group.low - 20; seqno != group.next + 20; seqno++) {
    const inside = seqno - group.low < group.next - group.low;
    const record = historyAt(group, seqno);
    if (inside == isNull(record)) return false;
    if (inside && record.seqno != seqno) return false;
  }
  return true;
}

function beginsAnywhere(check: (seqno: u32) => void): void {
  check(1);
  check(0x7ffffff0);
  check(0xfffffff0); // numbers that wrap on the way
}

describe("a history", () => {
  it("holds every message under its number, past 2^32 too", () => {
    beginsAnywhere((seqno) => {
      const group = open(seqno);
      for (let i: u32 = 0; i < 100; i++) {
        if (group.next - group.low == 15) historyTrim(group, group.low + 3);
        expect(put(group, i % 4, i)).toBe(true);
        expect(isSound(group)).toBe(true);
        group.delivered = group.next;
        group.accepted = group.next;
      }
      expect(group.next).toBe(seqno + 100);
    });
  });

  it("finds a member's message, so that it is not numbered twice", () => {
    beginsAnywhere((seqno) => {
      const group = open(seqno);
      for (let i: u32 = 0; i < 12; i++) put(group, i % 3, 100 + i / 3);
      for (let i: u32 = 0; i < 12; i++) expect(historyFind(group, i % 3, 100 + i / 3).seqno).toBe(seqno + i);
      expect(isNull(historyFind(group, 0, 104))).toBe(true);
      expect(isNull(historyFind(group, 3, 100))).toBe(true);
      historyTrim(group, seqno + 3);
      expect(isNull(historyFind(group, 0, 100))).toBe(true);
      expect(historyFind(group, 0, 101).seqno).toBe(seqno + 3);
    });
  });

  it("gives up the oldest for room, but nothing that its user has not had", () => {
    beginsAnywhere((seqno) => {
      const group = open(seqno);
      while (put(group, 1, group.next)) expect(group.next - group.low).toBeLessThanOrEqual(16);
      expect(group.next - group.low).toBe(16);
      expect(group.low).toBe(seqno);
      group.delivered = seqno + 2;
      group.accepted = group.next;
      expect(put(group, 1, 1)).toBe(true);
      expect(put(group, 1, 2)).toBe(true);
      expect(put(group, 1, 3)).toBe(false);
      expect(group.low).toBe(seqno + 2);
      expect(isSound(group)).toBe(true);
    });
  });

  it("takes back what never became final, and keeps the rest", () => {
    beginsAnywhere((seqno) => {
      const group = open(seqno);
      for (let i: u32 = 0; i < 14; i++) put(group, 0, i);
      historyCut(group, seqno + 5);
      group.next = seqno + 5;
      expect(isSound(group)).toBe(true);
      expect(put(group, 2, 99)).toBe(true);
      expect(historyFind(group, 2, 99).seqno).toBe(seqno + 5);
      expect(isSound(group)).toBe(true);
    });
  });

  it("counts its bytes: long messages fill it before its slots do, and all come back", () => {
    beginsAnywhere((seqno) => {
      const group = open(seqno);
      let count: u32 = 0;
      while (put(group, 0, count, 1024 + 32)) count++;
      expect(count).toBeGreaterThan(3);
      expect(group.used).toBeLessThanOrEqual(group.usedMax);
      historyTrim(group, group.next);
      expect(group.used).toBe(0);
      segmentsReclaim();
      expect(segmentsTaken()).toBe(tables);
    });
  });

  it("is free when it is given up, but for what somebody else still holds", () => {
    const group = open(1);
    for (let i: u32 = 0; i < 10; i++) put(group, 0, i);
    const held = historyAt(group, 4);
    recordHold(held);
    historyFree(group);
    segmentsReclaim();
    expect(group.used).toBe(0);
    expect(segmentsTaken()).toBeGreaterThan(tables);
    recordRelease(held);
    segmentsReclaim();
    expect(segmentsTaken()).toBe(tables);
  });

  it("has room beside its member table: no slot lies in a member", () => {
    const group = open(1);
    for (let i: u32 = 0; i < 4; i++) memberAt(group, i).message = 1000 + i;
    for (let i: u32 = 0; i < 15; i++) put(group, 0, i);
    for (let i: u32 = 0; i < 4; i++) expect(memberAt(group, i).message).toBe(1000 + i);
  });
});
