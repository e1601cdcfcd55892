// Group communication as a host calls it: the arguments are checked here, the protocol behind.
//
// - grp_create answers a group id; grp_info, grp_member, grp_set and grp_forward answer at
//   once. The others answer a handle (HANDLE_GROUP is set in it) or a status below zero, and
//   end with one completion. Buffers are the kernel's until then; a send's are copied.
// - Several receives may wait at a time: they are served in order.
// - Source: Amoeba 5, grp(L); spec section 5.1.

import * as layout from "../layout";
import { GROUP_MEMBERS_MAX } from "../limits";
import * as status from "../status";
import { inMemory, isBuffer } from "../memory/bounds";
import { now as clock, setNow } from "../memory/clock";
import { rpc_forward } from "../rpc/calls";
import { GROUP_DEAD } from "../wire/group";
import { HEADER, headerCopy, headerPort } from "../wire/header";
import { load48, store48 } from "../wire/order";
import { advance } from "./deliver";
import { groupEnd } from "./ending";
import {
  Group,
  JOINING,
  MEMBER,
  Member,
  UNUSED,
  groupAt,
  groupCapacity,
  groupFree,
  groupOf,
  groupTake,
  memberAt,
  membersView,
  isOpen,
  isJoining,
} from "./groups";
import { groupSet, groupSetting } from "./settings";
import { payloadOf, recordRelease, recordTake } from "./history";
import { joinCreate, joinEnd, joinStart } from "./join";
import * as operations from "./operations";
import {
  Operation,
  operationEnd,
  operationHandle,
  operationOf,
  operationTake,
  operationUnlink,
} from "./operations";
import { tellAll } from "./packets";
import { recoveryStart } from "./recovery";
import { requestAdd, requestWithdraw } from "./requests";
import { watchStart } from "./watch";

const RESILIENCE_MAX: i32 = 31;
const LOG_HISTORY_MIN: i32 = 4;
const LOG_HISTORY_MAX: i32 = 16;
const LOG_MESSAGE_MIN: i32 = 10;
const LOG_MESSAGE_MAX: i32 = 24;

function isHere(port: u64): bool {
  for (let i: u32 = 0; i < groupCapacity; i++) {
    const group = groupAt(i);
    if (group.state != layout.GROUP_STATE_FREE && group.port == port) return true;
  }
  return false;
}

/**
 * Makes a group with this process as its first member and sequencer. `port` points to 6 bytes;
 * `logHistory` and `logMessage` are powers of two: slots of the history, bytes of the largest
 * message. A group id, or a status.
 */
export function grp_create(
  port: usize,
  resilience: i32,
  membersMax: i32,
  logHistory: i32,
  logMessage: i32,
  now: f64,
): i32 {
  setNow(now);
  if (!inMemory(port, 6)) return status.RPC_BADADDRESS;
  const name = load48(port);
  if (name == 0) return status.BC_BADPORT;
  if (isHere(name)) return status.STD_EXISTS;
  const inRange =
    resilience >= 0 &&
    resilience <= RESILIENCE_MAX &&
    membersMax > 1 &&
    membersMax <= (GROUP_MEMBERS_MAX as i32) &&
    logHistory >= LOG_HISTORY_MIN &&
    logHistory <= LOG_HISTORY_MAX &&
    logMessage >= LOG_MESSAGE_MIN &&
    logMessage <= LOG_MESSAGE_MAX;
  if (!inRange) return status.STD_ARGBAD;
  if ((1 << logHistory) - membersMax - 4 <= 0) return status.STD_NOMEM;
  const group = groupTake(name);
  if (changetype<usize>(group) == 0) return status.BC_TOOMANY;
  group.resilience = resilience;
  group.membersMax = membersMax;
  group.logHistory = logHistory;
  group.logMessage = logMessage;
  const made = joinCreate(group);
  if (made == 0) return group.index as i32;
  groupFree(group);
  return made;
}

