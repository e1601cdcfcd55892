// One volume: what clients ask of it and how it changes, without a protocol around it.
//
// - A batch of records is one step: draft, contents to their places, commit, without a wait in between,
//   so that batches of several clients do not meet. What takes time comes before (contents durable)
//   or behind (the step durable, promises broken). Then the answer.
// - A store that makes a content longer finds room in the quota or is not taken: who waits for the answer
//   gets EDQUOT, what was done without asking waits in its log. What grows less is always taken.
// - A record is received once: numbers up to the last one are answered from what became of them.
// - Refuses with statuses of the vice table.

import { STD_ARGBAD, STD_NOSPACE, STD_NOTFOUND, STD_NOTNOW, STD_SYSERR } from "../../../core-wasm/status.js";
import { errno } from "../../../drivers/file-system.js";
import { type Folder, FolderError } from "../../../drivers/folder.js";
import {
  type FileRecord,
  type Outcome,
  RECORDS_MAX,
  type RecordOf,
  type Reintegrated,
} from "../../interface/file-records.js";
import { type FileStatus, VENUS_MAX } from "../../interface/file-status.js";
import {
  type Entries,
  type HelloDocument,
  STATUS_MAX,
  type Statuses,
  VICE_PIECE_BYTES,
  type VolumeDocument,
} from "../../interface/vice.js";
import { toHex } from "../../kernel/bytes.js";
import { type Change, RecoverableError, RecoverableTables } from "../../recoverable/tables.js";
import { refuse } from "../../stub/refused.js";
import { Contents, type NewDigest } from "./contents.js";
import { Draft } from "./draft.js";
import { Lie, replay } from "./replay.js";
import { type Session, Sessions, type SessionsOptions } from "./sessions.js";
import { isDirectoryMode, type OldRow, statusOf, type VenusRow, VolumeState } from "./state.js";

export interface ViceVolumeOptions extends Omit<SessionsOptions, "leaseMs"> {
  readonly number: number;
  readonly folder: Folder;
  readonly newDigest: NewDigest;
  readonly random: (bytes: number) => Uint8Array;
  /** Seconds since 1970. */
  readonly time: () => number;
  /** How long promises hold without a word; default 10 s. */
  readonly leaseMs?: number;
  /** How long contents stay that are not the newest; default an hour. */
  readonly historySeconds?: number;
}

const leaseDefault = 10_000;
const historyDefault = 3600;
const sweptMax = 64;
/** Names of one page: about as many as fit into an answer. */
const entriesMax = 500;
const statusBytes = 420;

