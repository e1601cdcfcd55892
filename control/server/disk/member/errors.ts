// What an error of a medium means to the server of a storage.
//
// - A block that cannot be read is as good as one that rotted: another copy has it, and writing it
//   again may cure it. What cannot be written, and a failed flush, end the member.

import { BlockError } from "../../../../drivers/block.js";
import { DiskError } from "../errors.js";

/** A DiskError for whatever a device threw. */
export function mediumError(name: string, error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  const cause = { cause: error };
  const what = error instanceof Error ? error.message : String(error);
  if (!(error instanceof BlockError)) return new DiskError("DISK_MEDIUM", `${name}: ${what}`, [], cause);
  const { block } = error;
  switch (error.code) {
    case "BLOCK_UNREADABLE":
      return new DiskError("DISK_ROT", `${name}: ${what}`, [block], cause);
    case "BLOCK_FULL":
      return new DiskError("DISK_FULL", `${name}: ${what}`, [block], cause);
    case "BLOCK_RANGE":
      return new DiskError("DISK_RANGE", `${name}: ${what}`, [block], cause);
    case "BLOCK_UNWRITABLE":
    case "BLOCK_GONE":
      return new DiskError("DISK_MEDIUM", `${name}: ${what}`, [block], cause);
  }
}

/** It is a member of another storage, or of none. */
export const foreign = (name: string): DiskError =>
  new DiskError("DISK_FOREIGN", `${name}: not a member of this storage`);

/** A later epoch is known. */
export const fenced = (name: string, known: number, epoch: number): DiskError =>
  new DiskError("DISK_FENCED", `${name}: epoch ${known} is known, ${epoch} is over`);

/** The medium is too small. */
export const short = (name: string, room: number, needed: number): DiskError =>
  new DiskError("DISK_SHORT", `${name}: room for ${room} blocks, ${needed} are needed`);
