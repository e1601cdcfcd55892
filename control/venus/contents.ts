// The contents in a cache's folder, a file for each object, and those of them that are open.
//
// - content/HH/ID is the content; ID.new one that is being fetched. A file that is open keeps its inode:
//   what was fetched is written over it, as the kernel may be reading it by itself.
// - Somebody who reads while that happens sees bytes of both; AFS does the same to open files.

import type { Folder, FolderFile } from "../../drivers/folder.js";
import type { FileTime } from "../interface/file-status.js";
import { toHex } from "../kernel/bytes.js";

export interface Digest {
  update(data: Uint8Array): unknown;
  digest(): Uint8Array;
}
export type NewDigest = () => Digest;

/** Hands a file to the kernel and takes it back; see drivers/fuse/device.ts. */
export interface Backings {
  /** A number, or below 1 when the kernel does not take it. */
  open(descriptor: number): number;
  close(backing: number): void;
}

/** A file of the cache that somebody has open. */
export interface OpenContent {
  readonly file: FolderFile;
  readonly backing: number;
  opens: number;
  writers: number;
}

const pieceBytes = 1024 * 1024;
const folderOf = (id: number): string => `content/${(id % 256).toString(16).padStart(2, "0")}`;
const pathOf = (id: number): string => `${folderOf(id)}/${id}`;

export const timeOf = ({
  seconds,
  nanoseconds,
}: {
  readonly seconds: number;
  readonly nanoseconds: number;
}): FileTime => [seconds, nanoseconds];

export class CacheContents {
  readonly #folder: Folder;
  readonly #newDigest: NewDigest;
  readonly #open = new Map<number, OpenContent>();
  readonly #buffer = new Uint8Array(pieceBytes);
  /** Those whose names are durable, as far as that is known. */
  readonly #named = new Set<number>();
  /** Null until the kernel has agreed to passthrough. */
  backings: Backings | null = null;

  constructor(folder: Folder, newDigest: NewDigest) {
    this.#folder = folder;
    this.#newDigest = newDigest;
    for (let part = 0; part < 256; part++) folder.make(folderOf(part));
  }

  get(id: number): OpenContent | undefined {
    return this.#open.get(id);
  }

  /**
   * Opens a content; it is made when there is none.
   *
   * @param isHandedOver the kernel may read and write it itself, where all openings do
   */
  open(id: number, forWriting: boolean, isHandedOver = true): OpenContent {
    let open = this.#open.get(id);
    if (open === undefined) {
      const file = this.#folder.open(pathOf(id), "write");
      const backing = file.descriptor < 0 || !isHandedOver ? 0 : (this.backings?.open(file.descriptor) ?? 0);
      open = { file, backing: Math.max(0, backing), opens: 0, writers: 0 };
      this.#open.set(id, open);
    }
    open.opens++;
    if (forWriting) open.writers++;
    return open;
  }

  release(id: number, forWriting: boolean): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    if (forWriting) open.writers--;
    if (--open.opens > 0) return;
    if (open.backing > 0) this.backings?.close(open.backing);
    open.file.close();
    this.#open.delete(id);
  }

  /** Works on a content, open or not. */
  with<Result>(id: number, work: (file: FolderFile) => Result): Result {
    const open = this.#open.get(id);
    if (open !== undefined) return work(open.file);
    const file = this.#folder.open(pathOf(id), "write");
    try {
      return work(file);
    } finally {
      file.close();
    }
  }

  /** Has a content outlive the power's end, its name too. */
  sync(id: number): void {
    this.with(id, (file) => file.syncNow());
    if (this.#named.has(id)) return;
    this.#folder.syncNamesNow(folderOf(id));
    this.#named.add(id);
  }

  remove(id: number): void {
    if (this.#open.has(id)) return;
    this.#folder.remove(pathOf(id));
    this.#named.delete(id);
  }

  /** Opens a content as it is, to be looked at; null: there is none. */
  look(id: number): FolderFile | null {
    return this.#folder.open(pathOf(id), "read");
  }

  /** The files that there are: the objects that they are called by, and whether they are on their way. */
  *files(): Generator<{ readonly id: number; readonly isIncoming: boolean; readonly path: string }> {
    for (let part = 0; part < 256; part++) {
      const folder = folderOf(part);
      for (const name of this.#folder.names(folder))
        yield { id: Number.parseInt(name, 10), isIncoming: name.endsWith(".new"), path: `${folder}/${name}` };
    }
  }

  /** Removes a file that nobody has. */
  clear(path: string): void {
    this.#folder.remove(path);
  }

  /** SHA-256 of a content in hex. */
  hash(id: number): string {
    return this.with(id, (file) => {
      const digest = this.#newDigest();
      for (let at = 0; ; ) {
        const count = file.read(at, this.#buffer);
        if (count === 0) return toHex(digest.digest());
        digest.update(this.#buffer.subarray(0, count));
        at += count;
      }
    });
  }

  read(id: number, position: number, bytes: number): Uint8Array {
    return this.with(id, (file) => {
      const into = new Uint8Array(bytes);
      return into.subarray(0, file.read(position, into));
    });
  }

  /** Begins a fetched content. */
  incoming(id: number): Incoming {
    return new Incoming(this.#folder, `${pathOf(id)}.new`, this.#newDigest());
  }

  /** Puts what was fetched in its place. */
  install(id: number): void {
    const unfinished = `${pathOf(id)}.new`;
    const open = this.#open.get(id);
    if (open === undefined) {
      this.#folder.rename(unfinished, pathOf(id));
      this.#named.delete(id);
      return;
    }
    const from = this.#folder.open(unfinished, "read");
    if (from === null) throw new Error("what was fetched is gone");
    open.file.truncate(0);
    for (let at = 0; ; ) {
      const count = from.read(at, this.#buffer);
      if (count === 0) break;
      open.file.write(at, this.#buffer.subarray(0, count));
      at += count;
    }
    from.close();
    this.#folder.remove(unfinished);
  }
}

/** A content on its way. */
export class Incoming {
  readonly #file: FolderFile;
  readonly #digest: Digest;
  bytes = 0;

  constructor(folder: Folder, path: string, digest: Digest) {
    folder.remove(path);
    this.#file = folder.open(path, "write");
    this.#digest = digest;
  }

  add(piece: Uint8Array): void {
    this.#file.write(this.bytes, piece);
    this.#digest.update(piece);
    this.bytes += piece.length;
  }

  /** It does not come: what is there of it goes with the next one. */
  abandon(): void {
    this.#file.close();
  }

  /** Ends it; answers its SHA-256. */
  end(): string {
    this.#file.close();
    return toHex(this.#digest.digest());
  }
}
