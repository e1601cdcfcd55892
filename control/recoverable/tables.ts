// Recoverable tables: rows in memory whose changes outlive the program, after Coda's recoverable
// virtual memory.
//
// - Rows are their owner's (`Rows`): it indexes them as it likes and changes them by `commit` alone,
//   and in `apply`. A step is all of its changes or none of them, whatever ends when.
// - On the folder: journal.N has the steps since snapshot.N; a snapshot is all rows. A step says what
//   rows are, not what became of them: to replay one twice does no harm.
// - A step that was committed is seen at once, and outlives a kill; `sync` ends when all steps so far
//   outlive the power's end too. Those who wait share a sync.
// - A step that finds no room is refused as a whole. After a sync or an append that left open what is on
//   the medium everything is refused (RECOVERABLE_GONE) until the tables are opened again.

import { type Folder, FolderError, type FolderFile, readWhole } from "../../drivers/folder.js";
import { frameOf, readFrames } from "./frames.js";

/** A row that is put, or with null taken out. Rows are JSON. */
export type Change = readonly [table: string, key: string | number, row: object | null];

export interface Rows {
  apply(table: string, key: string | number, row: object | null): void;
  /** All rows, as changes that make them. */
  all(): Iterable<Change>;
}

export type RecoverableErrorCode = "RECOVERABLE_DAMAGED" | "RECOVERABLE_GONE" | "RECOVERABLE_FULL";

export class RecoverableError extends Error {
  override readonly name = "RecoverableError";

  constructor(
    readonly code: RecoverableErrorCode,
    message: string,
  ) {
    super(message);
  }
}

export interface RecoverableOptions {
  /** A journal that is longer is followed by a snapshot; default 32 MiB. */
  readonly journalBytesMax?: number;
}

const journalBytesDefault = 32 * 1024 * 1024;
const snapshotStepRows = 500;
const numbered = /^(journal|snapshot)\.(\d+)$/;

interface SnapshotEnd {
  readonly end: number;
}

const isEnd = (body: unknown): body is SnapshotEnd =>
  typeof body === "object" && body !== null && "end" in body;

export class RecoverableTables {
  readonly #folder: Folder;
  readonly #rows: Rows;
  readonly #journalBytesMax: number;
  #number: number;
  #journal: FolderFile;
  #end: number;
  #frames: number;
  #durable: number;
  #gone: string | null = null;
  #syncing: Promise<void> | null = null;
  #waiting: Promise<void> | null = null;

  private constructor(
    folder: Folder,
    rows: Rows,
    { journalBytesMax = journalBytesDefault }: RecoverableOptions,
    opened: {
      readonly number: number;
      readonly journal: FolderFile;
      readonly end: number;
      readonly frames: number;
    },
  ) {
    this.#folder = folder;
    this.#rows = rows;
    this.#journalBytesMax = journalBytesMax;
    this.#number = opened.number;
    this.#journal = opened.journal;
    this.#end = opened.end;
    this.#frames = opened.frames;
    this.#durable = opened.end;
  }

  /** Opens the tables in a folder and puts their rows. Throws RECOVERABLE_DAMAGED, and FolderError. */
  static open(folder: Folder, rows: Rows, options: RecoverableOptions = {}): RecoverableTables {
    const files = folder.names("").flatMap((name) => {
      const [, kind, number] = numbered.exec(name) ?? [];
      return kind === undefined ? [] : [{ kind, number: Number(number), name }];
    });
    const snapshots = files.filter(({ kind }) => kind === "snapshot").map(({ number }) => number);
    const number = Math.max(0, ...snapshots); // there whole, since it has its name
    if (snapshots.length > 0) putSnapshot(folder, number, rows);
    const path = `journal.${number}`;
    const bytes = readWhole(folder, path) ?? new Uint8Array(0);
    const { bodies, end, damagedAt } = readFrames(bytes);
    if (damagedAt !== null)
      throw new RecoverableError("RECOVERABLE_DAMAGED", `${path} is damaged at byte ${damagedAt}`);
    for (const body of bodies) putAll(rows, body as readonly Change[]);
    const journal = folder.open(path, "write");
    if (end < bytes.length) journal.truncate(end);
    journal.syncNow(); // what is seen from now on is there for good
    folder.syncNamesNow("");
    for (const each of files) if (each.number < number) folder.remove(each.name);
    for (const name of folder.names("")) if (name.endsWith(".new")) folder.remove(name);
    return new RecoverableTables(folder, rows, options, { number, journal, end, frames: bodies.length });
  }

