// A cache and what it lacks: rows, contents, and the questions to vice that fill them.
//
// - Whoever lacks something throws Lacking; `fill` asks vice for it and calls back when it is there or
//   cannot be had. Several that lack the same share the question.
// - Pinned contents are counted apart: they never make room.
// - What vice says of an object does not overwrite what was changed here and has not been taken yet.

import type { Folder } from "../../drivers/folder.js";
import { type FileStatus, type FileTime, ROOT_ID } from "../interface/file-status.js";
import { entriesSchema, statusesSchema, VICE_PIECE_BYTES } from "../interface/vice.js";
import { toHex } from "../kernel/bytes.js";
import { type Change, RecoverableTables } from "../recoverable/tables.js";
import { CacheContents, type Incoming, type NewDigest } from "./contents.js";
import { isDirectory } from "./effect.js";
import type { Link } from "./link.js";
import { type CachedObject, type CacheRow, CacheState, inBoot, nameChange } from "./state.js";

export type Lack =
  | { readonly kind: "status"; readonly id: number }
  | { readonly kind: "entries"; readonly id: number }
  | { readonly kind: "content"; readonly id: number }
  /** It is not known yet whether vice can be reached. */
  | { readonly kind: "state"; readonly id: 0 };

/** What is asked for is not here. */
export class Lacking extends Error {
  override readonly name = "Lacking";

  constructor(readonly lack: Lack) {
    super(`${lack.kind} of ${lack.id}`);
  }
}

export interface CacheOptions {
  readonly folder: Folder;
  readonly newDigest: NewDigest;
  readonly random: (bytes: number) => Uint8Array;
  readonly now: () => FileTime;
  /** Contents take about so many bytes at most; what is open or was changed here stays. Default: no bound. */
  readonly bytesMax?: number;
  /** Differs after the machine was without power; default: it never was. */
  readonly boot?: string;
}

/** Told that a lack was filled as far as it could be, or which step of it found no room. */
export type Done = (problem?: unknown) => void;

const encoder = new TextEncoder();

export class Cache {
  readonly state = new CacheState();
  readonly tables: RecoverableTables;
  readonly contents: CacheContents;
  /** Set by whoever connects. */
  link: Link | null = null;
  /** Contents, and questions, that were asked of vice. */
  fetches = 0;
  /** Bytes of the contents that are here. */
  bytes = 0;
  /** Of those that are pinned. */
  bytesKept = 0;
  readonly bytesMax: number;
  readonly #waiting = new Map<string, Done[]>();
  /** Contents by when they were last used, and how long they were then. */
  readonly #used = new Map<number, number>();
  /** The same of those that are pinned. */
  readonly #kept = new Map<number, number>();

