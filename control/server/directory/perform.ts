// What each command does to the directories: one function for each, which answers a status.
//
// - A command that is refused changes nothing: everything is checked before the first change.
// - Nothing here depends on anything but the command and the tables.

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
import { ROOT_OBJECT, ROWS_MAX, standardMasks } from "../../interface/directory.js";
import { sameBytes } from "../../kernel/bytes.js";
import { type Command, type CommandOf, SWEEP_OBJECTS_MAX } from "./commands.js";
import type { Head } from "./records.js";
import type { Tables } from "./tables.js";

const directoriesMax = 262_144;
const rowsMax = 1_048_576;
/** Rows that are looked through for a directory that would come to stand below itself. */
const searchMax = 100_000;

/** What a command came to: a status, and a number (commands.ts, Outcome). */
export interface Performed {
  readonly status: number;
  readonly object?: number;
}

const isName = (name: string): boolean => name !== "" && name !== "." && name !== ".." && !name.includes("/");
const areColumns = (columns: readonly string[]): boolean =>
  columns.length >= 1 && columns.length <= 4 && new Set(columns).size === columns.length;

/** Does what a command says, as far as it may. */
export function perform(tables: Tables, command: Command): Performed {
  switch (command.kind) {
    case "found":
      return { status: found(tables, command) };
    case "create":
      return create(tables, command);
    case "discard":
      return { status: discard(tables, command) };
    case "append":
      return { status: append(tables, command) };
    case "chmod":
      return { status: chmod(tables, command) };
    case "delete":
      return { status: remove(tables, command) };
    case "puttype":
      return { status: putType(tables, command) };
    case "replace":
      return { status: install(tables, [{ ...command, expected: [] }], command.time) };
    case "install":
      return { status: install(tables, command.rows, command.time) };
    case "setcol":
      return { status: setColumns(tables, command) };
    case "rename":
      return { status: rename(tables, command) };
    case "touch":
      return { status: touch(tables, command.objects) };
    case "age":
      return { status: STD_OK, object: age(tables, command.again !== 0) };
    case "renew":
      return { status: renew(tables, command) };
    case "destroy":
      return { status: destroy(tables, command) };
    case "lifetime":
      tables.standing = { ...tables.standing, lifetime: command.ages };
      return { status: STD_OK };
    case "member":
      return { status: STD_OK }; // for those who watch (together.ts)
  }
}

function found(tables: Tables, { root, server, columns }: CommandOf<"found">): number {
  if (tables.directories.has(ROOT_OBJECT)) return STD_EXISTS;
  if (!areColumns(columns)) return STD_ARGBAD;
  tables.standing = { ...tables.standing, generation: server };
  tables.putHead(ROOT_OBJECT, fresh(tables, root, columns), new Map());
  return STD_OK;
}

function fresh(tables: Tables, generation: Uint8Array, columns: readonly string[]): Head {
  return { generation, columns, birth: tables.next, changed: tables.next, touched: tables.standing.era };
}

function create(tables: Tables, command: CommandOf<"create">): Performed {
  const own = tables.generation(command.object);
  if (own === undefined || !sameBytes(own, command.generation)) return { status: STD_CAPBAD };
  if (!areColumns(command.columns)) return { status: STD_ARGBAD };
  if (tables.directories.size >= directoriesMax) return { status: STD_NOSPACE };
  let object = tables.standing.nextObject;
  while (tables.directories.has(object)) object = object >= OBJECT_MAX ? ROOT_OBJECT + 1 : object + 1;
  const nextObject = object >= OBJECT_MAX ? ROOT_OBJECT + 1 : object + 1;
  tables.standing = { ...tables.standing, nextObject };
  tables.putHead(object, fresh(tables, command.fresh, command.columns), new Map());
  return { status: STD_OK, object };
}

function discard(tables: Tables, command: CommandOf<"discard">): number {
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  if (command.object === ROOT_OBJECT) return STD_NOTNOW;
  if (directory.rows.size > 0) return SP_NOTEMPTY;
  tables.drop(command.object, directory);
  return STD_OK;
}

function destroy(tables: Tables, command: CommandOf<"destroy">): number {
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  if (command.object === ROOT_OBJECT) return STD_NOTNOW;
  tables.drop(command.object, directory);
  return STD_OK;
}

function append(tables: Tables, command: CommandOf<"append">): number {
  const { object, name, set, masks, time } = command;
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  const width = directory.columns.length;
  if (!isName(name) || set.final < 1 || (masks.length !== 0 && masks.length !== width)) return STD_ARGBAD;
  if (directory.rows.has(name)) return STD_EXISTS;
  if (directory.rows.size >= ROWS_MAX || tables.rowCount >= rowsMax) return STD_NOSPACE;
  const all = masks.length === 0 ? standardMasks.slice(0, width) : masks;
  tables.putRow(object, directory, { name, set, masks: all, time });
  tables.changed(object, directory);
  return STD_OK;
}

