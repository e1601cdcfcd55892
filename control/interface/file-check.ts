// What a verification of files says: of a cache, or of a volume at its server. And the looking itself at a
// content, a piece at a time, so that whoever serves files goes on meanwhile.
//
// - A problem was repaired, can be (`--repair`), or cannot: then `hint` says what to do.
// - Problems are listed up to a bound and counted beyond it.

import { z } from "zod";
import type { FolderFile } from "../../drivers/folder.js";
import { toHex } from "../kernel/bytes.js";

export const problemSchema = z.object({
  /** What kind of problem: content, unshipped, leftover, name, status, links. */
  what: z.string(),
  /** The object; 0: it is of none. */
  id: z.number(),
  /** Of the object, as far as one is known; a character a byte. */
  name: z.string(),
  why: z.string(),
  repair: z.enum(["done", "possible", "none"]),
  hint: z.string().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

export const checkSchema = z.object({
  state: z.enum(["none", "running", "done"]),
  isRepair: z.boolean(),
  /** With the server's rows, or because there is none to ask, not. */
  isCompared: z.boolean(),
  objects: z.number(),
  files: z.number(),
  /** Of contents that were read. */
  bytes: z.number(),
  problems: z.array(problemSchema),
  /** All of them, and those that are not repaired. */
  found: z.number(),
  left: z.number(),
  /** Why it ended before its end; "" when it did not. */
  failed: z.string(),
});
export type Check = z.infer<typeof checkSchema>;

/** Most problems that are listed. */
const listedMax = 200;

/** A report in the making. */
export class Findings {
  isRunning = true;
  isCompared = false;
  objects = 0;
  files = 0;
  bytes = 0;
  failed = "";
  readonly #problems: Problem[] = [];
  #found = 0;
  #left = 0;

  constructor(readonly isRepair: boolean) {}

  add(problem: Problem): void {
    this.#found++;
    if (problem.repair !== "done") this.#left++;
    if (this.#problems.length < listedMax) this.#problems.push(problem);
  }

  report(): Check {
    const { isRepair, isCompared, objects, files, bytes, failed, isRunning } = this;
    return {
      ...{ state: isRunning ? "running" : "done", isRepair, isCompared, objects, files, bytes, failed },
      ...{ problems: [...this.#problems], found: this.#found, left: this.#left },
    };
  }
}

/** Before one has begun. */
export const noCheck: Check = {
  ...{ state: "none", isRepair: false, isCompared: false, objects: 0, files: 0, bytes: 0 },
  ...{ problems: [], found: 0, left: 0, failed: "" },
};

interface Digest {
  update(data: Uint8Array): unknown;
  digest(): Uint8Array;
}

const pieceBytes = 1024 * 1024;

/**
 * Compares a content with its length and SHA-256, a yield for each piece; answers what is wrong, or null.
 *
 * @param read told of the bytes of each piece
 */
export function* lookAt(
  file: FolderFile,
  wanted: { readonly size: number; readonly hash: string },
  newDigest: () => Digest,
  read: (bytes: number) => void,
): Generator<undefined, string | null> {
  const { size } = file.facts();
  if (size !== wanted.size) return `it has ${size} bytes instead of ${wanted.size}`;
  const digest = newDigest();
  const buffer = new Uint8Array(Math.min(pieceBytes, Math.max(1, size)));
  for (let at = 0; at < size; ) {
    const count = file.read(at, buffer);
    if (count === 0) return `it ends at byte ${at} instead of ${size}`;
    digest.update(buffer.subarray(0, count));
    at += count;
    read(count);
    yield;
  }
  return toHex(digest.digest()) === wanted.hash ? null : "its bytes are not those of its SHA-256";
}