  constructor(options: CacheOptions) {
    const { folder, newDigest, random, bytesMax = Number.POSITIVE_INFINITY, boot = "" } = options;
    this.bytesMax = bytesMax;
    this.tables = RecoverableTables.open(folder, this.state);
    this.contents = new CacheContents(folder, newDigest);
    if (this.state.cache === null) {
      const first: CacheRow = {
        ...{ uuid: toHex(random(16)), identity: "", volume: "", venus: 0, counter: 0, sequence: 0 },
      };
      this.tables.commit([["cache", 0, inBoot(first, boot)]]);
      this.tables.syncNow();
    } else if (this.row.boot !== boot) this.tables.commit([["cache", 0, inBoot(this.row, boot)]]);
    for (const [id, { status, content, own }] of this.state.objects)
      if (content > 0 || own > 0) this.#note(id, status.size);
    this.state.kept.told.push((id) => {
      const size = this.#used.get(id) ?? this.#kept.get(id);
      if (size !== undefined && this.#kept.has(id) !== this.state.kept.has(id)) this.#note(id, size);
    });
  }

  // ---- room ------------------------------------------------------------------------------

  #note(id: number, size: number): void {
    const [used, kept] = [this.#used.get(id) ?? 0, this.#kept.get(id) ?? 0];
    this.bytes += size - used - kept;
    this.bytesKept -= kept;
    this.#used.delete(id);
    this.#kept.delete(id);
    if (size === 0) return;
    const isKept = this.state.kept.has(id);
    if (isKept) this.bytesKept += size;
    (isKept ? this.#kept : this.#used).set(id, size);
  }

  /** How many bytes a content would take of the room of pinned ones, beside what it takes already. */
  wouldTake({ status }: CachedObject): number {
    return status.size - (this.#kept.get(status.id) ?? 0);
  }

  /** A content is used; those that were not for the longest time make room for it. */
  used(id: number): void {
    this.#note(id, this.state.objects.get(id)?.status.size ?? 0);
    for (const other of this.#used.keys()) {
      if (this.bytes <= this.bytesMax) return;
      const row = this.state.objects.get(other);
      const isBusy = other === id || this.contents.get(other) !== undefined || this.state.open.has(other);
      if (isBusy || (row !== undefined && (row.own > 0 || this.isPending(other)))) continue;
      if (row !== undefined) this.tables.commit([["object", other, { ...row, content: 0 }]]);
      this.contents.remove(other);
      this.#note(other, 0);
    }
  }

  /** The content of what is not here any more, by no record either, makes room. */
  tidy(id: number): void {
    if (this.state.objects.has(id) || this.isPending(id) || this.contents.get(id) !== undefined) return;
    if (!this.#used.has(id) && !this.#kept.has(id)) return;
    this.contents.remove(id);
    this.#note(id, 0);
  }

  /** A content that is not what it should be: it is fetched again when somebody wants it. */
  drop(id: number): void {
    const row = this.state.objects.get(id);
    if (row === undefined || row.own > 0) return;
    this.tables.commit([["object", id, { ...row, content: 0 }]]);
    this.contents.remove(id);
    this.#note(id, 0);
  }

  get row(): CacheRow {
    if (this.state.cache === null) throw new Error("the cache has no row of its own");
    return this.state.cache;
  }

  /** Whether the log has something of an object that vice has not taken. */
  isPending(id: number): boolean {
    return this.state.entries.has(id);
  }

  // ---- what is here --------------------------------------------------------------------

  /** An object as good as it can be had now. Throws Lacking; undefined: it is known not to be there. */
  object(id: number): CachedObject | undefined {
    const { link } = this;
    const row = this.state.objects.get(id);
    if (link === null || link.state === "connecting") throw new Lacking({ kind: "state", id: 0 });
    if (link.isConnected && !link.isPromised(id) && !(row !== undefined && this.isPending(id)))
      throw new Lacking({ kind: "status", id });
    return row;
  }

  /** Names of a directory, all of them. Throws Lacking. Null: they cannot be had. */
  names(id: number): ReadonlyMap<string, number> | null {
    const row = this.object(id);
    if (row === undefined) return null;
    if (!row.whole) {
      if (this.link?.isConnected === true && !this.isPending(id)) throw new Lacking({ kind: "entries", id });
      return null;
    }
    return this.state.names.get(id) ?? new Map();
  }

  hasContent({ status, content, own }: CachedObject): boolean {
    return own > 0 || status.size === 0 || (content > 0 && content === status.version);
  }

  // ---- filling ---------------------------------------------------------------------------

  fill(lack: Lack, done: Done): void {
    const key = `${lack.kind} ${lack.id}`;
    const others = this.#waiting.get(key);
    if (others !== undefined) {
      others.push(done);
      return;
    }
    this.#waiting.set(key, [done]);
    const ended: Done = (problem) => this.#filled(key, problem);
    if (lack.kind === "status") this.ask([lack.id], ended);
    else if (lack.kind === "entries") this.#list(lack.id, "", [], ended);
    else if (lack.kind === "content") this.#fetch(lack.id, ended);
  }

  /** Whether a content is on its way. */
  isFetching(id: number): boolean {
    return this.#waiting.has(`content ${id}`);
  }

  #filled(key: string, problem?: unknown): void {
    const all = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const each of all) each(problem);
  }

  /** Vice can be reached, or cannot: those who waited for that go on. */
  stateKnown(): void {
    this.#filled("state 0");
  }

  /** Work that may find no room: whoever waits hears of it. */
  #trying(ended: Done, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      ended(error);
      return false;
    }
  }

