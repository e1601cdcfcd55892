// A Device around a Device that loses, doubles, reorders, delays, corrupts or cuts frames.
//
// - Seeded: the same seed, frames and schedule give the same faults. No clock, timer or
//   randomness of its own; later is what `schedule` says.
// - Each direction has its own faults, changeable at any time, and its own dice: traffic
//   one way does not change the faults of the other.
// - A cut also takes the frames that are on their way.
// - What is delayed waits in buffers of its own at the end of the region; when these are
//   all taken a frame is lost and counted.
// - For the LAN in memory and the simulator. A comparison with other protocols impairs
//   the link itself instead.

import type { Device, DeviceCounters, DeviceRegion } from "../device.js";
import {
  decide,
  type Fate,
  type FaultCounts,
  type FaultDirection,
  type Faults,
  type MutableCounts,
  mergeFaults,
  NO_FAULTS,
  noCounts,
  REORDER_HOLD_MICROSECONDS,
} from "./faults.js";
import { SeededRandom } from "./random.js";
import { FrameSlots } from "./slots.js";

const WASM_PAGE = 65_536;
const HEADER_BYTES = 14;
const FRAME_BYTES_MIN = 60;

export interface FaultDeviceOptions {
  readonly seed: number;
  readonly schedule: (delayMicroseconds: number, action: () => void) => void;
  readonly in?: Partial<Faults>;
  readonly out?: Partial<Faults>;
  /** Frames that can be on their way at once; default 256. */
  readonly frames?: number;
}

interface HeldFrame {
  readonly slot: number;
  readonly length: number;
}

/** One direction: its faults, its dice, and the frame that waits for the next one to overtake it. */
class Way {
  faults: Faults;
  readonly counts: MutableCounts = noCounts();
  readonly random: SeededRandom;
  heldBack: HeldFrame[] = [];

  constructor(faults: Partial<Faults> | undefined, seed: number) {
    this.faults = mergeFaults(NO_FAULTS, faults ?? {});
    this.random = new SeededRandom(seed);
  }
}

/** See the head of this file. */
export class FaultDevice implements Device {
  readonly name: string;
  readonly address: Uint8Array;
  readonly mtu: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  private readonly ways: Readonly<Record<FaultDirection, Way>>;
  private readonly schedule: FaultDeviceOptions["schedule"];
  private readonly frames: number;
  private slots: FrameSlots | null = null;
  /** Late frames that the next poll lists, and slots that it listed last time. */
  private ready: HeldFrame[] = [];
  private listed: number[] = [];
  private watcher: (() => void) | null = null;
  private wakeScheduled = false;
  private closed = false;

  constructor(
    private readonly inner: Device,
    options: FaultDeviceOptions,
  ) {
    this.name = inner.name;
    this.address = inner.address;
    this.mtu = inner.mtu;
    this.frames = options.frames ?? 256;
    this.schedule = options.schedule;
    this.ways = { in: new Way(options.in, options.seed), out: new Way(options.out, ~options.seed) };
    const own = FrameSlots.bytesFor(this.mtu + HEADER_BYTES, this.frames);
    this.regionBytes = inner.regionBytes + Math.ceil(own / WASM_PAGE) * WASM_PAGE;
    this.arrived = new Int32Array(inner.arrived.length + this.frames * 2);
  }

  get weight(): number | undefined {
    return this.inner.weight;
  }
  get trusted(): boolean | undefined {
    return this.inner.trusted;
  }
  get receiveFrames(): number {
    return this.inner.receiveFrames;
  }

  /** Changes some faults of a direction; the others stay. Throws RangeError. */
  setFaults(direction: FaultDirection, faults: Partial<Faults>): void {
    const way = this.ways[direction];
    way.faults = mergeFaults(way.faults, faults);
  }

  faults(direction: FaultDirection): Faults {
    return this.ways[direction].faults;
  }

  /** How often each fault has fired. */
  counts(direction: FaultDirection): FaultCounts {
    return { ...this.ways[direction].counts };
  }

  attach(region: DeviceRegion): void {
    const innerBytes = this.inner.regionBytes;
    if (region.length < this.regionBytes) {
      throw new TypeError(`${this.name}: the region must have ${this.regionBytes} bytes`);
    }
    this.inner.attach({ ...region, length: innerBytes });
    this.slots = new FrameSlots(
      region.memory,
      region.base + innerBytes,
      this.mtu + HEADER_BYTES,
      this.frames,
    );
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    const length = headLength + bodyLength;
    if (this.slots === null || length > this.mtu + HEADER_BYTES) {
      return this.inner.transmit(head, headLength, body, bodyLength); // it refuses and counts
    }
    const way = this.ways.out;
    // A short frame is padded on the wire, and a bit of its padding may flip too: to no effect.
    const fate = decide(way.faults, way.random, Math.max(length, FRAME_BYTES_MIN), way.counts);
    for (let copy = 0; copy < fate.copies; copy++) {
      if (fate.flip < 0 && fate.delayMicroseconds === 0 && !fate.holdBack) {
        const status = this.inner.transmit(head, headLength, body, bodyLength);
        if (status !== 0) return status;
        continue;
      }
      const slot = this.slots.copy(head, headLength, body, bodyLength);
      if (slot === 0) way.counts.overflowed++;
      else this.spoil("out", { slot, length }, fate);
    }
    if (fate.copies > 0 && !fate.holdBack) this.letGo("out");
    return 0;
  }

