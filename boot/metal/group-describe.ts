// The machine's group in words: the document of DESCRIBE (control/interface/group.ts), what another
// member's document says, and the tables of the monitor.
//
// - What is asked of the kernel is asked anew each time: nothing here is kept but the last messages.

import { DELIVERY_KINDS, GROUP_STATES, MEMBER_STATES } from "../../build/metal/interface";
import * as layout from "../../core-wasm/layout";
import { PORT_BYTES } from "../../core-wasm/wire/formats";
import { TEXT, textAt, textLengthOf } from "./group-inbox";
import { groupName, groupNameLength, groupPort } from "./group-port";
import { groupInfo, groupMember } from "./kernel";
import { take } from "./memory";
import { putWord } from "./tables";
import { behind, numberAt, put, putByte, putBytes, putHex, putNumber, putQuoted } from "./text";
import { startsWith, textBegin } from "./text";

const info = memory.data(80, 8); // GROUP_INFO_BYTES
const member = memory.data(32, 8); // GROUP_MEMBER_INFO_BYTES
const mine = memory.data(16, 8);
const theirs = memory.data(16, 8);
const ADDRESS_DIGITS: u32 = 16;

/** Looks at the group; false: the kernel knows no such one. The functions below tell of it. */
export function look(gid: i32): bool {
  return gid >= 0 && groupInfo(gid, info) >= 0;
}

/** One of GROUP_INFO_*, as `look` saw it. */
export function infoField(field: i32): u32 {
  return load<u32>(info + (field as usize));
}

export function infoView(): u64 {
  return load<u64>(info, layout.GROUP_INFO_VIEW);
}

function pair(name: string, field: i32): void {
  put(name);
  putNumber(infoField(field) as u64);
}

/** The group as this member sees it, `look` has looked. */
export function putDescription(gid: i32, minimum: u32, now: f64): void {
  put('{"name":');
  putQuoted(groupName, groupNameLength);
  put(',"port":"');
  putHex(groupPort, PORT_BYTES);
  put('","state":"');
  putWord(GROUP_STATES, infoField(layout.GROUP_INFO_STATE));
  pair('","incarnation":', layout.GROUP_INFO_INCARNATION);
  pair(',"sequencer":', layout.GROUP_INFO_SEQUENCER);
  pair(',"answeredBy":', layout.GROUP_INFO_MY_ID);
  pair(',"resilience":', layout.GROUP_INFO_RESILIENCE);
  put(',"minimum":');
  putNumber(minimum as u64);
  pair(',"membersMax":', layout.GROUP_INFO_MEMBERS_MAX);
  put(',"messageBytesMax":');
  putNumber((1 as u64) << (infoField(layout.GROUP_INFO_LOG_MESSAGE) as u64));
  pair(',"expect":', layout.GROUP_INFO_EXPECT);
  pair(',"next":', layout.GROUP_INFO_NEXT);
  pair(',"unstable":', layout.GROUP_INFO_UNSTABLE);
  pair(',"history":{"used":', layout.GROUP_INFO_HISTORY_USED);
  put(',"slots":');
  putNumber((1 as u64) << (infoField(layout.GROUP_INFO_LOG_HISTORY) as u64));
  put('},"members":[');
  let first = true;
  for (let id: u32 = 0; id < 64; id++) {
    if (((infoView() >> (id as u64)) & 1) == 0 || groupMember(gid, id as i32, member, now) < 0) continue;
    put(first ? '{"id":' : ',{"id":');
    first = false;
    putNumber(id as u64);
    put(',"state":"');
    putWord(MEMBER_STATES, load<u32>(member, layout.GROUP_MEMBER_INFO_STATE));
    put('","expect":');
    putNumber(load<u32>(member, layout.GROUP_MEMBER_INFO_EXPECT) as u64);
    put(',"silentMs":');
    putNumber(load<u32>(member, layout.GROUP_MEMBER_INFO_SILENT_MS) as u64);
    put(',"address":"');
    putHex(member + layout.GROUP_MEMBER_INFO_ADDRESS, 8);
    put('","kernel":"');
    putHex(member + layout.GROUP_MEMBER_INFO_RPC_ADDRESS, 8);
    put('"}');
  }
  put("]}");
}

/** Is this a document of a group with the port `groupPort`? */
export function isOfGroup(document: usize, length: u32): bool {
  const at = behind(document, length, '"port":"');
  if (at < 0 || length - (at as u32) < 2 * PORT_BYTES) return false;
  textBegin(mine, 2 * PORT_BYTES);
  putHex(groupPort, PORT_BYTES);
  return memory.compare(document + (at as usize), mine, 2 * PORT_BYTES) == 0;
}

