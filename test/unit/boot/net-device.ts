// A model of a virtio-net device on virtio-mmio, as the driver of metal machines sees one: registers,
// two split queues in the machine's memory, an interrupt; behind it a port of a LAN in memory.
//
// - Legacy (version 1) or modern (version 2), by what a test asks for; its answers follow VIRTIO 1.2,
//   2.7 and 4.2, written without a look at the driver.
// - `order` says in which order sent buffers come back. `hostile` may write what it likes into the
//   rings, through the same memory that the device has.

import type { MemoryDevice } from "../../../drivers/memory/lan.js";

const magic = 0x74726976;
const netDevice = 1;
const queueMax = 256;
const featureMac = 1 << 5;
const featuresOk = 8;
const needsReset = 0x40;

export interface NetDeviceOptions {
  readonly version: 1 | 2;
  readonly port: MemoryDevice;
  /** Physical address of the linear memory. */
  readonly physicalBase: number;
  readonly memory: WebAssembly.Memory;
  /** Permutes the buffers that are given back together. */
  readonly order?: (heads: number[]) => number[];
  /** It takes no features. */
  readonly refuses?: boolean;
  /** It never gives sent buffers back. */
  readonly stuck?: boolean;
}

interface Queue {
  size: number;
  descriptors: number;
  available: number;
  used: number;
  seen: number;
}

const align = (at: number, to: number): number => Math.ceil(at / to) * to;

export class NetDevice {
  readonly #options: NetDeviceOptions;
  readonly #queues: Queue[] = [0, 1].map(() => ({ size: 0, descriptors: 0, available: 0, used: 0, seen: 0 }));
  readonly #lanMemory: WebAssembly.Memory;
  readonly #registers = new Map<number, number>();
  readonly #waiting: Uint8Array[] = [];
  status = 0;
  interrupt = 0;
  /** Frames that the driver sent, as they were. */
  readonly sent: Uint8Array[] = [];

  constructor(options: NetDeviceOptions) {
    this.#options = options;
    const pages = options.port.regionBytes / 65536;
    this.#lanMemory = new WebAssembly.Memory({ initial: pages + 1 });
    options.port.attach({ memory: this.#lanMemory, base: 65536, length: options.port.regionBytes });
  }

  /** Its MAC address. */
  get address(): Uint8Array {
    return this.#options.port.address;
  }

  get #view(): DataView {
    return new DataView(this.#options.memory.buffer);
  }

  /** Addresses in the linear memory of the used rings, for hostile tests. */
  get usedRings(): readonly { readonly at: number; readonly size: number }[] {
    return this.#queues.map(({ used, size }) => ({ at: used, size }));
  }

  load(at: number, bytes: number): number {
    const { version, port, refuses } = this.#options;
    if (at >= 0x100) return bytes === 1 ? (port.address[at - 0x100] ?? 0) : 0;
    switch (at) {
      case 0x00:
        return magic;
      case 0x04:
        return version;
      case 0x08:
        return netDevice;
      case 0x10:
        return (this.#registers.get(0x14) ?? 0) === 0 ? featureMac : version === 2 ? 1 : 0;
      case 0x34:
        return queueMax;
      case 0x60:
        return this.interrupt;
      case 0x70:
        return refuses ? (this.status & ~featuresOk) | needsReset : this.status;
      default:
        return 0;
    }
  }

  store(at: number, value: number): void {
    this.#registers.set(at, value);
    const queue = this.#queues[this.#registers.get(0x30) ?? 0];
    switch (at) {
      case 0x38:
        if (queue !== undefined) queue.size = value;
        return;
      case 0x40: // legacy: all three parts from one page on
        if (queue !== undefined) this.#placeLegacy(queue, value * 4096);
        return;
      case 0x44: // modern
        if (queue !== undefined) this.#placeModern(queue);
        return;
      case 0x50:
        if (value === 1) this.#send();
        else this.receive();
        return;
      case 0x64:
        this.interrupt &= ~value;
        return;
      case 0x70:
        this.status = value;
    }
  }

  #linear(physical: number): number {
    return physical - this.#options.physicalBase;
  }

  #placeLegacy(queue: Queue, at: number): void {
    queue.descriptors = this.#linear(at);
    queue.available = queue.descriptors + 16 * queue.size;
    queue.used = align(queue.available + 6 + 2 * queue.size, 4096);
  }

  #placeModern(queue: Queue): void {
    const address = (register: number): number =>
      this.#linear(
        (this.#registers.get(register) ?? 0) + (this.#registers.get(register + 4) ?? 0) * 0x100000000,
      );
    queue.descriptors = address(0x80);
    queue.available = address(0x90);
    queue.used = address(0xa0);
  }

