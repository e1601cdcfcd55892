// What every network card's driver keeps and shares: its buffers' sizes, what it counts, and the
// putting together of a frame from the kernel's two pieces.
//
// - A card that breaks the rules of its rings is broken until the machine boots again: it gets nothing
//   more, and what it says is not believed (faults counts).
// - One that does not send in time is stalled: it is not waited for until it has sent something.

import { FRAME_MINIMUM } from "../../core-wasm/wire/formats";

/** Buffers to receive into; as many to send from. */
export const CARD_BUFFERS: u32 = 128;
/** Bytes of each. */
export const CARD_BUFFER: usize = 2048;
/** Longest frame, Ethernet header first. */
export const CARD_FRAME_MAX: u32 = 1514;
/** Looks for room to send before a card that has stopped is not waited for: some milliseconds. */
export const CARD_PATIENCE: u32 = 100000;

@unmanaged
export class Card {
  broken: bool;
  stalled: bool;
  received: u32;
  sent: u32;
  sendDropped: u32;
  faults: u32;
}

export function cardBreaks(card: Card): void {
  card.broken = true;
  card.faults++;
}

/** Bytes of all buffers, CARD_BUFFERS to receive into first. */
export function cardBytes(): usize {
  return 2 * (CARD_BUFFERS as usize) * CARD_BUFFER;
}

/** Puts a frame of two pieces at `to`, as long as Ethernet wants it; answers its length. */
export function putFrame(to: usize, head: usize, headLength: u32, body: usize, bodyLength: u32): u32 {
  memory.copy(to, head, headLength);
  memory.copy(to + (headLength as usize), body, bodyLength);
  const length = headLength + bodyLength;
  if (length >= FRAME_MINIMUM) return length;
  memory.fill(to + (length as usize), 0, FRAME_MINIMUM - length);
  return FRAME_MINIMUM;
}
