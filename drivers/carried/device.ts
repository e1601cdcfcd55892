// A Device over a carrier: something that takes and brings whole messages from the event loop,
// such as a serial port or an IP socket of Node.js.
//
// - The device has the receive buffers in linear memory, picks what is for this station, and makes
//   messages of frames (message.ts). The carrier knows its wire and nothing of frames.
// - `poll` never waits, whatever time it is given: a loop that finds nothing goes back to the event
//   loop and is called through `watch`.
// - What the carrier refuses, for want of room, is dropped and counted: FLIP repeats what matters.

import { ETHERNET_HEADER } from "../../core-wasm/wire/formats.js";
import type { Device, DeviceCounters, DeviceRegion } from "../device.js";
import { decodeMessage, encodeMessage, frameOf, stationAddress, stationOf } from "./message.js";

const pageBytes = 65_536;
const slotAlignment = 64;
/** Where in its slot a frame begins, so that what follows its header is aligned to 16. */
const frameOffset = 2;

/** What the device needs of a wire. */
export interface Carrier {
  /** Sends a message to the station, or to all when it is null; false: there is no room. */
  send(message: Uint8Array, to: Uint8Array | null): boolean;
  /** Whether the carrier keeps the process alive. */
  keepAlive(on: boolean): void;
  /** Messages that it threw away since it was opened: damaged, forged, from strangers. */
  damaged(): number;
  close(): void;
}

export interface CarriedOptions {
  readonly name: string;
  /** 4 bytes: who we are on this wire. */
  readonly station: Uint8Array;
  readonly mtu: number;
  readonly weight: number;
  readonly trusted: boolean;
  /** What the credit window follows from; a slow wire has few, so that a queue is short in time. */
  readonly receiveFrames: number;
  /** Frames that may wait for the kernel; left out: receiveFrames. */
  readonly slots?: number;
  readonly carrier: Carrier;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** See the head of this file. */
export class CarriedDevice implements Device {
  readonly name: string;
  readonly address: Uint8Array;
  readonly mtu: number;
  readonly weight: number;
  readonly trusted: boolean;
  readonly receiveFrames: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  readonly #station: Uint8Array;
  readonly #carrier: Carrier;
  readonly #slots: number;
  readonly #slotBytes: number;
  readonly #groups = new Set<string>();
  #pending: Uint8Array[] = [];
  #region: DeviceRegion | null = null;
  #watcher: (() => void) | null = null;
  #wakeScheduled = false;
  #closed = false;
  #received = 0;
  #sent = 0;
  #receiveDropped = 0;
  #sendDropped = 0;
  #damaged = 0;

  constructor(options: CarriedOptions) {
    this.name = options.name;
    this.#station = options.station.slice(0, 4);
    this.address = stationAddress(this.#station);
    this.mtu = options.mtu;
    this.weight = options.weight;
    this.trusted = options.trusted;
    this.receiveFrames = options.receiveFrames;
    this.#slots = Math.max(options.receiveFrames, options.slots ?? 0);
    this.#carrier = options.carrier;
    const slot = frameOffset + ETHERNET_HEADER + this.mtu;
    this.#slotBytes = Math.ceil(slot / slotAlignment) * slotAlignment;
    this.regionBytes = Math.ceil((this.#slotBytes * this.#slots) / pageBytes) * pageBytes;
    this.arrived = new Int32Array(2 * this.#slots);
  }

  attach(region: DeviceRegion): void {
    if (this.#region !== null) throw new TypeError(`${this.name}: attached already`);
    if (region.length < this.regionBytes)
      throw new RangeError(`${this.name}: the region has ${region.length} of ${this.regionBytes} bytes`);
    this.#region = region;
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    const length = headLength + bodyLength;
    if (
      this.#closed ||
      this.#region === null ||
      headLength < ETHERNET_HEADER ||
      length > this.mtu + ETHERNET_HEADER
    )
      return this.#refused();
    const { buffer } = this.#region.memory;
    const frame = new Uint8Array(length);
    frame.set(new Uint8Array(buffer, head, headLength));
    frame.set(new Uint8Array(buffer, body, bodyLength), headLength);
    const message = encodeMessage(frame, this.#station);
    const unicast = ((frame[0] ?? 0) & 1) === 0;
    if (message === null) return this.#refused();
    if (!this.#carrier.send(message, unicast ? stationOf(frame) : null)) return this.#refused();
    this.#sent++;
    return 0;
  }

  #refused(): number {
    this.#sendDropped++;
    return -1;
  }

  /** A message of the wire. `source`: who it is from for certain, whatever it says; left out: what it says. */
  accept(bytes: Uint8Array, source?: Uint8Array): void {
    if (this.#closed) return;
    const said = decodeMessage(bytes);
    if (said === null || said.content.length > this.mtu) {
      this.#damaged++;
      return;
    }
    // Where the sender is known by its wire, so is the receiver: us.
    const message =
      source === undefined
        ? said
        : { ...said, source, destination: said.destination === null ? null : this.#station };
    if (!this.#isOurs(message)) {
      this.#damaged++;
      return;
    }
    if (message.group !== null && !this.#groups.has(Buffer.from(message.group).toString("hex"))) return;
    if (this.#pending.length >= this.#slots) {
      this.#receiveDropped++;
      return;
    }
    this.#pending.push(frameOf(message));
    this.#wake();
  }

  /** Not what we sent ourselves (a line that echoes), and not for a station that was here before. */
  #isOurs({ source, destination }: { source: Uint8Array; destination: Uint8Array | null }): boolean {
    if (same(source, this.#station)) return false;
    return destination === null || same(destination, this.#station);
  }

  flush(): void {}

  poll(_spinMicroseconds: number): number {
    if (this.#region === null || this.#closed) return 0;
    const { memory, base } = this.#region;
    const bytes = new Uint8Array(memory.buffer);
    const frames = this.#pending;
    this.#pending = [];
    for (const [index, frame] of frames.entries()) {
      const pointer = base + index * this.#slotBytes + frameOffset;
      bytes.set(frame, pointer);
      this.arrived[2 * index] = pointer;
      this.arrived[2 * index + 1] = frame.length;
    }
    this.#received += frames.length;
    return frames.length;
  }

  watch(callback: (() => void) | null): void {
    this.#watcher = callback;
    this.#carrier.keepAlive(callback !== null);
    this.#wake();
  }

  #wake(): void {
    if (this.#watcher === null || this.#wakeScheduled || this.#pending.length === 0) return;
    this.#wakeScheduled = true;
    setImmediate(() => {
      this.#wakeScheduled = false;
      if (this.#pending.length > 0) this.#watcher?.();
    });
  }

  joinMulticast(address: Uint8Array): void {
    this.#groups.add(Buffer.from(address.subarray(0, 6)).toString("hex"));
  }

  leaveMulticast(address: Uint8Array): void {
    this.#groups.delete(Buffer.from(address.subarray(0, 6)).toString("hex"));
  }

  counters(): DeviceCounters {
    return {
      received: this.#received,
      sent: this.#sent,
      receiveDropped: this.#receiveDropped,
      sendDropped: this.#sendDropped,
      damaged: this.#damaged + this.#carrier.damaged(),
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watcher = null;
    this.#pending = [];
    this.#carrier.close();
  }
}
