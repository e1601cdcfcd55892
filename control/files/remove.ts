// Away with names, and with what stands below them.
//
// - A directory goes when it is empty, so everything in it goes first, wherever else that
//   directory may stand. One that stands in itself loses only that name.
// - Files keep existing for their other names; ageing takes those that have none. `destroy` ends them at once.
// - What could not go is a failure, and keeps the directories that it is in.

import { exitCodes, ProteusError } from "../kernel/errors.js";
import { forEach } from "./each.js";
import { Failures } from "./failures.js";
import type { Entry, Files } from "./files.js";
import { nameFault, objectKey } from "./places.js";
import { counting, type TreeReport } from "./trees.js";

export interface RemoveOptions {
  /** A directory goes with everything below it; otherwise only when it is empty. */
  readonly recursive?: boolean;
  /** Files go too, and not only their names: other names of theirs lead to nothing then. */
  readonly destroy?: boolean;
  /** Only says what would go. */
  readonly dryRun?: boolean;
  readonly failures?: Failures;
  /** Told of each name that is gone, or would be. */
  readonly removed?: (entry: Entry) => void;
}

/** Takes a path away. The root itself stays: only what is in it goes. */
export async function removeTree(
  files: Files,
  path: string,
  options: RemoveOptions = {},
): Promise<TreeReport> {
  const { recursive = false, destroy = false, dryRun = false, failures = new Failures(), removed } = options;
  const count = counting();

  const gone = (entry: Entry): void => {
    if (entry.isDirectory) count.directories++;
    else count.files++;
    removed?.(entry);
  };
  const removeName = async (entry: Entry): Promise<void> => {
    if (!dryRun) await files.names.remove(entry.path);
    if (!dryRun && destroy && !entry.isDirectory && entry.set !== undefined)
      await files.contents.destroy(entry.set);
    gone(entry);
  };
  /** @returns whether it is gone */
  const remove = async (entry: Entry, above: readonly string[]): Promise<boolean> => {
    if (!entry.isDirectory) return failures.around(entry.path, () => removeName(entry));
    const key = entry.set === undefined ? "" : objectKey(entry.set);
    if (above.includes(key)) return failures.around(entry.path, () => removeName(entry));
    if (recursive && !(await empty(entry, [...above, key]))) return false;
    if (entry.path === "/") return true;
    return failures.around(entry.path, async () => {
      if (!dryRun) await files.names.discard(entry.path);
      else if (!recursive && (await files.list(entry.path)).length > 0) throw notEmpty(entry.path);
      gone(entry);
    });
  };
  /** Removes all that is in a directory. @returns whether nothing is left */
  const empty = async (directory: Entry, above: readonly string[]): Promise<boolean> => {
    let entries: readonly Entry[] = [];
    let isEmpty = await failures.around(directory.path, async () => {
      entries = await files.list(directory.path);
    });
    await forEach(entries, files.concurrency, async (entry) => {
      const fault = nameFault(entry.name);
      if (fault !== null) {
        failures.skip(directory.path, `it has a name that cannot be used: ${fault}`);
        isEmpty = false;
      } else if (!entry.isDirectory) isEmpty = (await remove(entry, above)) && isEmpty;
    });
    for (const entry of entries)
      if (entry.isDirectory && nameFault(entry.name) === null)
        isEmpty = (await remove(entry, above)) && isEmpty;
    return isEmpty;
  };

  await failures.until(async () => {
    for await (const entry of files.walk(path, { depth: 0 })) await remove(entry, []);
  });
  return { ...count, ...failures.report };
}

function notEmpty(path: string): ProteusError {
  return new ProteusError({
    code: "NAME_NOT_EMPTY",
    exit: exitCodes.failed,
    message: `${path} cannot be removed`,
    why: "it has entries",
    hint: "with -r they go too",
  });
}
