// The judge of segments: what a segment may hold, whether it may be gone, what a capability may
// do. Fed with what clients asked and were answered, never with a server's state.
//
// - A call is entered when it begins, as something that may happen at any time from then on, and
//   settled when its answer is known. So a client that crashes with a call under way, and a call
//   that ended with RPC_FAILURE, need nothing more: they stay possible for ever.
// - One client at a time writes to a segment and grows it; anybody reads it meanwhile.
// - Promises: bytes read are those last written, or those of a write that may have happened;
//   bytes never written are zeros; what was destroyed, or aged too much, or lived on a kernel
//   that is gone, never answers again, and nothing else is refused; no capability does more than
//   its rights, and none is made up; none that was revoked, or refused once, counts again.

import type { Verdict } from "./calls.js";

/** How a call ended: STD_OK as "OK", or the code of its error. */
export type Outcome = string;

const never = Number.POSITIVE_INFINITY;
/** Ends after which the call certainly was not executed. */
const notExecuted = new Set(["RPC_NOTFOUND", "RPC_TRYAGAIN", "RPC_ABORTED", "RPC_UNSAFE", "KERNEL_FULL"]);
/** Ends that say nothing about the server. */
export const isUnknown = (outcome: Outcome): boolean =>
  outcome.startsWith("RPC_") || outcome.startsWith("KERNEL_");
export const certainlyNot = (outcome: Outcome): boolean => notExecuted.has(outcome);

/** A call under way: when it began, and when it was answered. */
export interface Span {
  readonly begin: number;
  /** Not answered: it may happen at any time. */
  end: number;
}

/** One boot of a machine with a segment server. */
export class Home {
  /** AGEs that were asked for. */
  readonly ages = new Set<Span>();
  readonly segments = new Set<SegmentModel>();
  /** Segments that may have been made, those in `segments` among them. */
  possible = 0;
  goneAt = never;
  readonly #parts = new Set<string>();

  constructor(
    readonly name: string,
    /** AGEs that a segment survives. */
    readonly lifetime: number,
  ) {}

  /** Whether no segment was given this private part before. */
  isNew(part: string): boolean {
    if (this.#parts.has(part)) return false;
    this.#parts.add(part);
    return true;
  }
}

/** All capabilities to a segment that were made between two revocations: they end together. */
export class Generation {
  readonly #revocations = new Set<Span>();
  #endedAt = never;

  revoking(span: Span): void {
    this.#revocations.add(span);
  }

  revoked(span: Span, outcome: Outcome): void {
    if (outcome === "OK") this.#endedAt = Math.min(this.#endedAt, span.end);
    else if (!isUnknown(outcome) || certainlyNot(outcome)) this.#revocations.delete(span);
  }

  /** One of its capabilities was refused as not genuine. */
  refused(at: number): void {
    this.#endedAt = Math.min(this.#endedAt, at);
  }

  /** Whether it may have ended. */
  get mayBeOver(): boolean {
    return this.#endedAt < never || this.#revocations.size > 0;
  }

  /** Whether it certainly had ended by then. */
  isOver(at: number): boolean {
    return this.#endedAt < at;
  }
}

interface Write {
  readonly position: number;
  readonly data: Uint8Array;
}

/** A read under way: what it may see. */
export interface Read extends Span {
  readonly position: number;
  readonly length: number;
  readonly sizeMin: number;
  readonly before: Uint8Array;
  readonly writes: Set<Write>;
}

/** One segment as its clients know it. */
export class SegmentModel {
  /** What acknowledged writes left. As long as the segment may be. */
  bytes: Uint8Array;
  sizeMin: number;
  readonly #writes = new Set<Write>();
  readonly #reads = new Set<Read>();
  /** Since when it is certainly gone: the answer that said so. */
  #goneAt = never;
  readonly #destroys = new Set<Span>();
  /** The last touch that was answered began, and some touch that was answered ended then. */
  #touchBegan: number;
  #touchEnded: number;
  /** A touch that may happen at any time: what AGE does cannot be told any more. */
  readonly #touches = new Set<Span>();

