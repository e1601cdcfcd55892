// A whole state of the directories as entries of a store, and as the bytes that a member of the
// group gives to one that joins.

import { blob, Malformed, record, sequence } from "../../interface/types.js";
import {
  decodeAs,
  encodeAs,
  type Head,
  headKey,
  headType,
  placeOf,
  type Request,
  type Row,
  requestKey,
  requestType,
  rowKey,
  rowType,
  type Standing,
  standingKey,
  standingType,
} from "./records.js";

/** A row with the directory that it is of. */
export interface PlacedRow {
  readonly object: number;
  /** Of the directory: one that came later under the number has other rows. */
  readonly birth: number;
  readonly row: Row;
}

/** Everything that there is to know. */
export interface Contents {
  readonly standing: Standing;
  readonly heads: ReadonlyMap<number, Head>;
  readonly rows: readonly PlacedRow[];
  readonly requests: ReadonlyMap<number, Request>;
}

export interface Put {
  readonly kind: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The entries of a state. */
export function putsOf({ standing, heads, rows, requests }: Contents): Put[] {
  const puts: Put[] = [];
  const put = (key: Uint8Array, value: Uint8Array) => puts.push({ kind: "put", key, value });
  for (const [object, head] of heads) put(headKey(object), encodeAs(headType, head));
  for (const { object, birth, row } of rows) put(rowKey(object, birth, row.name), encodeAs(rowType, row));
  for (const [slot, request] of requests) put(requestKey(slot), encodeAs(requestType, request));
  put(standingKey, encodeAs(standingType, standing));
  return puts;
}

/** Gathers entries. Keys of a later version of this program are passed over. */
export class Gathered {
  readonly #heads = new Map<number, Head>();
  readonly #requests = new Map<number, Request>();
  readonly #rows: PlacedRow[] = [];
  #standing: Standing | undefined;

  /** Throws Malformed for a value that no directory server has written. */
  take(key: Uint8Array, value: Uint8Array): void {
    const place = placeOf(key);
    switch (place?.kind) {
      case "head":
        this.#heads.set(place.object, decodeAs(headType, value));
        return;
      case "row":
        this.#rows.push({ object: place.object, birth: place.birth, row: decodeAs(rowType, value) });
        return;
      case "request":
        this.#requests.set(place.slot, decodeAs(requestType, value));
        return;
      case "standing":
        this.#standing = decodeAs(standingType, value);
        return;
      case undefined:
    }
  }

  /** The state, and rows of directories that are gone; null when there is none. */
  all(): { readonly contents: Contents; readonly orphans: readonly PlacedRow[] } | null {
    if (this.#standing === undefined) return null;
    const isOrphan = ({ object, birth }: PlacedRow) => this.#heads.get(object)?.birth !== birth;
    return {
      contents: {
        ...{ standing: this.#standing, heads: this.#heads, requests: this.#requests },
        rows: this.#rows.filter((row) => !isOrphan(row)),
      },
      orphans: this.#rows.filter(isOrphan),
    };
  }
}

const entry = record({ key: blob(1024), value: blob(65536) });
const entries = sequence(entry);

export function encodeContents(contents: Contents): Uint8Array {
  return encodeAs(entries, putsOf(contents));
}

/** Throws Malformed for bytes that are no state. */
export function decodeContents(bytes: Uint8Array): Contents {
  const gathered = new Gathered();
  for (const { key, value } of decodeAs(entries, bytes)) gathered.take(key, value);
  const all = gathered.all();
  if (all === null) throw new Malformed("a state does not say where it stands");
  return all.contents;
}
