// Rows that tables of more than one kind have: maps by key, and the names of directories.
//
// - A row of null is none: what had the key is removed.
// - The table "name" has a row for each name of each directory, its key DIRECTORY/NAME.

import type { Change } from "./tables.js";

export function putRow<Key, Value>(map: Map<Key, Value>, key: Key, row: Value | null): void {
  if (row === null) map.delete(key);
  else map.set(key, row);
}

/** The directory and the name of a name's row. */
export function nameOfKey(key: string): [directory: number, name: string] {
  const slash = key.indexOf("/");
  return [Number(key.slice(0, slash)), key.slice(slash + 1)];
}

/** Directories, each with its names and the ids that have them. */
export class NameRows extends Map<number, Map<string, number>> {
  put(key: string, row: { readonly id: number } | null): void {
    const [directory, name] = nameOfKey(key);
    const names = this.get(directory) ?? new Map<string, number>();
    putRow(names, name, row?.id ?? null);
    if (names.size === 0) this.delete(directory);
    else if (!this.has(directory)) this.set(directory, names);
  }

  *rows(): Generator<Change> {
    for (const [directory, names] of this)
      for (const [name, id] of names) yield ["name", `${directory}/${name}`, { id }];
  }
}
