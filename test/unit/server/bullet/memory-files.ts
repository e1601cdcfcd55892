// Files in memory: the simplest engine of a Bullet server that can be right. Tests of the server
// use it, and it is the model that real volumes are compared with.
//
// - `capacity` and `inodes` bound it as a medium does. A power cut (`cut`) takes drafts and what
//   was not flushed, and nothing else.
// - Faults are set from outside: `fails` makes the next operations reject with that code.

import { createHash } from "node:crypto";
import type { Draft, FileEngine, FileEntry, VolumeUsage } from "../../../../control/server/bullet/engine.js";
import type {
  CheckReport,
  CompactReport,
  CorruptFile,
} from "../../../../control/server/bullet/volume/types.js";

/** An error as a volume's: with a stable code. */
export class MemoryError extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

interface Held {
  readonly entry: { -readonly [Name in keyof FileEntry]: FileEntry[Name] };
  readonly content: Uint8Array;
  durable: boolean;
}

export interface MemoryOptions {
  readonly random: (bytes: number) => Uint8Array;
  readonly capacity?: number;
  readonly inodes?: number;
  readonly draftsMax?: number;
}

const none = new Uint8Array(0);

export class MemoryFiles implements FileEngine {
  generation: Uint8Array;
  /** Contents (SHA-256 in hex) that have rotted: until the same is written again they cannot be read. */
  readonly rotten = new Set<string>();
  /** The code that everything is refused with, if anything. */
  fails: string | null = null;
  /** Calls of `sync` and durable commits. */
  flushes = 0;
  readonly #files = new Map<number, Held>();
  readonly #drafts = new Map<number, MemoryDraft>();
  readonly #options: Required<MemoryOptions>;

  constructor({ random, capacity = 64 * 1024 * 1024, inodes = 1000, draftsMax = 100 }: MemoryOptions) {
    this.#options = { random, capacity, inodes, draftsMax };
    this.generation = random(8);
  }

