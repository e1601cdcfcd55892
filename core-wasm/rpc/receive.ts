// Where RPC meets FLIP: every packet for this kernel's address, told apart and passed on.
//
// - First fragments carry the RPC header and say whose they are; later ones are matched
//   by source and message id.
// - A packet that fits nothing is dropped, or answered the way the protocol says so that
//   its sender stops.

import { COUNTER_MALFORMED } from "../layout";
import { countUp } from "../memory/counters";
import * as rpc from "../wire/rpc";
import { loadBigEndian32 } from "../wire/order";
import { clientExpired, clientHereis, clientLocated, clientOf } from "./client";
import { clientAsked, clientFragment, clientReply } from "./client-reply";
import {
  clientAck,
  clientAlive,
  clientFail,
  clientForward,
  clientNak,
  clientRepeat,
  clientUndeliverable,
  clientUnsafe,
} from "./client-request";
import { REPEAT_RANGES_MAX, sendAck } from "./packets";
import {
  serverAsked,
  serverEnquire,
  serverExpired,
  serverFragment,
  serverLocate,
  serverRequest,
} from "./server";
import { serverAck, serverNak, serverRepeat, serverUndeliverable } from "./server-reply";
import { stashKeep } from "./stash";
import * as t from "./threads";
import { Thread } from "./threads";
import {
  MESSAGE_GREETING,
  MESSAGE_IDLE,
  MESSAGE_LOCATING,
  messageCancel,
  messageRoute,
} from "../flip/messages";

const PROTOCOL_RPC: u32 = 1;

/** FLIP's receive upcall. */
export function rpcDeliver(
  data: usize,
  length: u32,
  destination: u64,
  source: u64,
  id: u32,
  offset: u32,
  total: u32,
  flags: u32,
): void {
  if (destination == 0) {
    broadcast(data, length, source);
    return;
  }
  if (offset > 0) {
    const thread = t.receiverFind(source, id);
    if (changetype<usize>(thread) == 0) stashKeep(source, id, offset, total, data, length);
    else if (thread.state == t.RECEIVING) serverFragment(thread, data, length, offset, total);
    else clientFragment(thread, data, length, offset, total);
    return;
  }
  if (rpc.check(data, length) != 0 || total < length) {
    countUp(COUNTER_MALFORMED);
    return;
  }
  first(data, length, total, source, id);
}

function broadcast(data: usize, length: u32, source: u64): void {
  if (length < 4 || loadBigEndian32(data) != PROTOCOL_RPC) return;
  const p = data + rpc.RPC_BROADCAST;
  if (source == 0 || rpc.check(p, length - rpc.RPC_BROADCAST) != 0 || rpc.rpcType(p) != rpc.RPC_LOCATE) {
    countUp(COUNTER_MALFORMED);
    return;
  }
  serverLocate(p, source);
}

/** A packet with an RPC header, checked. */
function first(p: usize, length: u32, total: u32, source: u64, id: u32): void {
  const type = rpc.rpcType(p);
  if (source == 0) {
    countUp(COUNTER_MALFORMED);
    return;
  }
  const tid = rpc.tid(p);
  const dest = rpc.destThread(p);
  const from = rpc.fromThread(p);
  switch (type) {
    case rpc.RPC_REQUEST:
      serverRequest(p, length, total, source, id);
      return;
    case rpc.RPC_HEREIS:
      clientHereis(p, source);
      return;
    case rpc.RPC_RECEIVED:
      if (rpc.rpcFlags(p) & rpc.RPC_REPLY_FLAG) askedForReply(p, source, dest, tid, from);
      else serverAsked(p, source);
      return;
    case rpc.RPC_ENQUIRE:
      serverEnquire(p, source);
      return;
    default:
      break;
  }
  const client = clientOf(dest, tid, source);
  const mine = changetype<usize>(client) != 0;
  switch (type) {
    case rpc.RPC_REPLY:
      if (mine) clientReply(client, p, length, total, source, id);
      else sendAck(source, 0, tid, from, dest); // we have it, or want it no more
      return;
    case rpc.RPC_ACK:
      if (mine) clientAck(client);
      else serverAck(source, from, tid);
      return;
    case rpc.RPC_NAK:
      if (mine) clientNak(client);
      else serverNak(source, from, tid);
      return;
    case rpc.RPC_ALIVE:
      if (mine) clientAlive(client);
      return;
    case rpc.RPC_FAIL:
      if (mine) clientFail(client);
      return;
    case rpc.RPC_FORWARD:
      if (mine && length >= rpc.RPC_HEADER + 8) clientForward(client, load<u64>(p, rpc.RPC_HEADER), from);
      return;
    case rpc.RPC_REPEAT:
      repeat(p, length, client, source, from, tid);
      return;
    default:
      countUp(COUNTER_MALFORMED);
  }
}

function askedForReply(p: usize, source: u64, dest: u32, tid: u32, from: u32): void {
  const client = clientOf(dest, tid, source);
  if (changetype<usize>(client) != 0) clientAsked(client, rpc.port(p) as u32, from);
  else sendAck(source, 0, tid, from, dest);
}

function repeat(p: usize, length: u32, client: Thread, source: u64, from: u32, tid: u32): void {
  const count = min<u32>((length - rpc.RPC_HEADER) >> 3, REPEAT_RANGES_MAX);
  const ranges = p + rpc.RPC_HEADER;
  if (rpc.rpcFlags(p) & rpc.RPC_REPLY_FLAG) serverRepeat(source, from, tid, ranges, count);
  else if (changetype<usize>(client) != 0) clientRepeat(client, ranges, count);
}

/** FLIP's notdeliver upcall: a packet of ours came back. */
export function rpcUndeliverable(data: usize, length: u32, destination: u64, offset: u32, reason: u32): void {
  if (offset != 0 || length < rpc.RPC_HEADER) return;
  const tid = rpc.tid(data);
  const index = rpc.fromThread(data);
  const type = rpc.rpcType(data);
  if (index >= t.threadCapacity()) return;
  const client = clientOf(index, tid, destination);
  if (changetype<usize>(client) != 0) {
    if (type == rpc.RPC_REQUEST || type == rpc.RPC_RECEIVED || type == rpc.RPC_ENQUIRE) {
      clientUndeliverable(client, reason);
    }
    return;
  }
  const server = t.threadAt(index);
  if (server.state == t.PUTREP && server.peer == destination && server.tid == tid)
    serverUndeliverable(server);
}

/** FLIP found an address, or gave up. */
export function rpcLocated(address: u64, found: bool): void {
  for (let i: u32 = 0; i < t.threadCapacity(); i++) {
    const thread = t.threadAt(i);
    if (thread.state == t.FREE) continue;
    const message = thread.message;
    if (message.state == MESSAGE_LOCATING && message.destination == address) {
      if (found) {
        messageRoute(message);
        clientUnsafe(thread);
      } else messageCancel(message);
    } else if (found && thread.peer == address && thread.state < t.OWING && message.state == MESSAGE_IDLE) {
      clientLocated(thread);
    }
  }
}

/** Some neighbour said what it is. */
export function rpcSettled(): void {
  for (let i: u32 = 0; i < t.threadCapacity(); i++) {
    const message = t.threadAt(i).message;
    if (message.state == MESSAGE_GREETING) messageRoute(message);
  }
}

/** The timer of the thread with this index ran out. */
export function rpcExpired(index: u32): void {
  const thread = t.threadAt(index);
  if (thread.state >= t.GETREQ) serverExpired(thread);
  else clientExpired(thread);
}
