// The program that merges two contents of a file: an administrator's, of vice's machine.
//
// - Called with four paths: base, the server's, the client's, and where the merged one has to be written.
//   Exit code 0: it is there; anything else, or none in time: it cannot be merged, and both are kept.
// - One at a time, each in a folder of its own that is gone afterwards. It never sees names.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MERGE_BYTES_MAX, type Merge } from "../../server/vice/readying.js";

const patienceMs = 10_000;

/** Merges by a program. */
export function mergeBy(program: string): Merge {
  let last: Promise<unknown> = Promise.resolve();
  return (base, server, client) => {
    const merged = last.then(() => mergeOne(program, [base, server, client]));
    last = merged;
    return merged;
  };
}

async function mergeOne(program: string, contents: readonly Uint8Array[]): Promise<Uint8Array | null> {
  const folder = await mkdtemp(join(tmpdir(), "proteus-merge-"));
  try {
    const paths = ["base", "server", "client"].map((name) => join(folder, name));
    for (const [index, path] of paths.entries()) await writeFile(path, contents[index] ?? "");
    const result = join(folder, "merged");
    const isDone = await new Promise<boolean>((resolve) => {
      execFile(program, [...paths, result], { timeout: patienceMs, killSignal: "SIGKILL" }, (error) =>
        resolve(error === null),
      );
    });
    if (!isDone || (await stat(result)).size > MERGE_BYTES_MAX) return null;
    return await readFile(result);
  } catch {
    return null; // it wrote nothing
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
