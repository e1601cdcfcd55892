// The directories of a pool as one state that commands change: the same at every directory
// server after the same commands.
//
// - `apply` depends on nothing but the command and the state. A command that is refused changes
//   nothing. Each that is executed makes the next version, and says what a store must write.
// - An update that says who it is is executed once: the last REQUESTS_KEPT are remembered.
// - Object 0 is the server, object 1 the root, which neither ages nor goes.
// - What a capability may do is checked before a command is made (server.ts); here only that the
//   generation is still the one that it was checked with.

import {
  SP_CLASH,
  SP_NOTEMPTY,
  STD_ARGBAD,
  STD_CAPBAD,
  STD_EXISTS,
  STD_NOSPACE,
  STD_NOTFOUND,
  STD_NOTNOW,
  STD_OK,
} from "../../../core-wasm/status.js";
import { OBJECT_MAX } from "../../../core-wasm/wire/formats.js";
import { capabilityBytes } from "../../capability/capability.js";
import { claims } from "../../capability/private-part.js";
import type { CapabilitySet } from "../../capability/set.js";
import { ROOT_OBJECT, ROWS_MAX, standardMasks } from "../../interface/directory.js";
import type { Operation } from "../../store/store.js";
import { type Command, type CommandOf, decodeCommand, type Outcome, SWEEP_OBJECTS_MAX } from "./commands.js";
import type { Contents } from "./contents.js";
import {
  encodeAs,
  type Head,
  headKey,
  headType,
  type Position,
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

/** Requests that are remembered. */
export const REQUESTS_KEPT = 1024;
const directoriesMax = 262_144;
const rowsMax = 1_048_576;
const lifetimeDefault = 48;
/** Rows that are looked through for a directory that would come to stand below itself. */
const searchMax = 100_000;

export interface Directory extends Head {
  readonly rows: ReadonlyMap<string, Row>;
}
interface Entry extends Directory {
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

const isNobody = (id: Uint8Array): boolean => id.every((byte) => byte === 0);
const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);
const keyOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

export function isName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/");
}

export function areColumns(columns: readonly string[]): boolean {
  return columns.length >= 1 && columns.length <= 4 && new Set(columns).size === columns.length;
}

export class DirectoryState {
  readonly #port: Uint8Array;
  #standing: Standing = blank;
  #directories = new Map<number, Entry>();
  #requests = new Map<number, Request>();
  #slots = new Map<string, number>(); // of the ids of requests
  #rows = 0;
  #changes: Operation[] = [];

  /** @param port the put-port of the directory servers, which says what capabilities are of them */
  constructor(port: Uint8Array) {
    this.#port = port;
  }

  // ---- what it knows -------------------------------------------------------------

  get standing(): Standing {
    return this.#standing;
  }

  get(object: number): Directory | undefined {
    return this.#directories.get(object);
  }

  /** What vouches for capabilities of an object; object 0 is the server. */
  generation(object: number): Uint8Array | undefined {
    return object === 0 ? this.#standing.generation : this.#directories.get(object)?.generation;
  }

