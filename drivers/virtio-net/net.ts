// virtio-net: frames in and out of buffers in the linear memory. One receive and one transmit queue.
//
// - Received frames are handed out where the device wrote them, and that buffer goes back to the
//   device with netRelease. A frame to be sent is put together in a buffer of the ring: its two
//   pieces are the kernel's again at once, as with the packet ring under Linux.
// - The device is located (transport.ts: locateDevice, or drivers/pci/virtio.ts) before netOpen.
// - netPoll acknowledges the interrupt before it looks, netFlush notifies once for all that was sent.
// - Source: VIRTIO 1.2, section 5.1; legacy interface 5.1.6.1.

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
import { BROKEN, NOTHING, Ring, ringBytes, ringGive, ringTake } from "../virtio/ring";
import {
  acknowledge,
  beginDevice,
  configuration,
  Device,
  negotiate,
  notify,
  openQueue,
  ready,
} from "../virtio/transport";

const RECEIVE: u32 = 0;
const TRANSMIT: u32 = 1;
const FEATURE_MAC: u32 = 1 << 5;

const HEADER_LEGACY: u32 = 10;
const HEADER_MODERN: u32 = 12;

@unmanaged
export class Net extends Card {
  device: Device;
  receive: Ring;
  transmit: Ring;
  /** The buffers, CARD_BUFFERS to receive into and as many to send from. */
  buffers: usize;
  header: u32;
  /** Buffers to send from that are free, as a stack of u32. */
  free: usize;
  freeCount: u32;
  unsent: bool;
  unfilled: bool;
}

/** Bytes of memory that netOpen takes, from an address aligned to 4096. */
export function netBytes(): usize {
  return 2 * ringRoom() + cardBytes() + 4 * (CARD_BUFFERS as usize);
}

function ringRoom(): usize {
  return (ringBytes(CARD_BUFFERS) + 4095) & ~4095;
}

/** Sets up `net.device`, which is located; its address to `mac`. False: it refuses. */
export function netOpen(net: Net, memory: usize, mac: usize): bool {
  const device = net.device;
  beginDevice(device);
  if (!negotiate(device, FEATURE_MAC) || (device.features & FEATURE_MAC) == 0) return false;
  net.header = device.modern ? HEADER_MODERN : HEADER_LEGACY;
  if (!openQueue(device, RECEIVE, net.receive, memory, CARD_BUFFERS)) return false;
  if (!openQueue(device, TRANSMIT, net.transmit, memory + ringRoom(), CARD_BUFFERS)) return false;
  net.buffers = memory + 2 * ringRoom();
  net.free = net.buffers + cardBytes();
  for (let index: u32 = 0; index < CARD_BUFFERS; index++) {
    ringGive(net.receive, index, receiveBuffer(net, index), CARD_BUFFER as u32, true);
    store<u32>(net.free + 4 * (index as usize), index);
  }
  net.freeCount = CARD_BUFFERS;
  ready(device);
  notify(device, RECEIVE);
  for (let i: u32 = 0; i < 6; i++) store<u8>(mac + (i as usize), configuration(device, i) as u8);
  return true;
}

function receiveBuffer(net: Net, index: u32): usize {
  return net.buffers + (index as usize) * CARD_BUFFER;
}

/** Takes the interrupt back; call it before the frames are taken. */
export function netPoll(net: Net): void {
  acknowledge(net.device);
}

/** The next frame that came: its buffer's number, or NOTHING. netFrame and netFrameLength say where it is. */
export function netTake(net: Net): i32 {
  while (!net.broken) {
    const index = ringTake(net.receive);
    if (index == BROKEN) cardBreaks(net);
    if (index < 0) break;
    net.received++;
    if (net.receive.length > net.header) return index;
    netRelease(net, index); // not even a header
  }
  return NOTHING;
}

export function netFrame(net: Net, index: i32): usize {
  return receiveBuffer(net, index as u32) + (net.header as usize);
}

export function netFrameLength(net: Net): u32 {
  return net.receive.length - net.header;
}

/** The frame in this buffer is done with. */
export function netRelease(net: Net, index: i32): void {
  ringGive(net.receive, index as u32, receiveBuffer(net, index as u32), CARD_BUFFER as u32, true);
  net.unfilled = true;
}

function reclaim(net: Net): void {
  while (!net.broken) {
    const index = ringTake(net.transmit);
    if (index == BROKEN) cardBreaks(net);
    if (index < 0) return;
    store<u32>(net.free + 4 * (net.freeCount as usize), index as u32);
    net.freeCount++;
    net.stalled = false;
  }
}

/**
 * Lets the device catch up with a burst. A while only, and then not again until it has sent
 * something: one that has stopped costs frames, never the machine's time.
 */
function makeRoom(net: Net): void {
  netFlush(net);
  if (net.stalled) return;
  for (let left = CARD_PATIENCE; left > 0 && net.freeCount == 0 && !net.broken; left--) reclaim(net);
  net.stalled = net.freeCount == 0;
}

/** Queues a frame of two pieces; 0, or -1 when there is no room for it and it is dropped. */
export function netSend(net: Net, head: usize, headLength: u32, body: usize, bodyLength: u32): i32 {
  if (net.freeCount == 0) makeRoom(net);
  if (net.broken || net.freeCount == 0 || headLength + bodyLength > CARD_FRAME_MAX) {
    net.sendDropped++;
    return -1;
  }
  net.freeCount--;
  const index = load<u32>(net.free + 4 * (net.freeCount as usize));
  const buffer = net.buffers + ((CARD_BUFFERS + index) as usize) * CARD_BUFFER;
  memory.fill(buffer, 0, net.header);
  const length = putFrame(buffer + (net.header as usize), head, headLength, body, bodyLength);
  ringGive(net.transmit, index, buffer, net.header + length, false);
  net.sent++;
  net.unsent = true;
  return 0;
}

/** Tells the device what is new in both queues, and takes back what it has sent. */
export function netFlush(net: Net): void {
  if (net.broken) return;
  if (net.unsent) notify(net.device, TRANSMIT);
  if (net.unfilled) notify(net.device, RECEIVE);
  net.unsent = false;
  net.unfilled = false;
  reclaim(net);
}
