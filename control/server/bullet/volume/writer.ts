// The order in which things reach the medium: one flush at a time, shared by all who wait.
//
//     a new file: content written, unsettled slot written    ─ flush ─→  durable
//     anything else: content written  ─ flush ─→  covered; slot written  ─ flush ─→  durable
//     blocks that no slot names any more                     ─ flush ─→  free
//
// - A slot that is written before a flush has covered what it names is unsettled: whoever opens the
//   volume compares the content. Only where the slot on the medium is free, and only a short
//   content: so nothing is lost with it but what nobody was told of, and opening stays quick.
// - An unsettled slot is written anew as a settled one once a flush has covered its content: together
//   with the next slot in the same block of the table, when many wait for it, after a while in
//   the background, and at the end. From then on other bytes in its place are rot.
// - Those who come while a flush is under way share the next one.
// - When a slot cannot be written or a flush fails, nobody knows what the medium has: everything
//   is refused with VOLUME_GONE until the volume is opened again.

import type { After } from "../../../group/timer.js";
import { gone } from "./errors.js";
import type { Extent, Inode } from "./extent.js";
import type { Slot } from "./layout.js";
import type { Medium } from "./medium.js";
import type { Table } from "./table.js";

/** Somebody who waits. */
interface Turn {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting extends Turn {
  readonly inode: Inode;
  readonly version: number;
}

/** What the writer tells the volume. */
export interface WriterEvents {
  /** An inode's slot is durable; `before` is what it named until then. */
  stored(inode: Inode, before: Extent | null): void;
}

/** A content up to here may be named by a slot before it is covered; a flush that is due waits for its write. */
export const QUICK_BYTES = 1024 * 1024;
/** Unsettled slots that may wait for others in their block, and bytes that they name. */
const unsettledMax = 256;
const unsettledBytesMax = 16 * 1024 * 1024;
/** How long a slot stays unsettled at most, where there is a clock. */
const settleMs = 1000;

/** What a slot is to say, taken at one moment. */
interface Change {
  readonly inode: Inode;
  readonly version: number;
  readonly extent: Extent | null;
  readonly slot: Omit<Slot, "sequence"> | null;
}

export class Writer {
  readonly #medium: Medium;
  readonly #table: Table;
  readonly #events: WriterEvents;
  readonly #after: After | undefined;
  readonly #dirty = new Set<Inode>();
  readonly #written = new Set<Extent>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** Those whose slots on the medium are unsettled. */
  readonly #unsettled = new Set<Inode>();
  #settling: Turn[] = [];
  #forget: (() => void) | null = null;
  #waiting: Waiting[] = [];
  #covering: Turn[] = [];
  #isRunning = false;
  #turn = Promise.resolve();
  failure: Error | null = null;

  constructor(medium: Medium, table: Table, events: WriterEvents, after?: After) {
    this.#medium = medium;
    this.#table = table;
    this.#events = events;
    this.#after = after;
  }