function chmod(tables: Tables, command: CommandOf<"chmod">): number {
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  const row = directory.rows.get(command.name);
  if (row === undefined) return STD_NOTFOUND;
  if (command.masks.length !== directory.columns.length) return STD_ARGBAD;
  tables.putRow(command.object, directory, { ...row, masks: command.masks });
  tables.changed(command.object, directory);
  return STD_OK;
}

function putType(tables: Tables, command: CommandOf<"puttype">): number {
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  const row = directory.rows.get(command.name);
  if (row === undefined) return STD_NOTFOUND;
  const { type: _, ...rest } = row;
  const isNull = command.type.every((byte) => byte === 0);
  tables.putRow(command.object, directory, isNull ? rest : { ...rest, type: command.type });
  tables.changed(command.object, directory);
  return STD_OK;
}

function remove(tables: Tables, command: CommandOf<"delete">): number {
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  if (!directory.rows.has(command.name)) return STD_NOTFOUND;
  tables.dropRow(command.object, directory, command.name);
  tables.changed(command.object, directory);
  return STD_OK;
}

function install(tables: Tables, rows: CommandOf<"install">["rows"], time: number): number {
  const places = new Set<string>();
  for (const each of rows) {
    const row = tables.subject(each)?.rows.get(each.name);
    if (tables.subject(each) === undefined) return STD_CAPBAD;
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
    const directory = tables.subject(each);
    const row = directory?.rows.get(each.name);
    if (directory === undefined || row === undefined) return STD_CAPBAD;
    tables.putRow(each.object, directory, { ...row, set: each.set, time });
    tables.changed(each.object, directory);
  }
  return STD_OK;
}

function setColumns(tables: Tables, command: CommandOf<"setcol">): number {
  const directory = tables.subject(command);
  if (directory === undefined) return STD_CAPBAD;
  // Masks of rows stay as long as they are: one that is missing masks everything (maskOf).
  const { columns } = command;
  if (!areColumns(columns) || columns.length < directory.columns.length) return STD_ARGBAD;
  tables.putHead(
    command.object,
    { ...directory, columns: command.columns, changed: tables.next },
    directory.rows,
  );
  return STD_OK;
}

function rename(tables: Tables, command: CommandOf<"rename">): number {
  const from = tables.subject(command);
  const target = tables.subject(command.other);
  if (from === undefined || target === undefined) return STD_CAPBAD;
  const { object, name, other, to } = command;
  const row = from.rows.get(name);
  if (row === undefined) return STD_NOTFOUND;
  if (!isName(to)) return STD_ARGBAD;
  if (object === other.object && name === to) return STD_OK;
  if (target.rows.has(to)) return STD_EXISTS;
  if (object !== other.object && target.rows.size >= ROWS_MAX) return STD_NOSPACE;
  if (object !== other.object && reaches(tables, tables.ownObjects(row.set), other.object)) return STD_NOTNOW;
  const masks = target.columns.map((_, index) => row.masks[index] ?? 0);
  tables.dropRow(object, from, name);
  tables.putRow(other.object, target, { ...row, name: to, masks });
  tables.changed(object, from);
  if (object !== other.object) tables.changed(other.object, target);
  return STD_OK;
}

/** Whether a directory is one of these, or stands below one of them. */
function reaches(tables: Tables, from: readonly number[], to: number): boolean {
  const seen = new Set(from);
  let looked = 0;
  for (const object of seen) {
    if (object === to) return true;
    for (const { set } of tables.directories.get(object)?.rows.values() ?? []) {
      for (const below of tables.ownObjects(set)) seen.add(below);
      if (++looked >= searchMax) return false;
    }
  }
  return false;
}

function touch(tables: Tables, objects: readonly number[]): number {
  const { era } = tables.standing;
  for (const object of objects) {
    const directory = tables.directories.get(object);
    if (directory !== undefined && directory.touched !== era)
      tables.putHead(object, { ...directory, touched: era }, directory.rows);
  }
  return STD_OK;
}

/** How many that are too old are left for another sweep. */
function age(tables: Tables, again: boolean): number {
  if (!again) tables.standing = { ...tables.standing, era: tables.standing.era + 1 };
  const { era, lifetime } = tables.standing;
  const old = [...tables.directories].filter(
    ([object, { touched }]) => object !== ROOT_OBJECT && era - touched > lifetime,
  );
  for (const [object, directory] of old.slice(0, SWEEP_OBJECTS_MAX)) tables.drop(object, directory);
  return Math.max(0, old.length - SWEEP_OBJECTS_MAX);
}

function renew(tables: Tables, { object, fresh }: CommandOf<"renew">): number {
  const directory = tables.directories.get(object);
  if (object === 0) tables.standing = { ...tables.standing, generation: fresh };
  else if (directory === undefined) return STD_CAPBAD;
  else tables.putHead(object, { ...directory, generation: fresh, changed: tables.next }, directory.rows);
  return STD_OK;
}
