// Gives back the room of a piece of a file, or of a partition on a medium that can: fallocate(2) with
// PUNCH_HOLE, through koffi, for Node has no such call.
//
// - The piece reads as zeros afterwards, and the file is as long as before.
// - As for a write, it is on the medium after a flush that began later.
// - Off the main thread: a large piece of a fragmented file takes long.

import { cLibrary } from "../c-library.js";

const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

type Fallocate = (descriptor: number, from: number, bytes: number) => Promise<number>;

let fallocate: Fallocate | null | undefined;

/** The call of the C library; null where there is none. */
function load(): Fallocate | null {
  try {
    const call = cLibrary().library.func("int fallocate(int fd, int mode, int64_t from, int64_t length)");
    return (descriptor, from, bytes) =>
      new Promise((resolve) => {
        const mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
        call.async(descriptor, mode, from, bytes, (error: unknown, result: number) =>
          resolve(error === null ? result : -1),
        );
      });
  } catch {
    return null; // no koffi for this machine, or a C library without the call
  }
}

/** Makes a hole; false when that cannot be done, and nothing has happened. */
export async function punch(descriptor: number, from: number, bytes: number): Promise<boolean> {
  if (fallocate === undefined) fallocate = load();
  return fallocate !== null && (await fallocate(descriptor, from, bytes)) === 0;
}
