// A model of Intel's 82574L as a function of a PCI bus: the registers that a driver needs and two rings
// of legacy descriptors in the machine's memory; behind it a port of a LAN in memory.
//
// - Written by the data sheet (82574 family, 7.1.4, 7.2.10, 10.2), without a look at the driver: the
//   card has the descriptors from its head to before its tail, and marks those that it is done with.
// - `bend` may write what it likes into a descriptor that was received into: status, errors, length.

import type { MemoryDevice } from "../../../drivers/memory/lan.js";
import { PciFunction } from "./pci-bus.js";

export const cardAt = 0xfd000000;
const descriptor = 16;

export interface IntelOptions {
  readonly memory: WebAssembly.Memory;
  readonly physicalBase: number;
  readonly port: MemoryDevice;
  readonly base?: number;
  readonly bytes?: number;
  /** It never comes out of its reset. */
  readonly dead?: boolean;
  /** It never sends. */
  readonly stuck?: boolean;
  readonly bend?: (view: DataView, at: number) => void;
}

export class IntelCard {
  readonly function: PciFunction;
  readonly sent: Uint8Array[] = [];
  readonly #options: IntelOptions;
  readonly #registers = new Map<number, number>();
  readonly #lanMemory: WebAssembly.Memory;
  readonly #waiting: Uint8Array[] = [];

  constructor(options: IntelOptions) {
    this.#options = options;
    const { port, base = cardAt, bytes = 0x20000 } = options;
    this.#lanMemory = new WebAssembly.Memory({ initial: port.regionBytes / 65536 + 1 });
    port.attach({ memory: this.#lanMemory, base: 65536, length: port.regionBytes });
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = port.address;
    this.#registers.set(0x5400, (a | (b << 8) | (c << 16) | (d << 24)) >>> 0);
    this.#registers.set(0x5404, (0x80000000 | e | (f << 8)) >>> 0);
    this.function = new PciFunction({
      vendor: 0x8086,
      device: 0x10d3,
      bars: [{ base, bytes }],
      capabilities: [[0x05, 0x80, 0, ...new Array<number>(12).fill(0)]],
      load: (_bar, at) => this.#load(at),
      store: (_bar, at, _bytes, value) => this.#store(at, value),
      receive: () => this.receive(),
    });
  }

  #get(at: number): number {
    return this.#registers.get(at) ?? 0;
  }

  #load(at: number): number {
    if (at === 0x0010) return this.#options.dead ? 0 : 1 << 9;
    const value = this.#get(at);
    if (at === 0x00c0) this.#registers.set(at, 0);
    return value | 0;
  }

  #store(at: number, value: number): void {
    this.#registers.set(at, at === 0x0000 ? value & ~(1 << 26) : value);
    if (at === 0x3818 && (this.#get(0x0400) & 2) !== 0) this.#send();
  }

  #ring(at: number): { readonly at: number; readonly size: number } {
    return { at: this.#get(at) - this.#options.physicalBase, size: this.#get(at + 8) / descriptor };
  }

  #send(): void {
    const { memory, physicalBase, port, stuck } = this.#options;
    if (stuck) return;
    const ring = this.#ring(0x3800);
    const view = new DataView(memory.buffer);
    for (let head = this.#get(0x3810); head !== this.#get(0x3818); ) {
      const at = ring.at + descriptor * head;
      const from = Number(view.getBigUint64(at, true)) - physicalBase;
      const frame = new Uint8Array(memory.buffer).slice(from, from + view.getUint16(at + 8, true));
      if ((view.getUint8(at + 11) & 0x0b) !== 0x0b) throw new Error("a frame is one descriptor, and told of");
      this.sent.push(frame);
      new Uint8Array(this.#lanMemory.buffer).set(frame, 0);
      port.transmit(0, frame.length, 0, 0);
      port.flush();
      view.setUint8(at + 12, view.getUint8(at + 12) | 1);
      head = (head + 1) % ring.size;
      this.#registers.set(0x3810, head);
    }
  }

  /** A frame from outside of the LAN in memory. */
  hear(frame: Uint8Array): void {
    this.#waiting.push(frame);
  }

  /** Puts what the LAN has for it into the driver's buffers. */
  receive(): void {
    const { memory, physicalBase, port, bend } = this.#options;
    const count = port.poll(0);
    const lan = new Uint8Array(this.#lanMemory.buffer);
    for (let i = 0; i < count; i++) {
      const at = port.arrived[2 * i] ?? 0;
      this.#waiting.push(lan.slice(at, at + (port.arrived[2 * i + 1] ?? 0)));
    }
    if ((this.#get(0x0100) & 2) === 0) return;
    const ring = this.#ring(0x2800);
    const view = new DataView(memory.buffer);
    for (let head = this.#get(0x2810); head !== this.#get(0x2818) && this.#waiting.length > 0; ) {
      const frame = this.#waiting.shift() ?? new Uint8Array();
      const at = ring.at + descriptor * head;
      new Uint8Array(memory.buffer).set(frame, Number(view.getBigUint64(at, true)) - physicalBase);
      view.setUint16(at + 8, frame.length, true);
      view.setUint8(at + 12, 3);
      view.setUint8(at + 13, 0);
      bend?.(view, at);
      head = (head + 1) % ring.size;
      this.#registers.set(0x2810, head);
      this.#registers.set(0x00c0, (this.#get(0x00c0) | 0x80) >>> 0);
    }
  }
}
