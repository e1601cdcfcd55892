// The machine's networks: finds the virtio-net devices, attaches them to the kernel, hands frames
// in and out.
//
// - Devices are looked for where QEMU's microvm has them: 24 places of 512 bytes. Their interrupts
//   are pins of the second I/O APIC, edges (the place is the pin); the port's is pin 4 of the first.
// - network=MAC,MAC says which become networks, in that order; without it all do.
// - Source: QEMU docs/system/i386/microvm; Intel 82093AA data sheet (I/O APIC).

import { registerStore } from "../../drivers/virtio/machine";
import { configurationAt, DEVICE_NET, Device, deviceKind } from "../../drivers/virtio/transport";
import { Ring } from "../../drivers/virtio/ring";
import {
  NET_BUFFERS,
  Net,
  netBytes,
  netFlush,
  netFrame,
  netFrameLength,
  netOpen,
  netPoll,
  netRelease,
  netSend,
  netTake,
} from "../../drivers/virtio-net/net";
import { value, valueLength } from "./command-line";
import { networkAdd, receive } from "./kernel";
import { take } from "./memory";
import { reflectOpen, reflects } from "./reflect";

const PLACES: u32 = 24;
const PLACE_BASE: u64 = 0xfeb00000;
const PLACE_BYTES: u64 = 512;
const IO_APIC: u64 = 0xfec00000;
const IO_APIC_SECOND: u64 = 0xfec10000;
const IO_APIC_PINS: u32 = 24;
const IO_APIC_TABLE: u32 = 0x10;
const VECTOR: u32 = 0x30;
const SERIAL_PIN: u32 = 4;

const ETHERNET_MTU: i32 = 1500;
const ETHERNET_WEIGHT: i32 = 3;
export const NETWORKS_MOST: u32 = 4;
const MAC: usize = 8; // bytes kept for each
/** Frames taken from one network before the others and the timers have their turn. */
const BURST: u32 = 64;

const nets = memory.data(offsetof<Net>() * 4, 8);
const devices = memory.data(offsetof<Device>() * 4, 8);
const rings = memory.data(offsetof<Ring>() * 8, 8);
const macs = memory.data(8 * 4, 8);

export let networks: u32 = 0;
/** Devices that are there and were refused, or had no room. */
export let refused: u32 = 0;

export function netAt(network: u32): Net {
  return changetype<Net>(nets + offsetof<Net>() * (network as usize));
}

export function macAt(network: u32): usize {
  return macs + MAC * (network as usize);
}

/** Lets a pin's interrupts through to the processor, as edges. */
function openPin(controller: u64, pin: u32): void {
  if (pin >= IO_APIC_PINS) return;
  registerStore(controller, 4, IO_APIC_TABLE + 2 * pin + 1);
  registerStore(controller + 0x10, 4, 0);
  registerStore(controller, 4, IO_APIC_TABLE + 2 * pin);
  registerStore(controller + 0x10, 4, VECTOR);
}

function digit(byte: u32): u32 {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 16;
}

/** The MAC address in hex at the front of a text, in the order of its bytes as one number. */
function parseMac(from: usize, length: u32): u64 {
  let mac: u64 = 0;
  let place: u32 = 0;
  for (let i: u32 = 0; i < length && place < 12; i++) {
    const byte = load<u8>(from + (i as usize)) as u32;
    if (byte == 0x2c) break;
    const half = digit(byte);
    if (half > 15) continue; // a colon
    mac |= (half as u64) << ((8 * (place >> 1) + ((place & 1) != 0 ? 0 : 4)) as u64);
    place++;
  }
  return mac;
}

/** Sets up the device at `place` and gives it to the kernel. */
function open(place: u32): void {
  if (networks == NETWORKS_MOST) {
    refused++;
    return;
  }
  const net = netAt(networks);
  net.device = changetype<Device>(devices + offsetof<Device>() * (networks as usize));
  net.receive = changetype<Ring>(rings + offsetof<Ring>() * 2 * (networks as usize));
  net.transmit = changetype<Ring>(rings + offsetof<Ring>() * (2 * (networks as usize) + 1));
  const mac = macAt(networks);
  const room = take(netBytes());
  if (
    room == 0 ||
    !netOpen(net, PLACE_BASE + PLACE_BYTES * (place as u64), room, mac) ||
    networkAdd(mac, ETHERNET_MTU, ETHERNET_WEIGHT, 1, NET_BUFFERS as i32) < 0
  ) {
    refused++;
    return;
  }
  openPin(IO_APIC_SECOND, place);
  networks++;
}

/** The MAC address of the device at `place`; 0 when there is no network device. */
function macOfPlace(place: u32): u64 {
  const base = PLACE_BASE + PLACE_BYTES * (place as u64);
  if (deviceKind(base) != DEVICE_NET) return 0;
  let mac: u64 = 0;
  for (let i: u32 = 0; i < 6; i++) mac |= (configurationAt(base, i) as u64) << ((8 * i) as u64);
  return mac;
}

/** Finds and attaches the devices; how many networks there are is `networks`. */
export function networksOpen(): void {
  reflectOpen();
  openPin(IO_APIC, SERIAL_PIN);
  const list = value("network=");
  if (list == 0) {
    for (let place: u32 = 0; place < PLACES; place++) if (macOfPlace(place) != 0) open(place);
    return;
  }
  const length = valueLength;
  for (let at: u32 = 0; at < length; at++) {
    if (at > 0 && load<u8>(list + (at as usize) - 1) != 0x2c) continue;
    const wanted = parseMac(list + (at as usize), length - at);
    let found = false;
    for (let place: u32 = 0; place < PLACES && !found; place++) {
      found = wanted != 0 && macOfPlace(place) == wanted;
      if (found) open(place);
    }
    if (!found) refused++;
  }
}

/** Hands out the frames that have come; answers how many. */
export function networksPoll(now: f64): u32 {
  let count: u32 = 0;
  for (let network: u32 = 0; network < networks; network++) {
    const net = netAt(network);
    netPoll(net);
    for (let left = BURST; left > 0; left--) {
      const buffer = netTake(net);
      if (buffer < 0) break;
      const frame = netFrame(net, buffer);
      const length = netFrameLength(net);
      if (reflects(macAt(network), frame, length)) netSend(net, frame, length, 0, 0);
      else receive(network as i32, frame, length as i32, now);
      netRelease(net, buffer);
      count++;
    }
  }
  return count;
}

export function networksFlush(): void {
  for (let network: u32 = 0; network < networks; network++) netFlush(netAt(network));
}

/** The kernel's transmit: 0, or below zero when the frame was dropped. */
export function networksTransmit(
  network: u32,
  head: usize,
  headLength: u32,
  body: usize,
  bodyLength: u32,
): i32 {
  return network < networks ? netSend(netAt(network), head, headLength, body, bodyLength) : -1;
}