  /** A segment of so many zeros, or a copy of `from`. */
  constructor(
    readonly home: Home,
    from: number | SegmentModel,
    made: Span,
  ) {
    this.#touchBegan = made.begin;
    this.#touchEnded = made.end;
    if (typeof from === "number") {
      this.bytes = new Uint8Array(from);
      this.sizeMin = from;
      return;
    }
    this.bytes = from.bytes.slice();
    this.sizeMin = from.sizeMin;
    for (const write of from.#writes) this.#writes.add(write);
  }

  get sizeMax(): number {
    return this.bytes.length;
  }

  /** So many writes may still happen. */
  get open(): number {
    return this.#writes.size;
  }

  // ---- there or gone ---------------------------------------------------------------

  /** Whether it may have gone, for a call that ends now. */
  mayBeGone(now: number): boolean {
    if (this.home.goneAt <= now || this.#goneAt < never || this.#destroys.size > 0) return true;
    let ages = 0;
    for (const { end } of this.home.ages) if (end > this.#touchBegan) ages++;
    return ages > this.home.lifetime;
  }

  /** Whether it certainly had gone by then. */
  isGone(at: number): boolean {
    if (this.home.goneAt < at || this.#goneAt < at) return true;
    if (this.#touches.size > 0) return false;
    let ages = 0;
    for (const { begin, end } of this.home.ages) if (begin > this.#touchEnded && end < at) ages++;
    return ages > this.home.lifetime;
  }

  touching(span: Span): void {
    this.#touches.add(span);
  }

  touched(span: Span, outcome: Outcome): void {
    if (outcome !== "OK" && !certainlyNot(outcome)) return;
    this.#touches.delete(span);
    if (outcome !== "OK") return;
    this.#touchBegan = Math.max(this.#touchBegan, span.begin);
    this.#touchEnded = Math.max(this.#touchEnded, span.end);
  }

  destroying(span: Span): void {
    this.#destroys.add(span);
  }

  destroyed(span: Span, outcome: Outcome): void {
    if (outcome === "OK") this.#goneAt = Math.min(this.#goneAt, span.end);
    else if (certainlyNot(outcome) || outcome === "STD_DENIED") this.#destroys.delete(span);
  }

  /** A call was told that it is gone. */
  missed(at: number): void {
    this.#goneAt = Math.min(this.#goneAt, at);
  }

  // ---- contents --------------------------------------------------------------------

  writing(position: number, data: Uint8Array): Write {
    const write = { position, data };
    this.#writes.add(write);
    for (const read of this.#reads) read.writes.add(write);
    return write;
  }

  written(write: Write, outcome: Outcome): void {
    if (outcome === "OK") this.bytes.set(write.data, write.position);
    if (!isUnknown(outcome) || certainlyNot(outcome)) this.#writes.delete(write);
  }

  /** It may be this long from now on. */
  growing(size: number): void {
    const longer = new Uint8Array(Math.max(size, this.bytes.length));
    longer.set(this.bytes);
    this.bytes = longer;
  }

  grown(size: number, outcome: Outcome): void {
    if (outcome === "OK") this.sizeMin = Math.max(this.sizeMin, size);
  }

  reading(begin: number, position: number, length: number): Read {
    const before = this.bytes.slice(position, position + length);
    const read = { begin, end: never, position, length, before, sizeMin: this.sizeMin };
    const held: Read = { ...read, writes: new Set(this.#writes) };
    this.#reads.add(held);
    return held;
  }

  /** What is wrong with the bytes that a read was answered; null: nothing. */
  hasRead(read: Read, data: Uint8Array | null): string | null {
    this.#reads.delete(read);
    if (data === null) return null;
    const { position, length } = read;
    const least = Math.max(0, Math.min(length, read.sizeMin - position));
    const most = Math.max(0, Math.min(length, this.sizeMax - position));
    if (data.length < least || data.length > most)
      return `${data.length} bytes were read at ${position} where ${least} to ${most} are`;
    for (let i = 0; i < data.length; i++) {
      if (data[i] === (read.before[i] ?? 0)) continue;
      const at = position + i;
      if (![...read.writes].some((write) => write.data[at - write.position] === data[i]))
        return `byte ${at} is ${data[i]}, which nobody wrote there; ${read.before[i] ?? 0} was`;
    }
    return null;
  }
}

/** What a call on a segment was, for the judge. */
export interface Attempt {
  readonly segment: SegmentModel;
  readonly what: string;
  readonly span: Span;
  /** Rights that the capability has and that the operation needs, as bits; null: it is a forgery. */
  readonly rights: number | null;
  readonly needs: number;
  readonly generation: Generation;
  /** Refusals of the operation's own that may come. */
  readonly may?: readonly string[];
}

/** Judges the status of a call on a segment, and remembers what it proves. */
export function judgeAttempt(attempt: Attempt, outcome: Outcome, fail: Verdict): void {
  const { segment, what, span, rights, needs, generation, may = [] } = attempt;
  if (isUnknown(outcome)) return;
  const said = `${what} at ${segment.home.name} was answered ${outcome}`;
  if (outcome === "STD_CAPBAD") {
    if (rights === null) return;
    // Which of the two it is cannot be told when both may be; that it stays so, can.
    if (generation.mayBeOver) generation.refused(span.end);
    else if (segment.mayBeGone(span.end)) segment.missed(span.end);
    else fail("segments", `${said}, though the segment lives`);
    return;
  }
  if (rights === null) {
    fail("rights", `${said} with a capability that nobody gave`);
    return;
  }
  if (segment.isGone(span.begin)) fail("segments", `${said}, though the segment had gone`);
  if (generation.isOver(span.begin)) fail("revocation", `${said}, though the capability had ended`);
  const allowed = (rights & needs) === needs;
  if (outcome === "STD_DENIED" && allowed) fail("rights", `${said}, though it has the right`);
  else if (outcome !== "STD_DENIED" && !allowed) fail("rights", `${said} without the right`);
  else if (outcome !== "OK" && outcome !== "STD_DENIED" && !may.includes(outcome))
    fail("answers", `${said}, which does not fit`);
}
