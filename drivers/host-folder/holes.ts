// Holes of a file, by the system calls that Node.js does not have: lseek(2) and fallocate(2).
//
// - Each answers what the call answers, below zero -errno.
// - The position of the descriptor moves with a seek: whoever reads and writes says where.

import { cLibrary } from "../c-library.js";

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
export const ENXIO = 6;

interface Calls {
  readonly seek: (descriptor: number, position: number, whence: number) => number;
  readonly allocate: (descriptor: number, mode: number, position: number, length: number) => number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  if (loaded !== undefined) return loaded;
  const { koffi, library } = cLibrary();
  const lseek = library.func("int64_t lseek(int fd, int64_t position, int whence)");
  const fallocate = library.func("int fallocate(int fd, int mode, int64_t position, int64_t length)");
  const answered = (result: number): number => (result < 0 ? -koffi.errno() : result);
  loaded = {
    seek: (descriptor, position, whence) => answered(Number(lseek(descriptor, position, whence))),
    allocate: (descriptor, mode, position, length) =>
      answered(Number(fallocate(descriptor, mode, position, length))),
  };
  return loaded;
}

export const seek = (descriptor: number, position: number, whence: number): number =>
  calls().seek(descriptor, position, whence);

export const allocate = (descriptor: number, mode: number, position: number, length: number): number =>
  calls().allocate(descriptor, mode, position, length);
