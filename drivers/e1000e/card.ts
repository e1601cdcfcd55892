// Intel's 82574L, a gigabit card that QEMU has too (e1000e): its registers, frames in and out of
// buffers in the linear memory. One ring to receive, one to send.
//
// - Received frames are handed out where the card wrote them, and that buffer goes back with
//   e1000eRelease, in the order in which they came. A frame to be sent is put together in a buffer of
//   the ring: its two pieces are the kernel's again at once.
// - e1000ePoll takes the interrupt back before frames are looked for; e1000eFlush tells the card once.
// - It takes its own address, broadcast and all multicast; FLIP's kernel drops what it did not join.
// - Source: Intel 82574 GbE Controller Family Datasheet, chapters 4.6, 7.1, 7.2, 10.2.

import {
  CARD_BUFFER,
  CARD_BUFFERS,
  CARD_FRAME_MAX,
  CARD_PATIENCE,
  Card,
  cardBreaks,
  cardBytes,
  putFrame,
} from "../card/card";
import { fence, physical, portOut, registerLoad, registerStore } from "../virtio/machine";
import {
  BROKEN,
  DescriptorRing,
  descriptorBytes,
  descriptorsOpen,
  NOTHING,
  ringArrived,
  ringHasRoom,
  ringOffer,
  ringReclaim,
  ringSend,
} from "./ring";

const CONTROL: u64 = 0x0000;
const STATUS: u64 = 0x0008;
const NVM: u64 = 0x0010;
const CAUSES: u64 = 0x00c0;
const THROTTLE: u64 = 0x00c4;
const MASK_SET: u64 = 0x00d0;
const MASK_CLEAR: u64 = 0x00d8;
const RECEIVE: u64 = 0x0100;
const SEND: u64 = 0x0400;
const SEND_GAP: u64 = 0x0410;
const RECEIVE_RING: u64 = 0x2800;
const SEND_RING: u64 = 0x3800;
const SEND_THRESHOLDS: u64 = 0x3828;
const RECEIVE_CHECKSUM: u64 = 0x5000;
const RECEIVE_FILTER: u64 = 0x5008;
const MULTICAST: u64 = 0x5200;
const ADDRESS_LOW: u64 = 0x5400;
const ADDRESS_HIGH: u64 = 0x5404;
const QUEUES: u64 = 0x5818;
const PCIE_CONTROL: u64 = 0x5b00;
/** All registers that are used. */
export const E1000E_REGISTERS: u64 = 0x5c00;

const RING_HIGH: u64 = 0x04;
const RING_BYTES: u64 = 0x08;
const RING_HEAD: u64 = 0x10;
const RING_TAIL: u64 = 0x18;

const CONTROL_NO_MASTER: u32 = 1 << 2;
const CONTROL_LINK: u32 = 1 << 6;
const CONTROL_FORCED: u32 = 3 << 11;
const CONTROL_RESET: u32 = 1 << 26;
const STATUS_MASTER: u32 = 1 << 19;
const NVM_READ: u32 = 1 << 9;
const RECEIVE_ON: u32 = (1 << 1) | (1 << 4) | (1 << 15) | (1 << 26); // all multicast, broadcast, no checksum
const SEND_ON: u32 = (1 << 1) | (1 << 3) | (0x0f << 4) | (0x3f << 12);
const GAPS: u32 = 0x00602008;
const THRESHOLDS: u32 = (1 << 24) | (1 << 22) | (1 << 16); // descriptors one by one; bit 22 as the data sheet asks
const PCIE_ORDER: u32 = 1 << 22;
const CAUSES_WANTED: u32 = (1 << 7) | (1 << 6) | (1 << 4) | (1 << 2); // a frame, an overrun, few buffers, link
const ADDRESS_VALID: u32 = 0x80000000;
const LOOKS: u32 = 2000;

@unmanaged
export class E1000e extends Card {
  base: u64;
  receive: DescriptorRing;
  transmit: DescriptorRing;
  buffers: usize;
  unsent: bool;
  /** The buffer that was released last; below zero: the card knows. */
  released: i32;
}

/** Bytes of memory that e1000eOpen takes, from an address aligned to 4096. */
export function e1000eBytes(): usize {
  return 2 * descriptorBytes(CARD_BUFFERS) + cardBytes();
}

function get(base: u64, register: u64): u32 {
  return registerLoad(base + register, 4);
}

function set(base: u64, register: u64, value: u32): void {
  registerStore(base + register, 4, value);
}

/** The card's own address, as it has it from its memory: the bytes in their order, as one number. */
export function e1000eMac(base: u64): u64 {
  return (get(base, ADDRESS_LOW) as u64) | (((get(base, ADDRESS_HIGH) & 0xffff) as u64) << 32);
}

/** Some microseconds: writes to a port that nobody has. */
function pause(): void {
  for (let i = 0; i < 10; i++) portOut(0x80, 1, 0);
}

function reset(base: u64): bool {
  set(base, MASK_CLEAR, 0xffffffff);
  set(base, CONTROL, get(base, CONTROL) | CONTROL_NO_MASTER);
  for (let left = LOOKS; left > 0 && (get(base, STATUS) & STATUS_MASTER) != 0; left--) fence();
  set(base, CONTROL, get(base, CONTROL) | CONTROL_RESET);
  pause();
  let waiting = true;
  for (let left = LOOKS; left > 0 && waiting; left--)
    waiting = (get(base, CONTROL) & CONTROL_RESET) != 0 || (get(base, NVM) & NVM_READ) == 0;
  set(base, MASK_CLEAR, 0xffffffff);
  get(base, CAUSES);
  return !waiting;
}

