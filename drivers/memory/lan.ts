// A LAN inside one process: every port is a Device, for tests, the simulator and many
// kernels in one program.
//
// - Deterministic: no clock, timer or randomness of its own. Whatever happens later goes
//   through `schedule`, which comes in as an argument; ports are served in the order in
//   which they were made.
// - A frame leaves its kernel's memory at `flush` or `poll`, as on a real wire, and enters
//   the receiver's memory at that one's `poll`.
// - A port takes frames to its own MAC address, to everyone, and to groups it joined;
//   never what it sent itself. It holds `receiveFrames` of them; more are lost and counted.
// - No faults: wrap a port with drivers/fault for those.

import type { Device, DeviceCounters, DeviceRegion } from "../device.js";

const WASM_PAGE = 65_536;
const HEADER_BYTES = 14;
const FRAME_BYTES_MIN = 60;
const QUEUE_MAX = 256;
/** Where in its slot a frame begins, so that what follows its header is aligned to 16. */
const FRAME_OFFSET = 2;
const SLOT_ALIGNMENT = 64;

/** Runs `action` after so many microseconds, never before the caller has returned. */
export type Schedule = (delayMicroseconds: number, action: () => void) => void;

export interface MemoryLanOptions {
  /** Bytes behind the Ethernet header; default 1500. */
  readonly mtu?: number;
  /** How long a frame is on its way; default 0: it is there when `flush` returns. */
  readonly latencyMicroseconds?: number;
  /** Receive buffers of a port; default 256. */
  readonly receiveFrames?: number;
  readonly schedule: Schedule;
}

/** A network segment; see the head of this file. */
export class MemoryLan {
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly schedule: Schedule;
  private readonly latencyMicroseconds: number;
  private readonly ports = new Set<MemoryDevice>();
  private made = 0;

  constructor(options: MemoryLanOptions) {
    this.mtu = options.mtu ?? 1500;
    this.receiveFrames = options.receiveFrames ?? 256;
    this.latencyMicroseconds = options.latencyMicroseconds ?? 0;
    this.schedule = options.schedule;
  }

  /** A new port; `address` defaults to 02:00:00:00 and the port's number. */
  port(name: string, address?: Uint8Array): MemoryDevice {
    this.made++;
    const own = address?.slice() ?? Uint8Array.of(2, 0, 0, 0, this.made >> 8, this.made & 0xff);
    if (own.length !== 6) throw new RangeError("a MAC address has 6 bytes");
    const device = new MemoryDevice(this, name, own);
    this.ports.add(device);
    return device;
  }

  /** Takes a frame from `sender` to every port that wants it. The bytes are not changed afterwards. */
  carry(sender: MemoryDevice, frame: Uint8Array): void {
    if (this.latencyMicroseconds > 0)
      this.schedule(this.latencyMicroseconds, () => this.deliver(sender, frame));
    else this.deliver(sender, frame);
  }

  remove(device: MemoryDevice): void {
    this.ports.delete(device);
  }

  private deliver(sender: MemoryDevice, frame: Uint8Array): void {
    for (const port of this.ports) {
      if (port !== sender) port.accept(frame);
    }
  }
}

function matches(frame: Uint8Array, offset: number, address: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) {
    if (frame[offset + i] !== address[i]) return false;
  }
  return true;
}

const BROADCAST = new Uint8Array(6).fill(0xff);

/** One port of a MemoryLan. */
export class MemoryDevice implements Device {
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  private readonly slotBytes: number;
  private readonly queue = new Int32Array(QUEUE_MAX * 4);
  private queued = 0;
  private pending: Uint8Array[] = [];
  private groups: Uint8Array[] = [];
  private watcher: (() => void) | null = null;
  private wakeScheduled = false;
  private region: DeviceRegion | null = null;
  private closed = false;
  private received = 0;
  private sent = 0;
  private receiveDropped = 0;
  private sendDropped = 0;

