// Tables: what a server does, once. The client stub and the server loop (control/stub), the
// commands and their help (control/cli), the reference page and the dissector's names all
// come from here; nobody writes an operation down a second time.
//
// - A table is operations of its own (operation.ts) and the standard ones (standard.ts) with
//   the rights that this server asks for.
// - Numbers and names are different, rights exist: a table that contradicts itself throws
//   Error when it is made.

import type { Operation, Operations } from "./operation.js";
import { type StandardOperations, type StandardRights, standardOperations } from "./standard.js";

export interface ServerTable<Ops extends Operations = Operations> {
  /** A noun: `segment`. */
  readonly name: string;
  readonly summary: string;
  /** What its objects are, for sentences: `a segment`. */
  readonly object: string;
  /** Bits of the rights, by name. */
  readonly rights: Readonly<Record<string, number>>;
  readonly operations: Ops;
  /** The same for all servers: standard.ts, with the rights that this one asks for. */
  readonly standard: StandardOperations;
  /** Largest data of a request and of a reply. */
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
}

interface TableFacts<Ops extends Operations> {
  readonly name: string;
  readonly summary: string;
  readonly object: string;
  readonly rights: Readonly<Record<string, number>>;
  readonly operations: Ops;
  /** Default: INFO, STATUS, RESTRICT and TOUCH take none, the others (REVOKE too) all rights that there are. */
  readonly standardRights?: StandardRights;
  readonly requestBytesMax?: number;
  readonly replyBytesMax?: number;
}

const bytesMaxDefault = 32768;
function ownersRights(rights: Readonly<Record<string, number>>): StandardRights {
  const all = Object.keys(rights);
  return {
    ...{ info: [], status: [], restrict: [], touch: [] },
    ...{ age: all, copy: all, destroy: all, getparams: all, setparams: all },
  };
}

/** A server's table. Throws Error for a table that contradicts itself. */
export function defineServer<const Ops extends Operations>(facts: TableFacts<Ops>): ServerTable<Ops> {
  const {
    standardRights = ownersRights(facts.rights),
    requestBytesMax = bytesMaxDefault,
    replyBytesMax = bytesMaxDefault,
  } = facts;
  const standard = standardOperations({ revoke: Object.keys(facts.rights), ...standardRights });
  const numbers = new Map<number, string>();
  for (const [name, { number, rights }] of [
    ...Object.entries(standard),
    ...Object.entries(facts.operations),
  ]) {
    const other = numbers.get(number);
    if (other !== undefined) throw new Error(`${facts.name}: ${name} and ${other} have number ${number}`);
    numbers.set(number, name);
    const unknown = rights === "anyone" ? undefined : rights.find((right) => !(right in facts.rights));
    if (unknown !== undefined) throw new Error(`${facts.name} ${name}: there is no right "${unknown}"`);
  }
  const clash = Object.keys(facts.operations).find((name) => name in standard);
  if (clash !== undefined) throw new Error(`${facts.name}: ${clash} is a standard operation`);
  const { name, summary, object, rights, operations } = facts;
  return { name, summary, object, rights, operations, standard, requestBytesMax, replyBytesMax };
}

/** The bits of named rights. */
export function rightsMask(table: Pick<ServerTable, "rights">, names: readonly string[]): number {
  return names.reduce((mask, name) => mask | (table.rights[name] ?? 0), 0);
}

const operationsOf = new WeakMap<ServerTable, ReadonlyMap<string, Operation>>();

/** All operations of a server by name, the standard ones first. */
export function allOperations(table: ServerTable): ReadonlyMap<string, Operation> {
  const known = operationsOf.get(table);
  if (known !== undefined) return known;
  const all = new Map([...Object.entries(table.standard), ...Object.entries(table.operations)]);
  operationsOf.set(table, all);
  return all;
}
