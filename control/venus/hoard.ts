// The hoard: fetches what is pinned, and what has changed of it, in the background; after Coda's hoard walk.
//
// - Each object is looked at by itself: how it is, a directory's names, a file's content; what lacks is
//   asked of vice like what a program's request lacks. At most `fetchesMax` questions are under way.
// - All is looked at when a connection begins, an object when its promise is broken or its row is another
//   one. Without vice nothing is done; so it goes on after a restart, and after a partition.
// - What somebody is writing, or the log has something of, waits: nothing is written over it.
// - Pinned contents keep within the cache's bound; what finds no room is said by `status`.
// - Promises are bounded at vice, which breaks the oldest: with so many, breaks are looked at once a minute.

import { STATUS_MAX } from "../interface/vice.js";
import { nameOfKey } from "../recoverable/rows.js";
import type { Cache, Lack } from "./cache.js";
import { isDirectory, isFile } from "./effect.js";
import type { Link } from "./link.js";
import { nameChange } from "./state.js";

/** What `fs status` shows of what is pinned. */
export interface HoardStatus {
  /** Names that are pinned; the whole volume is one. */
  readonly pins: number;
  /** The whole volume is. */
  readonly isReplica: boolean;
  /** Objects that are kept, as far as they are known. */
  readonly objects: number;
  /** Of them: directories whose names, and files whose contents, are not here. */
  readonly lacking: number;
  /** Bytes of contents that are here, and of those that are not. */
  readonly bytes: number;
  readonly lackingBytes: number;
  /** Objects that are to be looked at. */
  readonly unchecked: number;
  /** none: nothing is pinned; whole: all is here; waiting: for vice; full: it finds no room. */
  readonly state: "none" | "whole" | "checking" | "fetching" | "waiting" | "full";
}

export interface HoarderOptions {
  readonly cache: Cache;
  readonly link: Link;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

const fetchesMax = 4;
const looksMax = 2000;
const laterMs = 1000;
const noRoomMs = 15_000;
const pauseMs = 1000;
const pauseMsMax = 60_000;
/** Vice keeps 65,536 promises of a client. */
const promisesMany = 60_000;
const postponedMs = 60_000;

/** Ids that wait, and until when. */
class Waiting {
  readonly ids = new Set<number>();
  until = Number.POSITIVE_INFINITY;

  add(id: number, until: number): void {
    if (this.ids.size === 0) this.until = until;
    this.ids.add(id);
  }

  clear(): void {
    this.ids.clear();
    this.until = Number.POSITIVE_INFINITY;
  }
}

export class Hoarder {
  readonly #options: HoarderOptions;
  readonly #queue = new Set<number>();
  /** Something is in the way of them. */
  readonly #later = new Waiting();
  readonly #noRoom = new Waiting();
  /** Vice broke their promises because there are many. */
  readonly #postponed = new Waiting();
  #active = 0;
  #pauses = 0;
  #pausedUntil = 0;

