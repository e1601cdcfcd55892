// The receiving half of a member: a bounded set of receives that wait, deliveries in order.
//
// - A handler that answers a promise is waited for; meanwhile at most the waiting receives
//   fill up, then messages stay in the kernel and its history slows the senders down.
// - After BC_ABORT nothing is received until `arm` is called: the group wants a reset first.
// - Source of the order: receives are served in the order of asking, and end in that order.

import { DELIVERY_BYTES } from "../../core-wasm/layout.js";
import { BC_TOOMANY } from "../../core-wasm/status.js";
import { type Delivery, readDelivery } from "../kernel/groups.js";
import type { Kernel } from "../kernel/kernel.js";

/** A message of the group, with its data. */
export interface GroupMessage extends Delivery {
  readonly data: Uint8Array;
}

/** Takes a message; a promise is waited for before the next one comes. */
export type TakeMessage = (message: GroupMessage) => undefined | Promise<void>;

interface Slot {
  readonly delivery: number;
  readonly buffer: number;
  state: "idle" | "waiting" | "full";
  length: number;
}

export interface InboxOptions {
  readonly kernel: Kernel;
  readonly gid: number;
  /** Receives that wait at a time. */
  readonly receives: number;
  readonly messageBytesMax: number;
  readonly take: TakeMessage;
  /** A receive ended with this status below zero. Called at least once for each reset that is due. */
  readonly stopped: (status: number) => void;
  /** The handler failed: the member cannot go on. */
  readonly failed: (error: unknown) => void;
}

export class Inbox {
  readonly #options: InboxOptions;
  readonly #slots: Slot[] = [];
  readonly #full: Slot[] = [];
  #taking = false;
  #closed = false;

  constructor(options: InboxOptions) {
    this.#options = options;
    const { buffers } = options.kernel;
    for (let i = 0; i < options.receives; i++) {
      const delivery = buffers.take(DELIVERY_BYTES);
      const buffer = buffers.take(options.messageBytesMax);
      this.#slots.push({ delivery, buffer, state: "idle", length: 0 });
    }
  }

  /** Begins to receive with every buffer that is free. */
  arm(): void {
    for (const slot of this.#slots) {
      if (slot.state !== "idle") continue;
      const status = this.#receive(slot);
      if (status < 0) {
        if (status !== BC_TOOMANY) this.#options.stopped(status);
        return;
      }
    }
  }

  #receive(slot: Slot): number {
    if (this.#closed) return 0;
    const { kernel, gid, messageBytesMax } = this.#options;
    slot.state = "waiting";
    const handle = kernel.groups.receive(gid, slot.delivery, slot.buffer, messageBytesMax, (status, length) =>
      this.#received(slot, status, length),
    );
    if (handle < 0) slot.state = "idle";
    return handle;
  }

  #received(slot: Slot, status: number, length: number): void {
    if (status < 0 || this.#closed) {
      slot.state = "idle";
      if (this.#closed) this.#give(slot);
      else this.#options.stopped(status);
      return;
    }
    slot.state = "full";
    slot.length = length;
    this.#full.push(slot);
    this.#takeAll();
  }

  /** Hands over what has come, until a handler wants to be waited for. */
  #takeAll(): void {
    if (this.#taking) return;
    this.#taking = true;
    for (let slot = this.#full.shift(); slot !== undefined && !this.#closed; slot = this.#full.shift()) {
      const { kernel, take, failed } = this.#options;
      const data = kernel.bytes.slice(slot.buffer, slot.buffer + slot.length);
      const message: GroupMessage = { ...readDelivery(kernel, slot.delivery), data };
      this.#again(slot);
      let waited: undefined | Promise<void>;
      try {
        waited = take(message);
      } catch (error) {
        failed(error);
        return;
      }
      if (waited === undefined) continue;
      waited.then(() => {
        this.#taking = false;
        this.#takeAll();
      }, failed);
      return;
    }
    this.#taking = false;
  }

  /** The slot's content was copied: it may receive again. */
  #again(slot: Slot): void {
    slot.state = "idle";
    const status = this.#receive(slot);
    if (status >= 0) return;
    const others = this.#slots.some(({ state }) => state === "waiting");
    if (status !== BC_TOOMANY || !others) this.#options.stopped(status);
  }

  #give(slot: Slot): void {
    this.#options.kernel.buffers.give(slot.delivery);
    this.#options.kernel.buffers.give(slot.buffer);
  }

  /** Takes nothing any more. What waits must be ended by the kernel: grp_end, or the leave. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const slot of this.#slots) if (slot.state !== "waiting") this.#give(slot);
  }
}
