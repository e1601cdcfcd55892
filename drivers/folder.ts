// What a folder of files on a journaling file system is to those who keep things there.
//
// - Paths are relative to the folder, with / between their parts. Calls are synchronous: what they
//   change is in the system's memory, and on the medium after a sync; `sync` waits without holding the
//   thread up, `syncNow` holds it up.
// - A file's bytes and its name are two things: bytes are durable after the file's own sync, names
//   (making, renaming, removing) after `syncNames` of the folder that has them. Names come to the
//   medium in the order of their changes, bytes of files in no order.
// - A program that is killed loses nothing; the power's end loses what was not synced, in part.
// - Throws FolderError. After a sync that failed nobody knows what is durable: the owner stops.

import type { Time } from "./file-system.js";

export type FolderErrorCode = "FOLDER_FULL" | "FOLDER_FAILED";

export class FolderError extends Error {
  override readonly name = "FolderError";

  constructor(
    readonly code: FolderErrorCode,
    message: string,
  ) {
    super(message);
  }
}

export interface FileFacts {
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly mtime: Time;
}

/** An open file. */
export interface FolderFile {
  /** The system's, for those who hand it on; -1 where there is none. */
  readonly descriptor: number;
  facts(): FileFacts;
  /** Answers how many bytes there were. */
  read(position: number, into: Uint8Array): number;
  write(position: number, bytes: Uint8Array): void;
  truncate(size: number): void;
  /** Where data, or a hole, next begins from a position on, the end being one; null behind the end. */
  seek(position: number, what: "data" | "hole"): number | null;
  /** fallocate(2), with its modes; answers an errno, 0: it is done. */
  allocate(position: number, length: number, mode: number): number;
  touch(mtime: Time): void;
  sync(): Promise<void>;
  syncNow(): void;
  close(): void;
}

export interface Folder {
  /** Names in a folder, in no order; none when it is not there. */
  names(path: string): readonly string[];
  /** Makes a folder, and those above it. */
  make(path: string): void;
  /** Opens a file; with "write" it is made when it is missing, with "read" null is answered then. */
  open(path: string, how: "write"): FolderFile;
  open(path: string, how: "read"): FolderFile | null;
  /** Takes the place of what is there. */
  rename(from: string, to: string): void;
  /** A file; nothing happens when it is not there. */
  remove(path: string): void;
  syncNames(path: string): Promise<void>;
  syncNamesNow(path: string): void;
}

/** All bytes of a file; null when there is none. */
export function readWhole(folder: Folder, path: string): Uint8Array | null {
  const file = folder.open(path, "read");
  if (file === null) return null;
  try {
    const bytes = new Uint8Array(file.facts().size);
    let done = 0;
    while (done < bytes.length) {
      const count = file.read(done, bytes.subarray(done));
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  } finally {
    file.close();
  }
}
