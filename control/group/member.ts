// One membership of one group, with everything that a program wants done about crashes.
//
// - Deliveries come in order, one at a time (inbox.ts); sends go out in order and are sent
//   again when a reset left them out (outbox.ts): a message is delivered once or not at all.
// - When the group wants a reset, it is done: with at least `minimum` members, again after a
//   growing pause when that fails, and after `resetAttempts` the membership is over.
// - The membership ends once, with a reason: after that nothing is delivered, and whoever
//   wants to go on joins anew (replica.ts does).
// - No clock: pauses come from `after`.

import { GROUP_SET_DETECT_MS } from "../../core-wasm/layout.js";
import { BC_ABORT, BC_NOEXIST } from "../../core-wasm/status.js";
import { HEADER } from "../../core-wasm/wire/formats.js";
import { type Header, writeHeader } from "../kernel/calls.js";
import { statusError } from "../kernel/errors.js";
import type { GroupInfo, GroupParameters } from "../kernel/groups.js";
import type { Kernel } from "../kernel/kernel.js";
import { type GroupMessage, Inbox, type TakeMessage } from "./inbox.js";
import { Outbox, type Sent } from "./outbox.js";
import type { After } from "./timer.js";

/** Why a membership is over. */
export type MemberEnd =
  | { readonly kind: "left" }
  /** No reset found `minimum` members: a crash of too many, or we were cut off. */
  | { readonly kind: "cutOff"; readonly status: number }
  /** A handler or the kernel broke its promise. */
  | { readonly kind: "failed"; readonly error: unknown };

export interface MemberOptions {
  readonly kernel: Kernel;
  readonly after: After;
  /** The group's port, 6 bytes. */
  readonly port: Uint8Array;
  /** Members that a group must have to go on after a crash; `configure` changes it. */
  readonly minimum: number;
  readonly take: TakeMessage;
  /** Called once. */
  readonly ended: (end: MemberEnd) => void;
  /** Called when a reset begins and when the group works again. */
  readonly recovering?: (on: boolean) => void;
  /** Receives that wait at a time; default 16. */
  readonly receives?: number;
  /** Messages under way at a time; default 32. */
  readonly sendsMax?: number;
  /** Resets in a row that may fail; default 8. */
  readonly resetAttempts?: number;
}

const pauseMs = 50;
const pauseMsMax = 1000;
const leaveMs = 2000;

export class GroupMember {
  readonly gid: number;
  readonly id: number;
  readonly messageBytesMax: number;
  readonly #options: MemberOptions;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #header: number; // of resets and of the leave
  #headerBusy = false; // the kernel has it
  #state: "normal" | "recovering" | "leaving" | "over" = "normal";
  #attempts = 0; // resets since a message was delivered
  #incarnation: number; // whose messages are delivered
  #left: (() => void) | null = null;
  #minimum: number;

