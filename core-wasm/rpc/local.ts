// Calls between threads of one kernel: a copy, and no frame.
//
// - The client's thread is LOCAL, the server's SERVING; each is the other's partner.
// - A port that is served here but has no waiting thread is looked for like any other;
//   the next getreq takes the caller first.

import { COUNTER_CALLS_FAILED, COUNTER_LOCAL_CALLS } from "../layout";
import { RPC_ABORTED, RPC_FAILURE, STD_OK } from "../status";
import { countUp } from "../memory/counters";
import { messageCancel } from "../flip/messages";
import { HEADER } from "../wire/header";
import { RPC_HEADER } from "../wire/rpc";
import { complete } from "./completions";
import { MESSAGE_PREFIX } from "./fragments";
import { address } from "./packets";
import { portLeave, portTake, portWaits } from "./ports";
import { serverSignalled } from "./server";
import * as t from "./threads";
import { Thread } from "./threads";

/** Hands a call to a thread that waits here for its port; false when none does. */
export function localBegin(client: Thread): bool {
  if (!portWaits(client.port)) return false;
  const server = portTake(client.port);
  t.threadTimerOff(client);
  t.listLeave(client);
  messageCancel(client.message);
  countUp(COUNTER_LOCAL_CALLS);
  client.state = t.LOCAL;
  client.partner = changetype<usize>(server) as u32;
  server.state = t.SERVING;
  server.partner = changetype<usize>(client) as u32;
  server.peer = address;
  server.peerThread = client.index;
  server.tid = client.tid;
  const size = client.message.total - MESSAGE_PREFIX;
  const length = min<u32>(size, server.capacity);
  memory.copy(server.header, client.prefix + RPC_HEADER, HEADER);
  memory.copy(server.buffer, client.message.body, length);
  complete(t.threadHandle(server), STD_OK, server.header, length);
  return true;
}

/** A thread began to wait: a client of this kernel may have been looking for it. */
export function localFound(port: u64): void {
  let at = t.locating.first;
  while (at != 0) {
    const client = changetype<Thread>(at);
    at = client.next;
    if (client.port != port || client.state != t.LOCATE) continue;
    if (!localBegin(client)) return;
  }
}

/** putrep of a service given to a thread of this kernel. */
export function localReply(server: Thread, header: usize, data: usize, size: u32): void {
  const client = changetype<Thread>(server.partner);
  const length = min<u32>(size, client.capacity);
  memory.copy(client.header, header, HEADER);
  memory.copy(client.buffer, data, length);
  complete(t.threadHandle(client), STD_OK, client.header, length);
  t.threadFree(client);
  localEnd(server, STD_OK);
}

function localEnd(server: Thread, status: i32): void {
  server.partner = 0;
  complete(t.threadHandle(server), status, server.header, 0);
  portLeave(server.port);
  t.threadFree(server);
}

/** A signal to a client whose server is here. */
export function localSignal(client: Thread): void {
  if (client.partner != 0) serverSignalled(changetype<Thread>(client.partner));
}

/** The client dies: its server's reply goes nowhere. */
export function localClientGone(client: Thread): void {
  if (client.partner == 0) return;
  const server = changetype<Thread>(client.partner);
  server.flags |= t.ORPHAN;
  server.partner = 0;
}

/** The server dies without a reply. */
export function localServerGone(server: Thread): void {
  const client = changetype<Thread>(server.partner);
  countUp(COUNTER_CALLS_FAILED);
  complete(t.threadHandle(client), RPC_FAILURE, client.header, 0);
  t.threadFree(client);
  server.partner = 0;
  portLeave(server.port);
  t.threadFree(server);
}

/** The death of a service whose client has died before: nobody hears of it. */
export function localOrphanGone(server: Thread): void {
  portLeave(server.port);
  t.threadFree(server);
}

/** putrep of a service whose client has died: it ends, and the server hears of it. */
export function localOrphan(server: Thread): void {
  localEnd(server, RPC_ABORTED);
}