function ringRegisters(base: u64, ring: u64, at: usize): void {
  const address = physical(at);
  set(base, ring, address as u32);
  set(base, ring + RING_HIGH, (address >> 32) as u32);
  set(base, ring + RING_BYTES, descriptorBytes(CARD_BUFFERS) as u32);
  set(base, ring + RING_HEAD, 0);
  set(base, ring + RING_TAIL, 0);
}

function receiveBuffer(card: E1000e, index: u32): usize {
  return card.buffers + (index as usize) * CARD_BUFFER;
}

/** Sets up the card behind the registers at `base`; its address to `mac`. False: it does not come up. */
export function e1000eOpen(card: E1000e, base: u64, memory: usize, mac: usize): bool {
  card.base = base;
  card.released = -1;
  if (!reset(base) || (get(base, ADDRESS_HIGH) & ADDRESS_VALID) == 0) return false;
  set(base, PCIE_CONTROL, get(base, PCIE_CONTROL) | PCIE_ORDER);
  set(base, CONTROL, (get(base, CONTROL) & ~(CONTROL_FORCED | CONTROL_NO_MASTER)) | CONTROL_LINK);
  for (let i: u64 = 0; i < 128; i++) set(base, MULTICAST + 4 * i, 0);
  set(base, RECEIVE_CHECKSUM, 0);
  set(base, RECEIVE_FILTER, 0); // legacy descriptors
  set(base, QUEUES, 0);
  set(base, THROTTLE, 0);
  descriptorsOpen(card.receive, memory, CARD_BUFFERS);
  descriptorsOpen(card.transmit, memory + descriptorBytes(CARD_BUFFERS), CARD_BUFFERS);
  card.buffers = memory + 2 * descriptorBytes(CARD_BUFFERS);
  for (let index: u32 = 0; index < CARD_BUFFERS; index++)
    ringOffer(card.receive, index, receiveBuffer(card, index));
  ringRegisters(base, RECEIVE_RING, card.receive.memory);
  ringRegisters(base, SEND_RING, card.transmit.memory);
  fence();
  set(base, SEND_THRESHOLDS, THRESHOLDS);
  set(base, SEND_GAP, GAPS);
  set(base, SEND, SEND_ON);
  set(base, RECEIVE, RECEIVE_ON);
  set(base, RECEIVE_RING + RING_TAIL, CARD_BUFFERS - 1);
  set(base, MASK_SET, CAUSES_WANTED);
  const address = e1000eMac(base);
  for (let i: u32 = 0; i < 6; i++) store<u8>(mac + (i as usize), (address >> ((8 * i) as u64)) as u8);
  return true;
}

/** Takes the interrupt back; call it before the frames are taken. */
export function e1000ePoll(card: E1000e): void {
  get(card.base, CAUSES);
}

/** The next frame that came: its buffer's number, or NOTHING. */
export function e1000eTake(card: E1000e): i32 {
  for (let left = CARD_BUFFERS; left > 0 && !card.broken; left--) {
    const index = ringArrived(card.receive, CARD_BUFFER as u32);
    if (index == BROKEN) cardBreaks(card);
    if (index < 0) break;
    card.received++;
    if (card.receive.length >= 14) return index;
    e1000eRelease(card, index); // in pieces, damaged, or not even a header
  }
  return NOTHING;
}

export function e1000eFrame(card: E1000e, index: i32): usize {
  return receiveBuffer(card, index as u32);
}

export function e1000eFrameLength(card: E1000e): u32 {
  return card.receive.length;
}

/** The frame in this buffer is done with. */
export function e1000eRelease(card: E1000e, index: i32): void {
  ringOffer(card.receive, index as u32, receiveBuffer(card, index as u32));
  card.released = index;
}

function reclaim(card: E1000e): void {
  if (!card.broken && ringReclaim(card.transmit) > 0) card.stalled = false;
}

function makeRoom(card: E1000e): void {
  e1000eFlush(card);
  if (card.stalled) return;
  for (let left = CARD_PATIENCE; left > 0 && !ringHasRoom(card.transmit) && !card.broken; left--)
    reclaim(card);
  card.stalled = !ringHasRoom(card.transmit);
}

/** Queues a frame of two pieces; 0, or -1 when there is no room for it and it is dropped. */
export function e1000eSend(card: E1000e, head: usize, headLength: u32, body: usize, bodyLength: u32): i32 {
  if (!ringHasRoom(card.transmit)) makeRoom(card);
  if (card.broken || !ringHasRoom(card.transmit) || headLength + bodyLength > CARD_FRAME_MAX) {
    card.sendDropped++;
    return -1;
  }
  const buffer = receiveBuffer(card, CARD_BUFFERS + card.transmit.next);
  ringSend(card.transmit, buffer, putFrame(buffer, head, headLength, body, bodyLength));
  card.sent++;
  card.unsent = true;
  return 0;
}

/** Tells the card what is new in both rings, and takes back what it has sent. */
export function e1000eFlush(card: E1000e): void {
  if (card.broken) return;
  fence();
  if (card.unsent) set(card.base, SEND_RING + RING_TAIL, card.transmit.next);
  if (card.released >= 0) set(card.base, RECEIVE_RING + RING_TAIL, card.released as u32);
  card.unsent = false;
  card.released = -1;
  reclaim(card);
}
