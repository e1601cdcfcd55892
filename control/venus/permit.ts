// The permit of the volume, as this mount has it: while it is held, changes are made here and answered at
// once, and vice hears of them behind.
//
// - Asked for after a row of changes that nobody else came between; a taking makes the next asking wait,
//   each time twice as long, up to a minute, so that two writers do not fight.
// - `yielding`: somebody else asks. New changes go to vice first, behind what is in the log; when nothing
//   of that was done here alone any more, the permit is given back. So is one that nobody uses.
// - It holds as long as the session's lease; a connection that ends, ends it. HELLO says whether vice
//   still counts it as ours: what the log has is shipped, and it is given back.

import type { FileRecord } from "../interface/file-records.js";
import { isDirectory } from "./effect.js";
import type { Link } from "./link.js";
import { type CacheState, idsOf } from "./state.js";

export const permitModes = ["auto", "never"] as const;
/** Whether a mount asks for permits. */
export type PermitMode = (typeof permitModes)[number];

/** What `fs status` shows of it. */
export interface PermitStatus {
  readonly state: "none" | "held" | "yielding";
  /** Its number; 0: there is none. */
  readonly fence: number;
  /** For how many seconds it is held. */
  readonly seconds: number;
  readonly mode: PermitMode;
}

export interface PermitOptions {
  readonly link: Link;
  readonly state: CacheState;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly mode: PermitMode;
  /** Vice refuses the log: it cannot be shipped now. */
  readonly isStuck: () => boolean;
}

const rowLength = 8;
const quietMs = 5000;
const idleMs = 30_000;
const backoffMs = 1000;
const backoffMsMax = 60_000;
/** So much may wait in the log under a permit: whoever hurries it waits for that. */
const recordsMax = 1000;
const logBytesMax = 32 * 1024 * 1024;

export class Permit {
  readonly #options: PermitOptions;
  #state: "none" | "asked" | "held" | "yielding" = "none";
  #fence = 0;
  #since = 0;
  #usedAt = 0;
  /** Changes one after the other. */
  #row = 0;
  #disturbedAt = Number.NEGATIVE_INFINITY;
  #backoff = 0;
  #notBefore = 0;
  /** A HURRY that was here before the permit itself. */
  #hurried = 0;
  #isReturning = false;

  constructor(options: PermitOptions) {
    this.#options = options;
  }

  get isYielding(): boolean {
    return this.#state === "yielding";
  }

  get isHeld(): boolean {
    return this.#state === "held" && this.#options.link.isLeased;
  }

  /** Whether nobody else has changed anything since a change that was made under that fence. */
  covers(fence: number | undefined): boolean {
    return fence === this.#fence && (this.#state === "held" || this.#state === "yielding");
  }

  /** The fence under which a record may be made here alone; 0: vice is asked. */
  fenceFor(record: FileRecord): number {
    const { state, link } = this.#options;
    if (!this.isHeld || state.unapplied > 0) return 0;
    const bytes = record.op === "store" ? record.size : 0;
    if (state.log.size >= recordsMax || state.logBytes + bytes > logBytesMax) return 0;
    for (const id of idsOf(record)) {
      if (record.op === "make" && id === record.id) continue;
      const row = state.objects.get(id);
      if (row === undefined || (isDirectory(row.status) && !row.whole)) return 0;
      if (!link.isPromised(id) && !state.entries.has(id)) return 0;
    }
    this.#usedAt = this.#options.now();
    return this.#fence;
  }

  // ---- asking --------------------------------------------------------------------------

  /** Vice has taken a change that it was asked. */
  counted(): void {
    const { mode, now, link, state } = this.#options;
    if (mode === "never" || this.#state !== "none") return;
    if (++this.#row < rowLength || now() < Math.max(this.#notBefore, this.#disturbedAt + quietMs)) return;
    if (state.log.size > state.unapplied) return; // there is work of before
    this.#row = 0;
    this.#state = "asked";
    link.call("permit", { fence: 0 }, (came) => {
      if (this.#state !== "asked") return;
      this.#state = "none";
      const fence = came !== null && "reply" in came ? Number(came.reply.fence) : 0;
      if (fence > 0) this.#granted(fence);
      else this.#notBefore = now() + quietMs;
    });
  }

  #granted(fence: number): void {
    this.#fence = fence;
    this.#state = "held";
    this.#since = this.#options.now();
    this.#usedAt = this.#since;
    if (this.#hurried === fence) this.hurry(fence);
  }

  /** Somebody else is at work on the volume. */
  disturbed(): void {
    this.#row = 0;
    this.#disturbedAt = this.#options.now();
  }

  // ---- giving back -----------------------------------------------------------------------

  /** Somebody else asks. */
  hurry(fence: number): void {
    const { now } = this.#options;
    this.disturbed();
    this.#hurried = fence;
    if (this.#state === "held") {
      const isLong = now() - this.#since >= backoffMsMax;
      this.#backoff = isLong ? backoffMs : Math.min(backoffMsMax, Math.max(backoffMs, 2 * this.#backoff));
      this.#notBefore = now() + this.#backoff;
      this.yield();
    } else if (this.#state === "none")
      this.#giveBack(fence); // vice did not hear that
    else this.shipped();
  }

  /** It goes as soon as the log is shipped. */
  yield(): void {
    if (this.#state !== "held") return;
    this.#state = "yielding";
    this.shipped();
  }

  /** The log is shorter, or cannot be shipped. */
  shipped(): void {
    const { state, isStuck } = this.#options;
    if (this.#state !== "yielding" || this.#isReturning) return;
    if (state.log.size === state.unapplied || isStuck()) this.#giveBack(this.#fence);
  }

  #giveBack(fence: number): void {
    this.#isReturning = true;
    this.#options.link.call("permit", { fence }, (came) => {
      if (came === null) return; // HELLO says whether it is ours
      this.#isReturning = false;
      if (this.#state === "yielding" && this.#fence === fence) this.#state = "none";
      else this.shipped();
    });
  }

  /** There is no connection. */
  lost(): void {
    this.#state = "none";
    this.#isReturning = false;
    this.#row = 0;
  }

  /** There is one, and vice counts the permit of that fence as ours; 0: none. */
  connected(fence: number): void {
    if (fence === 0) return;
    this.#fence = fence;
    this.#state = "yielding";
    this.#since = this.#options.now();
  }

  /** Milliseconds until `tick` is due. */
  nextMs(): number {
    if (this.#state !== "held") return Number.POSITIVE_INFINITY;
    return this.#usedAt + idleMs - this.#options.now();
  }

  tick(): void {
    if (this.nextMs() <= 0) this.yield();
  }

  status(): PermitStatus {
    const { mode, now } = this.#options;
    const isThere = this.#state === "held" || this.#state === "yielding";
    return {
      ...{ state: isThere ? (this.#state as "held" | "yielding") : "none", mode },
      fence: isThere ? this.#fence : 0,
      seconds: isThere ? Math.floor((now() - this.#since) / 1000) : 0,
    };
  }
}
