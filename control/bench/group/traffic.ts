// A member of a group of ours under load: receives all the time, sends when a run says so.
//
// - Straight on Kernel.groups with callbacks, as control/group is underneath: the end of a
//   send begins the next, the delivery of a message waits for the next one.
// - It checks what it gets: seqnos follow each other without a gap, or the run fails.
// - A member that died: in a run that recovers the group is reset until it works again; in
//   any other it is a failure.

import { performance } from "node:perf_hooks";
import { DELIVERED_DATA, DELIVERY_BYTES, DELIVERY_KIND, DELIVERY_SEQNO } from "../../../core-wasm/layout.js";
import { BC_ABORT, BC_FAIL, BC_TOOMANY, KERNEL_FULL } from "../../../core-wasm/status.js";
import { HEADER } from "../../../core-wasm/wire/formats.js";
import { writeHeader } from "../../kernel/calls.js";
import { statusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { quantile } from "../samples.js";
import { type Figures, type Load, monotonicUs } from "./load.js";

const receives = 32;
const samplesMax = 500_000;
const drainMs = 5000;
const resetEveryMs = 5;

/** One message of ours that is under way, again and again. */
interface Slot {
  readonly header: number;
  begun: number;
  readonly ended: (status: number) => void;
}

const resting: Load = {
  ...{ sends: false, spins: false, bytes: 0, outstanding: 0, recovers: false },
  ...{ startUs: 0, fromUs: 0, untilUs: 0 },
};

/** Between performance.now(), which is quick, and CLOCK_MONOTONIC. */
const offsetUs = monotonicUs() - performance.now() * 1000;
const now = (): number => performance.now() * 1000 + offsetUs;

export class Traffic {
  readonly #kernel: Kernel;
  readonly #gid: number;
  readonly #port: Uint8Array;
  readonly #data: number;
  readonly #capacity: number;
  readonly #buffers: number[] = [];
  readonly #slots: Slot[] = [];
  readonly #idle: Slot[] = []; // found no room in the kernel
  readonly #silent: (() => void)[] = []; // receives that wait for a group that works again
  readonly #samples = new Float64Array(samplesMax);
  #load = resting;
  #underWay = 0;
  #seqno = -1;
  #delivered = 0;
  #ended = 0;
  #total = 0;
  #gap = 0;
  #lastEnd = 0;
  #resetting = false;
  #closed = false;
  #fail: (error: Error) => void = () => undefined;

  /** Begins to receive. `bytes`: data of the largest message. */
  constructor(kernel: Kernel, gid: number, port: Uint8Array, bytes: number) {
    this.#kernel = kernel;
    this.#gid = gid;
    this.#port = port;
    this.#capacity = bytes;
    this.#data = this.#take(bytes);
    for (let i = 0; i < receives; i++) this.#receiver();
  }

  #take(bytes: number): number {
    const buffer = this.#kernel.buffers.take(bytes);
    this.#buffers.push(buffer);
    return buffer;
  }

  #receiver(): void {
    const { view, groups } = this.#kernel;
    const delivery = this.#take(DELIVERY_BYTES);
    const buffer = this.#take(this.#capacity);
    const begin = (): void => {
      const handle = groups.receive(this.#gid, delivery, buffer, this.#capacity, done);
      if (handle < 0) this.#interrupted(handle, begin);
    };
    const done = (status: number): void => {
      if (status < 0) {
        this.#interrupted(status, begin);
        return;
      }
      const seqno = view.getUint32(delivery + DELIVERY_SEQNO, true);
      if (this.#seqno >= 0 && seqno !== this.#seqno + 1)
        this.#fail(new Error(`message ${seqno} was delivered after ${this.#seqno}`));
      this.#seqno = seqno;
      if (view.getUint32(delivery + DELIVERY_KIND, true) === DELIVERED_DATA) {
        const { fromUs, untilUs } = this.#load;
        const time = now();
        if (time >= fromUs && time < untilUs) this.#delivered++;
      }
      begin();
    };
    begin();
  }

  /** A receive ended without a message. */
  #interrupted(status: number, begin: () => void): void {
    if (this.#closed) return;
    if (!this.#load.recovers || status !== BC_ABORT) {
      this.#fail(statusError(status, "receiving from the group"));
      return;
    }
    this.#silent.push(begin);
    this.#reset();
  }

  /** Rebuilds the group with those who are left, and lets all that waits go on. */
  #reset(): void {
    if (this.#resetting || this.#closed) return;
    this.#resetting = true;
    const { groups } = this.#kernel;
    const header = this.#take(HEADER);
    writeHeader(this.#kernel, header, { port: this.#port });
    const attempt = (): void => {
      if (this.#closed) return;
      const handle = groups.reset(this.#gid, header, 1, done);
      if (handle < 0) done(handle);
    };
    const done = (status: number): void => {
      if (this.#closed) return;
      if (status < 0) {
        setTimeout(attempt, resetEveryMs);
        return;
      }
      this.#resetting = false;
      for (const begin of this.#silent.splice(0)) begin();
      for (const slot of this.#idle.splice(0)) this.#send(slot);
    };
    attempt();
  }

  #slot(): Slot {
    const header = this.#take(HEADER);
    writeHeader(this.#kernel, header, { port: this.#port });
    const slot: Slot = { header, begun: 0, ended: (status) => this.#sent(slot, status) };
    this.#slots.push(slot);
    return slot;
  }

  #send(slot: Slot): void {
    const time = now();
    if (this.#closed || time >= this.#load.untilUs) return;
    slot.begun = time;
    this.#underWay++;
    const handle = this.#kernel.groups.send(this.#gid, slot.header, this.#data, this.#load.bytes, slot.ended);
    if (handle < 0) this.#sent(slot, handle);
  }

  #sent(slot: Slot, status: number): void {
    this.#underWay--;
    if (this.#closed) return;
    if (status < 0) {
      this.#refused(slot, status);
      return;
    }
    const time = now();
    const { fromUs, untilUs } = this.#load;
    this.#total++;
    if (time >= fromUs && time < untilUs) {
      if (this.#ended < samplesMax) this.#samples[this.#ended] = time - slot.begun;
      this.#ended++;
    }
    if (this.#lastEnd > 0 && time - this.#lastEnd > this.#gap) this.#gap = time - this.#lastEnd;
    this.#lastEnd = time;
    const { everyMs = 0 } = this.#load;
    if (everyMs > 0) setTimeout(() => this.#send(slot), everyMs);
    else this.#send(slot);
    const waiting = this.#idle.pop();
    if (waiting !== undefined) this.#send(waiting);
  }

  #refused(slot: Slot, status: number): void {
    const full = status === BC_TOOMANY || status === KERNEL_FULL;
    if (full && this.#underWay > 0) this.#idle.push(slot);
    else if (this.#load.recovers && (status === BC_ABORT || status === BC_FAIL)) {
      this.#idle.push(slot);
      this.#reset();
    } else this.#fail(statusError(status, "sending to the group"));
  }

  /** Does what the load says; resolves when it is over and what was sent has ended. */
  async run(load: Load): Promise<Figures> {
    this.#load = load;
    this.#delivered = this.#ended = this.#total = this.#gap = this.#lastEnd = 0;
    this.#idle.length = 0;
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    failed.catch(() => undefined);
    const timers: NodeJS.Timeout[] = [];
    const at = (time: number) =>
      new Promise<void>((resolve) => {
        timers.push(setTimeout(resolve, Math.max(0, (time - now()) / 1000)));
      });
    try {
      await Promise.race([failed, at(load.startUs)]);
      if (load.sends) {
        while (this.#slots.length < load.outstanding) this.#slot();
        for (const slot of this.#slots.slice(0, load.outstanding)) this.#send(slot);
      }
      await Promise.race([failed, at(load.untilUs)]);
      const end = now() + drainMs * 1000;
      while (this.#underWay > 0 && now() < end) await Promise.race([failed, at(now() + 1000)]);
      return this.#figures();
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  #figures(): Figures {
    const times = this.#samples.slice(0, Math.min(this.#ended, samplesMax)).sort();
    const part = (q: number) => (times.length === 0 ? null : quantile(times, q));
    return {
      delivered: this.#delivered,
      ended: this.#ended,
      total: this.#total,
      lost: this.#underWay,
      gapUs: this.#gap,
      sinceUs: this.#lastEnd > 0 ? Math.max(0, this.#load.untilUs - this.#lastEnd) : 0,
      p50Us: part(0.5),
      p99Us: part(0.99),
    };
  }

  /** The member dies; its buffers are free again. */
  close(): void {
    this.#closed = true;
    this.#kernel.groups.end(this.#gid);
    for (const buffer of this.#buffers) this.#kernel.buffers.give(buffer);
  }
}
