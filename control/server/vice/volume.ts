// One volume: what clients ask of it and how it changes, without a protocol around it.
//
// - A batch of records is one step: draft, contents to their places, commit, without a wait in between,
//   so that batches of several clients do not meet. What takes time comes before (contents durable)
//   or behind (the step durable, promises broken). Then the answer.
// - A record is received once: numbers up to the last one are answered from what became of them.
// - Refuses with statuses of the vice table.

import { STD_ARGBAD, STD_NOSPACE, STD_NOTFOUND, STD_NOTNOW, STD_SYSERR } from "../../../core-wasm/status.js";
import { type Folder, FolderError } from "../../../drivers/folder.js";
import { type Check, type Findings, noCheck } from "../../interface/file-check.js";
import { HISTORY_SECONDS_MAX, type Past, type Versions } from "../../interface/file-history.js";
import {
  type FileRecord,
  type Outcome,
  RECORDS_MAX,
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
import { type Change, RecoverableTables } from "../../recoverable/tables.js";
import { refuse } from "../../stub/refused.js";
import { type Batch, type BatchGiven, batch } from "./batch.js";
import { Contents, type NewDigest } from "./contents.js";
import { History } from "./history.js";
import { Permits, type PermitsOptions } from "./permits.js";
import { type Merge, readied } from "./readying.js";
import { onFolder, refusal } from "./refusals.js";
import { Lie } from "./replay.js";
import type { Readied } from "./replaying.js";
import { type Session, Sessions, type SessionsOptions } from "./sessions.js";
import { firstBehind, SortedNames } from "./sorted.js";
import {
  ENTRIES_MAX,
  isDirectoryMode,
  statusBytesOf,
  statusOf,
  type VenusRow,
  VolumeState,
} from "./state.js";
import { beginVerification } from "./verify.js";

export interface ViceVolumeOptions extends Omit<SessionsOptions, "leaseMs"> {
  readonly number: number;
  readonly folder: Folder;
  readonly newDigest: NewDigest;
  readonly random: (bytes: number) => Uint8Array;
  /** Seconds since 1970. */
  readonly time: () => number;
  /** How long promises hold without a word; default 10 s. */
  readonly leaseMs?: number;
  /** Merges contents, for volumes whose policy is `program`. */
  readonly merge?: Merge | undefined;
  /** Has a client give its permit back; without: there are none. */
  readonly hurry?: PermitsOptions["hurry"];
}

const leaseDefault = 10_000;
/** Beside outcomes. */
const toldBytesMax = VICE_PIECE_BYTES - 64 * 1024;

export class ViceVolume {
  readonly number: number;
  readonly #options: ViceVolumeOptions;
  readonly #state: VolumeState;
  readonly #tables: RecoverableTables;
  readonly #contents: Contents;
  readonly #history: History;
  readonly #sessions: Sessions;
  readonly permits: Permits;
  readonly #leaseMs: number;
  readonly #epoch: string;
  #verification: Findings | null = null;
  readonly #sorted = new SortedNames();

  /** Opens what is in the folder; `first`: the rows of a new one. Throws RecoverableError, FolderError. */
  constructor(options: ViceVolumeOptions, first: readonly Change[] = []) {
    const { number, folder, newDigest, random, leaseMs = leaseDefault } = options;
    this.number = number;
    this.#options = options;
    this.#leaseMs = leaseMs;
    this.#state = new VolumeState();
    this.#tables = RecoverableTables.open(folder, this.#state);
    const isNew = this.#state.volume === null;
    if (isNew && first.length > 0) {
      this.#tables.commit(first);
      this.#tables.syncNow();
    }
    if (this.#state.volume === null)
      throw new FolderError("FOLDER_FAILED", "there is no volume in the folder");
    this.#contents = new Contents(folder, newDigest);
    this.#contents.mend(this.#state);
    this.#history = new History(this.#state);
    this.#sessions = new Sessions({ ...options, leaseMs });
    this.permits = new Permits({
      ...{ sessions: this.#sessions, now: options.now, leaseMs, isNew, volume: () => this.#volume },
      hurry: options.hurry ?? (async () => false),
      step: (changes) => this.#step(changes),
    });
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
    const { name, semantics, stamp, policy = "both", quota = 0 } = this.#volume;
    const { live, bytes, venuses, conflicts } = this.#state;
    return {
      ...{ name, number: this.number, semantics, policy, stamp, objects: live, bytes, quota },
      ...{ venuses: venuses.size, sessions: this.#sessions.count, conflicts: conflicts.size },
      ...{ history: this.#history.seconds, historyBytes: this.#history.bytes },
    };
  }

  /** How many bytes its contents may take; 0: no bound. What is there stays, also when it is more. */
  async limit(quota: number): Promise<void> {
    const { quota: _, ...row } = this.#volume;
    await this.#step([["volume", 0, quota === 0 ? row : { ...row, quota }]]);
    if (quota > 0) this.permits.recall(); // who closes hears of it
  }

  /** For how many seconds is kept what was replaced or removed, also before now. */
  async remember(history: number): Promise<void> {
    if (history > HISTORY_SECONDS_MAX) refuse(STD_ARGBAD);
    await this.#step([["volume", 0, { ...this.#volume, history }]]);
  }

  /** What everybody on the network may do with it; 0: nothing. */
  async share(shared: number): Promise<void> {
    await this.#step([["volume", 0, { ...this.#volume, shared }]]);
  }

  /** Takes a conflict off the list. */
  async settle(conflict: number): Promise<void> {
    if (!this.#state.conflicts.has(conflict)) refuse(STD_NOTFOUND);
    await this.#step([["conflict", conflict, null]]);
  }

  /** Begins to compare the contents with the rows, unless that is under way; or says how far it is. */
  verify(isBegin: boolean, isRepair: boolean): Check {
    if (isBegin && this.#verification?.isRunning !== true)
      this.#verification = beginVerification({
        ...{ state: this.#state, contents: this.#contents, newDigest: this.#options.newDigest, isRepair },
        after: this.#options.after,
      });
    return this.#verification?.report() ?? noCheck;
  }

  /** The volume as it is, for checks and lists. */
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
    const session = this.#sessions.begin(key, venus, port.every((byte) => byte === 0) ? null : port.slice());
    const permit = this.permits.hello(session);
    const { name, identity, semantics } = this.#volume;
    return {
      ...{ venus, session: key, epoch: this.#epoch, last: this.#state.venuses.get(venus)?.last ?? 0 },
      ...{ leaseMs: this.#leaseMs, volume: name, identity, semantics, permit },
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
    this.permits.ask(session);
    const told = this.#told(session, ids);
    this.#sessions.renew(session);
    return told;
  }

  /** How objects are, promised, as far as there is room; of the others there is no word. */
  #told(session: Session, ids: readonly number[]): Statuses {
    const statuses: FileStatus[] = [];
    const gone: number[] = [];
    let bytes = 0;
    for (const id of ids) {
      bytes += statusBytesOf(this.#state.objects.get(id));
      if (bytes > toldBytesMax) break;
      const status = this.#promised(session, id);
      if (status === null) gone.push(id);
      else statuses.push(status);
    }
    return { statuses, gone };
  }

  entries(session: Session, directory: number, after: string): Entries {
    this.permits.ask(session);
    const status = this.#promised(session, directory);
    if (status === null || !isDirectoryMode(status.mode)) return refuse(STD_NOTFOUND);
    const all = this.#sorted.of(directory, status.version, this.#state.names.get(directory));
    const names: [string, FileStatus][] = [];
    let bytes = statusBytesOf(this.#state.objects.get(directory));
    let next = firstBehind(all, after);
    for (; next < all.length && names.length < ENTRIES_MAX; next++) {
      const name = all[next] ?? "";
      const id = this.#state.names.get(directory)?.get(name) ?? 0;
      bytes += statusBytesOf(this.#state.objects.get(id)) + 6 * name.length;
      if (bytes > VICE_PIECE_BYTES) break;
      const child = this.#promised(session, id);
      if (child === null) continue;
      names.push([name, child]);
    }
    this.#sessions.renew(session);
    return { directory: status, names, more: next < all.length };
  }

  fetch(id: number, version: number, position: number, length: number): Uint8Array {
    if (length > VICE_PIECE_BYTES) refuse(STD_ARGBAD);
    const row = this.#state.objects.get(id);
    if (row?.version === version && row.size === 0) return new Uint8Array(0);
    return this.#contents.read(id, version, position, length) ?? refuse(STD_NOTFOUND);
  }

  /** An object and its names as of a moment, or as all that ever was (control/interface/file-history.ts). */
  past(at: number, object: number, after: string): Past {
    return this.#history.past(this.#options.time(), at, object, after);
  }

  versions(directory: number, name: string, after: number): Versions {
    return this.#history.versions(directory, name, after);
  }

  // ---- changing ------------------------------------------------------------------------

  send(session: Session, record: number, position: number, data: Uint8Array): number {
    return onFolder(() => this.#contents.send(session.venus, record, position, data));
  }

  async reintegrate(session: Session, records: readonly FileRecord[]): Promise<Reintegrated> {
    if (records.length === 0 || records.length > RECORDS_MAX) refuse(STD_ARGBAD);
    const changed = this.permits.change(session);
    return this.#reintegrate(session, records).finally(changed);
  }

  async #reintegrate(session: Session, records: readonly FileRecord[]): Promise<Reintegrated> {
    const { venus } = session;
    const known = this.#venus(venus);
    const first = records[0]?.n ?? 0;
    if (records.some(({ n }, index) => n !== first + index) || first > known.last + 1) refuse(STD_ARGBAD);
    // Contents become durable before the step; the first that is not there ends the batch.
    let count = 0;
    const ready = new Map<number, Readied>();
    for (const record of records) {
      if (record.op === "store" && record.n > known.last) {
        const { n, size, hash, data } = record;
        if (data !== undefined) this.send(session, n, 0, fromBase64(data));
        if (!(await this.#prepared(venus, n, size, hash))) break;
        const more = await this.#readied(venus, record);
        if (more !== undefined) ready.set(n, more);
      }
      count++;
    }
    // From here to the commit without a wait. Meanwhile the same client may have sent them before, or
    // ended this session: then it has given their numbers to others.
    if (!this.#sessions.has(session)) refuse(STD_NOTNOW);
    const row = this.#venus(venus);
    const fresh = records.slice(0, count).filter(({ n }) => n > row.last);
    if (fresh.length > 0 && fresh[0]?.n !== row.last + 1) refuse(STD_ARGBAD);
    const nothing = { outcomes: [], touched: [] };
    const { outcomes, touched } = fresh.length === 0 ? nothing : this.#take({ venus, row, ready }, fresh);
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

  async #readied(venus: number, record: FileRecord): Promise<Readied | undefined> {
    const { newDigest, merge } = this.#options;
    try {
      const given = { state: this.#state, contents: this.#contents, newDigest, venus, merge };
      return await readied(given, record);
    } catch (error) {
      throw refusal(error);
    }
  }

  /** Takes the first records that can be; answers what became of them, and which objects they changed. */
  #take(
    given: { venus: number; row: VenusRow; ready: ReadonlyMap<number, Readied> },
    records: readonly FileRecord[],
  ): Pick<Batch, "outcomes" | "touched"> {
    const seconds = this.#options.time();
    const at = this.#history.next(seconds);
    const step = this.#batch({ ...given, state: this.#state, seconds, at }, records);
    if (step.outcomes.length === 0) return refuse(STD_NOSPACE);
    const swept = this.#history.swept(seconds);
    onFolder(() => {
      for (const [name, [id, version]] of step.installs) this.#contents.install(name, id, version);
      this.#tables.commit([...step.changes, ...swept.changes]);
      for (const name of step.unused) this.#contents.discard(name);
      for (const { id, version } of swept.contents) this.#contents.remove(id, version);
    });
    return step;
  }

  /** Lets go what has had its time, a part of it; whether there was something. Batches do it too. */
  sweep(): boolean {
    const { changes, contents } = this.#history.swept(this.#options.time());
    if (changes.length === 0) return false;
    onFolder(() => {
      this.#tables.commit(changes);
      for (const { id, version } of contents) this.#contents.remove(id, version);
    });
    return true;
  }

  #batch(given: BatchGiven, records: readonly FileRecord[]): Batch {
    try {
      return batch(given, records);
    } catch (error) {
      if (error instanceof Lie) return refuse(STD_ARGBAD);
      throw error;
    }
  }

  #answer(session: Session, outcomes: Outcome[], touched: readonly number[]): Reintegrated {
    const told = this.#told(session, touched);
    this.#sessions.renew(session);
    return { outcomes, ...told, last: this.#venus(session.venus).last };
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

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