  #check(): void {
    if (this.fails !== null) throw new MemoryError(this.fails);
  }

  entry(number: number): FileEntry | undefined {
    return this.#files.get(number)?.entry;
  }

  *files(): Iterable<FileEntry> {
    for (const { entry } of this.#files.values()) yield entry;
  }

  /** What a file holds, for a judge. */
  content(number: number): Uint8Array | undefined {
    return this.#files.get(number)?.content;
  }

  async draft(from?: number): Promise<Draft> {
    this.#check();
    const { inodes, draftsMax, random } = this.#options;
    const source = from === undefined ? none : this.#held(from).content;
    if (this.#drafts.size >= draftsMax) throw new MemoryError("VOLUME_NOMEM");
    for (let number = 1; number <= inodes; number++) {
      if (this.#files.has(number) || this.#drafts.has(number)) continue;
      const draft = new MemoryDraft(number, random(8), source, this.#owner);
      this.#drafts.set(number, draft);
      return draft;
    }
    throw new MemoryError("VOLUME_INODES");
  }

  readonly #owner = {
    check: () => this.#check(),
    commit: (draft: MemoryDraft, durable: boolean): FileEntry => {
      this.#check();
      if (this.#bytes() + draft.bytes > this.#options.capacity) throw new MemoryError("VOLUME_FULL");
      this.#drafts.delete(draft.number);
      const { number, generation, content, bytes } = draft;
      const hash = new Uint8Array(createHash("sha256").update(content).digest());
      this.rotten.delete(Buffer.from(hash).toString("hex"));
      const entry = { number, generation, bytes, hash, age: 0 };
      this.#files.set(number, { entry, content, durable: false });
      if (durable) this.#flush();
      return entry;
    },
    discard: (draft: MemoryDraft) => {
      if (this.#drafts.get(draft.number) === draft) this.#drafts.delete(draft.number);
    },
  };

  #bytes(): number {
    let sum = 0;
    for (const { entry } of this.#files.values()) sum += entry.bytes;
    return sum;
  }

  #held(number: number): Held {
    const found = this.#files.get(number);
    if (found === undefined) throw new MemoryError("VOLUME_UNKNOWN");
    return found;
  }

  async verify(number: number): Promise<CorruptFile | null> {
    this.#check();
    const { hash, bytes } = this.#held(number).entry;
    if (!this.rotten.has(Buffer.from(hash).toString("hex"))) return null;
    return { number, bytes, block: 0, deviceBlock: 1, why: "is not what was written" };
  }

  cached(number: number, position: number, length: number): Uint8Array | undefined {
    const held = this.#files.get(number);
    if (held === undefined || this.fails !== null) return undefined;
    if (this.rotten.has(Buffer.from(held.entry.hash).toString("hex"))) return undefined;
    return held.content.subarray(position, position + length);
  }

  async read(number: number, position: number, length: number): Promise<Uint8Array> {
    this.#check();
    if ((await this.verify(number)) !== null) throw new MemoryError("VOLUME_CORRUPT");
    return this.#held(number).content.subarray(position, position + length);
  }

  async remove(number: number): Promise<void> {
    this.#check();
    this.#held(number);
    this.#files.delete(number);
  }

  async renew(number: number): Promise<Uint8Array> {
    this.#check();
    const generation = this.#options.random(8);
    if (number === 0) this.generation = generation;
    else this.#held(number).entry.generation = generation;
    return generation;
  }

  setAge(number: number, age: number): void {
    const held = this.#files.get(number);
    if (held !== undefined) held.entry.age = age;
  }

  usage(): VolumeUsage {
    const { inodes, capacity } = this.#options;
    const bytes = this.#bytes();
    const [files, drafts, freeBytes] = [this.#files.size, this.#drafts.size, capacity - bytes];
    return {
      ...{ files, drafts, bytes, freeBytes, inodes, largestFreeBytes: freeBytes, capacityBytes: capacity },
      ...{ freeInodes: inodes - files - drafts, sharedBytes: 0, cachedBytes: bytes },
    };
  }

  async compact(): Promise<CompactReport> {
    this.#check();
    const largestFreeBytes = this.usage().largestFreeBytes;
    return {
      ...{ movedFiles: 0, movedBytes: 0, largestFreeBytesBefore: largestFreeBytes, largestFreeBytes },
      skipped: [],
    };
  }

  async check({ repair }: { readonly repair: boolean }): Promise<CheckReport> {
    this.#check();
    return {
      ...{ files: this.#files.size, checkedBytes: this.#bytes(), corrupt: [], lostInodes: [] },
      ...{ brokenCopies: 0, misplaced: [], unfinished: [], repaired: repair, clean: true },
    };
  }

  #flush(): void {
    this.flushes++;
    for (const held of this.#files.values()) held.durable = true;
  }

  async sync(): Promise<void> {
    this.#check();
    this.#flush();
  }

  /** The power goes and comes back. */
  cut(): void {
    this.#drafts.clear();
    for (const [number, { durable }] of [...this.#files]) if (!durable) this.#files.delete(number);
  }
}

interface Owner {
  readonly check: () => void;
  readonly commit: (draft: MemoryDraft, durable: boolean) => FileEntry;
  readonly discard: (draft: MemoryDraft) => void;
}

class MemoryDraft implements Draft {
  content: Uint8Array;
  readonly #owner: Owner;

  constructor(
    readonly number: number,
    readonly generation: Uint8Array,
    content: Uint8Array,
    owner: Owner,
  ) {
    this.content = content;
    this.#owner = owner;
  }

  get bytes(): number {
    return this.content.length;
  }

  #replace(from: number, to: number, data: Uint8Array): void {
    this.#owner.check();
    if (from > this.bytes) throw new Error("a hole"); // the server must not let it come here
    const { content } = this;
    this.content = new Uint8Array(Buffer.concat([content.subarray(0, from), data, content.subarray(to)]));
  }

  async write(position: number, data: Uint8Array): Promise<void> {
    this.#replace(position, position + data.length, data);
  }

  async insert(position: number, data: Uint8Array): Promise<void> {
    this.#replace(position, position, data);
  }

  async cut(position: number, count: number): Promise<void> {
    this.#replace(position, position + count, none);
  }

  async commit({ durable }: { readonly durable: boolean }): Promise<FileEntry> {
    return this.#owner.commit(this, durable);
  }

  discard(): void {
    this.#owner.discard(this);
  }
}