/** Joins the group of the port in the header at `header`, which all members get. Completion: length is the group id. */
export function grp_join(header: usize, now: f64): i32 {
  setNow(now);
  if (!inMemory(header, HEADER)) return status.RPC_BADADDRESS;
  const port = headerPort(header);
  if (port == 0) return status.BC_BADPORT;
  if (isHere(port)) return status.STD_EXISTS;
  const record = recordTake(HEADER);
  if (changetype<usize>(record) == 0) return status.STD_NOMEM;
  headerCopy(payloadOf(record), header);
  const group = groupTake(port);
  const operation =
    changetype<usize>(group) == 0 ? changetype<Operation>(0) : operationTake(operations.JOIN, group.index);
  if (changetype<usize>(operation) == 0) {
    recordRelease(record);
    if (changetype<usize>(group) != 0) groupFree(group);
    return status.BC_TOOMANY;
  }
  operation.record = changetype<usize>(record) as u32;
  joinStart(group, operation);
  return operationHandle(operation);
}

/** A member that may send: null and the status why not in `refusal`. */
let refusal: i32 = 0;
function sender(gid: i32): Group {
  const group = groupOf(gid);
  refusal = 0;
  if (changetype<usize>(group) == 0) refusal = status.BC_NOEXIST;
  else if (isJoining(group)) refusal = status.BC_NOEXIST;
  else if (group.state == layout.GROUP_STATE_LEFT || memberAt(group, group.me).state == UNUSED)
    refusal = status.BC_NOEXIST;
  else if (group.state != layout.GROUP_STATE_NORMAL) refusal = status.BC_ABORT;
  return group;
}

function add(group: Group, kind: u32, header: usize, data: usize, size: u32): i32 {
  const record = recordTake(HEADER + size);
  if (changetype<usize>(record) == 0) return status.BC_TOOMANY;
  headerCopy(payloadOf(record), header);
  if (size > 0) memory.copy(payloadOf(record) + HEADER, data, size);
  const operation = operationTake(kind, group.index);
  if (changetype<usize>(operation) == 0) {
    recordRelease(record);
    return status.BC_TOOMANY;
  }
  operation.record = changetype<usize>(record) as u32;
  const handle = operationHandle(operation);
  requestAdd(group, operation);
  return handle;
}

/** Leaves; the header is the last message that all get. A sequencer goes on without a user. */
export function grp_leave(gid: i32, header: usize, now: f64): i32 {
  setNow(now);
  if (!inMemory(header, HEADER)) return status.RPC_BADADDRESS;
  const group = sender(gid);
  return refusal != 0 ? refusal : add(group, operations.LEAVE, header, 0, 0);
}

/** Sends to all members, ourselves included. Completion: pointer is the message id, length the seqno. */
export function grp_send(gid: i32, header: usize, data: usize, size: i32, now: f64): i32 {
  setNow(now);
  if (!inMemory(header, HEADER) || !isBuffer(data, size)) return status.RPC_BADADDRESS;
  const group = sender(gid);
  if (refusal != 0) return refusal;
  if (size > 1 << group.logMessage) return status.BC_TOOBIG;
  return add(group, operations.SEND, header, data, size);
}

/** Waits for the next message: DELIVERY_BYTES at `delivery`, data at `buffer`. Completion: length of the data. */
export function grp_receive(gid: i32, delivery: usize, buffer: usize, capacity: i32, now: f64): i32 {
  setNow(now);
  if (!inMemory(delivery, layout.DELIVERY_BYTES) || !isBuffer(buffer, capacity)) return status.RPC_BADADDRESS;
  const group = groupOf(gid);
  if (changetype<usize>(group) == 0 || isJoining(group)) return status.BC_NOEXIST;
  if (group.state == layout.GROUP_STATE_LEFT || ended(group)) return status.BC_NOEXIST;
  if (group.state != layout.GROUP_STATE_NORMAL) return status.BC_ABORT;
  const operation = operationTake(operations.RECEIVE, gid);
  if (changetype<usize>(operation) == 0) return status.BC_TOOMANY;
  operation.header = delivery as u32;
  operation.buffer = buffer as u32;
  operation.capacity = capacity as u32;
  const at = changetype<usize>(operation) as u32;
  if (group.firstReceive == 0) group.firstReceive = at;
  else changetype<Operation>(group.lastReceive).next = at;
  group.lastReceive = at;
  const handle = operationHandle(operation);
  if (group.delivered != group.accepted) advance(group);
  return handle;
}

