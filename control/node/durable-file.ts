// Files of this machine's state, replaced whole: whenever the machine ends, a name stands for what was
// before or for what is now, and that is on the disk when the call returns.
//
// - Written beside its place under a name of this program's own, flushed, renamed; then the folder is
//   flushed, whose content the name is.
// - Throws the system's errors. A program that is killed leaves its unfinished file: the next call of
//   the same program number, or whoever knows the folder, removes it.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Behind the name of a file that is not finished; the program's number follows. */
export const unfinishedMark = ".new.";

/** Ends when the names in a folder are on the disk. */
export function syncFolder(folder: string): void {
  const names = openSync(folder, "r");
  try {
    fsyncSync(names);
  } finally {
    closeSync(names);
  }
}

/** A file beside `path` with the text, for its owner alone, durable but for its name; answers that. */
export function writeBeside(path: string, text: string): string {
  const unfinished = `${path}${unfinishedMark}${process.pid}`;
  rmSync(unfinished, { force: true }); // of a program that was killed
  const descriptor = openSync(unfinished, "wx", 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return unfinished;
}

/** Replaces a file, or makes it. */
export function replaceDurably(path: string, text: string): void {
  renameSync(writeBeside(path, text), path);
  syncFolder(dirname(path));
}
