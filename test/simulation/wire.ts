// A LAN in virtual time: every frame gets its own fate on the way to every receiver.
//
// - A frame that was flushed is in the air: its sender may crash, its receiver may crash
//   and boot again; it arrives all the same, at whoever has the MAC address then.
// - Faults are those of drivers/fault, thrown with one seeded generator; a flipped bit is
//   delivered to the kernel, not dropped. Cuts are per pair of machines and direction.
// - `filter` drops chosen frames, `tap` sees every frame that was sent.

import type { Device, DeviceCounters, DeviceRegion } from "../../drivers/device.js";
import { decide, type Faults, mergeFaults, NO_FAULTS, noCounts } from "../../drivers/fault/faults.js";
import type { SeededRandom } from "../../drivers/fault/random.js";

const wasmPage = 65_536;
const slotBytes = (mtu: number): number => Math.ceil((mtu + 16) / 64) * 64;
const frameBytesMin = 60;
const overtakenMicroseconds = 1000;

export interface LanOptions {
  readonly name?: string;
  /** Default 1500. */
  readonly mtu?: number;
  /** How long a frame is on its way; default 100. */
  readonly latencyMicroseconds?: number;
  /** Receive buffers of each machine; default 64. */
  readonly receiveFrames?: number;
  /** Line rate of a sender; default: none. */
  readonly bytesPerMicrosecond?: number;
}

/** What a LAN needs of the world around it. */
export interface Air {
  readonly now: number;
  readonly random: SeededRandom;
  at(time: number, action: () => void): void;
}

/** True: this frame is lost on its way from one machine to another. */
export type Filter = (frame: Uint8Array, from: string, to: string) => boolean;

export class Lan {
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly latencyMicroseconds: number;
  readonly counts = { ...noCounts(), filtered: 0, overrun: 0 };
  filter: Filter | null = null;
  tap: ((frame: Uint8Array, from: string) => void) | null = null;
  readonly #air: Air;
  readonly #bytesPerMicrosecond: number;
  readonly #sockets: Socket[] = [];
  readonly #cuts = new Set<string>();
  #faults: Faults = NO_FAULTS;

  constructor(air: Air, options: LanOptions = {}) {
    this.#air = air;
    this.mtu = options.mtu ?? 1500;
    this.receiveFrames = options.receiveFrames ?? 64;
    this.latencyMicroseconds = options.latencyMicroseconds ?? 100;
    this.#bytesPerMicrosecond = options.bytesPerMicrosecond ?? Number.POSITIVE_INFINITY;
  }

  /** A place on the wire: a machine's MAC address, whatever kernel runs behind it. */
  socket(name: string, mac: Uint8Array, wake: () => void, mtu = this.mtu): Socket {
    const socket = new Socket(this, name, mac, wake, mtu);
    this.#sockets.push(socket);
    return socket;
  }

  /** Faults of every frame from now on; those left out are as without faults. */
  setFaults(faults: Partial<Faults>): void {
    this.#faults = mergeFaults(NO_FAULTS, faults);
  }

  /** Nothing passes from one machine to another any more; the other direction stays. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Sends one frame; its bytes are not changed afterwards. */
  carry(sender: Socket, frame: Uint8Array): void {
    this.tap?.(frame, sender.name);
    const left = Math.max(this.#air.now, sender.busyUntil) + frame.length / this.#bytesPerMicrosecond;
    sender.busyUntil = left;
    for (const receiver of this.#sockets) {
      if (receiver !== sender && receiver.mayWant(frame)) this.#send(sender, receiver, frame, left);
    }
  }

  #send(sender: Socket, receiver: Socket, frame: Uint8Array, left: number): void {
    if (this.filter?.(frame, sender.name, receiver.name)) {
      this.counts.filtered++;
      return;
    }
    if (this.#cuts.has(`${sender.name}>${receiver.name}`)) {
      this.counts.cut++;
      return;
    }
    const random = this.#air.random;
    const fate = decide(this.#faults, random, frame.length, this.counts);
    for (let copy = 0; copy < fate.copies; copy++) {
      let delivered = frame;
      if (fate.flip >= 0 && copy === 0) {
        delivered = frame.slice();
        delivered[fate.flip >> 3] = (delivered[fate.flip >> 3] ?? 0) ^ (1 << (fate.flip & 7));
      }
      const late =
        fate.delayMicroseconds * (copy + 1) + (fate.holdBack ? random.below(overtakenMicroseconds) : 0);
      this.#air.at(Math.ceil(left + this.latencyMicroseconds + late), () => receiver.accept(delivered));
    }
  }
}

/** A MAC address on a LAN. */
export class Socket {
  busyUntil = 0;
  device: WireDevice | null = null;

