// Building and sending the small RPC packets: everything but REQUEST and REPLY.
//
// - A packet that has no route starts a FLIP locate and is lost; timers send the next.
// - REPEAT, ours: what is missing of a REQUEST (flag 4) or REPLY (flag 8): the 24-byte
//   header, then u32 start, end of up to REPEAT_RANGES_MAX ranges, little-endian.
// - In RECEIVED to a peer of ours the port field carries the FLIP message id of what is
//   asked about, so that fragments without their first one can be told.

import { allocate } from "../memory/arena";
import { nowMs } from "../memory/clock";
import { messageNewId } from "../flip/ids";
import { locateStart } from "../flip/locate";
import { packetBroadcast, packetSend } from "../flip/packets";
import { ANY_NETWORK, routeBest } from "../flip/routes";
import { FLIP_SECURITY, HOPS_MAX } from "../wire/flip";
import * as rpc from "../wire/rpc";
import { storeBigEndian32 } from "../wire/order";

export const REPEAT_RANGES_MAX: u32 = 6;
const PROTOCOL_RPC: u32 = 1;

/** This kernel's id and FLIP address (public). */
export let kernelId: u64 = 0;
export let address: u64 = 0;

let packet: usize = 0;
let nextTid: u32 = 0;

export function packetsOpen(id: u64, publicAddress: u64): void {
  kernelId = id;
  address = publicAddress;
  packet = allocate(rpc.RPC_BROADCAST + rpc.RPC_HEADER + REPEAT_RANGES_MAX * 8 + 16);
  nextTid = 0;
}

/** A new transaction id. */
// @ts-ignore: decorator
@inline
export function newTid(): u32 {
  return nextTid++;
}

/** Starts a FLIP locate of an address without a route; one that is only unsafe would be found so again. */
function lookFor(peer: u64): void {
  if (routeBest(peer, ANY_NETWORK, HOPS_MAX, false) <= 0) locateStart(peer, address, false);
}

/** Sends a header with `extra` bytes already behind it; false when there was no route. */
function post(
  peer: u64,
  port: u64,
  type: u32,
  flags: u32,
  tid: u32,
  dest: u32,
  from: u32,
  extra: u32,
  secure: bool,
): bool {
  rpc.rpcHeader(packet, kernelId, port, type, flags, tid, dest, from);
  const length = rpc.RPC_HEADER + extra;
  if (packetSend(peer, address, messageNewId(), packet, length, secure ? FLIP_SECURITY : 0)) return true;
  lookFor(peer);
  return false;
}

/** ACK, NAK, ALIVE, FAIL: no payload. */
export function sendPlain(peer: u64, type: u32, tid: u32, dest: u32, from: u32): bool {
  return post(peer, 0, type, 0, tid, dest, from, 0, false);
}

/** The acknowledgement of a reply (asks for trusted networks, as the reply did). */
export function sendAck(peer: u64, port: u64, tid: u32, dest: u32, from: u32): bool {
  return post(peer, port, rpc.RPC_ACK, 0, tid, dest, from, 0, true);
}

/** RECEIVED or ENQUIRE; `port` may carry a message id. */
export function sendQuestion(
  peer: u64,
  port: u64,
  type: u32,
  flags: u32,
  tid: u32,
  dest: u32,
  from: u32,
): bool {
  return post(peer, port, type, flags, tid, dest, from, 0, true);
}

/** HEREIS with the answer to the client's nonce in `kid`. */
export function sendHereis(peer: u64, port: u64, kid: u64, tid: u32, dest: u32, from: u32): bool {
  rpc.rpcHeader(packet, kid, port, rpc.RPC_HEREIS, 0, tid, dest, from);
  if (packetSend(peer, address, messageNewId(), packet, rpc.RPC_HEADER, 0)) return true;
  lookFor(peer);
  return false;
}

/** Where the ranges of the next REPEAT go: u32 start, end each. */
// @ts-ignore: decorator
@inline
export function repeatRange(index: u32, start: u32, end: u32): void {
  store<u32>(packet + rpc.RPC_HEADER + (index as usize) * 8, start);
  store<u32>(packet + rpc.RPC_HEADER + 4 + (index as usize) * 8, end);
}

export function sendRepeat(peer: u64, ranges: u32, flag: u32, tid: u32, dest: u32, from: u32): bool {
  return post(peer, 0, rpc.RPC_REPEAT, flag | rpc.RPC_EXTENDED, tid, dest, from, ranges * 8, true);
}

/** LOCATE to everyone within `hops`; the kid carries a nonce and what we can do. */
export function broadcastLocate(port: u64, kid: u64, from: u32, hops: u32): bool {
  storeBigEndian32(packet, PROTOCOL_RPC);
  rpc.rpcHeader(packet + rpc.RPC_BROADCAST, kid, port, rpc.RPC_LOCATE, 0, nowMs(), 0, from);
  return packetBroadcast(address, messageNewId(), packet, rpc.RPC_BROADCAST + rpc.RPC_HEADER, hops);
}