  constructor(
    private readonly lan: MemoryLan,
    readonly name: string,
    readonly address: Uint8Array,
  ) {
    this.mtu = lan.mtu;
    this.receiveFrames = lan.receiveFrames;
    this.slotBytes = Math.ceil((FRAME_OFFSET + HEADER_BYTES + this.mtu) / SLOT_ALIGNMENT) * SLOT_ALIGNMENT;
    this.regionBytes = Math.ceil((this.slotBytes * this.receiveFrames) / WASM_PAGE) * WASM_PAGE;
    this.arrived = new Int32Array(this.receiveFrames * 2);
  }

  attach(region: DeviceRegion): void {
    if (this.region !== null) throw new TypeError(`${this.name}: attached already`);
    if (
      region.length < this.regionBytes ||
      region.base + this.regionBytes > region.memory.buffer.byteLength
    ) {
      throw new TypeError(`${this.name}: the region must have ${this.regionBytes} bytes inside the memory`);
    }
    this.region = region;
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    const length = headLength + bodyLength;
    if (
      this.closed ||
      this.region === null ||
      headLength < HEADER_BYTES ||
      length > this.mtu + HEADER_BYTES
    ) {
      this.sendDropped++;
      return -1;
    }
    if (this.queued === QUEUE_MAX) this.flush();
    this.queue.set([head, headLength, body, bodyLength], this.queued * 4);
    this.queued++;
    return 0;
  }

  flush(): void {
    if (this.queued === 0 || this.region === null) return;
    const memory = new Uint8Array(this.region.memory.buffer);
    const count = this.queued;
    this.queued = 0;
    for (let i = 0; i < count; i++) {
      const [head = 0, headLength = 0, body = 0, bodyLength = 0] = this.queue.subarray(i * 4, i * 4 + 4);
      const frame = new Uint8Array(Math.max(headLength + bodyLength, FRAME_BYTES_MIN));
      frame.set(memory.subarray(head, head + headLength));
      frame.set(memory.subarray(body, body + bodyLength), headLength);
      this.sent++;
      this.lan.carry(this, frame);
    }
  }

  /** Never waits, whatever it is given: nothing can arrive while this thread is here. */
  poll(_spinMicroseconds: number): number {
    this.flush();
    if (this.region === null || this.closed) return 0;
    const { memory, base } = this.region;
    const bytes = new Uint8Array(memory.buffer);
    const frames = this.pending;
    this.pending = [];
    frames.forEach((frame, index) => {
      const pointer = base + index * this.slotBytes + FRAME_OFFSET;
      bytes.set(frame, pointer);
      this.arrived[2 * index] = pointer;
      this.arrived[2 * index + 1] = frame.length;
    });
    this.received += frames.length;
    return frames.length;
  }

  watch(callback: (() => void) | null): void {
    this.watcher = callback;
    this.wake();
  }

  joinMulticast(address: Uint8Array): void {
    if (!this.groups.some((group) => matches(address, 0, group))) this.groups.push(address.slice(0, 6));
  }

  leaveMulticast(address: Uint8Array): void {
    this.groups = this.groups.filter((group) => !matches(address, 0, group));
  }

  counters(): DeviceCounters {
    const { received, sent, receiveDropped, sendDropped } = this;
    return { received, sent, receiveDropped, sendDropped };
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    this.watcher = null;
    this.pending = [];
    this.lan.remove(this);
  }

  /** A frame on the wire; for the LAN only. */
  accept(frame: Uint8Array): void {
    if (this.closed || !this.wants(frame)) return;
    if (this.pending.length === this.receiveFrames) {
      this.receiveDropped++;
      return;
    }
    this.pending.push(frame);
    this.wake();
  }

  private wants(frame: Uint8Array): boolean {
    if (matches(frame, 6, this.address)) return false;
    if (matches(frame, 0, this.address) || matches(frame, 0, BROADCAST)) return true;
    return this.groups.some((group) => matches(frame, 0, group));
  }

  private wake(): void {
    if (this.watcher === null || this.pending.length === 0 || this.wakeScheduled) return;
    this.wakeScheduled = true;
    this.lan.schedule(0, () => {
      this.wakeScheduled = false;
      if (this.pending.length > 0) this.watcher?.();
    });
  }
}
