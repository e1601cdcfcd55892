// Couriers carry a long message to one member: fragments, credits, and looking for the way.
//
// - A courier holds the record that it carries; it is free when its Message is idle again.
// - There are few. Without one a message is not sent, as if it were lost: whoever wants it
//   asks again.

import { allocate } from "../memory/arena";
import {
  MESSAGE_BYTES,
  MESSAGE_GREETING,
  MESSAGE_IDLE,
  MESSAGE_LOCATING,
  MESSAGE_UNSAFE,
  Message,
  messageCancel,
  messageRoute,
  messageSend,
} from "../flip/messages";
import { GROUP_HEADER } from "../wire/group";
import { Record, payloadOf, recordHold, recordRelease } from "./history";

@unmanaged
class Courier {
  record: u32; // 0: free
  unused: u32;
  message: Message;
  unused2: u32;
  header0: u64; // the 20-byte header, and room to copy 64 bytes from here
  header1: u64;
  header2: u64;
  header3: u64;
  header4: u64;
  header5: u64;
  header6: u64;
  header7: u64;
}

export const COURIERS: u32 = 48;

let base: usize = 0;
let stride: u32 = 0;

export function couriersOpen(): void {
  stride = (offsetof<Courier>() + MESSAGE_BYTES + 15) & ~15;
  base = allocate((COURIERS as u64) * stride);
  if (base == 0) return;
  for (let i: u32 = 0; i < COURIERS; i++) {
    const courier = at(i);
    courier.message = changetype<Message>(changetype<usize>(courier) + offsetof<Courier>());
  }
}

// @ts-ignore: decorator
@inline
function at(index: u32): Courier {
  return changetype<Courier>(base + (index as usize) * stride);
}

function isIdle(courier: Courier): bool {
  const state = courier.message.state;
  return state == MESSAGE_IDLE || state == MESSAGE_UNSAFE;
}

/** Those that have arrived let go of what they carried. */
export function couriersReclaim(): void {
  for (let i: u32 = 0; i < COURIERS; i++) {
    const courier = at(i);
    if (courier.record == 0 || !isIdle(courier)) continue;
    recordRelease(changetype<Record>(courier.record));
    courier.record = 0;
  }
}

/** Sends a record with the 20-byte header at `header`; false when every courier is out, or one has it. */
export function courierSend(
  record: Record,
  header: usize,
  destination: u64,
  source: u64,
  careful: bool,
): bool {
  let free = changetype<Courier>(0);
  for (let i: u32 = 0; i < COURIERS; i++) {
    const courier = at(i);
    if (courier.record == 0) {
      free = courier;
      continue;
    }
    const same = courier.record == (changetype<usize>(record) as u32);
    if (same && courier.message.destination == destination && !isIdle(courier)) return false;
  }
  if (changetype<usize>(free) == 0) return false;
  recordHold(record);
  free.record = changetype<usize>(record) as u32;
  const prefix = changetype<usize>(free) + offsetof<Courier>("header0");
  memory.copy(prefix, header, GROUP_HEADER);
  const message = free.message;
  message.state = MESSAGE_IDLE;
  message.destination = destination;
  message.source = source;
  message.id = record.flipId;
  message.total = GROUP_HEADER + record.length;
  message.prefix = prefix as u32;
  message.prefixLength = GROUP_HEADER;
  message.body = payloadOf(record) as u32;
  message.flags = 0;
  message.careful = careful ? 1 : 0;
  messageSend(message);
  return true;
}

/** An address was found, or given up: whoever waits for it goes on, or stops. */
export function couriersLocated(address: u64, found: bool): void {
  for (let i: u32 = 0; i < COURIERS; i++) {
    const courier = at(i);
    const message = courier.message;
    if (courier.record == 0 || message.state != MESSAGE_LOCATING || message.destination != address) continue;
    if (found) messageRoute(message);
    else messageCancel(message);
  }
}

/** Some neighbour is known now. */
export function couriersSettled(): void {
  for (let i: u32 = 0; i < COURIERS; i++) {
    const courier = at(i);
    if (courier.record != 0 && courier.message.state == MESSAGE_GREETING) messageRoute(courier.message);
  }
}

/** Nothing comes from this address any more. */
export function couriersForget(address: u64): void {
  for (let i: u32 = 0; i < COURIERS; i++) {
    const courier = at(i);
    if (courier.record != 0 && courier.message.source == address) messageCancel(courier.message);
  }
}
