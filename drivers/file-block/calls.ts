// The calls of the C library that node:fs does not have: a lock, a reservation, the end of a
// partition.
//
// - Loaded on first use, through koffi.

import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";

const LOCK_EX = 2;
const LOCK_NB = 4;
const SEEK_END = 2;

interface Calls {
  flock(fd: number, operation: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  lseek(fd: number, offset: number, whence: number): number;
  errno(): number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  if (loaded !== undefined) return loaded;
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const library = koffi.load(null);
  loaded = {
    flock: library.func("int flock(int fd, int operation)"),
    fallocate: library.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)"),
    lseek: library.func("int64_t lseek(int fd, int64_t offset, int whence)"),
    errno: () => koffi.errno(),
  };
  return loaded;
}

const lastError = (): string => getSystemErrorName(-calls().errno());

/** Takes the file for this process alone; false when another has it. Ends with the file's closing. */
export function lockFile(fd: number): boolean {
  return calls().flock(fd, LOCK_EX | LOCK_NB) === 0;
}

/** Gives the file the blocks of its bytes on the medium: null, or the name of the error. */
export function reserveFile(fd: number, bytes: number): string | null {
  return calls().fallocate(fd, 0, 0, bytes) === 0 ? null : lastError();
}

/** Bytes of a file or a partition; -1 when it has no end. */
export function bytesOf(fd: number): number {
  return Number(calls().lseek(fd, 0, SEEK_END));
}