  /** Registers small writes: a flush that begins meanwhile waits for those that it sees. */
  during<T>(write: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = write.catch(() => undefined).then(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
    return write;
  }

  /** An extent's blocks have been written: the flush with its slot, or for who waits, covers it. */
  written(extent: Extent): void {
    if (extent.blocks === 0) extent.isCovered = true;
    if (!extent.isCovered) this.#written.add(extent);
  }

  /** Ends when an extent that was written is covered. */
  async covered(extent: Extent): Promise<void> {
    while (!extent.isCovered) {
      if (this.failure !== null) throw this.failure;
      const covered = new Promise<void>((resolve, reject) => this.#covering.push({ resolve, reject }));
      this.#wake();
      await covered;
    }
  }

  /** An inode has changed; ends when the medium has it, or a later change of it. */
  submit(inode: Inode): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    const version = ++inode.version;
    this.#dirty.add(inode);
    const durable = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ inode, version, resolve, reject });
    });
    durable.catch(() => undefined); // who does not wait hears of it at `sync`
    this.#wake();
    return durable;
  }

  /** Ends when all that was submitted before is durable. */
  async sync(): Promise<void> {
    if (this.failure !== null) throw this.failure;
    await Promise.all(
      this.#waiting.map(
        ({ inode, version }) =>
          new Promise<void>((resolve, reject) => this.#waiting.push({ inode, version, resolve, reject })),
      ),
    );
  }

  /** Ends when slots that are unsettled now are so no more. */
  async settle(): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.#forget?.();
    this.#forget = null;
    if (this.#unsettled.size === 0) return;
    const settled = new Promise<void>((resolve, reject) => this.#settling.push({ resolve, reject }));
    this.#wake();
    await settled;
  }

  /** Runs something while no slot is being written. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  #wake(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what comes in the same turn shares the first flush
    try {
      while (this.#dirty.size + this.#covering.length + this.#settling.length > 0) {
        await Promise.all(this.#underWay);
        await this.exclusively(() => this.#round());
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isRunning = false;
  }

  #ready(): Inode[] {
    return [...this.#dirty].filter((inode) => this.#isReady(inode));
  }

  #isReady({ extent, stored }: Inode): boolean {
    if (extent === null || extent.isCovered) return true;
    return stored === null && this.#written.has(extent) && extent.bytes <= QUICK_BYTES;
  }

  async #round(): Promise<void> {
    const changes = this.#ready().map(changeOf);
    for (const { inode } of changes) this.#dirty.delete(inode);
    // What was never on the medium and is no more needs no slot.
    const slots = changes.filter(({ inode, slot }) => slot !== null || inode.stored !== null);
    const settling = [...this.#settling];
    const settled = this.#toSettle(slots, settling.length > 0).map(changeOf);
    for (const { extent } of slots) if (extent !== null) extent.slots++;
    await this.#table.write(
      this.#table.change([...slots, ...settled].map(({ inode, slot }) => [inode.number, slot] as const)),
    );
    const covered = [...this.#written];
    this.#written.clear();
    if (covered.length + slots.length + settled.length > 0) await this.#medium.flush();
    for (const extent of covered) extent.isCovered = true;
    for (const { inode, extent, version, slot } of changes) {
      const before = inode.stored;
      inode.stored = extent;
      inode.durable = version;
      if (slot?.kind === "unsettled") this.#unsettled.add(inode);
      else this.#unsettled.delete(inode);
      if (before !== null) before.slots--;
      this.#events.stored(inode, before);
    }
    for (const { inode } of settled) this.#unsettled.delete(inode);
    this.#settling = this.#settling.slice(settling.length);
    for (const { resolve } of settling) resolve();
    this.#settleLater();
    this.#answer();
  }

  /** Whose slots are settled with these: all, if that is due, or those in the blocks that are written anyway. */
  #toSettle(slots: readonly Change[], isAsked: boolean): Inode[] {
    const blocks = new Set(slots.map(({ inode }) => this.#table.blockOf(inode.number)));
    let bytes = 0;
    for (const { stored } of this.#unsettled) bytes += stored?.bytes ?? 0;
    const isDue = isAsked || this.#unsettled.size > unsettledMax || bytes > unsettledBytesMax;
    const changed = new Set(slots.map(({ inode }) => inode));
    return [...this.#unsettled].filter((inode) => {
      if (changed.has(inode) || this.#dirty.has(inode)) return false; // its own slot settles it
      return isDue || blocks.has(this.#table.blockOf(inode.number));
    });
  }

  #settleLater(): void {
    if (this.#unsettled.size === 0 || this.#forget !== null || this.#after === undefined) return;
    this.#forget = this.#after(settleMs, () => {
      this.#forget = null;
      this.settle().catch(() => undefined); // the writer has failed, and says so to all
    });
  }

  #answer(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ inode, version }) => inode.durable < version);
    for (const { inode, version, resolve } of waiting) if (inode.durable >= version) resolve();
    const covering = this.#covering;
    this.#covering = [];
    for (const { resolve } of covering) resolve();
  }

  #fail(error: unknown): void {
    const failure = gone(this.#medium.name, error);
    this.failure = failure;
    this.#forget?.();
    this.#forget = null;
    const refused = [...this.#waiting, ...this.#covering, ...this.#settling];
    this.#waiting = [];
    this.#settling = [];
    this.#covering = [];
    this.#dirty.clear();
    this.#written.clear();
    for (const { reject } of refused) reject(failure);
  }
}

function changeOf(inode: Inode): Change {
  const { extent, generation, age, version, number } = inode;
  if (number === 0) return { inode, version, extent, slot: { ...selfSlot, generation } };
  if (extent === null) return { inode, version, extent, slot: null };
  const { bytes, start, hash, checksums, isCovered } = extent;
  const kind = isCovered ? "file" : "unsettled";
  return { inode, version, extent, slot: { kind, age, bytes, start, generation, hash, checksums } };
}

/** The slot of the volume itself, but for its generation. */
export const selfSlot = {
  ...({ kind: "self", age: 0, bytes: 0, start: 0 } as const),
  ...{ hash: new Uint8Array(0), checksums: new Uint32Array(0) },
};
