// The network card of one kernel on a virtual LAN: a Device, as drivers/memory, but what it
// holds is gone when its machine crashes.
//
// - Takes frames to its own MAC address, to everyone, and to the groups it joined. It holds
//   `receiveFrames` of them; more are lost and counted by the LAN.
// - Knows when it was polled, as the AF_PACKET ring does: control/kernel/time.ts then treats
//   a stall of the simulated host as it treats one of a real host.

import type { Device, DeviceCounters, DeviceRegion } from "../../drivers/device.js";
import type { Frame } from "./frames.js";
import type { Socket } from "./lan.js";

const wasmPage = 65_536;
const headerBytes = 14;
const frameBytesMin = 60;
const queueMax = 256;
const slotBytes = (mtu: number): number => Math.ceil((mtu + 16) / 64) * 64;

function same(bytes: Uint8Array, offset: number, address: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) if (bytes[offset + i] !== address[i]) return false;
  return true;
}

export class Card implements Device {
  readonly name: string;
  readonly address: Uint8Array;
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  polledAt = 0;
  pollBegan = 0;
  readonly #socket: Socket;
  readonly #slot: number;
  readonly #clock: () => number;
  readonly #queue = new Int32Array(queueMax * 4);
  #queued = 0;
  #groups: Uint8Array[] = [];
  readonly #pending: Frame[] = [];
  #base = 0;
  #bytes = new Uint8Array(0);
  #received = 0;
  #sent = 0;
  #dropped = 0;
  #closed = false;

  constructor(socket: Socket, clock: () => number) {
    this.#socket = socket;
    this.#clock = clock;
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
    if (headLength + bodyLength > this.mtu + headerBytes) return -1;
    if (this.#queued === queueMax) this.flush();
    const at = 4 * this.#queued++;
    const queue = this.#queue;
    queue[at] = head;
    queue[at + 1] = headLength;
    queue[at + 2] = body;
    queue[at + 3] = bodyLength;
    return 0;
  }

  flush(): void {
    const queue = this.#queue;
    const end = 4 * this.#queued;
    this.#queued = 0;
    const lan = this.#socket.lan;
    for (let i = 0; i < end; i += 4) {
      const head = queue[i] as number;
      const headLength = queue[i + 1] as number;
      const body = queue[i + 2] as number;
      const bodyLength = queue[i + 3] as number;
      const length = headLength + bodyLength;
      const frame = lan.frames.take(Math.max(length, frameBytesMin));
      frame.bytes.set(this.#bytes.subarray(head, head + headLength));
      if (bodyLength > 0) frame.bytes.set(this.#bytes.subarray(body, body + bodyLength), headLength);
      if (length < frameBytesMin) frame.bytes.fill(0, length, frameBytesMin);
      this.#sent++;
      lan.send(this.#socket, frame);
    }
  }

  /** Never waits: nothing can arrive while this thread is here. */
  poll(): number {
    this.pollBegan = this.#clock();
    this.polledAt = this.pollBegan;
    if (this.#queued > 0) this.flush();
    const frames = this.#pending;
    const count = frames.length;
    if (count === 0) return 0;
    for (let i = 0; i < count; i++) {
      const frame = frames[i] as Frame;
      const pointer = this.#base + i * this.#slot + 2;
      this.#bytes.set(frame.content, pointer);
      this.arrived[2 * i] = pointer;
      this.arrived[2 * i + 1] = frame.length;
      frame.release();
    }
    frames.length = 0;
    this.#received += count;
    return count;
  }

  watch(): void {}

  joinMulticast(address: Uint8Array): void {
    if (!this.#groups.some((group) => same(address, 0, group))) this.#groups.push(address.slice(0, 6));
  }

  leaveMulticast(address: Uint8Array): void {
    this.#groups = this.#groups.filter((group) => !same(address, 0, group));
  }

  counters(): DeviceCounters {
    return { received: this.#received, sent: this.#sent, receiveDropped: this.#dropped, sendDropped: 0 };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queued = 0;
    for (const frame of this.#pending) frame.release();
    this.#pending.length = 0;
    this.#socket.closed(this);
  }

  #wants(frame: Uint8Array): boolean {
    const first = frame[0] as number;
    if ((first & 1) === 0) return same(frame, 0, this.address);
    if (first === 0xff) return true;
    return this.#groups.some((group) => same(frame, 0, group));
  }

  /** A frame from the wire, its address perhaps changed on the way. True when it was taken. */
  accept(frame: Frame): boolean {
    if (frame.length > this.mtu + headerBytes || !this.#wants(frame.bytes)) return false;
    if (this.#pending.length === this.receiveFrames) {
      this.#dropped++;
      this.#socket.lan.counts.overrun++;
      return false;
    }
    frame.holders++;
    this.#pending.push(frame);
    return true;
  }
}
