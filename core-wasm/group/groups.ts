// The groups of this kernel and their members: records, addresses, timers, settings.
//
// - A Group is one membership of this kernel; several groups, and several memberships of
//   one group, may be here at a time. `me` is our member id, `sequencer` who gives numbers.
// - Sequence numbers:  low ≤ delivered ≤ accepted ≤ next.  [low, next) is in the history;
//   below `accepted` the order is final; below `delivered` the user has it.
// - A member's slot keeps its address when it leaves, so that it can be told again.
// - features: extensions that all members have (EXTENSION_GROUP: short timers, several
//   sends under way); 0 while an original is in the group, whose timers then hold.
// - Source: spec section 5.

import { random } from "../host";
import { EXTENSION_GROUP, GROUP_MEMBERS_MAX, LIMIT_GROUP_BYTES } from "../limits";
import * as layout from "../layout";
import { flipOneWay } from "../crypto/des";
import { allocate } from "../memory/arena";
import { setting } from "../memory/settings";
import { segmentRetire, segmentTake } from "../memory/segments";
import { timerClear, timerSet } from "../memory/timers";
import { multicastLeave } from "../flip/multicast";
import { routeAddLocal, routeRemoveLocal } from "../flip/routes";

// Member states, the wire's
export const UNUSED: u32 = 0;
export const MEMBER: u32 = 1;
export const JOINING: u32 = 2;
// 3 is leaving, a state that ours has no use for
export const LEFT: u32 = 4; // its user left, it goes on as sequencer

// Timers of a group
export const TIMER_SEND: u32 = 0; // requests that got no number yet
export const TIMER_WATCH: u32 = 1; // who is alive
export const TIMER_REPAIR: u32 = 2; // a member: what is missing; the sequencer: the last ones
export const TIMER_PHASE: u32 = 3; // join and recovery
export const TIMER_PACE: u32 = 4; // long messages, a few fragments at a time
export const TIMERS: u32 = 5;

/** Entries of a group's settings, one a GROUP_SET_*; the first is unused. */
export const SETTINGS: u32 = 9;

@unmanaged
export class Member {
  state: u32;
  suspect: u32; // it did not answer: recovery does not wait for it
  address: u64;
  rpcAddress: u64;
  expect: u32; // next seqno that its user gets, as far as we were told
  message: u32; // its last message id in the order
  heard: i64;
  probes: u32; // questions since then that got no answer
  refused: u32; // a request of it found no room, or came too early
  features: u32;
  early: u32; // Record: data that it multicast and that has no number yet (BB)
  vote: u32; // recovery: the seqno that it voted with
  voteTail: u32; // the incarnation of the reset that its messages end after
  voteAccepted: u32; // what is below is final for it
  voted: u32; // phases.ts
  joinedAt: i64; // a reservation: since when
  leaveSeqno: u32; // the sequencer: it has left, and may not have everything below this number yet
  leftAt: i64;
  toldAt: i64; // when it was last told that a request came too early
  missed: u32; // the sequencer: repeats for it since it had something that was not repeated
  repeatedUpTo: u32; // seqnos below were repeated for it, at most
}

@unmanaged
export class Group {
  index: u32;
  state: u32; // GROUP_STATE_*
  port: u64;
  resilience: u32;
  membersMax: u32;
  logHistory: u32;
  logMessage: u32;
  features: u32;
  incarnation: u32;
  me: u32;
  sequencer: u32;
  total: u32; // members
  members: u32; // Member[membersMax]
  groupPrivate: u64;
  groupAddress: u64; // all but the sequencer
  allPrivate: u64;
  allAddress: u64;
  myAddress: u64;
  registered: u32; // REGISTERED_*

  history: u32; // Record*[slots]
  slots: u32;
  low: u32;
  delivered: u32;
  accepted: u32;
  next: u32;
  acceptedAhead: u32; // seqnos below were accepted, also those that have not come yet
  highest: u32; // seqnos below exist, as far as we heard
  used: u32; // bytes of the history
  usedMax: u32;
  controls: u32; // joins and leaves that have a number and are not final
  full: u32; // a request found no room since the last one that did
  view: u64; // members at `delivered`, a bit each

  message: u32; // our last message id
  firstSend: u32; // Operation
  lastSend: u32;
  firstReceive: u32;
  lastReceive: u32;
  waiting: u32; // Operation of a join, leave, or the first reset
  sent: u32; // sends under way
  sentBytes: u32;
  silent: u32; // deliveries since we last told where we are
  owes: u32; // the sequencer wants to know when we have caught up
  roundtrip: i64; // of sends, smoothed; 0: none measured
  deviation: i64;
  backoff: u32;

