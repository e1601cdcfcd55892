// Group packets inside the kernel: headers and payloads, from machines of either order.

import * as group from "../../../core-wasm/wire/group";
import { FRAME_MALFORMED } from "../../../core-wasm/status";

const packet = memory.data(512, 8);
const payload: usize = packet + group.GROUP_HEADER;

function write(type: u32): void {
  memory.fill(packet, 0, 512);
  group.groupHeader(packet, type, 0, 3, 4, 0x01020304, 0x05060708, 0x090a0b0c);
}

/** Turns the packet into what a big-endian machine sends. */
function turn(type: u32, length: u32): void {
  group.swapGroupPayload(payload, type, length);
  group.swapGroup(packet);
  group.setGroupFlags(packet, group.GROUP_BIGENDIAN);
}

describe("a group packet", () => {
  it("has every field where it was put, in both orders", () => {
    write(group.GROUP_ACK);
    turn(group.GROUP_ACK, 0);
    expect(group.seqno(packet)).toBe(0x04030201);
    expect(group.check(packet, 20)).toBe(0);
    expect(group.groupFlags(packet)).toBe(0);
    expect(group.cpu(packet)).toBe(3);
    expect(group.incarnation(packet)).toBe(4);
    expect(group.seqno(packet)).toBe(0x01020304);
    expect(group.groupMessageId(packet)).toBe(0x05060708);
    expect(group.expect(packet)).toBe(0x090a0b0c);
  });

  it("is refused when what its type needs did not come", () => {
    write(group.GROUP_LOCATE);
    expect(group.check(packet, 67)).toBe(FRAME_MALFORMED);
    expect(group.check(packet, 68)).toBe(0);
    write(group.GROUP_HEREIS);
    expect(group.check(packet, 51)).toBe(FRAME_MALFORMED);
    expect(group.check(packet, 52)).toBe(0);
    write(group.GROUP_BCAST);
    expect(group.check(packet, 20)).toBe(0);
    expect(group.check(packet, 51)).toBe(FRAME_MALFORMED);
    expect(group.check(packet, 52)).toBe(0);
    write(group.GROUP_SYNC);
    expect(group.check(packet, 23)).toBe(FRAME_MALFORMED);
    write(19);
    expect(group.check(packet, 20)).toBe(FRAME_MALFORMED);
    write(group.GROUP_ACK);
    expect(group.check(packet, 19)).toBe(FRAME_MALFORMED);
  });
});

describe("a group's HEREIS", () => {
  it("tells a joiner its numbers, in both orders", () => {
    write(group.GROUP_HEREIS);
    group.setHereisMembersMax(payload, 8);
    group.setHereisLogHistory(payload, 6);
    group.setHereisLogMessage(payload, 13);
    group.setHereisResilience(payload, 1);
    group.setHereisLarge(payload, 10000);
    group.setHereisIndex(payload, 2);
    group.setHereisSequencer(payload, 5);
    group.setHereisGroupAddress(payload, 0x1122334455667788);
    turn(group.GROUP_HEREIS, 32);
    expect(group.check(packet, 52)).toBe(0);
    expect(group.hereisMembersMax(payload)).toBe(8);
    expect(group.hereisLogHistory(payload)).toBe(6);
    expect(group.hereisLogMessage(payload)).toBe(13);
    expect(group.hereisResilience(payload)).toBe(1);
    expect(group.hereisLarge(payload)).toBe(10000);
    expect(group.hereisIndex(payload)).toBe(2);
    expect(group.hereisSequencer(payload)).toBe(5);
    expect(group.hereisGroupAddress(payload)).toBe(0x1122334455667788);
  });
});

describe("a JOIN", () => {
  it("carries every member and the group's state, in both orders", () => {
    const length: u32 = 288; // eight members, as captured
    write(group.GROUP_JOIN);
    expect(group.joinMembers(length)).toBe(8);
    for (let i: u32 = 0; i < 8; i++) {
      const member = group.joinMember(payload, i);
      group.setMemberAddress(member, 0x1000 + i);
      group.setMemberState(member, i);
      group.setMemberExpect(member, i + 100);
      group.setMemberMessageId(member, i + 200);
    }
    const tail = group.joinTail(payload, length);
    expect(tail + 24).toBe(payload + length);
    group.setJoinTotal(tail, 2);
    group.setJoinNextSeqno(tail, 0x01020304);
    group.setJoinLarge(tail, 10000);
    turn(group.GROUP_JOIN, length);
    expect(group.check(packet, 20 + length)).toBe(0);
    for (let i: u32 = 0; i < 8; i++) {
      const member = group.joinMember(payload, i);
      expect(group.memberAddress(member)).toBe(0x1000 + i);
      expect(group.memberState(member)).toBe(i);
      expect(group.memberExpect(member)).toBe(i + 100);
      expect(group.memberMessageId(member)).toBe(i + 200);
    }
    expect(group.joinTotal(tail)).toBe(2);
    expect(group.joinNextSeqno(tail)).toBe(0x01020304);
    expect(group.joinLarge(tail)).toBe(10000);
  });
});

describe("a RESULT and a SYNC", () => {
  it("carry states and member ids, in both orders", () => {
    const length: u32 = 32 + 4 * 4 + 22;
    write(group.GROUP_RESULT);
    expect(group.resultStates(length)).toBe(4);
    const tail = group.resultTail(payload, length);
    expect(tail + 22).toBe(payload + length);
    store<u32>(payload + 32 + 4, 4);
    group.setResultIncarnation(tail, 9);
    turn(group.GROUP_RESULT, length);
    expect(group.check(packet, 20 + length)).toBe(0);
    expect(load<u32>(payload + 32 + 4)).toBe(4);
    expect(group.resultIncarnation(tail)).toBe(9);

    write(group.GROUP_SYNC);
    group.setSyncMember(payload, 0, 3);
    group.setSyncMember(payload, 1, 0x102);
    turn(group.GROUP_SYNC, 4);
    expect(group.check(packet, 24)).toBe(0);
    expect(group.syncMember(payload, 0)).toBe(3);
    expect(group.syncMember(payload, 1)).toBe(0x102);
  });
});
