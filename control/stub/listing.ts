// All rows of a directory: page by page, and what they stand for in portions.
//
// - A directory that changes while it is listed is listed again, a few times. One that never holds
//   still is answered as it came, and `whole` says that a row may be missing.
// - A row that was removed meanwhile is left out; one that cannot be looked at has no set, and the
//   status says why.

import { STD_NOTFOUND } from "../../core-wasm/status.js";
import type { CapabilitySet } from "../capability/set.js";
import { type directoryTable, LIST_END } from "../interface/directory.js";
import type { Stub } from "./client.js";

/** One name of a directory. */
export interface Row {
  readonly name: string;
  /** Rights that each column gives at most. */
  readonly masks: readonly number[];
  /** What it stands for, as far as our capability shows it; where it was asked for. */
  readonly set?: CapabilitySet;
  /** Seconds since 1970 when it was put there; where the set is. */
  readonly time?: number;
  /** Why there is no set, where it was asked for. */
  readonly status?: number;
}

/** The rows of a directory; `whole`: all that it had at one moment. */
export interface Listed {
  readonly rows: readonly Row[];
  readonly whole: boolean;
}

export type DirectoryStub = Stub<typeof directoryTable.operations>;
/** Asks the directory, wherever it is. */
export type AskDirectory = <Reply>(call: (each: DirectoryStub) => Promise<Reply>) => Promise<Reply>;

const rowsAtOnce = 48;
const bytesAtOnce = 6000;
const listTries = 5;
const encoder = new TextEncoder();

/** The rows of a directory with what they stand for. */
export async function listEntries(directory: CapabilitySet, ask: AskDirectory): Promise<Listed> {
  const { rows, whole } = await ask(listAll);
  const all: Row[] = [];
  for (const some of portions(rows, directory)) {
    const asked = some.map(({ name }) => ({ directory, name }));
    const { found } = await ask((each) => each.setlookup({ names: asked }));
    for (const [index, row] of some.entries()) {
      const { status, row: is } = found[index] ?? { status: STD_NOTFOUND };
      if (is !== undefined) all.push({ ...row, set: is.set, time: is.time });
      else if (status !== STD_NOTFOUND) all.push({ ...row, status });
    }
  }
  return { rows: all, whole };
}

/** Rows in portions that a SETLOOKUP takes. */
function* portions(rows: readonly Row[], { members }: CapabilitySet): Iterable<readonly Row[]> {
  let some: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = encoder.encode(row.name).length + 5 + 18 * members.length;
    if (some.length >= rowsAtOnce || bytes + size > bytesAtOnce) {
      yield some;
      some = [];
      bytes = 0;
    }
    some.push(row);
    bytes += size;
  }
  if (some.length > 0) yield some;
}

/** All rows as they were at one moment; when the directory never holds still, as they came. */
export async function listAll(directory: DirectoryStub): Promise<Listed> {
  const first = await directory.list();
  if (first.next === LIST_END) return { rows: first.listing.rows, whole: true };
  let rows: Row[] = [];
  for (let tries = 0; tries < listTries; tries++) {
    const before = await directory.getseqnr();
    rows = [];
    for (let next = 0; next !== LIST_END; ) {
      const page = await directory.list({ first: next });
      rows.push(...page.listing.rows);
      next = page.next;
    }
    const after = await directory.getseqnr();
    if (before.high === after.high && before.low === after.low) return { rows, whole: true };
  }
  return { rows, whole: false };
}