  asked: i64; // repair: when we asked last, and for what is below askedUpTo
  askInterval: i64;
  askedUpTo: u32;
  syncs: u32; // of the sequencer since the last message
  syncSeqno: u32; // the next number when it last asked where everyone is
  syncAt: i64;
  locatedAt: i64; // when the group's address was last looked for
  locateInterval: i64;

  hops: u32; // join
  tries: u32;
  question: u64;
  began: i64; // the phase
  phase: u32; // recovery: PHASE_*
  coordinator: u32;
  claimIncarnation: u32; // of the coordinator that we follow
  claimSeqno: u32;
  claimTail: u32;
  tail: u32; // incarnation of the last reset before `next`, and of the last before `accepted`
  finalTail: u32;
  cutFor: u32; // the tail for which we cut back what was not final, as a cohort; 0: we have not
  ballot: u32; // the highest incarnation that we voted for, and whose: claim.ts
  ballotOf: u32;
  minimum: u32;
  attempts: u32;
  pacing: u32; // Record, first of those being sent a few fragments at a time
  header: u64; // 32 bytes: of our join, leave or reset
  header1: u64;
  header2: u64;
  header3: u64;
  // then u32[SETTINGS]: settings.ts
}

const GROUP_BYTES: u32 = offsetof<Group>() + SETTINGS * 4;
export const REGISTERED_MEMBER: u32 = 1;
export const REGISTERED_GROUP: u32 = 2;
export const REGISTERED_ALL: u32 = 4;

let base: usize = 0;
let stride: u32 = 0;
let timerBase: u32 = 0;
let bytes: usize = 0;

export let groupCapacity: u32 = 0;
export let rpcAddress: u64 = 0;

/** `timers`: their timers are the ids from there on, TIMERS a group; `own`: this kernel's FLIP address. */
export function groupsOpen(groups: u32, timers: u32, own: u64): void {
  groupCapacity = groups;
  timerBase = timers;
  rpcAddress = own;
  stride = (GROUP_BYTES + 15) & ~15;
  base = allocate((groups as u64) * stride);
  bytes = allocate(16);
  if (base == 0) return;
  for (let i: u32 = 0; i < groups; i++) groupAt(i).index = i;
}

// @ts-ignore: decorator
@inline
export function groupAt(index: u32): Group {
  return changetype<Group>(base + (index as usize) * stride);
}

// @ts-ignore: decorator
@inline
export function memberAt(group: Group, index: u32): Member {
  return changetype<Member>((group.members as usize) + (index as usize) * offsetof<Member>());
}

/** The group of a host's group id, or null. */
export function groupOf(gid: i32): Group {
  if ((gid as u32) >= groupCapacity) return changetype<Group>(0);
  const group = groupAt(gid);
  return group.state == layout.GROUP_STATE_FREE ? changetype<Group>(0) : group;
}

/** The one that a packet to this FLIP address is for, or null. */
export function groupOfAddress(address: u64): Group {
  for (let i: u32 = 0; i < groupCapacity; i++) {
    const group = groupAt(i);
    if (group.state == layout.GROUP_STATE_FREE) continue;
    if (address == group.groupAddress || address == group.myAddress || address == group.allAddress)
      return group;
  }
  return changetype<Group>(0);
}

/** A free group with its own fresh member address, registered; null when all are taken. */
export function groupTake(port: u64): Group {
  for (let i: u32 = 0; i < groupCapacity; i++) {
    const group = groupAt(i);
    if (group.state != layout.GROUP_STATE_FREE) continue;
    memory.fill(changetype<usize>(group), 0, stride);
    group.index = i;
    group.port = port;
    const secret = newPrivate();
    group.myAddress = flipOneWay(secret);
    if (!routeAddLocal(group.myAddress)) return changetype<Group>(0);
    group.registered = REGISTERED_MEMBER;
    return group;
  }
  return changetype<Group>(0);
}

/** Tables for so many members and 2^logHistory messages; false when there is no room. */
export function groupRoom(group: Group): bool {
  group.slots = 1 << group.logHistory;
  const tables = group.slots * 4 + group.membersMax * offsetof<Member>();
  const room = segmentTake(tables);
  if (room == 0) return false;
  memory.fill(room, 0, tables);
  group.members = room as u32;
  group.history = (room as u32) + group.membersMax * offsetof<Member>();
  // Half a KiB a slot, and several of the longest: the same at every member of a group.
  group.usedMax = group.slots * 512 + (8 << group.logMessage) + 16384;
  return group.usedMax <= setting(LIMIT_GROUP_BYTES);
}

/** Gives tables and addresses back; the histories and operations are gone already. */
export function groupFree(group: Group): void {
  for (let i: u32 = 0; i < TIMERS; i++) groupTimerOff(group, i);
  groupUnregister(group, REGISTERED_MEMBER | REGISTERED_GROUP | REGISTERED_ALL);
  if (group.members != 0) segmentRetire(group.members);
  group.members = 0;
  group.state = layout.GROUP_STATE_FREE;
}

