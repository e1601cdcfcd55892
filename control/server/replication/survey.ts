// The walk: every name below the root that stands for something, each directory once.
//
// - In the order of the names, so that a walk that was cut off goes on where it ended.
// - A directory that cannot be listed is told to `failed`, and the walk goes on.
// - What is walked may change meanwhile; whoever acts on a row looks it up again.

import type { Capability } from "../../capability/capability.js";
import { claims } from "../../capability/private-part.js";
import { type CapabilitySet, inOrder } from "../../capability/set.js";
import { below, type Names, nameFault, objectKey } from "../../files/places.js";
import { COLUMN_RIGHTS, MODIFY_RIGHT } from "../../interface/directory.js";

/** A name that is no directory. */
export interface Named {
  readonly path: string;
  readonly set: CapabilitySet;
  /** False when the set under the name has more rights than are seen, or must not be changed. */
  readonly changeable: boolean;
}

/** Directories of one walk: more than this are not gone into. */
export const directoriesMax = 100_000;
const allRights = 0xff;

/** Whether a row of such a directory can be replaced without taking rights from what it stands for. */
function isChangeable(directory: Capability, masks: readonly number[]): boolean {
  const { rights } = claims(directory.private);
  if ((rights & MODIFY_RIGHT) === 0) return false;
  const columns = rights & COLUMN_RIGHTS;
  const given = masks.reduce((sum, mask, column) => ((columns & (1 << column)) === 0 ? sum : sum | mask), 0);
  return (given & allRights) === allRights;
}

export interface Walk {
  readonly names: Names;
  /** Told of every directory that was listed. */
  listed(): void;
  failed(path: string, error: unknown): void;
}

/** Everything below the root that is no directory. */
export async function* survey({ names, listed, failed }: Walk): AsyncGenerator<Named, void, void> {
  const seen = new Set<string>();
  const waiting: { readonly path: string; readonly set: CapabilitySet }[] = [
    { path: "/", set: await names.lookup("/") },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, set } = next;
    const key = objectKey(set);
    const [directory] = inOrder(set);
    if (directory === undefined || seen.has(key)) continue;
    if (seen.size >= directoriesMax) {
      failed(path, new Error(`there are more than ${directoriesMax} directories`));
      return;
    }
    seen.add(key);
    try {
      const rows = [...(await names.entries(path))].sort((a, b) => (a.name < b.name ? -1 : 1));
      listed();
      const directories: typeof waiting = [];
      for (const { name, set: of, masks } of rows) {
        if (of === undefined || nameFault(name) !== null) continue;
        const at = below(path, name);
        if (names.isDirectory(of)) directories.push({ path: at, set: of });
        else yield { path: at, set: of, changeable: isChangeable(directory, masks) };
      }
      waiting.push(...directories.reverse());
    } catch (error) {
      failed(path, error);
    }
  }
}