  /** One step. Throws RECOVERABLE_FULL, and RECOVERABLE_GONE; then nothing has changed. */
  commit(changes: readonly Change[]): void {
    this.#insist();
    if (this.#end > this.#journalBytesMax) this.#rotate();
    const frame = frameOf(changes, this.#frames, this.#durable);
    try {
      this.#journal.write(this.#end, frame);
    } catch (error) {
      this.#takeBack(error);
    }
    this.#end += frame.length;
    this.#frames++;
    putAll(this.#rows, changes);
  }

  /** Ends when every step so far is durable. */
  sync(): Promise<void> {
    if (this.#gone !== null) return Promise.reject(this.#refusal());
    if (this.#durable === this.#end && this.#syncing === null) return Promise.resolve();
    // One that is under way may have begun before the last step: the next one has it.
    this.#waiting ??= (this.#syncing ?? Promise.resolve()).then(() => {
      this.#waiting = null;
      this.#syncing = this.#syncOnce().finally(() => {
        this.#syncing = null;
      });
      return this.#syncing;
    });
    return this.#waiting;
  }

  async #syncOnce(): Promise<void> {
    this.#insist();
    const [journal, end] = [this.#journal, this.#end];
    try {
      await journal.sync();
    } catch (error) {
      throw this.#lose(error);
    }
    if (journal === this.#journal) this.#durable = Math.max(this.#durable, end);
  }

  /** The same, and the thread waits. */
  syncNow(): void {
    this.#insist();
    try {
      this.#journal.syncNow();
    } catch (error) {
      throw this.#lose(error);
    }
    this.#durable = this.#end;
  }

  /** Writes a snapshot and begins the next journal. */
  snapshot(): void {
    this.#insist();
    this.#rotate();
  }

  close(): void {
    if (this.#gone === null) this.#journal.close();
    this.#gone ??= "they are closed";
  }

  #insist(): void {
    if (this.#gone !== null) throw this.#refusal();
  }

  #refusal = (): RecoverableError => new RecoverableError("RECOVERABLE_GONE", this.#gone ?? "");

  #lose(error: unknown): RecoverableError {
    this.#gone = (error as Error).message;
    return this.#refusal();
  }

  /** After an append that failed: what it left is cut off, or nothing goes on. */
  #takeBack(error: unknown): never {
    try {
      this.#journal.truncate(this.#end);
    } catch {
      throw this.#lose(error);
    }
    if (error instanceof FolderError && error.code === "FOLDER_FULL")
      throw new RecoverableError("RECOVERABLE_FULL", error.message);
    throw this.#lose(error);
  }

  #rotate(): void {
    const next = this.#number + 1;
    const unfinished = `snapshot.${next}.new`;
    try {
      this.#folder.remove(unfinished);
      const file = this.#folder.open(unfinished, "write");
      writeSnapshot(file, this.#rows.all());
      file.close();
      this.#folder.rename(unfinished, `snapshot.${next}`);
      this.#folder.syncNamesNow("");
    } catch (error) {
      if (!(error instanceof FolderError) || error.code !== "FOLDER_FULL") throw this.#lose(error);
      this.#folder.remove(unfinished); // the journal goes on
      return;
    }
    try {
      const journal = this.#folder.open(`journal.${next}`, "write");
      this.#folder.syncNamesNow("");
      this.#journal.close();
      for (const kind of ["journal", "snapshot"]) this.#folder.remove(`${kind}.${this.#number}`);
      this.#journal = journal;
    } catch (error) {
      throw this.#lose(error);
    }
    this.#number = next;
    this.#end = 0;
    this.#frames = 0;
    this.#durable = 0;
  }
}

function putAll(rows: Rows, changes: readonly Change[]): void {
  for (const [table, key, row] of changes) rows.apply(table, key, row);
}

function putSnapshot(folder: Folder, number: number, rows: Rows): void {
  const { bodies } = readFrames(readWhole(folder, `snapshot.${number}`) ?? new Uint8Array(0));
  const last = bodies.at(-1);
  if (!isEnd(last) || last.end !== bodies.length - 1)
    throw new RecoverableError("RECOVERABLE_DAMAGED", `snapshot.${number} is damaged`);
  for (const body of bodies.slice(0, -1)) putAll(rows, body as readonly Change[]);
}

function writeSnapshot(file: FolderFile, all: Iterable<Change>): void {
  let end = 0;
  let frames = 0;
  let step: Change[] = [];
  const put = (body: unknown): void => {
    const frame = frameOf(body, frames++, 0);
    file.write(end, frame);
    end += frame.length;
  };
  for (const change of all) {
    step.push(change);
    if (step.length < snapshotStepRows) continue;
    put(step);
    step = [];
  }
  if (step.length > 0) put(step);
  put({ end: frames });
  file.syncNow();
}