/** A random private FLIP address. */
export function newPrivate(): u64 {
  random(bytes, 8);
  return (load<u64>(bytes) & 0x00ffffffffffffff) | 1; // space byte 0
}

/** Takes the addresses of an incarnation; the private ones are what members know. */
export function groupAddresses(group: Group, groupPrivate: u64, allPrivate: u64): void {
  groupUnregister(group, REGISTERED_GROUP | REGISTERED_ALL);
  group.groupPrivate = groupPrivate;
  group.allPrivate = allPrivate;
  group.groupAddress = flipOneWay(groupPrivate);
  group.allAddress = flipOneWay(allPrivate);
  group.locatedAt = 0;
}

export function groupRegister(group: Group, which: u32): void {
  const missing = which & ~group.registered;
  if (missing & REGISTERED_GROUP && routeAddLocal(group.groupAddress)) group.registered |= REGISTERED_GROUP;
  if (missing & REGISTERED_ALL && routeAddLocal(group.allAddress)) group.registered |= REGISTERED_ALL;
}

export function groupUnregister(group: Group, which: u32): void {
  const there = which & group.registered;
  if (there & REGISTERED_MEMBER) routeRemoveLocal(group.myAddress);
  if (there & REGISTERED_GROUP) {
    routeRemoveLocal(group.groupAddress);
    multicastLeave(group.groupAddress);
  }
  if (there & REGISTERED_ALL) {
    routeRemoveLocal(group.allAddress);
    multicastLeave(group.allAddress);
  }
  group.registered &= ~there;
}

// ---- members -----------------------------------------------------------------------

/** Looking for the group, or not yet in its order. */
// @ts-ignore: decorator
@inline
export function isJoining(group: Group): bool {
  return group.state == layout.GROUP_STATE_LOCATING || group.state == layout.GROUP_STATE_JOINING;
}

/** Messages are ordered: as a member, or as a sequencer whose user has left. */
// @ts-ignore: decorator
@inline
export function isOpen(group: Group): bool {
  return group.state == layout.GROUP_STATE_NORMAL || group.state == layout.GROUP_STATE_LEFT;
}

/** Closed: a member died. */
// @ts-ignore: decorator
@inline
export function isRecovering(group: Group): bool {
  return !isOpen(group) && !isJoining(group) && group.state != layout.GROUP_STATE_FREE;
}

// @ts-ignore: decorator
@inline
export function isSequencer(group: Group): bool {
  return group.me == group.sequencer;
}

/** All are ours: the extensions hold. */
// @ts-ignore: decorator
@inline
export function isPure(group: Group): bool {
  return (group.features & EXTENSION_GROUP) != 0;
}

/** The member with this address that a packet may come from, or -1. */
export function memberOf(group: Group, id: u32, source: u64): i32 {
  if (id >= group.membersMax) return -1;
  const member = memberAt(group, id);
  return member.address == source && member.address != 0 ? (id as i32) : -1;
}

/** Members in the state MEMBER, a bit each. */
export function membersView(group: Group): u64 {
  let view: u64 = 0;
  const most = min<u32>(group.membersMax, GROUP_MEMBERS_MAX);
  for (let i: u32 = 0; i < most; i++) if (memberAt(group, i).state == MEMBER) view |= (1 as u64) << i;
  return view;
}

/**
 * How many members beside the sequencer must have a message before its order is final. Among
 * ours a sequencer whose user has left counts for nothing: its machine may go without a crash.
 */
export function acksNeeded(group: Group): u32 {
  const others = group.total - (memberAt(group, group.me).state == MEMBER ? 1 : 0);
  return min<u32>(others, ranksThatAcknowledge(group));
}

/** Members of rank 1 to this many acknowledge what has a number and is not final. */
export function ranksThatAcknowledge(group: Group): u32 {
  const alone = isPure(group) && group.resilience > 0 && memberAt(group, group.sequencer).state != MEMBER;
  return group.resilience + (alone ? 1 : 0);
}

/** The rank of a member: the sequencer 0, then by id. */
export function rankOf(group: Group, id: u32): u32 {
  if (id == group.sequencer) return 0;
  let rank: u32 = 1;
  for (let i: u32 = 0; i < id; i++) if (i != group.sequencer && memberAt(group, i).state == MEMBER) rank++;
  return rank;
}

// ---- timers --------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
export function groupTimer(group: Group, timer: u32, deadline: i64): void {
  timerSet(timerBase + group.index * TIMERS + timer, deadline);
}

// @ts-ignore: decorator
@inline
export function groupTimerOff(group: Group, timer: u32): void {
  timerClear(timerBase + group.index * TIMERS + timer);
}
