// A folder in memory, with a page cache that the end of the power empties: the fake of
// drivers/folder.ts.
//
// - At a cut the names are those of the last syncNames and a random number of the changes behind it, in
//   order; of each file's writes since its sync each is kept, dropped or torn by itself. `kill` loses
//   nothing: only whoever used it is gone.
// - `cutAt` counts what changes something or syncs: the cut comes before that operation. From then on
//   everything throws PowerCut until `restart`.
// - With `bytesMax` it becomes full. Everything random comes from the generator.

import type { SeededRandom } from "../fault/random.js";
import type { Time } from "../file-system.js";
import { type FileFacts, type Folder, FolderError, type FolderFile } from "../folder.js";

/** The power has ended. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";

  constructor() {
    super("the power was cut");
  }
}

type Write =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

interface Inode {
  bytes: Uint8Array;
  durable: Uint8Array;
  pending: Write[];
  mtime: Time;
}

type NameChange =
  | { readonly kind: "link"; readonly path: string; readonly inode: Inode }
  | { readonly kind: "unlink"; readonly path: string }
  | { readonly kind: "make"; readonly path: string };

const nothing = new Uint8Array(0);
const [KEEP_SIZE, PUNCH_HOLE, EOPNOTSUPP] = [1, 2, 95];

/** What a write makes of bytes. */
function written(before: Uint8Array, write: Write): Uint8Array {
  const size =
    write.kind === "truncate" ? write.size : Math.max(before.length, write.position + write.bytes.length);
  const after = new Uint8Array(size);
  after.set(before.subarray(0, size));
  if (write.kind === "write") after.set(write.bytes, write.position);
  return after;
}

export interface MemoryFolderOptions {
  readonly random: SeededRandom;
  readonly now?: () => Time;
  readonly bytesMax?: number;
}

export class MemoryFolder implements Folder {
  /** Changes and syncs so far. */
  operations = 0;
  /** Before which of them the power ends; Infinity: never. */
  cutAt = Number.POSITIVE_INFINITY;
  /** What ends there: the power, or its user. */
  cutBy: "cut" | "kill" = "cut";
  bytesMax: number;
  #names = new Map<string, Inode>();
  #folders = new Set<string>([""]);
  #durableNames = new Map<string, Inode>();
  #durableFolders = new Set<string>([""]);
  #pending: NameChange[] = [];
  #power = 0;
  #isOff = false;
  readonly #random: SeededRandom;
  readonly #now: () => Time;

  constructor({ random, now, bytesMax = Number.POSITIVE_INFINITY }: MemoryFolderOptions) {
    this.#random = random;
    this.#now = now ?? (() => ({ seconds: this.operations, nanoseconds: 0 }));
    this.bytesMax = bytesMax;
  }

