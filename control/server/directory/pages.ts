// The rows of a directory, in pages that fit a reply.
//
// - A page begins at an index, so the order must be the same at every member and after every
//   restart: by name, as the units of its characters compare. A member that took its state from
//   its store or from others has its rows in another order in memory.
// - Sorted once for each state of a directory: whatever changes one puts a new object in its place.

import { STD_DENIED } from "../../../core-wasm/status.js";
import { directoryTable, LIST_END, type Listing } from "../../interface/directory.js";
import { refuse } from "../../stub/refused.js";
import type { Row } from "./records.js";
import type { Directory } from "./state.js";

const text = new TextEncoder();
const bytesOf = (name: string): number => text.encode(name).length;

export class Pages {
  readonly #sorted = new WeakMap<Directory, readonly Row[]>();

  /** As many rows from one on as a reply takes; `next` is where the rest begins. STD_DENIED without a column. */
  page(directory: Directory, selected: readonly number[], first: number) {
    if (selected.length === 0) refuse(STD_DENIED);
    const { columns } = directory;
    const rows = this.#rowsOf(directory);
    const listed: Listing["rows"][number][] = [];
    let left = directoryTable.replyBytesMax - 4 - columns.reduce((sum, each) => sum + bytesOf(each) + 1, 0);
    for (let index = first; index < rows.length; index++) {
      const { name, masks } = rows[index] as Row;
      left -= bytesOf(name) + 1 + 4 * columns.length;
      if (left < 0) return { next: index, listing: { columns, rows: listed } };
      listed.push({ name, masks: columns.map((_, column) => masks[column] ?? 0) });
    }
    return { next: LIST_END, listing: { columns, rows: listed } };
  }

  #rowsOf(directory: Directory): readonly Row[] {
    const known = this.#sorted.get(directory);
    if (known !== undefined) return known;
    const rows = [...directory.rows.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
    this.#sorted.set(directory, rows);
    return rows;
  }
}
