// The order in which things reach the medium: one flush at a time, shared by all who wait.
//
//     contents that are written     ─ flush ─→  covered
//     slots of covered contents     ─ flush ─→  durable; blocks that no slot names any more are free
//
// - A slot is written only when a flush has covered what it names: nothing half-made is ever
//   visible. A removed or moved file's blocks are given back only after the flush behind its slot.
// - One flush covers the contents of those who come and the slots of those who came before:
//   a lone commit takes two, many at a time little more than one each round.
// - When a slot cannot be written or a flush fails, nobody knows what the medium has: everything
//   is refused with VOLUME_GONE until the volume is opened again.

import { gone } from "./errors.js";
import type { Extent, Inode } from "./extent.js";
import type { Slot } from "./layout.js";
import type { Medium } from "./medium.js";
import type { Table } from "./table.js";

interface Waiting {
  readonly inode: Inode;
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the writer tells the volume. */
export interface WriterEvents {
  /** An inode's slot is durable; `before` is what it named until then. */
  stored(inode: Inode, before: Extent | null): void;
}

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
  readonly #dirty = new Set<Inode>();
  readonly #written = new Set<Extent>();
  readonly #underWay = new Set<Promise<unknown>>();
  #waiting: Waiting[] = [];
  #covering: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #isRunning = false;
  #turn = Promise.resolve();
  failure: Error | null = null;

  constructor(medium: Medium, table: Table, events: WriterEvents) {
    this.#medium = medium;
    this.#table = table;
    this.#events = events;
  }

  /** Registers small writes: a flush that begins meanwhile waits for those that it sees. */
  during<T>(write: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = write.catch(() => undefined).then(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
    return write;
  }

  /** An extent's blocks have been written; slots may name it after the next flush. */
  written(extent: Extent): void {
    if (extent.blocks === 0) extent.isCovered = true;
    if (extent.isCovered) return;
    this.#written.add(extent);
    this.#wake();
  }

  /** Ends when an extent that was written is covered. */
  async covered(extent: Extent): Promise<void> {
    while (!extent.isCovered) {
      if (this.failure !== null) throw this.failure;
      await new Promise<void>((resolve, reject) => this.#covering.push({ resolve, reject }));
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
    const last = this.#waiting.at(-1);
    if (last === undefined && this.#written.size === 0) return;
    await Promise.all(
      this.#waiting.map(
        ({ inode, version }) =>
          new Promise<void>((resolve, reject) => this.#waiting.push({ inode, version, resolve, reject })),
      ),
    );
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
      while (this.#written.size > 0 || this.#ready().length > 0) {
        await Promise.all(this.#underWay);
        await this.exclusively(() => this.#round());
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isRunning = false;
  }

  #ready(): Inode[] {
    return [...this.#dirty].filter(({ extent }) => extent === null || extent.isCovered);
  }

  async #round(): Promise<void> {
    const changes = this.#ready().map(changeOf);
    for (const { inode } of changes) this.#dirty.delete(inode);
    // What was never on the medium and is no more needs no slot.
    const slots = changes.filter(({ inode, slot }) => slot !== null || inode.stored !== null);
    for (const { extent } of slots) if (extent !== null) extent.slots++;
    await this.#table.write(
      this.#table.change(slots.map(({ inode, slot }) => [inode.number, slot] as const)),
    );
    const covered = [...this.#written];
    this.#written.clear();
    if (covered.length > 0 || slots.length > 0) await this.#medium.flush();
    for (const extent of covered) extent.isCovered = true;
    for (const { inode, extent, version } of changes) {
      const before = inode.stored;
      inode.stored = extent;
      inode.durable = version;
      if (before !== null) before.slots--;
      this.#events.stored(inode, before);
    }
    this.#answer();
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
    const refused = [...this.#waiting, ...this.#covering];
    this.#waiting = [];
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
  const { bytes, start, hash, checksums } = extent;
  return { inode, version, extent, slot: { kind: "file", age, bytes, start, generation, hash, checksums } };
}

/** The slot of the volume itself, but for its generation. */
export const selfSlot = {
  ...({ kind: "self", age: 0, bytes: 0, start: 0 } as const),
  ...{ hash: new Uint8Array(0), checksums: new Uint32Array(0) },
};