/** We have left, and our user has had everything up to that. */
function ended(group: Group): bool {
  return memberAt(group, group.me).state == UNUSED && group.delivered == group.accepted;
}

/** Rebuilds the group with at least `minimum` members, who get the header. Completion: length is their number. */
export function grp_reset(gid: i32, header: usize, minimum: i32, now: f64): i32 {
  setNow(now);
  if (!inMemory(header, HEADER)) return status.RPC_BADADDRESS;
  const group = groupOf(gid);
  if (changetype<usize>(group) == 0 || isJoining(group)) return status.BC_NOEXIST;
  if (memberAt(group, group.me).state != MEMBER) return status.BC_NOEXIST;
  if (minimum > (group.membersMax as i32)) return status.BC_ILLRESET;
  const operation = operationTake(operations.RESET, gid);
  if (changetype<usize>(operation) == 0) return status.BC_TOOMANY;
  const handle = operationHandle(operation);
  if (group.state == layout.GROUP_STATE_NORMAL) {
    const enough = (group.total as i32) >= minimum;
    operationEnd(operation, enough ? status.STD_OK : status.BC_ILLRESET, 0, enough ? group.total : 0);
    return handle;
  }
  headerCopy(changetype<usize>(group) + offsetof<Group>("header"), header);
  operation.capacity = max<i32>(minimum, 1) as u32;
  recoveryStart(group, operation, operation.capacity);
  return handle;
}

/** Ends an operation that waits: a receive with BC_ABORT, the others with BC_FAIL. A status. */
export function grp_signal(handle: i32, now: f64): i32 {
  setNow(now);
  const operation = operationOf(handle);
  if (changetype<usize>(operation) == 0) return status.KERNEL_BADHANDLE;
  const group = groupOf(operation.gid as i32);
  if (changetype<usize>(group) == 0) return status.KERNEL_BADHANDLE;
  if (operation.kind == operations.JOIN) joinEnd(group, status.BC_FAIL);
  else if (operation.kind == operations.RECEIVE) withdrawReceive(group, operation);
  else if (operation.kind == operations.RESET) withdrawReset(group, operation);
  else requestWithdraw(group, operation);
  return status.STD_OK;
}

function withdrawReceive(group: Group, operation: Operation): void {
  const before = operationUnlink(group.firstReceive, operation);
  if (before == 0) group.firstReceive = operation.next;
  else if (operation.next == 0) group.lastReceive = before;
  operationEnd(operation, status.BC_ABORT, operation.header, 0);
}

/** The recovery goes on; this one does not wait for it any more. */
function withdrawReset(group: Group, operation: Operation): void {
  if (operationUnlink(group.waiting, operation) == 0) group.waiting = operation.next;
  operationEnd(operation, status.BC_FAIL, 0, 0);
}

/** The member dies: the others are told, what waits ends with BC_ABORT, the group id is free. A status. */
export function grp_end(gid: i32, now: f64): i32 {
  setNow(now);
  const group = groupOf(gid);
  if (changetype<usize>(group) == 0) return status.BC_NOEXIST;
  const told = isOpen(group);
  if (told && memberAt(group, group.me).state != UNUSED) tellAll(group, GROUP_DEAD, 0, 0, 0);
  groupEnd(group, status.BC_ABORT);
  return status.STD_OK;
}

// ---- questions -------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function put(out: usize, field: usize, value: u32): void {
  store<u32>(out + field, value);
}

