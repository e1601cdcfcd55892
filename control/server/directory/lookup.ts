// Reading directories: which columns a capability selects, what a row gives through them, and
// the walk along a path.
//
// - Nothing here waits, and nothing is changed. `seen` is the version that the caller has to be
//   certain of before it tells the answer (order.ts): that of the latest change to what was read.

import { STD_ARGBAD, STD_CAPBAD, STD_DENIED, STD_NOTFOUND, STD_OK } from "../../../core-wasm/status.js";
import { claims } from "../../capability/private-part.js";
import type { CapabilityScheme } from "../../capability/scheme.js";
import { type CapabilitySet, inOrder } from "../../capability/set.js";
import { COLUMN_RIGHTS } from "../../interface/directory.js";
import { refuse } from "../../stub/refused.js";
import type { Row } from "./records.js";
import { type Directory, type DirectoryState, maskOf } from "./state.js";

/** Columns of a directory that rights select. */
export function columnsOf({ columns }: Directory, rights: number): number[] {
  return columns.flatMap((_, index) => ((rights & COLUMN_RIGHTS & (1 << index)) === 0 ? [] : [index]));
}

/** Bits of the columns of a directory that rights select. */
const selectedBy = (rights: number, { columns }: Directory): number =>
  rights & COLUMN_RIGHTS & ((1 << columns.length) - 1);

/** Rights that a row gives through the selected columns. */
function allowedBy(row: Row, selected: number): number {
  let allowed = 0;
  for (let column = 0; selected >> column !== 0; column++)
    if ((selected & (1 << column)) !== 0) allowed |= maskOf(row, column);
  return allowed & 0xff;
}

/** Refuses rights that select no column. */
export const selecting = (rights: number): number =>
  (rights & COLUMN_RIGHTS) === 0 ? refuse(STD_DENIED) : rights;

export interface Walked {
  readonly status: number;
  readonly seen: number;
  /** With STD_OK: what was found, the rights that it may give at most, and what is left of the path. */
  readonly row?: Row;
  readonly set?: CapabilitySet;
  readonly allowed?: number;
  readonly rest?: string;
}

export class Lookup {
  readonly #state: DirectoryState;
  readonly #scheme: CapabilityScheme;
  readonly #isOwn: (port: Uint8Array) => boolean;

  constructor(state: DirectoryState, scheme: CapabilityScheme, isOwn: (port: Uint8Array) => boolean) {
    this.#state = state;
    this.#scheme = scheme;
    this.#isOwn = isOwn;
  }

  /** One row of a directory. */
  row(object: number, rights: number, name: string): Walked {
    return this.walk(object, rights, [name]);
  }

  /** Follows names from a directory on, as far as directories are of this server. */
  walk(object: number, rights: number, names: readonly string[]): Walked {
    let at = object;
    let held = rights;
    let seen = 0;
    const no = (status: number): Walked => ({ status, seen: this.#state.standing.version });
    for (let index = 0; index < names.length; index++) {
      const directory = this.#state.get(at);
      if (directory === undefined) return no(STD_CAPBAD);
      seen = Math.max(seen, directory.changed);
      const selected = selectedBy(held, directory);
      if (selected === 0) return no(STD_DENIED);
      const row = directory.rows.get(names[index] as string);
      if (row === undefined) return no(STD_NOTFOUND);
      const allowed = allowedBy(row, selected);
      const below = index < names.length - 1 ? this.#below(row.set, allowed) : undefined;
      if (below === undefined) {
        const rest = index === names.length - 1 ? "" : names.slice(index + 1).join("/");
        return { status: STD_OK, seen, row, set: row.set, allowed, rest };
      }
      at = below.object;
      held = below.rights;
    }
    return no(STD_ARGBAD); // no name at all
  }

  /** The directory of this server in a set, with the rights that are left of it. */
  #below(
    set: CapabilitySet,
    allowed: number,
  ): { readonly object: number; readonly rights: number } | undefined {
    for (const { port, private: part } of inOrder(set)) {
      if (!this.#isOwn(port)) continue;
      const rights = this.#scheme.verify(part);
      if (rights >= 0) return { object: claims(part).object, rights: rights & allowed };
    }
    return undefined;
  }
}