  /** Asks how objects are, up to STATUS_MAX of them. */
  ask(ids: readonly number[], ended: Done): void {
    const mark = this.link?.mark() ?? 0;
    this.fetches++;
    this.link?.call("getstatus", { ids: { ids } }, (came) => {
      const isTaken = this.#trying(ended, () => {
        if (came === null || !("reply" in came)) return;
        const { success, data } = statusesSchema.safeParse(came.reply.statuses);
        if (!success) return;
        const changes = data.statuses.flatMap((status) => this.taken(status, mark));
        for (const id of data.gone) {
          this.link?.promise(id, mark); // that it is gone stays so
          changes.push(...this.lost(id));
        }
        if (changes.length > 0) this.tables.commit(changes);
      });
      if (isTaken) ended();
    });
  }

  /** An object that vice does not have. */
  lost(id: number): Change[] {
    if (!this.state.objects.has(id) || this.isPending(id)) return [];
    if (this.contents.get(id) !== undefined) return [];
    this.contents.remove(id);
    this.#note(id, 0);
    return [["object", id, null]];
  }

  /**
   * What vice says of an object, as changes of rows; the promise is taken.
   *
   * @param isOwn it is so after a record of this log: newer than what is here
   * @param isAlone nobody else has changed it since it was last known
   */
  taken(status: FileStatus, mark: number, { isOwn = false, isAlone = false } = {}): Change[] {
    const { id } = status;
    this.link?.promise(id, mark);
    const before = this.state.objects.get(id);
    if (before === undefined) return [["object", id, { status, content: 0, own: 0, whole: false }]];
    if (this.isPending(id) || (before.own > 0 && !isOwn)) return [];
    const isSame = before.status.version === status.version;
    if (isSame && before.status.changed === status.changed && before.own === 0) return [];
    const whole = before.whole && (isSame || isAlone);
    return [["object", id, { ...before, status, whole }]];
  }

  #list(id: number, after: string, before: readonly (readonly [string, FileStatus])[], ended: Done): void {
    const mark = this.link?.mark() ?? 0;
    this.fetches++;
    this.link?.call("entries", { directory: id, after: encoder.encode(after) }, (came) => {
      const parsed = came !== null && "reply" in came ? entriesSchema.safeParse(came.reply.entries) : null;
      if (parsed?.success !== true) {
        if (came !== null && "code" in came && came.code === "STD_NOTFOUND") this.link?.doubt(id);
        ended();
        return;
      }
      const { directory, names, more } = parsed.data;
      const all = [...before, ...names];
      const last = names.at(-1)?.[0];
      const isMore = more && last !== undefined;
      const isTaken = this.#trying(ended, () => {
        const changes = names.flatMap(([, status]) => this.taken(status, mark));
        if (changes.length > 0) this.tables.commit(changes);
        if (!isMore) this.#whole(id, directory, all, mark);
      });
      if (!isTaken) return;
      if (isMore) this.#list(id, last, all, ended);
      else ended();
    });
  }

  /** A directory's names, as vice has told them. */
  #whole(
    id: number,
    directory: FileStatus,
    all: readonly (readonly [string, FileStatus])[],
    mark: number,
  ): void {
    if (this.isPending(id)) return;
    const told = new Map(all.map(([name, status]) => [name, status.id]));
    const here = this.state.names.get(id) ?? new Map<string, number>();
    const changes: Change[] = [];
    for (const name of here.keys()) if (!told.has(name)) changes.push(nameChange(id, name, 0));
    for (const [name, child] of told) if (here.get(name) !== child) changes.push(nameChange(id, name, child));
    this.link?.promise(id, mark);
    changes.push(["object", id, { status: directory, content: 0, own: 0, whole: true }]);
    this.tables.commit(changes);
  }

  #fetch(id: number, ended: Done): void {
    const row = this.state.objects.get(id);
    if (row === undefined || isDirectory(row.status)) {
      ended();
      return;
    }
    const { version, size } = row.status;
    let incoming: Incoming | undefined;
    const isBegun = this.#trying(ended, () => {
      incoming = this.contents.incoming(id);
    });
    if (!isBegun || incoming === undefined) return;
    const coming = incoming;
    const failed: Done = (problem) => {
      coming.abandon();
      ended(problem);
    };
    const next = (): void => {
      const given = { object: id, version, position: coming.bytes, length: VICE_PIECE_BYTES };
      this.fetches++;
      this.link?.call("fetch", given, (came) => {
        const data = came !== null && "reply" in came ? came.reply.data : null;
        if (!(data instanceof Uint8Array) || data.length === 0) {
          this.link?.doubt(id); // another version, most likely: its status says
          failed();
          return;
        }
        if (!this.#trying(failed, () => coming.add(data))) return;
        if (coming.bytes < size) next();
        else if (this.#trying(ended, () => this.#fetched(id, row.status, coming.end()))) ended();
      });
    };
    next();
  }

  /** A content is here whole: it gets its place, if it is what it should be. */
  #fetched(id: number, { version, hash }: FileStatus, found: string): void {
    const now = this.state.objects.get(id);
    if (found !== hash || now === undefined || now.own > 0) {
      this.link?.doubt(id);
      return;
    }
    this.tables.commit([["object", id, { ...now, content: 0 }]]);
    this.contents.install(id);
    this.tables.commit([["object", id, { ...now, content: version, boot: this.row.boots ?? 0 }]]);
    this.used(id);
  }

  /** The root is known from the begin on: a mount has one. */
  static readonly root = ROOT_ID;
}
