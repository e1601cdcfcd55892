// The database below EmbeddedStore: LevelDB in a folder of its own, opened and looked through.
//
// - One process has it: LevelDB's lock. The folder is readable by its owner only, for a store
//   may hold capabilities.
// - A log that LevelDB cannot read, it leaves out without a word; so the records are checked
//   against each other here. What was lost from the very end alone cannot be noticed.
// - The file FORMAT is written when the first state record is durable: with it and without
//   that record, the database has lost what it had.

import { mkdir, open as openFile, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { ProteusError } from "../../../kernel/errors.js";
import { damaged, failed, locked, unknownFormat } from "../../../store/errors.js";
import {
  allChanges,
  changeRevision,
  decodeState,
  encodeState,
  format,
  type State,
  stateKey,
} from "./records.js";

export type Database = ClassicLevel<Uint8Array, Uint8Array>;

export interface OpenDatabase {
  readonly database: Database;
  readonly state: State;
  /** Bytes of each change that is kept, oldest first. */
  readonly changeBytes: readonly number[];
}

const formatFile = (folder: string): string => join(folder, "FORMAT");

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The words for people behind what the database says. */
function explain(folder: string, error: unknown): ProteusError {
  if (error instanceof ProteusError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = codeOf(cause);
  if (code === "LEVEL_LOCKED") return locked(folder, "");
  if (code === "LEVEL_CORRUPTION") return damaged(folder, cause instanceof Error ? cause.message : "", cause);
  return failed(folder, cause);
}

/** The version in FORMAT, or null when the store was never finished. */
async function readFormat(folder: string): Promise<string | null> {
  try {
    return (await readFile(formatFile(folder), "utf8")).trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/** By rename: whenever the process ends, the file is there whole or not at all. */
async function writeFormat(folder: string): Promise<void> {
  const unfinished = `${formatFile(folder)}.new`;
  const file = await openFile(unfinished, "w", 0o600);
  try {
    await file.writeFile(`${format}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, formatFile(folder));
  const names = await openFile(folder, "r"); // the name of the new file is the folder's content
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}

/** Opens the database in a folder, or makes it. Rejects with ProteusError. */
export async function openDatabase(folder: string): Promise<OpenDatabase> {
  let database: Database | null = null;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const written = await readFormat(folder);
    if (written !== null && written !== String(format))
      throw unknownFormat(folder, `it has format ${written}, this version writes ${format}`);
    database = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
      keyEncoding: "view",
      valueEncoding: "view",
    });
    await database.open();
    const state = await stateOf(database, folder, written !== null);
    const changeBytes = await changesOf(database, folder, state);
    if (written === null) await writeFormat(folder);
    return { database, state, changeBytes };
  } catch (error) {
    await database?.close();
    throw explain(folder, error);
  }
}

async function stateOf(database: Database, folder: string, isFinished: boolean): Promise<State> {
  const record = await database.get(stateKey);
  if (record !== undefined) {
    const state = decodeState(record);
    if (state === null) throw damaged(folder, "its state record has a wrong length");
    if (state.format !== format) throw unknownFormat(folder, `its records have format ${state.format}`);
    return state;
  }
  if (isFinished) throw damaged(folder, "its state record is gone");
  for await (const _ of database.keys({ limit: 1 })) throw unknownFormat(folder, "another program's records");
  const state = { format, revision: 0, compacted: 0 };
  await database.put(stateKey, encodeState(state), { sync: true });
  return state;
}

/** The sizes of the changes; they must be those between the two revisions of the state. */
async function changesOf(database: Database, folder: string, state: State): Promise<number[]> {
  const bytes: number[] = [];
  let expected = state.compacted;
  for await (const [key, value] of database.iterator(allChanges)) {
    const revision = changeRevision(key);
    if (revision !== ++expected) throw damaged(folder, `change ${expected} is gone`);
    bytes.push(value.length);
  }
  if (expected !== state.revision) throw damaged(folder, `change ${expected + 1} is gone`);
  return bytes;
}
