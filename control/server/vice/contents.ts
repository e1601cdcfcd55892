// The contents of a volume's files, each an ordinary file that never changes; and those on their way.
//
// - incoming/VENUS.RECORD grows by pieces in order; VENUS.RECORD.other is made for a conflict. `prepare`
//   makes it durable and says whether it is what the record names. `install` gives it its place,
//   content/HH/ID.VERSION, without a wait: should the power end before that name is durable, `mend` does
//   it again, from what the object's row says.
// - A content without a row is removed by `mend`; so is what came for records that were received.
// - Reads are of any version that is still there.

import { type Folder, FolderError, type FolderFile, readWhole } from "../../../drivers/folder.js";
import { toHex } from "../../kernel/bytes.js";
import type { VolumeState } from "./state.js";

/** A SHA-256 that is under way. */
export interface Digest {
  update(data: Uint8Array): unknown;
  digest(): Uint8Array;
}

export type NewDigest = () => Digest;

const readBytes = 1024 * 1024;
const incoming = "incoming";
const contents = "content";

const folderOf = (id: number): string => `${contents}/${(id % 256).toString(16).padStart(2, "0")}`;
export const contentPath = (id: number, version: number): string => `${folderOf(id)}/${id}.${version}`;
const incomingPath = (venus: number, record: number): string => `${incoming}/${venus}.${record}`;

export class Contents {
  readonly #folder: Folder;
  readonly #newDigest: NewDigest;

  constructor(folder: Folder, newDigest: NewDigest) {
    this.#folder = folder;
    this.#newDigest = newDigest;
    folder.make(incoming);
    folder.make(contents);
  }

  /** Puts a piece where it belongs; answers how much there is then. */
  send(venus: number, record: number, position: number, data: Uint8Array): number {
    const file = this.#folder.open(incomingPath(venus, record), "write");
    try {
      const { size } = file.facts();
      if (position === 0 && size > 0 && data.length > 0) {
        file.truncate(0); // it begins anew: what is there is of another try
        file.write(0, data);
        return data.length;
      }
      if (position !== size || data.length === 0) return size;
      file.write(position, data);
      return size + data.length;
    } finally {
      file.close();
    }
  }

  /** Whether what came for a record is this; then it is durable, with its name. */
  async prepare(venus: number, record: number, size: number, hash: string): Promise<boolean> {
    if (size === 0) return true;
    const file = this.#folder.open(incomingPath(venus, record), "read");
    if (file === null) return false;
    try {
      if (file.facts().size !== size) return false;
      const digest = this.#newDigest();
      const buffer = new Uint8Array(Math.min(readBytes, size));
      for (let at = 0; at < size; ) {
        const count = file.read(at, buffer);
        if (count === 0) return false;
        digest.update(buffer.subarray(0, count));
        at += count;
      }
      if (toHex(digest.digest()) !== hash) return false;
      await file.sync();
    } finally {
      file.close();
    }
    await this.#folder.syncNames(incoming);
    return true;
  }

  /** Gives what came under a name its place. */
  install(name: string, id: number, version: number): void {
    this.#folder.make(folderOf(id));
    this.#folder.rename(`${incoming}/${name}`, contentPath(id, version));
  }

  /** What came and is not wanted. */
  discard(name: string): void {
    this.#folder.remove(`${incoming}/${name}`);
  }

  /** All of what came under a name, or of a version of a content; null when it is not there. */
  whole(of: string | readonly [id: number, version: number]): Uint8Array | null {
    return readWhole(this.#folder, typeof of === "string" ? `${incoming}/${of}` : contentPath(...of));
  }

  /** Puts bytes, or a copy of a version of a content, among what came; durable then, with their name. */
  async add(name: string, from: Uint8Array | readonly [id: number, version: number]): Promise<boolean> {
    const path = `${incoming}/${name}`;
    this.#folder.remove(path);
    const source = from instanceof Uint8Array ? null : this.#folder.open(contentPath(...from), "read");
    if (source === null && !(from instanceof Uint8Array)) return false;
    const file = this.#folder.open(path, "write");
    try {
      if (from instanceof Uint8Array) file.write(0, from);
      else if (source !== null) {
        const buffer = new Uint8Array(readBytes);
        for (let at = 0; ; ) {
          const count = source.read(at, buffer);
          if (count === 0) break;
          file.write(at, buffer.subarray(0, count));
          at += count;
        }
      }
      await file.sync();
    } finally {
      file.close();
      source?.close();
    }
    await this.#folder.syncNames(incoming);
    return true;
  }

  /** Bytes of a version of a content; null when it is not there. */
  read(id: number, version: number, position: number, length: number): Uint8Array | null {
    const file = this.#folder.open(contentPath(id, version), "read");
    if (file === null) return null;
    try {
      const wanted = Math.max(0, Math.min(length, file.facts().size - position));
      const bytes = new Uint8Array(wanted);
      return bytes.subarray(0, file.read(position, bytes));
    } finally {
      file.close();
    }
  }

  remove(id: number, version: number): void {
    this.#folder.remove(contentPath(id, version));
  }

  /** Opens a version of a content, to be looked at; null: it is not there. */
  look(id: number, version: number): FolderFile | null {
    return this.#folder.open(contentPath(id, version), "read");
  }

  /** The files that there are, ID.VERSION each. */
  *files(): Generator<{ readonly id: number; readonly version: number }> {
    for (const part of this.#folder.names(contents))
      for (const name of this.#folder.names(`${contents}/${part}`)) {
        const [id = 0, version = 0] = name.split(".").map(Number);
        yield { id, version };
      }
  }

  /** Makes the files agree with the rows. Throws FolderError when a content is missing. */
  mend(state: VolumeState): void {
    const wanted = new Map<string, string | undefined>();
    for (const [id, { size, version, content }] of state.objects)
      if (size > 0 && content !== undefined) wanted.set(contentPath(id, version), content);
    for (const { id, version } of state.old.values()) wanted.set(contentPath(id, version), undefined);
    const there = new Set(
      this.#folder
        .names(contents)
        .flatMap((part) =>
          this.#folder.names(`${contents}/${part}`).map((name) => `${contents}/${part}/${name}`),
        ),
    );
    for (const path of there) if (!wanted.has(path)) this.#folder.remove(path);
    const came = new Set(this.#folder.names(incoming));
    for (const [path, name] of wanted) {
      if (there.has(path)) continue;
      if (name !== undefined && came.has(name)) {
        this.#folder.make(path.slice(0, path.lastIndexOf("/")));
        this.#folder.rename(`${incoming}/${name}`, path);
        came.delete(name);
      } else if (name !== undefined) throw new FolderError("FOLDER_FAILED", `${path} is missing`);
    }
    for (const name of came) {
      const [venus = 0, record = 0] = name.split(".").map(Number);
      if (record <= (state.venuses.get(venus)?.last ?? 0)) this.#folder.remove(`${incoming}/${name}`);
    }
  }
}
