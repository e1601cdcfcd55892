// The directories themselves: heads and rows in memory, and what a store must write for what was
// changed in them.
//
// - Changes are noted one by one; `written` gives those since `begin`, of one key the last.
// - Nothing is checked here: perform.ts says what a command may do.

import { claims } from "../../capability/private-part.js";
import type { CapabilitySet } from "../../capability/set.js";
import { ROOT_OBJECT } from "../../interface/directory.js";
import { sameBytes } from "../../kernel/bytes.js";
import type { Operation } from "../../store/store.js";
import type { Contents } from "./contents.js";
import {
  encodeAs,
  type Head,
  headKey,
  headType,
  type Position,
  type Row,
  rowKey,
  rowType,
  type Standing,
  standingKey,
  standingType,
} from "./records.js";

const lifetimeDefault = 48;

export interface Directory extends Head {
  readonly rows: ReadonlyMap<string, Row>;
}
/** A directory that may be changed. */
export interface Entry extends Directory {
  readonly rows: Map<string, Row>;
}

/** What was executed, for a store: all of it or nothing. */
export interface Written extends Position {
  readonly operations: readonly Operation[];
}

const blank: Standing = {
  ...{ term: 0, view: 0, version: 0, nextObject: ROOT_OBJECT + 1, nextSlot: 0, era: 0 },
  ...{ lifetime: lifetimeDefault, generation: new Uint8Array(8) },
};

export class Tables {
  readonly #port: Uint8Array;
  standing: Standing = blank;
  #directories = new Map<number, Entry>();
  #rows = 0;
  #changes: Operation[] = [];

  /** @param port the put-port of the directory servers, which says what capabilities are of them */
  constructor(port: Uint8Array) {
    this.#port = port;
  }

  get directories(): ReadonlyMap<number, Entry> {
    return this.#directories;
  }

  /** Of all directories. */
  get rowCount(): number {
    return this.#rows;
  }

  /** What vouches for capabilities of an object; object 0 is the server. */
  generation(object: number): Uint8Array | undefined {
    return object === 0 ? this.standing.generation : this.#directories.get(object)?.generation;
  }

  /** The directory, when its capabilities are still those that were checked. */
  subject({
    object,
    generation,
  }: {
    readonly object: number;
    readonly generation: Uint8Array;
  }): Entry | undefined {
    const directory = this.#directories.get(object);
    return directory !== undefined && sameBytes(directory.generation, generation) ? directory : undefined;
  }

  /** Objects of these servers in a set. */
  ownObjects({ members }: CapabilitySet): number[] {
    return members.flatMap(({ capability }) =>
      sameBytes(capability.port, this.#port) ? [claims(capability.private).object] : [],
    );
  }

  contents(): Pick<Contents, "standing" | "heads" | "rows"> {
    const rows = [...this.#directories].flatMap(([object, { birth, rows: own }]) =>
      [...own.values()].map((row) => ({ object, birth, row })),
    );
    return { standing: this.standing, heads: this.#directories, rows };
  }

  /** Takes the place of everything. */
  load({ standing, heads, rows }: Pick<Contents, "standing" | "heads" | "rows">): void {
    this.standing = standing;
    this.#directories = new Map([...heads].map(([object, head]) => [object, { ...head, rows: new Map() }]));
    this.#rows = 0;
    for (const { object, birth, row } of rows) {
      const directory = this.#directories.get(object);
      if (directory?.birth !== birth) continue; // of one that is gone
      directory.rows.set(row.name, row);
      this.#rows++;
    }
  }

  // ---- changes, and what a store writes for them -----------------------------------

  /** Forgets what was noted before. */
  begin(): void {
    this.#changes = [];
  }

  get isChanged(): boolean {
    return this.#changes.length > 0;
  }

  /** The version that is being made. */
  get next(): number {
    return this.standing.version + 1;
  }

  /** What a store writes of the changes since `begin`. */
  written(): Written {
    const { term, view, version } = this.standing;
    const value = encodeAs(standingType, this.standing);
    const standing: Operation = { kind: "put", key: standingKey, value };
    return { term, view, version, operations: [...this.#changes, standing] };
  }

  /** Notes what a store is to write; of one key the last counts. */
  write(operation: Operation): void {
    const same = this.#changes.findIndex(({ key }) => sameBytes(key, operation.key));
    if (same >= 0) this.#changes.splice(same, 1);
    this.#changes.push(operation);
  }

  /** Puts a directory in, or another head to its rows. */
  putHead(object: number, head: Head, rows: Map<string, Row>): void {
    this.#directories.set(object, { ...head, rows });
    this.write({ kind: "put", key: headKey(object), value: encodeAs(headType, head) });
  }

  /** Notes that the directory was changed. */
  changed(object: number, entry: Entry): void {
    this.putHead(object, { ...entry, changed: this.next }, entry.rows);
  }

  /** Puts a row in the place of one of its name. */
  putRow(object: number, { birth, rows }: Entry, row: Row): void {
    if (!rows.has(row.name)) this.#rows++;
    rows.set(row.name, row);
    this.write({ kind: "put", key: rowKey(object, birth, row.name), value: encodeAs(rowType, row) });
  }

  dropRow(object: number, { birth, rows }: Entry, name: string): void {
    if (rows.delete(name)) this.#rows--;
    this.write({ kind: "delete", key: rowKey(object, birth, name) });
  }

  drop(object: number, { rows }: Entry): void {
    this.#directories.delete(object);
    this.#rows -= rows.size; // their entries in the store are not taken for anybody's
    this.write({ kind: "delete", key: headKey(object) });
  }
}
