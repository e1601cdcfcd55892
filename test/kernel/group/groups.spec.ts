// Who must acknowledge, and what a group may be set to: counted wrongly, a message would be
// called safe that is not, or wait for somebody who never answers.

import {
  GROUP_SET_DETECT_MS,
  GROUP_SET_LARGE,
  GROUP_SET_REPLY_MS,
  GROUP_STATE_NORMAL,
} from "../../../core-wasm/layout";
import {
  Group,
  JOINING,
  LEFT,
  MEMBER,
  UNUSED,
  acksNeeded,
  groupAt,
  groupOf,
  groupRoom,
  groupsOpen,
  memberAt,
  memberOf,
  membersView,
  rankOf,
} from "../../../core-wasm/group/groups";
import { groupSet, groupSetting } from "../../../core-wasm/group/settings";
import { EXTENSION_GROUP } from "../../../core-wasm/limits";
import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import { segmentsOpen } from "../../../core-wasm/memory/segments";

const ARENA: usize = 4 << 20;
const bytes = heap.alloc(ARENA);

/** A group of 64 places with members at the given bits; we are `me`. */
function open(view: u64, me: u32, sequencer: u32, resilience: u32): Group {
  arenaOpen(bytes, bytes + ARENA);
  groupsOpen(2, 0, 1);
  segmentsOpen(1 << 20);
  arenaSeal();
  const group = groupAt(0);
  group.state = GROUP_STATE_NORMAL;
  group.membersMax = 64;
  group.logHistory = 8;
  group.logMessage = 10;
  expect(groupRoom(group)).toBe(true);
  group.me = me;
  group.sequencer = sequencer;
  group.resilience = resilience;
  for (let i: u32 = 0; i < 64; i++) {
    if (((view >> (i as u64)) & 1) == 0) continue;
    memberAt(group, i).state = MEMBER;
    memberAt(group, i).address = 0x1000 + i;
    group.total++;
  }
  return group;
}

describe("the rank of a member", () => {
  it("is 0 for the sequencer, then by id, over those that are members", () => {
    const group = open(0b10110110, 4, 4, 1);
    memberAt(group, 0).state = JOINING;
    memberAt(group, 6).state = LEFT;
    expect(rankOf(group, 4)).toBe(0);
    expect(rankOf(group, 1)).toBe(1);
    expect(rankOf(group, 2)).toBe(2);
    expect(rankOf(group, 5)).toBe(3);
    expect(rankOf(group, 7)).toBe(4);
  });

  it("makes exactly k members acknowledge, wherever the sequencer is", () => {
    for (let sequencer: u32 = 0; sequencer < 64; sequencer += 9) {
      for (let k: u32 = 0; k < 8; k++) {
        const group = open(u64.MAX_VALUE, sequencer, sequencer, k);
        let count: u32 = 0;
        for (let i: u32 = 0; i < 64; i++) if (i != sequencer && rankOf(group, i) <= k) count++;
        expect(count).toBe(k);
        expect(acksNeeded(group)).toBe(k);
      }
    }
  });
});

describe("acknowledgements", () => {
  it("are wanted from no more members than there are", () => {
    expect(acksNeeded(open(1, 0, 0, 3))).toBe(0);
    expect(acksNeeded(open(0b11, 0, 0, 3))).toBe(1);
    expect(acksNeeded(open(0b10101, 0, 0, 1))).toBe(1);
    expect(acksNeeded(open(0b10101, 0, 0, 2))).toBe(2);
    expect(acksNeeded(open(0b10101, 0, 0, 31))).toBe(2);
  });

  it("are wanted from all that are left when the sequencer's user has gone", () => {
    const group = open(0b110, 0, 0, 3);
    memberAt(group, 0).state = LEFT;
    expect(acksNeeded(group)).toBe(2);
    memberAt(group, 2).state = UNUSED;
    group.total = 1;
    expect(acksNeeded(group)).toBe(1);
    memberAt(group, 1).state = UNUSED;
    group.total = 0;
    expect(acksNeeded(group)).toBe(0);
  });
});

describe("a member", () => {
  it("is known by its id and its address together", () => {
    const group = open(0b111, 0, 0, 0);
    expect(memberOf(group, 2, 0x1002)).toBe(2);
    expect(memberOf(group, 2, 0x1001)).toBe(-1);
    expect(memberOf(group, 3, 0)).toBe(-1); // an unused place has no address
    expect(memberOf(group, 64, 0x1001)).toBe(-1);
    expect(memberOf(group, 0xffffffff, 0x1001)).toBe(-1);
  });

  it("has a bit of its own in the view, the 64th too", () => {
    const view: u64 = 0x8000000100000005;
    expect(membersView(open(view, 0, 0, 0))).toBe(view);
  });
});

describe("a group id", () => {
  it("that was never given is no group", () => {
    const group = open(1, 0, 0, 0);
    expect(groupOf(0) == group).toBe(true);
    expect(changetype<usize>(groupOf(1))).toBe(0);
    expect(changetype<usize>(groupOf(2))).toBe(0);
    expect(changetype<usize>(groupOf(-1))).toBe(0);
    expect(changetype<usize>(groupOf(i32.MIN_VALUE))).toBe(0);
    expect(changetype<usize>(groupOf(i32.MAX_VALUE))).toBe(0);
  });
});

describe("a setting", () => {
  it("holds as given among ours, and is never below an original's own with one in the group", () => {
    const group = open(1, 0, 0, 0);
    group.features = EXTENSION_GROUP;
    const standard = groupSetting(group, GROUP_SET_REPLY_MS);
    expect(groupSet(group, GROUP_SET_REPLY_MS, 7)).toBe(true);
    expect(groupSetting(group, GROUP_SET_REPLY_MS)).toBe(7);
    group.features = 0;
    expect(groupSetting(group, GROUP_SET_REPLY_MS)).toBe(1000);
    groupSet(group, GROUP_SET_LARGE, 500);
    expect(groupSetting(group, GROUP_SET_LARGE)).toBe(500);
    group.features = EXTENSION_GROUP;
    groupSet(group, GROUP_SET_REPLY_MS, 0);
    expect(groupSetting(group, GROUP_SET_REPLY_MS)).toBe(standard);
  });

  it("that does not exist is refused", () => {
    const group = open(1, 0, 0, 0);
    expect(groupSet(group, 0, 5)).toBe(false);
    expect(groupSet(group, -1, 5)).toBe(false);
    expect(groupSet(group, GROUP_SET_DETECT_MS + 1, 5)).toBe(false);
    expect(groupSet(group, i32.MIN_VALUE, 5)).toBe(false);
  });
});