  flush(): void {
    this.inner.flush();
  }

  poll(spinMicroseconds: number): number {
    const slots = this.slots;
    if (slots === null) return 0;
    for (const slot of this.listed) slots.release(slot);
    this.listed = [];
    const count = this.inner.poll(this.ready.length > 0 ? 0 : spinMicroseconds);
    let listed = 0;
    for (let i = 0; i < count; i++) {
      const pointer = this.inner.arrived[2 * i] ?? 0;
      const length = this.inner.arrived[2 * i + 1] ?? 0;
      listed = this.receive(slots, pointer, length, listed);
    }
    const late = this.ready;
    this.ready = [];
    for (const frame of late) {
      this.listed.push(frame.slot);
      listed = this.list(frame.slot, frame.length, listed);
    }
    return listed;
  }

  watch(callback: (() => void) | null): void {
    this.watcher = callback;
    this.inner.watch(callback);
    this.wake();
  }

  joinMulticast(address: Uint8Array): void {
    this.inner.joinMulticast(address);
  }

  leaveMulticast(address: Uint8Array): void {
    this.inner.leaveMulticast(address);
  }

  counters(): DeviceCounters {
    return this.inner.counters();
  }

  close(): void {
    this.closed = true;
    this.watcher = null;
    this.inner.close();
  }

  /** Lists an arrived frame, or what its fate makes of it; answers how many are listed now. */
  private receive(slots: FrameSlots, pointer: number, length: number, listedBefore: number): number {
    const way = this.ways.in;
    const fate = decide(way.faults, way.random, length, way.counts);
    let listed = listedBefore;
    for (let copy = 0; copy < fate.copies; copy++) {
      if (copy === 0 && fate.flip < 0 && fate.delayMicroseconds === 0 && !fate.holdBack) {
        listed = this.list(pointer, length, listed);
        continue;
      }
      const slot = slots.copy(pointer, length, 0, 0);
      if (slot === 0) way.counts.overflowed++;
      else this.spoil("in", { slot, length }, fate);
    }
    if (fate.copies > 0 && !fate.holdBack) this.letGo("in");
    return listed;
  }

  private list(pointer: number, length: number, listed: number): number {
    this.arrived[2 * listed] = pointer;
    this.arrived[2 * listed + 1] = length;
    return listed + 1;
  }

  /** Gives a copied frame its fate. */
  private spoil(direction: FaultDirection, frame: HeldFrame, fate: Fate): void {
    if (fate.flip >= 0 && fate.flip < frame.length * 8) this.slots?.flip(frame.slot, fate.flip);
    if (fate.delayMicroseconds > 0) {
      this.schedule(fate.delayMicroseconds, () => this.arrive(direction, frame));
    } else if (fate.holdBack) {
      const way = this.ways[direction];
      way.heldBack.push(frame);
      this.schedule(REORDER_HOLD_MICROSECONDS, () => {
        if (!way.heldBack.includes(frame)) return;
        way.heldBack = way.heldBack.filter((other) => other !== frame);
        this.arrive(direction, frame);
      });
    } else {
      this.arrive(direction, frame);
    }
  }

  /** A frame has passed: those that waited for that go next. */
  private letGo(direction: FaultDirection): void {
    const way = this.ways[direction];
    const held = way.heldBack;
    if (held.length === 0) return;
    way.heldBack = [];
    for (const frame of held) this.arrive(direction, frame);
  }

  private arrive(direction: FaultDirection, frame: HeldFrame): void {
    if (this.closed) return;
    const way = this.ways[direction];
    if (way.faults.cut) {
      way.counts.cut++;
      this.slots?.release(frame.slot);
      return;
    }
    if (direction === "in") {
      this.ready.push(frame);
      this.wake();
      return;
    }
    this.inner.transmit(frame.slot, frame.length, 0, 0);
    this.inner.flush(); // the slot is free again only once the frame has left
    this.slots?.release(frame.slot);
  }

  private wake(): void {
    if (this.watcher === null || this.ready.length === 0 || this.wakeScheduled) return;
    this.wakeScheduled = true;
    this.schedule(0, () => {
      this.wakeScheduled = false;
      if (this.ready.length > 0) this.watcher?.();
    });
  }
}