  constructor(options: HoarderOptions) {
    this.#options = options;
    options.cache.state.kept.told.push((id) => this.#queue.add(id));
  }

  /** A connection has begun: nothing is promised. */
  connected(): void {
    for (const each of [this.#later, this.#noRoom, this.#postponed]) each.clear();
    for (const id of this.#options.cache.state.kept.ids()) this.#queue.add(id);
  }

  /** Promises were broken. */
  broken(ids: readonly number[]): void {
    const { cache, link, now } = this.#options;
    const { kept } = cache.state;
    const isMany = link.promises >= promisesMany;
    for (const id of ids) {
      if (!kept.has(id) && !kept.isWatched(id)) continue;
      if (isMany) this.#postponed.add(id, now() + postponedMs);
      else this.#queue.add(id);
    }
  }

  get #isIdle(): boolean {
    return this.#queue.size === 0 && this.#active === 0;
  }

  /** Milliseconds until `tick` is due. */
  nextMs(): number {
    const { cache, link, now } = this.#options;
    if (cache.state.kept.isLoose && (this.#isIdle || !link.isConnected)) return 0;
    if (!link.isConnected) return Number.POSITIVE_INFINITY;
    const isReady = this.#queue.size > 0 && this.#active < fetchesMax;
    const next = Math.min(this.#later.until, this.#noRoom.until, this.#postponed.until);
    return Math.min(isReady ? this.#pausedUntil : Number.POSITIVE_INFINITY, next) - now();
  }

  tick(): void {
    const { cache, link, now } = this.#options;
    if (cache.state.kept.isLoose && (this.#isIdle || !link.isConnected)) cache.state.kept.settle();
    for (const each of [this.#later, this.#noRoom, this.#postponed]) {
      if (now() < each.until) continue;
      for (const id of each.ids) this.#queue.add(id);
      each.clear();
    }
    this.#pump();
  }

  #pump(): void {
    const { link, now } = this.#options;
    let looks = 0;
    while (this.#active < fetchesMax && this.#queue.size > 0) {
      if (!link.isConnected || now() < this.#pausedUntil) return;
      const unknown: number[] = [];
      for (const id of this.#queue) {
        if (this.#active >= fetchesMax || unknown.length >= STATUS_MAX || ++looks > looksMax) break;
        this.#queue.delete(id);
        const lack = this.#lackOf(id);
        if (lack?.kind === "status") unknown.push(id);
        else if (lack !== null) this.#fill(lack);
        if (!link.isConnected) return;
      }
      if (unknown.length > 0) this.#ask(unknown);
      if (looks > looksMax) return; // programs have their turn
    }
  }

  /** What an object lacks that can be had now. */
  #lackOf(id: number): Lack | null {
    const { cache, link, now } = this.#options;
    const { state } = cache;
    const row = state.objects.get(id);
    const isKept = state.kept.has(id);
    if (cache.isPending(id) || state.open.has(id)) {
      if (isKept || state.kept.isWatched(id)) this.#later.add(id, now() + laterMs);
      return null;
    }
    if (row?.status.links === 0) return null; // it is open, and gone when it is closed
    if (!link.isPromised(id)) {
      const isLeftOver = row !== undefined && row.content > 0; // perhaps vice does not have it any more
      return isKept || state.kept.isWatched(id) || isLeftOver ? { kind: "status", id } : null;
    }
    if (row === undefined) this.#unwatch(id);
    if (row === undefined || (!isKept && !state.kept.isWatched(id))) return null;
    if (isDirectory(row.status)) return row.whole ? null : { kind: "entries", id };
    if (!isKept || !isFile(row.status) || cache.hasContent(row)) return null;
    const room = cache.bytesMax - cache.bytesKept;
    if (cache.wouldTake(row) <= room) return { kind: "content", id };
    this.#noRoom.add(id, now() + noRoomMs);
    return null;
  }

  /** A directory is gone for good, and the pins in it. */
  #unwatch(directory: number): void {
    const { tables, state } = this.#options.cache;
    if (!state.kept.isWatched(directory)) return;
    for (const key of state.pins.keys())
      if (nameOfKey(key)[0] === directory) tables.commit([["pin", key, null]]);
    const names = [...(state.names.get(directory)?.keys() ?? [])];
    if (names.length > 0) tables.commit(names.map((name) => nameChange(directory, name, 0)));
  }

  #fill(lack: Lack): void {
    const { cache, now } = this.#options;
    this.#active++;
    cache.fill(lack, (problem) => {
      this.#active--;
      const row = cache.state.objects.get(lack.id);
      const isThere = row !== undefined && (isDirectory(row.status) ? row.whole : cache.hasContent(row));
      if (!isThere) this.#later.add(lack.id, now() + laterMs);
      this.#ended(problem);
    });
  }

  #ask(ids: readonly number[]): void {
    const { cache, link, now } = this.#options;
    this.#active++;
    cache.ask(ids, (problem) => {
      this.#active--;
      for (const id of ids) {
        if (link.isPromised(id)) this.#queue.add(id);
        else if (cache.state.kept.has(id) || cache.state.kept.isWatched(id))
          this.#later.add(id, now() + laterMs);
      }
      this.#ended(problem);
    });
  }

  /** Goes on; when the disk is full, after a while, each time twice as long. */
  #ended(problem: unknown): void {
    if (problem === undefined) this.#pauses = 0;
    else
      this.#pausedUntil =
        this.#options.now() + Math.min(pauseMsMax, pauseMs * 2 ** Math.min(this.#pauses++, 10));
    this.#pump();
  }

  status(): HoardStatus {
    const { cache, link } = this.#options;
    const { kept, objects, pins } = cache.state;
    let [count, lacking, bytes, lackingBytes] = [0, 0, 0, 0];
    for (const id of kept.kept()) {
      count++;
      const row = objects.get(id);
      if (row === undefined || (isDirectory(row.status) && !row.whole)) lacking++;
      else if (isFile(row.status)) {
        if (cache.hasContent(row)) bytes += row.status.size;
        else {
          lacking++;
          lackingBytes += row.status.size;
        }
      }
    }
    const waiting = this.#queue.size + this.#active + this.#later.ids.size + this.#postponed.ids.size;
    const isFull = this.#noRoom.ids.size > 0 || this.#pauses > 0;
    const moving = lacking > 0 ? (isFull ? "full" : "fetching") : waiting > 0 ? "checking" : "whole";
    const still = lacking > 0 ? "waiting" : "whole";
    return {
      ...{ pins: pins.size, isReplica: kept.isPinned(0, ""), objects: count, lacking, bytes, lackingBytes },
      unchecked: waiting + this.#noRoom.ids.size,
      state: pins.size === 0 ? "none" : link.isConnected ? moving : still,
    };
  }
}