/** Writes GROUP_INFO_BYTES at `out`. A status. */
export function grp_info(gid: i32, out: usize): i32 {
  const group = groupOf(gid);
  if (changetype<usize>(group) == 0) return status.BC_NOEXIST;
  if (!inMemory(out, layout.GROUP_INFO_BYTES)) return status.RPC_BADADDRESS;
  memory.fill(out, 0, layout.GROUP_INFO_BYTES);
  put(out, layout.GROUP_INFO_STATE, group.state);
  put(out, layout.GROUP_INFO_EXPECT, group.delivered);
  put(out, layout.GROUP_INFO_NEXT, group.next);
  put(out, layout.GROUP_INFO_UNSTABLE, group.low);
  put(out, layout.GROUP_INFO_TOTAL, group.total);
  put(out, layout.GROUP_INFO_MY_ID, group.me);
  put(out, layout.GROUP_INFO_SEQUENCER, group.sequencer);
  put(out, layout.GROUP_INFO_INCARNATION, group.incarnation);
  put(out, layout.GROUP_INFO_RESILIENCE, group.resilience);
  put(out, layout.GROUP_INFO_MEMBERS_MAX, group.membersMax);
  put(out, layout.GROUP_INFO_LOG_HISTORY, group.logHistory);
  put(out, layout.GROUP_INFO_LOG_MESSAGE, group.logMessage);
  put(out, layout.GROUP_INFO_LARGE, groupSetting(group, layout.GROUP_SET_LARGE));
  put(out, layout.GROUP_INFO_HISTORY_USED, group.next - group.low);
  put(out, layout.GROUP_INFO_FEATURES, group.features);
  store<u64>(out + layout.GROUP_INFO_VIEW, group.members != 0 ? membersView(group) : 0);
  store48(out + layout.GROUP_INFO_PORT, group.port);
  return status.STD_OK;
}

/** Writes GROUP_MEMBER_INFO_BYTES about one member at `out`. A status. */
export function grp_member(gid: i32, member: i32, out: usize, now: f64): i32 {
  setNow(now);
  const group = groupOf(gid);
  if (changetype<usize>(group) == 0) return status.BC_NOEXIST;
  if (!inMemory(out, layout.GROUP_MEMBER_INFO_BYTES)) return status.RPC_BADADDRESS;
  if (group.members == 0 || (member as u32) >= group.membersMax) return status.STD_ARGBAD;
  const m = memberAt(group, member);
  const me = (member as u32) == group.me;
  memory.fill(out, 0, layout.GROUP_MEMBER_INFO_BYTES);
  put(out, layout.GROUP_MEMBER_INFO_STATE, m.state);
  if (m.state == UNUSED || m.state == JOINING) return status.STD_OK;
  put(out, layout.GROUP_MEMBER_INFO_EXPECT, me ? group.delivered : m.expect);
  put(out, layout.GROUP_MEMBER_INFO_MESSAGE, m.message);
  put(out, layout.GROUP_MEMBER_INFO_SILENT_MS, me ? 0 : (((clock - m.heard) / 1000) as u32));
  store<u64>(out + layout.GROUP_MEMBER_INFO_ADDRESS, m.address);
  store<u64>(out + layout.GROUP_MEMBER_INFO_RPC_ADDRESS, m.rpcAddress);
  return status.STD_OK;
}

/** Sets one of GROUP_SET_*; 0 takes the standard again. A status. */
export function grp_set(gid: i32, setting: i32, value: i32, now: f64): i32 {
  setNow(now);
  const group = groupOf(gid);
  if (changetype<usize>(group) == 0) return status.BC_NOEXIST;
  if (value < 0 || value > 86400000 || !groupSet(group, setting, value as u32)) return status.STD_ARGBAD;
  if (group.state == layout.GROUP_STATE_NORMAL) watchStart(group);
  return status.STD_OK;
}

/** Hands the request of a service (its handle) to another member's process. A status. */
export function grp_forward(gid: i32, handle: i32, member: i32, now: f64): i32 {
  setNow(now);
  const group = sender(gid);
  if (refusal != 0) return refusal;
  if ((member as u32) >= group.membersMax || memberAt(group, member).state != MEMBER)
    return status.STD_ARGBAD;
  const at = changetype<usize>(memberAt(group, member)) + offsetof<Member>("rpcAddress");
  return rpc_forward(handle, at, now);
}
