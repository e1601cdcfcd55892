// Servers that the name space knows: those that stand at a path, or in a directory there.
//
// - Whether they run is not asked: whoever calls one finds out.

import type { Capability } from "../capability/capability.js";
import { inOrder } from "../capability/set.js";
import { ProteusError } from "../kernel/errors.js";
import type { Directories } from "../stub/directories.js";

/** The servers at a path; none when nothing stands there. Throws NAME errors. */
export async function serversAt(path: string, names: Directories): Promise<readonly Capability[]> {
  try {
    const set = await names.lookup(path);
    if (!names.isDirectory(set)) return inOrder(set);
    return (await names.entries(path)).flatMap((row) => (row.set === undefined ? [] : inOrder(row.set)));
  } catch (error) {
    if (error instanceof ProteusError && error.code === "NAME_NOT_FOUND") return [];
    throw error;
  }
}