/**
 * Is this document of another part of a broken group, and the one that goes on: the larger, of equals
 * the one whose sequencer has the lower address? `look` has looked at ours. control/group/document.ts.
 */
export function yieldsTo(gid: i32, document: usize, length: u32, now: f64): bool {
  if (!isOfGroup(document, length)) return false;
  const state = behind(document, length, '"state":"');
  const who = behind(document, length, '"sequencer":');
  const members = behind(document, length, '"members":[');
  if (state < 0 || who < 0 || members < 0) return false;
  if (!startsWith(document + (state as usize), length - (state as u32), 'normal"')) return false;
  const sequencer = numberAt(document + (who as usize), length - (who as u32));
  let count: u32 = 0;
  memory.fill(theirs, 0, ADDRESS_DIGITS);
  for (let at = members as u32; at < length; ) {
    const id = behind(document + (at as usize), length - at, '{"id":');
    if (id < 0) break;
    at += id as u32;
    count++;
    const from = behind(document + (at as usize), length - at, '"address":"');
    if (from < 0 || length - at - (from as u32) < ADDRESS_DIGITS) return false;
    if (numberAt(document + (at as usize), length - at) == sequencer)
      memory.copy(theirs, document + (at as usize) + (from as usize), ADDRESS_DIGITS);
  }
  if (groupMember(gid, infoField(layout.GROUP_INFO_SEQUENCER) as i32, member, now) < 0) return false;
  textBegin(mine, ADDRESS_DIGITS);
  putHex(member + layout.GROUP_MEMBER_INFO_ADDRESS, 8);
  const order = memory.compare(theirs, mine, ADDRESS_DIGITS);
  const ours = popcnt(infoView()) as u32;
  return order != 0 && (count != ours ? count > ours : order < 0);
}

// ---- for the monitor ----------------------------------------------------------------

const LAST: u32 = 32;
const MESSAGE: usize = 112; // seqno, member, kind, length; TEXT bytes
let last: usize = 0;
let told: u32 = 0;

export function messagesOpen(): bool {
  last = take(MESSAGE * (LAST as usize));
  return last != 0;
}

/** Keeps what the console's reader may want to see of a message. */
export function messageKeep(delivery: usize): void {
  const at = last + MESSAGE * ((told % LAST) as usize);
  const isData = load<u32>(delivery, layout.DELIVERY_KIND) == layout.DELIVERED_DATA;
  const length = isData ? textLengthOf(delivery) : 0;
  told++;
  store<u32>(at, load<u32>(delivery, layout.DELIVERY_SEQNO));
  store<u32>(at, load<u32>(delivery, layout.DELIVERY_MEMBER), 4);
  store<u32>(at, load<u32>(delivery, layout.DELIVERY_KIND), 8);
  store<u32>(at, length, 12);
  memory.copy(at + 16, textAt(delivery), length);
}

/** The last messages, oldest first: seqno, member, kind, the text's beginning. */
export function putMessages(): void {
  put("SEQNO  MEMBER  KIND  TEXT\n");
  for (let i = told > LAST ? told - LAST : 0; i < told; i++) {
    const at = last + MESSAGE * ((i % LAST) as usize);
    putNumber(load<u32>(at) as u64);
    put("  ");
    putNumber(load<u32>(at, 4) as u64);
    put("  ");
    putWord(DELIVERY_KINDS, load<u32>(at, 8));
    put("  ");
    for (let j: u32 = 0; j < load<u32>(at, 12); j++) {
      const byte = load<u8>(at + 16 + (j as usize)) as u32;
      putByte(byte < 0x20 || byte == 0x7f ? 0x3f : byte); // a terminal is told nothing else
    }
    putByte(0x0a);
  }
}

/** Ids of a view, commas between. */
export function putView(view: u64): void {
  let rest = view;
  while (rest != 0) {
    putNumber(ctz(rest));
    rest &= rest - 1;
    if (rest != 0) putByte(0x2c);
  }
}

/** One row, headings above; `state` when the kernel has nothing to tell. */
export function putGroup(gid: i32, state: string): void {
  put("GROUP  PORT  STATE  MEMBER  SEQUENCER  INCARNATION  NEXT  MEMBERS\n");
  putBytes(groupName, groupNameLength);
  put("  ");
  putHex(groupPort, PORT_BYTES);
  put("  ");
  if (state.length > 0) {
    put(state);
    put("  -  -  -  -  -");
    return;
  }
  putWord(GROUP_STATES, infoField(layout.GROUP_INFO_STATE));
  pair("  ", layout.GROUP_INFO_MY_ID);
  pair("  ", layout.GROUP_INFO_SEQUENCER);
  pair("  ", layout.GROUP_INFO_INCARNATION);
  pair("  ", layout.GROUP_INFO_NEXT);
  put("  ");
  putView(infoView());
}
