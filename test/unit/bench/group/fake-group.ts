// A group of one without a wire, for the tests of its load: what is sent is delivered when
// the test says so; sends can be refused, and the group broken and reset.

import type { GroupCompleted } from "../../../../control/kernel/groups.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { LinearMemory } from "../../../../control/kernel/linear-memory.js";
import { DELIVERY_BYTES, DELIVERY_KIND, DELIVERY_SEQNO } from "../../../../core-wasm/layout.js";
import { BC_ABORT, BC_TOOMANY } from "../../../../core-wasm/status.js";

const memoryBytes = 1 << 20;

export class FakeGroup {
  readonly bytes = new Uint8Array(memoryBytes);
  readonly view = new DataView(this.bytes.buffer);
  readonly buffers = new LinearMemory(4096, memoryBytes);
  readonly groups = this;
  /** Sends that may be under way at a time. */
  room = 1000;
  resets = 0;
  seqno = 1;
  broken = false;
  readonly sends: GroupCompleted[] = [];
  #receives: { readonly delivery: number; readonly done: GroupCompleted }[] = [];

  get kernel(): Kernel {
    return this as unknown as Kernel;
  }

  receive(_gid: number, delivery: number, _buffer: number, _capacity: number, done: GroupCompleted): number {
    if (this.broken) return BC_ABORT;
    this.bytes.fill(0, delivery, delivery + DELIVERY_BYTES);
    this.#receives.push({ delivery, done });
    return 1;
  }

  send(_gid: number, _header: number, _data: number, _size: number, done: GroupCompleted): number {
    if (this.broken) return BC_ABORT;
    if (this.sends.length >= this.room) return BC_TOOMANY;
    this.sends.push(done);
    return 1;
  }

  reset(_gid: number, _header: number, _minimum: number, done: GroupCompleted): number {
    this.resets++;
    this.broken = false;
    queueMicrotask(() => done(0, 1, 0, 0));
    return 1;
  }

  end(): number {
    for (const { done } of this.#receives.splice(0)) done(BC_ABORT, 0, 0, 0);
    return 0;
  }

  /** Delivers a message, and ends the oldest send. */
  deliver(kind = 0): void {
    const receive = this.#receives.shift();
    if (receive === undefined) throw new Error("nobody receives");
    this.view.setUint32(receive.delivery + DELIVERY_SEQNO, this.seqno++, true);
    this.view.setUint32(receive.delivery + DELIVERY_KIND, kind, true);
    receive.done(0, 0, 0, 0);
    this.sends.shift()?.(0, this.seqno, 0, 0);
  }

  /** A member died. */
  break(): void {
    this.broken = true;
    for (const { done } of this.#receives.splice(0)) done(BC_ABORT, 0, 0, 0);
    for (const done of this.sends.splice(0)) done(BC_ABORT, 0, 0, 0);
  }
}
