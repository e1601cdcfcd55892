// A folder of this machine's disk: drivers/folder.ts by the system's own calls.
//
// - For one process alone: an advisory lock on the file `lock` in it, which ends with the process
//   however that ends.
// - Files are their owner's alone (0600), folders too (0700).

import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Time } from "../file-system.js";
import { type Folder, FolderError, type FolderFile } from "../folder.js";
import { allocate, ENXIO, SEEK_DATA, SEEK_HOLE, seek } from "./holes.js";

const lockTimeoutMs = 5000;
const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const datasync = promisify(fdatasync);
const fullSync = promisify(fsync);

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function failed(error: unknown): FolderError {
  if (error instanceof FolderError) return error;
  const code = fullCodes.has(codeOf(error) ?? "") ? "FOLDER_FULL" : "FOLDER_FAILED";
  return new FolderError(code, (error as Error).message);
}

function attempt<Value>(call: () => Value): Value {
  try {
    return call();
  } catch (error) {
    throw failed(error);
  }
}

const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";

/** An open file of the system. */
class HostFile implements FolderFile {
  constructor(readonly descriptor: number) {}

  facts() {
    return attempt(() => {
      const { size, blocks, mtimeNs } = fstatSync(this.descriptor, { bigint: true });
      const seconds = Number(mtimeNs / 1_000_000_000n);
      const mtime: Time = { seconds, nanoseconds: Number(mtimeNs % 1_000_000_000n) };
      return { size: Number(size), blocks: Number(blocks), mtime };
    });
  }

  read(position: number, into: Uint8Array): number {
    return attempt(() => readSync(this.descriptor, into, 0, into.length, position));
  }

  write(position: number, bytes: Uint8Array): void {
    attempt(() => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.descriptor, bytes, done, bytes.length - done, position + done);
    });
  }

  truncate(size: number): void {
    attempt(() => ftruncateSync(this.descriptor, size));
  }

  seek(position: number, what: "data" | "hole"): number | null {
    const found = seek(this.descriptor, position, what === "data" ? SEEK_DATA : SEEK_HOLE);
    if (found >= 0) return found;
    if (found === -ENXIO) return null;
    throw new FolderError("FOLDER_FAILED", `holes cannot be looked for (errno ${-found})`);
  }

  allocate(position: number, length: number, mode: number): number {
    return -Math.min(0, allocate(this.descriptor, mode, position, length));
  }

  touch({ seconds, nanoseconds }: Time): void {
    attempt(() => futimesSync(this.descriptor, seconds, seconds + nanoseconds / 1e9));
  }

  async sync(): Promise<void> {
    try {
      await datasync(this.descriptor);
    } catch (error) {
      throw failed(error);
    }
  }

  syncNow(): void {
    attempt(() => fdatasyncSync(this.descriptor));
  }

  close(): void {
    attempt(() => closeSync(this.descriptor));
  }
}

export class HostFolder implements Folder {
  readonly #root: string;
  readonly #lock: number;

  private constructor(root: string, lock: number) {
    this.#root = root;
    this.#lock = lock;
  }

  /** Opens a folder for this process alone, after it was made when it was missing. Throws FolderError. */
  static open(root: string): HostFolder {
    return attempt(() => {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      const lock = openSync(join(root, "lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
      const { status, error } = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
        stdio: ["ignore", "ignore", "ignore", lock],
        timeout: lockTimeoutMs,
      });
      if (error === undefined && status === 0) return new HostFolder(root, lock);
      closeSync(lock);
      if (error !== undefined) throw error;
      throw new FolderError("FOLDER_FAILED", `${root} is in use by another process`);
    });
  }

  /** Gives it back to others. */
  close(): void {
    closeSync(this.#lock);
  }

  /** Where a path of it is. */
  path(path: string): string {
    return path === "" ? this.#root : join(this.#root, path);
  }

  names(path: string): readonly string[] {
    try {
      return readdirSync(this.path(path));
    } catch (error) {
      if (isMissing(error)) return [];
      throw failed(error);
    }
  }

  make(path: string): void {
    attempt(() => mkdirSync(this.path(path), { recursive: true, mode: 0o700 }));
  }

  open(path: string, how: "write"): FolderFile;
  open(path: string, how: "read"): FolderFile | null;
  open(path: string, how: "read" | "write"): FolderFile | null {
    const flags = how === "read" ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT;
    try {
      return new HostFile(openSync(this.path(path), flags, 0o600));
    } catch (error) {
      if (how === "read" && isMissing(error)) return null;
      throw failed(error);
    }
  }

  rename(from: string, to: string): void {
    attempt(() => renameSync(this.path(from), this.path(to)));
  }

  remove(path: string): void {
    attempt(() => rmSync(this.path(path), { force: true }));
  }

  async syncNames(path: string): Promise<void> {
    const names = attempt(() => openSync(this.path(path), constants.O_RDONLY));
    try {
      await fullSync(names);
    } catch (error) {
      throw failed(error);
    } finally {
      closeSync(names);
    }
  }

  syncNamesNow(path: string): void {
    attempt(() => {
      const names = openSync(this.path(path), constants.O_RDONLY);
      try {
        fsyncSync(names);
      } finally {
        closeSync(names);
      }
    });
  }
}

/** The folder that has a path. */
export const above = (path: string): string => (path.includes("/") ? dirname(path) : "");
