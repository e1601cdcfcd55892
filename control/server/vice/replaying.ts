// What every record's replay needs: the draft, free names, what comes back, and what is listed.
//
// - A record of disconnected work is never refused for a conflict: it is done another way, kept under
//   another name, or listed.
// - Pure: a draft in, a draft out. Numbers are cases of docs/FILES.md.

import { errno } from "../../../drivers/file-system.js";
import type { FileRecord, Outcome } from "../../interface/file-records.js";
import { ROOT_ID } from "../../interface/file-status.js";
import type { Draft } from "./draft.js";
import { isDirectoryMode, type Kept, type ObjectRow } from "./state.js";

/** A record that no honest client sends. */
export class Lie extends Error {
  override readonly name = "Lie";
}

/** A content that lies in `incoming`, for a conflict. */
export interface Readied {
  /** A copy of the other one's content, or both merged. */
  readonly what: "copy" | "merged";
  /** The other one's version: it counts for that alone. */
  readonly version: number;
  readonly name: string;
  readonly size: number;
  readonly hash: string;
}

export interface ReplayGiven {
  readonly draft: Draft;
  readonly venus: number;
  /** Of the client's machine, for the names of conflict copies. */
  readonly machine: string;
  /** The same of another client; "vice" for none. */
  readonly machineOf: (venus: number) => string;
  /** The time here, seconds since 1970. */
  readonly seconds: number;
  /** The moment of the step (past.ts). */
  readonly at: number;
  /** Has the content that a store names installed for an object and version. */
  readonly install: (id: number, version: number, from?: string) => string;
  /** What was made ready for a record that was to meet another content. */
  readonly readied: (record: number) => Readied | undefined;
  /** A content that is not the newest any more. */
  readonly outlived: (id: number, row: ObjectRow) => void;
}

export type Became = Omit<Outcome, "n">;

export const done: Became = { became: "done" };
export const same: Became = { became: "same" };
const nameBytesMax = 255;
export const depthMax = 4096;
const samplesMax = 1000;

export const refused = (number: number): Became => ({ became: "refused", errno: number });

export class Replaying {
  constructor(readonly given: ReplayGiven) {}

  protected get draft(): Draft {
    return this.given.draft;
  }

  /** Gives a name, or when another one has it a name beside it. */
  protected enter(directory: number, name: string, id: number, record: FileRecord): Became {
    if (this.draft.name(directory, name) === 0) {
      this.draft.enter(directory, name, id, record.time);
      return done;
    }
    const free = this.freeName(directory, name, record.n);
    this.draft.enter(directory, free, id, record.time);
    this.note(record, "another object has the name", {
      ...{ id, at: [directory, free], wanted: [directory, name] },
    });
    return { became: "kept", name: free };
  }

  protected freeName(directory: number, name: string, record: number, machine = this.given.machine): string {
    for (let count = 1; count <= samplesMax; count++) {
      const more = count === 1 ? "" : `-${count}`;
      const behind = `.conflict-${machine}-${record}${more}`;
      const free = name.slice(0, nameBytesMax - behind.length) + behind;
      if (this.draft.name(directory, free) === 0) return free;
    }
    throw new Error("there is no free name");
  }

  /** The directory that is meant, brought back when that is the rule; or what becomes of the record. */
  protected directory(wanted: number, record: FileRecord): number | Became {
    const id = this.draft.resolve(wanted);
    const row = this.draft.object(id);
    if (row === undefined) return this.unknown(record);
    if (!isDirectoryMode(row.mode)) throw new Lie(`object ${id} is no directory`);
    if (row.gone === undefined) return id;
    if (record.checked) return refused(errno.ENOENT);
    this.bringBack(id, record); // 45, 53, 65
    return id;
  }

  /** Gives an object that is gone its last name again, or one beside it; those above it too. */
  protected bringBack(id: number, record: FileRecord, depth = 0): void {
    const row = this.draft.object(id);
    if (row?.gone === undefined || depth > depthMax) return;
    let [directory, name] = row.home;
    const above = this.draft.object(directory);
    if (above === undefined || !isDirectoryMode(above.mode)) directory = ROOT_ID;
    else this.bringBack(directory, record, depth + 1);
    if (name === "") name = `object-${id}`;
    const isTaken = this.draft.name(directory, name) !== 0; // 26, 52
    const free = isTaken ? this.freeName(directory, name, record.n) : name;
    if (isDirectoryMode(row.mode)) this.draft.put(id, { ...row, entries: 0, links: 2 });
    this.draft.enter(directory, free, id, record.time);
    const kept: Kept = { id, at: [directory, free], wanted: [directory, name] };
    this.note(record, "it was removed meanwhile and is back", kept);
  }

  /**
   * Whether a content is somebody else's, newer than what a record was made from: what its maker stored
   * before, in the same log, it knew.
   */
  protected isOthers({ version, by }: ObjectRow, base: number): boolean {
    return version > base && by?.[0] !== this.given.venus;
  }

  // ---- what is kept of what lost ---------------------------------------------------------

  /** It names what this volume never had: with a backup restored that may be. */
  protected unknown(record: FileRecord): Became {
    return record.checked ? refused(errno.ESTALE) : this.list(record, "the volume does not know the object");
  }

  protected list(record: FileRecord, why: string): Became {
    this.note(record, why);
    return { became: "listed", why };
  }

  protected note(record: FileRecord, why: string, kept?: Kept): void {
    const { venus } = this.given;
    this.draft.list({ time: record.time, venus, record, why, ...(kept === undefined ? {} : { kept }) });
  }
}