  /** No directory has a higher number. */
  get highest(): number {
    let highest = 0;
    for (const object of this.#directories.keys()) highest = Math.max(highest, object);
    return highest;
  }

  /** AGEs since its last TOUCH. */
  age(object: number): number | undefined {
    const directory = this.#directories.get(object);
    return directory === undefined ? undefined : this.#standing.era - directory.touched;
  }

  get directoryCount(): number {
    return this.#directories.size;
  }

  get rowCount(): number {
    return this.#rows;
  }

  /** Objects of these servers in a set. */
  ownObjects({ members }: CapabilitySet): number[] {
    return members.flatMap(({ capability }) =>
      sameBytes(capability.port, this.#port) ? [claims(capability.private).object] : [],
    );
  }

  contents(): Contents {
    const rows = [...this.#directories].flatMap(([object, { birth, rows }]) =>
      [...rows.values()].map((row) => ({ object, birth, row })),
    );
    return { standing: this.#standing, heads: this.#directories, rows, requests: this.#requests };
  }

  /** Takes the place of everything. */
  load({ standing, heads, rows, requests }: Contents): void {
    this.#standing = standing;
    this.#directories = new Map([...heads].map(([object, head]) => [object, { ...head, rows: new Map() }]));
    this.#rows = 0;
    for (const { object, birth, row } of rows) {
      const directory = this.#directories.get(object);
      if (directory?.birth !== birth) continue; // of one that is gone
      directory.rows.set(row.name, row);
      this.#rows++;
    }
    this.#requests = new Map(requests);
    this.#slots = new Map([...requests].map(([slot, { id }]) => [keyOf(id), slot]));
  }

  /** The group begins a new term, or went on after a reset: the position grows without an update. */
  stand(term: number, view: number): Written {
    this.#standing = { ...this.#standing, term, view };
    this.#changes = [];
    return this.#written();
  }

  /** What a store writes of the last change. */
  #written(): Written {
    const { term, view, version } = this.#standing;
    const value = encodeAs(standingType, this.#standing);
    const standing: Operation = { kind: "put", key: standingKey, value };
    return { term, view, version, operations: [...this.#changes, standing] };
  }

  // ---- execution -----------------------------------------------------------------

  /**
   * Executes a command. `written`: what a store must have before anybody is told; null when
   * nothing was changed.
   */
  execute(bytes: Uint8Array): { readonly outcome: Outcome; readonly written: Written | null } {
    const command = decodeCommand(bytes);
    const done = (status: number, object = 0): Outcome => ({
      status,
      object,
      version: this.#standing.version,
    });
    if (command === null) return { outcome: done(STD_ARGBAD), written: null };
    const before = this.#known(command);
    if (before !== undefined) return { outcome: done(STD_OK, before.object), written: null };
    const was = this.#standing;
    this.#changes = [];
    const { status, object = 0 } = this.#do(command);
    const isChanged = this.#changes.length > 0 || this.#standing !== was;
    if (status !== STD_OK || !isChanged) return { outcome: done(status, object), written: null };
    this.#remember({ id: command.request, digest: command.digest, object });
    this.#standing = { ...this.#standing, version: this.#standing.version + 1 };
    return { outcome: done(status, object), written: this.#written() };
  }

  #known({ request: id, digest }: Command): Request | undefined {
    const slot = isNobody(id) ? undefined : this.#slots.get(keyOf(id));
    const request = slot === undefined ? undefined : this.#requests.get(slot);
    return request?.digest === digest ? request : undefined;
  }

  #remember(request: Request): void {
    if (isNobody(request.id)) return;
    const slot = this.#standing.nextSlot;
    const old = this.#requests.get(slot);
    if (old !== undefined && this.#slots.get(keyOf(old.id)) === slot) this.#slots.delete(keyOf(old.id));
    this.#requests.set(slot, request);
    this.#slots.set(keyOf(request.id), slot);
    this.#standing = { ...this.#standing, nextSlot: (slot + 1) % REQUESTS_KEPT };
    this.#write({ kind: "put", key: requestKey(slot), value: encodeAs(requestType, request) });
  }

  #do(command: Command): { readonly status: number; readonly object?: number } {
    switch (command.kind) {
      case "found":
        return { status: this.#found(command) };
      case "create":
        return this.#create(command);
      case "discard":
        return { status: this.#discard(command) };
      case "append":
        return { status: this.#append(command) };
      case "chmod":
        return { status: this.#chmod(command) };
      case "delete":
        return { status: this.#delete(command) };
      case "replace":
        return { status: this.#install([{ ...command, expected: [] }], command.time) };
      case "install":
        return { status: this.#install(command.rows, command.time) };
      case "setcol":
        return { status: this.#setColumns(command) };
      case "rename":
        return { status: this.#rename(command) };
      case "touch":
        return { status: this.#touch(command.objects) };
      case "age":
        return { status: STD_OK, object: this.#age(command.again !== 0) };
      case "renew":
        return { status: this.#renew(command) };
      case "destroy":
        return { status: this.#destroy(command) };
      case "lifetime":
        this.#standing = { ...this.#standing, lifetime: command.ages };
        return { status: STD_OK };
      case "member":
        return { status: STD_OK }; // for those who watch (members.ts)
    }
  }

  /** The directory, when its capabilities are still those that were checked. */
  #subject({
    object,
    generation,
  }: {
    readonly object: number;
    readonly generation: Uint8Array;
  }): Entry | undefined {
    const directory = this.#directories.get(object);
    return directory !== undefined && sameBytes(directory.generation, generation) ? directory : undefined;
  }

  // ---- changes, and what a store writes for them -----------------------------------

  get #next(): number {
    return this.#standing.version + 1;
  }

  /** Notes what a store is to write; of one key the last counts. */
  #write(operation: Operation): void {
    const same = this.#changes.findIndex(({ key }) => sameBytes(key, operation.key));
    if (same >= 0) this.#changes.splice(same, 1);
    this.#changes.push(operation);
  }

  #putHead(object: number, head: Head, rows: Map<string, Row>): void {
    this.#directories.set(object, { ...head, rows });
    this.#write({ kind: "put", key: headKey(object), value: encodeAs(headType, head) });
  }

  #changed(object: number, entry: Entry): void {
    this.#putHead(object, { ...entry, changed: this.#next }, entry.rows);
  }

  #putRow(object: number, { birth, rows }: Entry, row: Row): void {
    if (!rows.has(row.name)) this.#rows++;
    rows.set(row.name, row);
    this.#write({ kind: "put", key: rowKey(object, birth, row.name), value: encodeAs(rowType, row) });
  }

  #dropRow(object: number, { birth, rows }: Entry, name: string): void {
    if (rows.delete(name)) this.#rows--;
    this.#write({ kind: "delete", key: rowKey(object, birth, name) });
  }

  #drop(object: number, { rows }: Entry): void {
    this.#directories.delete(object);
    this.#rows -= rows.size; // their entries in the store are not taken for anybody's
    this.#write({ kind: "delete", key: headKey(object) });
  }

  // ---- what commands do -------------------------------------------------------------

  #found({ root, server, columns }: CommandOf<"found">): number {
    if (this.#directories.has(ROOT_OBJECT)) return STD_EXISTS;
    if (!areColumns(columns)) return STD_ARGBAD;
    this.#standing = { ...this.#standing, generation: server };
    this.#putHead(ROOT_OBJECT, this.#fresh(root, columns), new Map());
    return STD_OK;
  }

  #fresh(generation: Uint8Array, columns: readonly string[]): Head {
    return { generation, columns, birth: this.#next, changed: this.#next, touched: this.#standing.era };
  }

  #create(command: CommandOf<"create">): { readonly status: number; readonly object?: number } {
    const own = this.generation(command.object);
    if (own === undefined || !sameBytes(own, command.generation)) return { status: STD_CAPBAD };
    if (!areColumns(command.columns)) return { status: STD_ARGBAD };
    if (this.#directories.size >= directoriesMax) return { status: STD_NOSPACE };
    let object = this.#standing.nextObject;
    while (this.#directories.has(object)) object = object >= OBJECT_MAX ? ROOT_OBJECT + 1 : object + 1;
    const nextObject = object >= OBJECT_MAX ? ROOT_OBJECT + 1 : object + 1;
    this.#standing = { ...this.#standing, nextObject };
    this.#putHead(object, this.#fresh(command.fresh, command.columns), new Map());
    return { status: STD_OK, object };
  }

  #discard(command: CommandOf<"discard">): number {
    const directory = this.#subject(command);
    if (directory === undefined) return STD_CAPBAD;
    if (command.object === ROOT_OBJECT) return STD_NOTNOW;
    if (directory.rows.size > 0) return SP_NOTEMPTY;
    this.#drop(command.object, directory);
    return STD_OK;
  }

  #destroy(command: CommandOf<"destroy">): number {
    const directory = this.#subject(command);
    if (directory === undefined) return STD_CAPBAD;
    if (command.object === ROOT_OBJECT) return STD_NOTNOW;
    this.#drop(command.object, directory);
    return STD_OK;
  }

  #append(command: CommandOf<"append">): number {
    const { object, name, set, masks, time } = command;
    const directory = this.#subject(command);
    if (directory === undefined) return STD_CAPBAD;
    const width = directory.columns.length;
    if (!isName(name) || set.final < 1 || (masks.length !== 0 && masks.length !== width)) return STD_ARGBAD;
    if (directory.rows.has(name)) return STD_EXISTS;
    if (directory.rows.size >= ROWS_MAX || this.#rows >= rowsMax) return STD_NOSPACE;
    const all = masks.length === 0 ? standardMasks.slice(0, width) : masks;
    this.#putRow(object, directory, { name, set, masks: all, time });
    this.#changed(object, directory);
    return STD_OK;
  }

  #chmod(command: CommandOf<"chmod">): number {
    const directory = this.#subject(command);
    if (directory === undefined) return STD_CAPBAD;
    const row = directory.rows.get(command.name);
    if (row === undefined) return STD_NOTFOUND;
    if (command.masks.length !== directory.columns.length) return STD_ARGBAD;
    this.#putRow(command.object, directory, { ...row, masks: command.masks });
    this.#changed(command.object, directory);
    return STD_OK;
  }

  #delete(command: CommandOf<"delete">): number {
    const directory = this.#subject(command);
    if (directory === undefined) return STD_CAPBAD;
    if (!directory.rows.has(command.name)) return STD_NOTFOUND;
    this.#dropRow(command.object, directory, command.name);
    this.#changed(command.object, directory);
    return STD_OK;
  }

  #install(rows: CommandOf<"install">["rows"], time: number): number {
    const places = new Set<string>();
    for (const each of rows) {
      const row = this.#subject(each)?.rows.get(each.name);
      if (this.#subject(each) === undefined) return STD_CAPBAD;
      if (row === undefined) return STD_NOTFOUND;
      if (each.set.final < 1) return STD_ARGBAD;
      places.add(`${each.object}/${each.name}`);
      const [expected] = each.expected;
      const is = row.set.members.some(
        ({ capability }) => expected !== undefined && sameBytes(capabilityBytes(capability), expected),
      );
      if (expected !== undefined && !is) return SP_CLASH;
    }
    if (places.size < rows.length) return STD_ARGBAD; // one row twice
    for (const each of rows) {
      const directory = this.#subject(each);
      const row = directory?.rows.get(each.name);
      if (directory === undefined || row === undefined) return STD_CAPBAD;
      this.#putRow(each.object, directory, { ...row, set: each.set, time });
      this.#changed(each.object, directory);
    }
    return STD_OK;
  }

  #setColumns(command: CommandOf<"setcol">): number {
    const directory = this.#subject(command);
    if (directory === undefined) return STD_CAPBAD;
    // Masks of rows stay as long as they are: one that is missing masks everything (maskOf).
    const { columns } = command;
    if (!areColumns(columns) || columns.length < directory.columns.length) return STD_ARGBAD;
    this.#putHead(
      command.object,
      { ...directory, columns: command.columns, changed: this.#next },
      directory.rows,
    );
    return STD_OK;
  }

  #rename(command: CommandOf<"rename">): number {
    const from = this.#subject(command);
    const target = this.#subject(command.other);
    if (from === undefined || target === undefined) return STD_CAPBAD;
    const { object, name, other, to } = command;
    const row = from.rows.get(name);
    if (row === undefined) return STD_NOTFOUND;
    if (!isName(to)) return STD_ARGBAD;
    if (object === other.object && name === to) return STD_OK;
    if (target.rows.has(to)) return STD_EXISTS;
    if (object !== other.object && target.rows.size >= ROWS_MAX) return STD_NOSPACE;
    if (object !== other.object && this.#reaches(this.ownObjects(row.set), other.object)) return STD_NOTNOW;
    const masks = target.columns.map((_, index) => row.masks[index] ?? 0);
    this.#dropRow(object, from, name);
    this.#putRow(other.object, target, { ...row, name: to, masks });
    this.#changed(object, from);
    if (object !== other.object) this.#changed(other.object, target);
    return STD_OK;
  }

  /** Whether a directory is one of these, or stands below one of them. */
  #reaches(from: readonly number[], to: number): boolean {
    const seen = new Set(from);
    let looked = 0;
    for (const object of seen) {
      if (object === to) return true;
      for (const { set } of this.#directories.get(object)?.rows.values() ?? []) {
        for (const below of this.ownObjects(set)) seen.add(below);
        if (++looked >= searchMax) return false;
      }
    }
    return false;
  }

  #touch(objects: readonly number[]): number {
    const { era } = this.#standing;
    for (const object of objects) {
      const directory = this.#directories.get(object);
      if (directory !== undefined && directory.touched !== era)
        this.#putHead(object, { ...directory, touched: era }, directory.rows);
    }
    return STD_OK;
  }

  /** How many that are too old are left for another sweep. */
  #age(again: boolean): number {
    if (!again) this.#standing = { ...this.#standing, era: this.#standing.era + 1 };
    const { era, lifetime } = this.#standing;
    const old = [...this.#directories].filter(
      ([object, { touched }]) => object !== ROOT_OBJECT && era - touched > lifetime,
    );
    for (const [object, directory] of old.slice(0, SWEEP_OBJECTS_MAX)) this.#drop(object, directory);
    return Math.max(0, old.length - SWEEP_OBJECTS_MAX);
  }

  #renew({ object, fresh }: CommandOf<"renew">): number {
    const directory = this.#directories.get(object);
    if (object === 0) this.#standing = { ...this.#standing, generation: fresh };
    else if (directory === undefined) return STD_CAPBAD;
    else this.#putHead(object, { ...directory, generation: fresh, changed: this.#next }, directory.rows);
    return STD_OK;
  }
}

/** The mask of a column; one that the row has none for masks everything. */
export const maskOf = ({ masks }: Row, column: number): number => masks[column] ?? 0;