export class ViceVolume {
  readonly number: number;
  readonly #options: ViceVolumeOptions;
  readonly #state: VolumeState;
  readonly #tables: RecoverableTables;
  readonly #contents: Contents;
  readonly #sessions: Sessions;
  readonly #leaseMs: number;
  readonly #epoch: string;
  #sorted: {
    readonly directory: number;
    readonly version: number;
    readonly names: readonly string[];
  } | null = null;

  /** Opens what is in the folder; `first`: the rows of a new one. Throws RecoverableError, FolderError. */
  constructor(options: ViceVolumeOptions, first: readonly Change[] = []) {
    const { number, folder, newDigest, random, leaseMs = leaseDefault } = options;
    this.number = number;
    this.#options = options;
    this.#leaseMs = leaseMs;
    this.#state = new VolumeState();
    this.#tables = RecoverableTables.open(folder, this.#state);
    if (this.#state.volume === null && first.length > 0) {
      this.#tables.commit(first);
      this.#tables.syncNow();
    }
    if (this.#state.volume === null)
      throw new FolderError("FOLDER_FAILED", "there is no volume in the folder");
    this.#contents = new Contents(folder, newDigest);
    this.#contents.mend(this.#state);
    this.#sessions = new Sessions({ ...options, leaseMs });
    this.#epoch = toHex(random(8));
  }

  get name(): string {
    return this.#volume.name;
  }

  /** Hex: what vouches for its capabilities. */
  get generation(): string {
    return this.#volume.generation;
  }

  get #volume() {
    return this.#state.volume ?? refuse(STD_SYSERR);
  }

  /** Ends all capabilities that there are. */
  async renew(generation: string): Promise<void> {
    await this.#step([["volume", 0, { ...this.#volume, generation }]]);
  }

  describe(): VolumeDocument {
    const { name, semantics, stamp, quota = 0 } = this.#volume;
    const { live, bytes, venuses, conflicts } = this.#state;
    return {
      ...{ name, number: this.number, semantics, stamp, objects: live, bytes, quota },
      ...{ venuses: venuses.size, sessions: this.#sessions.count, conflicts: conflicts.size },
    };
  }

  /** How many bytes its contents may take; 0: no bound. What is there stays, also when it is more. */
  async limit(quota: number): Promise<void> {
    const { quota: _, ...row } = this.#volume;
    await this.#step([["volume", 0, quota === 0 ? row : { ...row, quota }]]);
  }

  /** The volume as it is, for checks. */
  get state(): VolumeState {
    return this.#state;
  }

  // ---- sessions ------------------------------------------------------------------------

  async hello(uuid: Uint8Array, port: Uint8Array, machine: string): Promise<HelloDocument> {
    const hex = toHex(uuid);
    let venus = this.#state.byUuid.get(hex);
    if (venus === undefined) {
      venus = this.#volume.venuses + 1;
      if (venus > VENUS_MAX) refuse(STD_NOSPACE);
      const row: VenusRow = { uuid: hex, machine, last: 0, outcomes: [] };
      await this.#step([
        ["volume", 0, { ...this.#volume, venuses: venus }],
        ["venus", venus, row],
      ]);
    }
    const key = toHex(this.#options.random(8));
    this.#sessions.begin(key, venus, port.every((byte) => byte === 0) ? null : port.slice());
    const { name, identity, semantics } = this.#volume;
    return {
      ...{ venus, session: key, epoch: this.#epoch, last: this.#state.venuses.get(venus)?.last ?? 0 },
      ...{ leaseMs: this.#leaseMs, volume: name, identity, semantics },
    };
  }

  session(key: Uint8Array): Session {
    return this.#sessions.find(toHex(key)) ?? refuse(STD_NOTNOW);
  }

  giveUp(session: Session, ids: readonly number[]): void {
    if (ids.length === 0) this.#sessions.end(session);
    else this.#sessions.giveUp(session, ids);
  }

  // ---- reading -------------------------------------------------------------------------

  #promised(session: Session, id: number): FileStatus | null {
    const row = this.#state.objects.get(id);
    if (row === undefined || row.gone !== undefined) return null;
    this.#sessions.promise(session, id);
    return statusOf(id, row);
  }

  statuses(session: Session, ids: readonly number[]): Statuses {
    if (ids.length > STATUS_MAX) refuse(STD_ARGBAD);
    const statuses: FileStatus[] = [];
    const gone: number[] = [];
    for (const id of ids) {
      const status = this.#promised(session, id);
      if (status === null) gone.push(id);
      else statuses.push(status);
    }
    this.#sessions.renew(session);
    return { statuses, gone };
  }

  entries(session: Session, directory: number, after: string): Entries {
    const status = this.#promised(session, directory);
    if (status === null || !isDirectoryMode(status.mode)) return refuse(STD_NOTFOUND);
    const all = this.#sortedNames(directory, status.version);
    let first = 0;
    for (let last = all.length; first < last; ) {
      const middle = (first + last) >> 1;
      if ((all[middle] ?? "") <= after) first = middle + 1;
      else last = middle;
    }
    const names: [string, FileStatus][] = [];
    let bytes = 0;
    let next = first;
    for (; next < all.length && names.length < entriesMax; next++) {
      const name = all[next] ?? "";
      const child = this.#promised(session, this.#state.names.get(directory)?.get(name) ?? 0);
      if (child === null) continue;
      bytes += statusBytes + 6 * name.length + 2 * (child.target?.length ?? 0);
      if (bytes > VICE_PIECE_BYTES) break;
      names.push([name, child]);
    }
    this.#sessions.renew(session);
    return { directory: status, names, more: next < all.length };
  }

  #sortedNames(directory: number, version: number): readonly string[] {
    if (this.#sorted?.directory !== directory || this.#sorted.version !== version)
      this.#sorted = {
        directory,
        version,
        names: [...(this.#state.names.get(directory)?.keys() ?? [])].sort(),
      };
    return this.#sorted.names;
  }

  fetch(id: number, version: number, position: number, length: number): Uint8Array {
    if (length > VICE_PIECE_BYTES) refuse(STD_ARGBAD);
    const row = this.#state.objects.get(id);
    if (row?.version === version && row.size === 0) return new Uint8Array(0);
    return this.#contents.read(id, version, position, length) ?? refuse(STD_NOTFOUND);
  }

  // ---- changing ------------------------------------------------------------------------

  send(session: Session, record: number, position: number, data: Uint8Array): number {
    return onFolder(() => this.#contents.send(session.venus, record, position, data));
  }

  async reintegrate(session: Session, records: readonly FileRecord[]): Promise<Reintegrated> {
    const { venus } = session;
    if (records.length === 0 || records.length > RECORDS_MAX) refuse(STD_ARGBAD);
    const known = this.#venus(venus);
    const first = records[0]?.n ?? 0;
    if (records.some(({ n }, index) => n !== first + index) || first > known.last + 1) refuse(STD_ARGBAD);
    // Contents become durable before the step; the first that is not there ends the batch.
    let count = 0;
    for (const record of records) {
      if (record.op === "store" && record.n > known.last) {
        const { n, size, hash, data } = record;
        if (data !== undefined) this.send(session, n, 0, fromBase64(data));
        if (!(await this.#prepared(venus, n, size, hash))) break;
      }
      count++;
    }
    // From here to the commit without a wait. Meanwhile the same client may have sent them before.
    const row = this.#venus(venus);
    const fresh = records.slice(0, count).filter(({ n }) => n > row.last);
    if (fresh.length > 0 && fresh[0]?.n !== row.last + 1) refuse(STD_ARGBAD);
    const draft = new Draft(this.#state);
    const outcomes = fresh.length === 0 ? [] : this.#replay(draft, venus, row, fresh);
    const touched = draft.touched;
    if (fresh.length > 0) await this.#tables.sync().catch(() => refuse(STD_SYSERR));
    const untilSure = this.#volume.semantics === "strict";
    await this.#sessions.breaks(touched, session, untilSure);
    const earlier = row.outcomes.filter(({ n }) => n >= first);
    return this.#answer(session, [...earlier, ...outcomes], touched);
  }

  #venus(venus: number): VenusRow {
    return this.#state.venuses.get(venus) ?? refuse(STD_NOTNOW);
  }

  async #prepared(venus: number, record: number, size: number, hash: string): Promise<boolean> {
    try {
      return await this.#contents.prepare(venus, record, size, hash);
    } catch (error) {
      throw refusal(error);
    }
  }

  #replay(draft: Draft, venus: number, row: VenusRow, records: readonly FileRecord[]): readonly Outcome[] {
    const seconds = this.#options.time();
    const installs: [record: number, id: number, version: number][] = [];
    const until = seconds + (this.#options.historySeconds ?? historyDefault);
    const given = { draft, venus, machine: row.machine, seconds };
    const outcomes: Outcome[] = [];
    try {
      for (const record of records) {
        if (record.op === "store" && !hasRoom(draft, record)) {
          if (!record.checked) break; // it waits
          outcomes.push({ n: record.n, became: "refused", errno: errno.EDQUOT });
          continue;
        }
        const install = (id: number, version: number): string => {
          installs.push([record.n, id, version]);
          return `${venus}.${record.n}`;
        };
        const outlived = (id: number, version: number): void =>
          draft.also(["old", `${id}.${version}`, { id, version, until } satisfies OldRow]);
        outcomes.push(replay({ ...given, install, outlived }, record));
      }
    } catch (error) {
      if (error instanceof Lie) return refuse(STD_ARGBAD);
      throw error;
    }
    if (outcomes.length === 0) return refuse(STD_NOSPACE);
    for (const id of draft.touched) {
      const after = draft.object(id);
      if (after?.gone === undefined || this.#state.objects.get(id)?.gone !== undefined) continue;
      const { version } = after;
      draft.also(["old", `${id}.${version}`, { id, version, until } satisfies OldRow]);
    }
    const last = row.last + outcomes.length;
    const kept = outcomes.slice(-RECORDS_MAX);
    const swept = this.#sweep(seconds);
    const changes: Change[] = [
      ...draft.changes(),
      ["venus", venus, { ...row, last, outcomes: kept } satisfies VenusRow],
      ...swept.changes,
    ];
    onFolder(() => {
      for (const [record, id, version] of installs) this.#contents.install(venus, record, id, version);
      this.#tables.commit(changes);
      for (const { id, version } of swept.contents) this.#contents.remove(id, version);
    });
    return outcomes;
  }

  /** Contents that have outlived their time, and objects that are gone for as long. */
  #sweep(seconds: number): { readonly changes: Change[]; readonly contents: OldRow[] } {
    const changes: Change[] = [];
    const contents: OldRow[] = [];
    let count = 0;
    for (const [key, row] of this.#state.old) {
      if (row.until > seconds || count++ >= sweptMax) break; // in the order in which they were replaced
      changes.push(["old", key, null]);
      const object = this.#state.objects.get(row.id);
      const isNewest = object?.version === row.version;
      if (isNewest && object.gone === undefined) continue; // it came back
      if (isNewest) changes.push(["object", row.id, null]);
      contents.push(row);
    }
    return { changes, contents };
  }

  #answer(session: Session, outcomes: Outcome[], touched: readonly number[]): Reintegrated {
    const statuses: FileStatus[] = [];
    const gone: number[] = [];
    for (const id of touched) {
      const status = this.#promised(session, id);
      if (status === null) gone.push(id);
      else statuses.push(status);
    }
    this.#sessions.renew(session);
    return { outcomes, statuses, gone, last: this.#venus(session.venus).last };
  }

  async #step(changes: readonly Change[]): Promise<void> {
    onFolder(() => this.#tables.commit(changes));
    await this.#tables.sync().catch(() => refuse(STD_SYSERR));
  }

  /** What is not durable may be lost. */
  close(): void {
    this.#tables.close();
  }
}

function hasRoom(draft: Draft, { id, size }: RecordOf<"store">): boolean {
  const { quota } = draft.volume;
  const more = size - (draft.object(draft.resolve(id))?.size ?? 0);
  return quota === undefined || more <= 0 || draft.bytes + more <= quota;
}

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

function refusal(error: unknown): unknown {
  const isFull =
    (error instanceof FolderError && error.code === "FOLDER_FULL") ||
    (error instanceof RecoverableError && error.code === "RECOVERABLE_FULL");
  return isFull ? asRefused(STD_NOSPACE) : error;
}

function asRefused(status: number): unknown {
  try {
    return refuse(status);
  } catch (refused) {
    return refused;
  }
}

function onFolder<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    throw refusal(error);
  }
}