  private constructor(options: MemberOptions, gid: number) {
    const info = options.kernel.groups.info(gid);
    if (info === null) throw statusError(BC_NOEXIST, "joining the group");
    this.gid = gid;
    this.id = info.myId;
    this.messageBytesMax = 2 ** info.logMessage;
    this.#incarnation = info.incarnation;
    this.#options = options;
    this.#minimum = options.minimum;
    const { kernel } = options;
    this.#header = kernel.buffers.take(HEADER);
    const stopped = (status: number) => this.#stopped(status);
    this.#outbox = new Outbox({ kernel, gid, sendsMax: options.sendsMax ?? 32, stopped });
    this.#inbox = new Inbox({
      kernel,
      gid,
      receives: options.receives ?? 16,
      messageBytesMax: this.messageBytesMax,
      take: (message) => this.#take(message),
      stopped,
      failed: (error) => this.#end({ kind: "failed", error }),
    });
    this.#inbox.arm();
  }

  /** Makes a group, whose first member this is. Throws ProteusError. */
  static create(options: MemberOptions, parameters: GroupParameters): GroupMember {
    const gid = options.kernel.groups.create(options.port, parameters);
    if (gid < 0) throw statusError(gid, "creating the group");
    return new GroupMember(options, gid);
  }

  /** Joins a group; all members get the header. Rejects with ProteusError. */
  static join(options: MemberOptions, header: Partial<Header>): Promise<GroupMember> {
    const { kernel, port } = options;
    const at = kernel.buffers.take(HEADER);
    writeHeader(kernel, at, { ...header, port });
    return new Promise((resolve, reject) => {
      const done = (status: number, gid: number) => {
        kernel.buffers.give(at);
        if (status < 0) return reject(statusError(status, "joining the group"));
        try {
          resolve(new GroupMember(options, gid));
        } catch (error) {
          reject(error);
        }
      };
      const handle = kernel.groups.join(at, done);
      if (handle < 0) done(handle, 0);
    });
  }

  /** Members that a reset wants, and the silence after which a member is dead; 0 ms: the kernel's default. */
  configure(minimum: number, detectMs: number): void {
    this.#minimum = minimum;
    if (this.#state !== "over") this.#options.kernel.groups.set(this.gid, GROUP_SET_DETECT_MS, detectMs);
  }

  /** The group as the kernel sees it; null when the membership is over. */
  info(): GroupInfo | null {
    return this.#state === "over" ? null : this.#options.kernel.groups.info(this.gid);
  }

  /**
   * Sends to all members, ourselves included, in the order of these calls. `done` gets 0, the
   * seqno and the message id; or BC_TOOBIG; or, when the membership ends, BC_ABORT (certainly
   * not sent) or BC_FAIL (it may have been ordered).
   */
  send(header: Partial<Header>, data: Uint8Array, done: Sent): void {
    this.#outbox.send({ ...header, port: header.port ?? this.#options.port }, data, done);
  }

  #take(message: GroupMessage): undefined | Promise<void> {
    this.#attempts = 0;
    if (message.kind === "data" && message.member === this.id)
      this.#outbox.delivered(message.seqno, message.message);
    const waited = this.#options.take(message);
    if (message.kind === "reset") {
      if (waited === undefined) this.#reformed(message);
      else return waited.then(() => this.#reformed(message));
    }
    if (message.kind === "leave" && message.member === this.id) this.#left?.();
    return waited;
  }

  /** A reset was delivered and taken. When another one is due, or under way to us, that one decides. */
  #reformed({ seqno, incarnation }: GroupMessage): void {
    this.#incarnation = incarnation;
    if (this.#state !== "normal" || this.info()?.incarnation !== incarnation) return;
    this.#outbox.settle(seqno);
    this.#options.recovering?.(false);
  }

  // ---- recovery ------------------------------------------------------------------

  #stopped(status: number): void {
    if (this.#state === "leaving" && status === BC_NOEXIST) this.#left?.();
    if (this.#state !== "normal") return;
    if (status !== BC_ABORT && this.info() === null) {
      this.#end({ kind: "cutOff", status });
      return;
    }
    this.#state = "recovering";
    this.#outbox.hold();
    this.#options.recovering?.(true);
    this.#reset();
  }

  #reset(): void {
    if (this.#state !== "recovering") return;
    const { kernel, port } = this.#options;
    this.#attempts++;
    writeHeader(kernel, this.#header, { port });
    this.#headerBusy = true;
    const handle = kernel.groups.reset(this.gid, this.#header, this.#minimum, (status) =>
      this.#resetEnded(status),
    );
    if (handle < 0) this.#resetEnded(handle);
  }

  #resetEnded(status: number): void {
    this.#headerEnded();
    if (this.#state !== "recovering") return;
    const info = this.info();
    if (status >= 0 && info !== null) {
      this.#state = "normal";
      // Nothing was reset: there is no delivery to wait for.
      if (info.incarnation === this.#incarnation) {
        this.#outbox.settle(0);
        this.#options.recovering?.(false);
      }
      this.#inbox.arm();
      return;
    }
    if (info === null || this.#attempts >= (this.#options.resetAttempts ?? 8)) {
      this.#end({ kind: "cutOff", status });
      return;
    }
    const wait = Math.min(pauseMs * 2 ** (this.#attempts - 1), pauseMsMax);
    this.#options.after(wait, () => this.#reset());
  }

  #headerEnded(): void {
    this.#headerBusy = false;
    if (this.#state === "over") this.#options.kernel.buffers.give(this.#header);
  }

  // ---- the end -------------------------------------------------------------------

  /**
   * Leaves: the header is the last message that all get. A sequencer that leaves ends at
   * once, so that the others get another one. Resolves when the membership is over.
   */
  leave(header: Partial<Header> = {}): Promise<void> {
    const { kernel, after, port } = this.#options;
    if (this.#state === "over" || this.#state === "leaving") return Promise.resolve();
    this.#state = "leaving";
    this.#outbox.hold();
    return new Promise((resolve) => {
      const over = () => {
        this.#left = null;
        forget();
        this.#end({ kind: "left" });
        resolve();
      };
      const forget = after(leaveMs, over); // a group that is in trouble does without our good-bye
      this.#left = over;
      if (this.#headerBusy) return over(); // a reset is under way
      this.#headerBusy = true;
      writeHeader(kernel, this.#header, { ...header, port });
      const ended = (status: number) => {
        this.#headerEnded();
        if (status < 0) over();
      };
      const handle = kernel.groups.leave(this.gid, this.#header, ended);
      if (handle < 0) ended(handle);
    });
  }

  /** Ends the membership without a word: the others notice at once. */
  close(): void {
    this.#end({ kind: "left" });
  }

  #end(end: MemberEnd): void {
    if (this.#state === "over") return;
    const { kernel, ended } = this.#options;
    const here = this.info() !== null;
    this.#state = "over";
    this.#inbox.close();
    this.#outbox.close();
    if (!this.#headerBusy) kernel.buffers.give(this.#header);
    if (here) kernel.groups.end(this.gid);
    // What the kernel still sends may lie in our buffers until it has flushed.
    kernel.flush();
    ended(end);
  }
}