  /** Cuts the power: what was not synced is lost in part. */
  cut(): void {
    this.#isOff = true;
    this.#power++;
    const kept = this.#random.below(this.#pending.length + 1);
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()]);
    for (const change of this.#pending) if (change.kind === "link") inodes.add(change.inode);
    for (const change of this.#pending.slice(0, kept)) this.#applyDurably(change);
    for (const inode of inodes) this.#tear(inode);
    this.#names = new Map(this.#durableNames);
    this.#folders = new Set(this.#durableFolders);
    this.#pending = [];
  }

  /** Its user is killed: nothing is lost. Handles end. */
  kill(): void {
    this.#isOff = true;
    this.#power++;
  }

  /** The power, or another user, is back. */
  restart(): void {
    this.#isOff = false;
    this.cutAt = Number.POSITIVE_INFINITY;
  }

  /** Every file, for tests. */
  paths(): readonly string[] {
    return [...this.#names.keys()].sort();
  }

  #tear(inode: Inode): void {
    let bytes = inode.durable;
    for (const write of inode.pending) {
      const fate = this.#random.below(3);
      if (fate === 0) continue;
      const isTorn = fate === 1 && write.kind === "write" && write.bytes.length > 0;
      const torn = isTorn
        ? { ...write, bytes: write.bytes.slice(0, this.#random.below(write.bytes.length)) }
        : write;
      bytes = written(bytes, torn);
    }
    inode.bytes = bytes;
    inode.durable = bytes;
    inode.pending = [];
  }

  #applyDurably(change: NameChange): void {
    if (change.kind === "link") this.#durableNames.set(change.path, change.inode);
    else if (change.kind === "unlink") this.#durableNames.delete(change.path);
    else this.#durableFolders.add(change.path);
  }

  /** Before every operation that counts. */
  #step(power = this.#power): void {
    if (this.#isOff || power !== this.#power) throw new PowerCut();
    if (this.operations >= this.cutAt) {
      this[this.cutBy]();
      throw new PowerCut();
    }
    this.operations++;
  }

  #see(power = this.#power): void {
    if (this.#isOff || power !== this.#power) throw new PowerCut();
  }

  // ---- the folder --------------------------------------------------------------------

  names(path: string): readonly string[] {
    this.#see();
    const before = path === "" ? "" : `${path}/`;
    const all = [...this.#names.keys(), ...this.#folders].filter(
      (each) => each.startsWith(before) && each !== path,
    );
    return [...new Set(all.map((each) => each.slice(before.length).split("/")[0] ?? ""))].filter(
      (name) => name !== "",
    );
  }

  make(path: string): void {
    const parts = path.split("/");
    for (let count = 1; count <= parts.length; count++) {
      const each = parts.slice(0, count).join("/");
      if (this.#folders.has(each)) continue;
      this.#step();
      this.#folders.add(each);
      this.#pending.push({ kind: "make", path: each });
    }
  }

  open(path: string, how: "write"): FolderFile;
  open(path: string, how: "read"): FolderFile | null;
  open(path: string, how: "read" | "write"): FolderFile | null {
    this.#see();
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (how === "read") return null;
      const above = path.split("/").slice(0, -1).join("/");
      if (!this.#folders.has(above)) throw new FolderError("FOLDER_FAILED", `there is no folder ${above}`);
      this.#step();
      inode = { bytes: nothing, durable: nothing, pending: [], mtime: this.#now() };
      this.#names.set(path, inode);
      this.#pending.push({ kind: "link", path, inode });
    }
    return this.#opened(inode);
  }

  #opened(inode: Inode): FolderFile {
    const power = this.#power;
    const change = (write: Write): void => {
      this.#step(power);
      const bytes = written(inode.bytes, write);
      if (
        bytes.length > inode.bytes.length &&
        this.#used() + bytes.length - inode.bytes.length > this.bytesMax
      )
        throw new FolderError("FOLDER_FULL", "there is no room");
      inode.bytes = bytes;
      inode.pending.push(write);
      inode.mtime = this.#now();
    };
    const syncNow = (): void => {
      this.#step(power);
      inode.durable = inode.bytes;
      inode.pending = [];
    };
    return {
      descriptor: -1,
      facts: (): FileFacts => {
        this.#see(power);
        return { size: inode.bytes.length, blocks: Math.ceil(inode.bytes.length / 512), mtime: inode.mtime };
      },
      read: (position, into) => {
        this.#see(power);
        const some = inode.bytes.subarray(position, position + into.length);
        into.set(some);
        return some.length;
      },
      write: (position, bytes) => change({ kind: "write", position, bytes: bytes.slice() }),
      truncate: (size) => change({ kind: "truncate", size }),
      seek: (position, what) => {
        this.#see(power);
        if (position < 0 || position >= inode.bytes.length) return null;
        return what === "data" ? position : inode.bytes.length; // a file is data up to its end
      },
      allocate: (position, length, mode) => {
        if ((mode & ~(KEEP_SIZE | PUNCH_HOLE)) !== 0) return EOPNOTSUPP;
        const size = inode.bytes.length;
        const punched = Math.min(size, position + length) - position;
        if ((mode & PUNCH_HOLE) === 0) {
          if ((mode & KEEP_SIZE) === 0 && position + length > size)
            change({ kind: "truncate", size: position + length });
        } else if (punched > 0) change({ kind: "write", position, bytes: new Uint8Array(punched) });
        return 0;
      },
      touch: (mtime) => {
        this.#step(power);
        inode.mtime = mtime;
      },
      sync: async () => syncNow(),
      syncNow,
      close: () => undefined,
    };
  }

  #used(): number {
    let sum = 0;
    for (const { bytes } of this.#names.values()) sum += bytes.length;
    return sum;
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (inode === undefined) throw new FolderError("FOLDER_FAILED", `there is no file ${from}`);
    this.#step();
    this.#names.delete(from);
    this.#names.set(to, inode);
    // Both or none, as a journal has it.
    this.#pending.push({ kind: "link", path: to, inode }, { kind: "unlink", path: from });
  }

  remove(path: string): void {
    this.#see();
    if (!this.#names.has(path)) return;
    this.#step();
    this.#names.delete(path);
    this.#pending.push({ kind: "unlink", path });
  }

  async syncNames(): Promise<void> {
    this.syncNamesNow();
  }

  syncNamesNow(): void {
    this.#step();
    for (const change of this.#pending) this.#applyDurably(change);
    this.#pending = [];
  }
}