  get #header(): number {
    return this.#options.version === 2 ? 12 : 10;
  }

  /** The buffers that the driver has given since the last time. */
  #take(queue: Queue, most: number): number[] {
    const view = this.#view;
    const heads: number[] = [];
    const end = view.getUint16(queue.available + 2, true);
    while (queue.seen !== end && heads.length < most) {
      heads.push(view.getUint16(queue.available + 4 + 2 * (queue.seen % queue.size), true));
      queue.seen = (queue.seen + 1) & 0xffff;
    }
    return heads;
  }

  #giveBack(queue: Queue, head: number, length: number): void {
    const view = this.#view;
    const index = view.getUint16(queue.used + 2, true);
    view.setUint32(queue.used + 4 + 8 * (index % queue.size), head, true);
    view.setUint32(queue.used + 8 + 8 * (index % queue.size), length, true);
    view.setUint16(queue.used + 2, (index + 1) & 0xffff, true);
    this.interrupt |= 1;
  }

  #descriptor(queue: Queue, head: number): { at: number; length: number; flags: number } {
    const view = this.#view;
    const at = queue.descriptors + 16 * head;
    return {
      at: this.#linear(Number(view.getBigUint64(at, true))),
      length: view.getUint32(at + 8, true),
      flags: view.getUint16(at + 12, true),
    };
  }

  #send(): void {
    const [, queue] = this.#queues;
    if (queue === undefined || queue.size === 0) return;
    const { port, memory, order = (heads) => heads, stuck } = this.#options;
    const heads = this.#take(queue, queue.size);
    for (const head of heads) {
      const { at, length, flags } = this.#descriptor(queue, head);
      if (flags !== 0) throw new Error("a buffer to send is one that the device reads");
      const frame = new Uint8Array(memory.buffer).slice(at + this.#header, at + length);
      this.sent.push(frame);
      new Uint8Array(this.#lanMemory.buffer).set(frame, 0);
      port.transmit(0, frame.length, 0, 0);
      port.flush();
    }
    if (stuck) return;
    for (const head of order(heads)) this.#giveBack(queue, head, 0);
  }

  /** A frame that a port of the LAN in memory would not pass on. */
  hear(frame: Uint8Array): void {
    this.#waiting.push(frame);
  }

  /** Puts what the LAN has for it into the driver's buffers. */
  receive(): void {
    const [queue] = this.#queues;
    const { port, memory } = this.#options;
    const count = port.poll(0);
    const lan = new Uint8Array(this.#lanMemory.buffer);
    for (let i = 0; i < count; i++) {
      const at = port.arrived[2 * i] ?? 0;
      this.#waiting.push(lan.slice(at, at + (port.arrived[2 * i + 1] ?? 0)));
    }
    if (queue === undefined || queue.size === 0) return;
    for (const head of this.#take(queue, this.#waiting.length)) {
      const frame = this.#waiting.shift();
      if (frame === undefined) return;
      const { at, flags } = this.#descriptor(queue, head);
      if (flags !== 2) throw new Error("a buffer to receive into is one that the device writes");
      const bytes = new Uint8Array(memory.buffer);
      bytes.fill(0, at, at + this.#header);
      bytes.set(frame, at + this.#header);
      this.#giveBack(queue, head, this.#header + frame.length);
    }
  }
}