  constructor(
    readonly lan: Lan,
    readonly name: string,
    readonly mac: Uint8Array,
    readonly wake: () => void,
    readonly mtu: number,
  ) {}

  /** A network card for a kernel that boots here now. */
  open(): WireDevice {
    this.device = new WireDevice(this);
    return this.device;
  }

  /** Whether a switch would take the frame here: a flipped address is settled on arrival. */
  mayWant(frame: Uint8Array): boolean {
    return ((frame[0] ?? 0) & 1) === 1 || same(frame, 0, this.mac);
  }

  accept(frame: Uint8Array): void {
    if (frame.length > this.mtu + 14) return;
    if (this.device?.accept(frame)) this.wake();
  }
}

function same(frame: Uint8Array, offset: number, address: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) if (frame[offset + i] !== address[i]) return false;
  return true;
}

/** The card of one kernel: as drivers/memory, but its frames are gone when it crashes. */
export class WireDevice implements Device {
  readonly name: string;
  readonly address: Uint8Array;
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  readonly #socket: Socket;
  readonly #slot: number;
  readonly #queue: number[] = [];
  #groups: Uint8Array[] = [];
  #pending: Uint8Array[] = [];
  #base = 0;
  #bytes = new Uint8Array(0);
  #received = 0;
  #sent = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.name = socket.name;
    this.address = socket.mac;
    this.mtu = socket.mtu;
    this.receiveFrames = socket.lan.receiveFrames;
    this.#slot = slotBytes(this.mtu);
    this.regionBytes = Math.ceil((this.#slot * this.receiveFrames) / wasmPage) * wasmPage;
    this.arrived = new Int32Array(this.receiveFrames * 2);
  }

  attach(region: DeviceRegion): void {
    this.#bytes = new Uint8Array(region.memory.buffer);
    this.#base = region.base;
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    if (headLength + bodyLength > this.mtu + 14) return -1;
    if (this.#queue.length === 4 * 256) this.flush();
    this.#queue.push(head, headLength, body, bodyLength);
    return 0;
  }

  flush(): void {
    const queue = this.#queue;
    for (let i = 0; i < queue.length; i += 4) {
      const [head = 0, headLength = 0, body = 0, bodyLength = 0] = queue.slice(i, i + 4);
      const frame = new Uint8Array(Math.max(headLength + bodyLength, frameBytesMin));
      frame.set(this.#bytes.subarray(head, head + headLength));
      frame.set(this.#bytes.subarray(body, body + bodyLength), headLength);
      this.#sent++;
      this.#socket.lan.carry(this.#socket, frame);
    }
    queue.length = 0;
  }

  poll(): number {
    this.flush();
    const frames = this.#pending;
    if (frames.length === 0) return 0;
    this.#pending = [];
    for (const [index, frame] of frames.entries()) {
      const pointer = this.#base + index * this.#slot + 2;
      this.#bytes.set(frame, pointer);
      this.arrived[2 * index] = pointer;
      this.arrived[2 * index + 1] = frame.length;
    }
    this.#received += frames.length;
    return frames.length;
  }

  watch(): void {}

  joinMulticast(address: Uint8Array): void {
    this.#groups.push(address.slice(0, 6));
  }

  leaveMulticast(address: Uint8Array): void {
    this.#groups = this.#groups.filter((group) => !same(address, 0, group));
  }

  counters(): DeviceCounters {
    return { received: this.#received, sent: this.#sent, receiveDropped: 0, sendDropped: 0 };
  }

  close(): void {
    this.#pending = [];
    if (this.#socket.device === this) this.#socket.device = null;
  }

  /** A frame from the wire, its address perhaps changed on the way. True when it was taken. */
  accept(frame: Uint8Array): boolean {
    const everyone = ((frame[0] ?? 0) & 1) === 1;
    if (!everyone && !same(frame, 0, this.address)) return false;
    if (this.#pending.length === this.receiveFrames) {
      this.#socket.lan.counts.overrun++;
      return false;
    }
    this.#pending.push(frame);
    return true;
  }
}
