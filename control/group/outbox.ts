// The sending half of a member: messages in the order of asking, many under way at a time,
// and what becomes of them when the group is reset in between.
//
// - A message whose send ended with BC_FAIL is open: it may have been ordered. What was
//   ordered is delivered to us, as to all survivors, before the reset's own delivery. So
//   when that comes, what is still open was not ordered, and is sent again.
// - Own messages are delivered in the order of sending: `delivered` takes the oldest that
//   has not been seen. While a reset is due, nothing new is sent: it would overtake.
// - Source: grp_send and ResetGroup, Amoeba 5 grp(L).

import { BC_ABORT, BC_FAIL, BC_NOEXIST, BC_TOOMANY } from "../../core-wasm/status.js";
import { HEADER } from "../../core-wasm/wire/formats.js";
import { type Header, writeHeader } from "../kernel/calls.js";
import type { Kernel } from "../kernel/kernel.js";

/** What became of a message: 0 and its seqno and id, or a status below zero. */
export type Sent = (status: number, seqno: number, message: number) => void;

interface Outgoing {
  readonly header: number;
  readonly data: number;
  readonly size: number;
  readonly done: Sent;
  /** "sent": the kernel has it. "open": its fate is not known. "ordered": `done` was called. */
  state: "waiting" | "sent" | "open" | "ordered";
  /** Its message id, once known. */
  message: number;
  /** Known when its send has ended or its delivery was seen. */
  seqno: number | undefined;
}

export interface OutboxOptions {
  readonly kernel: Kernel;
  readonly gid: number;
  /** Messages under way at a time. */
  readonly sendsMax: number;
  /** A send met BC_ABORT or BC_FAIL: the group wants a reset. */
  readonly stopped: (status: number) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Outgoing[] = [];
  /** Given to the kernel, own delivery not seen yet; oldest first. */
  #unseen: Outgoing[] = [];
  #underWay = 0; // sends that the kernel has
  #held = false;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Messages whose end is not known yet. */
  get pending(): number {
    return this.#waiting.length + this.#unseen.filter(({ state }) => state !== "ordered").length;
  }

  /** Sends to all members, in the order of these calls. */
  send(header: Partial<Header>, data: Uint8Array, done: Sent): void {
    if (this.#closed) {
      done(BC_NOEXIST, 0, 0);
      return;
    }
    const { kernel } = this.#options;
    const at = kernel.buffers.take(HEADER);
    const buffer = kernel.buffers.take(data.length);
    writeHeader(kernel, at, header);
    kernel.bytes.set(data, buffer);
    const outgoing = { header: at, data: buffer, size: data.length, done };
    this.#waiting.push({ ...outgoing, state: "waiting", message: 0, seqno: undefined });
    this.#pump();
  }

  #pump(): void {
    while (!this.#held && !this.#closed && this.#underWay < this.#options.sendsMax) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      const status = this.#give(next);
      if (status >= 0) continue;
      if (status === BC_TOOMANY && this.#underWay > 0) return; // the next end makes room
      if (status === BC_ABORT || status === BC_NOEXIST || status === BC_TOOMANY) {
        this.hold();
        this.#options.stopped(status);
        return;
      }
      this.#waiting.shift();
      this.#end(next, status);
    }
  }

  /** Gives the first of those that wait to the kernel. */
  #give(next: Outgoing): number {
    const { kernel, gid } = this.#options;
    const handle = kernel.groups.send(gid, next.header, next.data, next.size, (status, seqno, message) =>
      this.#ended(next, status, seqno, message),
    );
    if (handle < 0) return handle;
    this.#waiting.shift();
    next.state = "sent";
    this.#unseen.push(next);
    this.#underWay++;
    return handle;
  }

  #ended(outgoing: Outgoing, status: number, seqno: number, message: number): void {
    this.#underWay--;
    if (this.#closed) {
      this.#end(outgoing, BC_FAIL);
      return;
    }
    if (status >= 0) {
      outgoing.message = message;
      this.#ordered(outgoing, seqno, message);
    } else if (outgoing.seqno !== undefined) {
      this.#ordered(outgoing, outgoing.seqno, outgoing.message);
    } else if (status === BC_FAIL || status === BC_ABORT || status === BC_NOEXIST) {
      outgoing.state = "open";
      this.hold();
      this.#options.stopped(status);
    } else {
      this.#unseen.splice(this.#unseen.indexOf(outgoing), 1);
      this.#end(outgoing, status);
    }
    this.#pump();
  }

  #ordered(outgoing: Outgoing, seqno: number, message: number): void {
    outgoing.state = "ordered";
    outgoing.seqno = seqno;
    this.#release(outgoing);
    outgoing.done(0, seqno, message);
  }

  #end(outgoing: Outgoing, status: number): void {
    this.#release(outgoing);
    outgoing.done(status, 0, 0);
  }

  #release({ header, data }: Outgoing): void {
    this.#options.kernel.buffers.give(header);
    this.#options.kernel.buffers.give(data);
  }

  /** An own message was delivered. Throws when the kernel's order is not the order of sending. */
  delivered(seqno: number, message: number): void {
    const oldest = this.#unseen.shift();
    if (oldest === undefined) throw new Error(`message ${message} was delivered, but never sent`);
    if (oldest.message !== 0 && oldest.message !== message)
      throw new Error(`message ${message} was delivered before message ${oldest.message}`);
    if (oldest.state === "open") this.#ordered(oldest, seqno, message);
    else if (oldest.state === "sent") {
      oldest.seqno = seqno; // its send ends soon
      oldest.message = message;
    }
  }

  /** Sends nothing new until `settle`. */
  hold(): void {
    this.#held = true;
  }

  /**
   * Goes on sending. `reset` is the seqno of a reset whose delivery has come: what is still
   * open was not ordered, and goes out again, first; 0 when there was nothing to reset. Throws
   * when the kernel lost a message that it had acknowledged.
   */
  settle(reset: number): void {
    const open = this.#unseen.filter(({ state }) => state === "open");
    this.#unseen = this.#unseen.filter(({ state }) => state !== "open");
    const lost = this.#unseen.find(({ state, seqno = reset }) => state === "ordered" && seqno < reset);
    if (lost !== undefined) throw new Error(`the reset lost message ${lost.message}`);
    for (const outgoing of open) outgoing.state = "waiting";
    this.#waiting = [...open, ...this.#waiting];
    this.#held = false;
    this.#pump();
  }

  /** The membership is over: everything ends, open messages with BC_FAIL, the others with BC_ABORT. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const open = this.#unseen.filter(({ state }) => state === "open");
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#unseen = this.#unseen.filter(({ state }) => state === "sent");
    for (const outgoing of open) this.#end(outgoing, BC_FAIL);
    for (const outgoing of waiting) this.#end(outgoing, BC_ABORT);
  }
}
