// Venus: the file system of one mount, on its cache and its connection to vice.
//
// - A state machine: requests of the kernel, answers of vice, breaks and the time go in; answers, calls and
//   invalidations come out. Nothing here waits, and nothing is done by itself but in `tick`.
// - A request that lacks something is parked until vice was asked, and runs again: at most `triesMax`
//   times. Without vice it is answered from what is here, or with ETIMEDOUT.
// - What the kernel may have kept is taken back before a break is answered.

import {
  errno,
  type FileAnswer,
  type FileRequest,
  type FileSystem,
  type GiveAnswer,
} from "../../drivers/file-system.js";
import { FolderError } from "../../drivers/folder.js";
import type { Invalidation } from "../../drivers/fuse/encode.js";
import { type Check, noCheck } from "../interface/file-check.js";
import type { FileRecord } from "../interface/file-records.js";
import { ROOT_ID } from "../interface/file-status.js";
import type { HelloDocument } from "../interface/vice.js";
import { fromHex } from "../kernel/bytes.js";
import { RecoverableError } from "../recoverable/tables.js";
import { Cache, type CacheOptions, Lacking } from "./cache.js";
import { isDirectory } from "./effect.js";
import { OpenFiles } from "./files.js";
import { HistoryFolder } from "./history.js";
import { Hoarder, type HoardStatus } from "./hoard.js";
import { ROOT_PIN } from "./kept.js";
import { type CallVice, Link, type LinkState } from "./link.js";
import { Operations } from "./operations.js";
import { PastContents } from "./past-contents.js";
import { Permit, type PermitMode, type PermitStatus } from "./permit.js";
import { type PinEntry, type Pinned, pin, pinsOf, setPin } from "./pins.js";
import { Failure } from "./reading.js";
import { Shipper } from "./shipping.js";
import type { Stuck } from "./stuck.js";
import { Verification } from "./verify.js";

/** A replica keeps the whole volume, otherwise what was used and what is pinned is kept. */
export type MountMode = "replica" | "on-demand";

export interface VenusOptions extends CacheOptions {
  /** Without one: as it was before. */
  readonly mode?: MountMode;
  /** Default: auto. */
  readonly permit?: PermitMode;
  readonly call: CallVice;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
  /** Put-port of the server that hears of breaks. */
  readonly port: Uint8Array;
  readonly machine: string;
  /** Has the kernel forget nodes, or names; `done` when it has. */
  readonly invalidate: (what: readonly Invalidation[], done: () => void) => void;
  readonly failed: (error: unknown) => void;
}

/** What `fs status` shows of a mount. */
export interface VenusStatus {
  readonly volume: string;
  readonly state: LinkState | "reintegrating";
  readonly reason: string;
  readonly records: number;
  readonly promises: number;
  readonly objects: number;
  /** Of the contents that are here. */
  readonly bytes: number;
  /** What they may take; null: there is no bound. */
  readonly bytesMax: number | null;
  /** Vice refuses the log's first records. */
  readonly stuck: Stuck | null;
  readonly open: number;
  readonly calls: number;
  readonly notes: readonly string[];
  readonly hoard: HoardStatus;
  readonly permit: PermitStatus;
}

/** What `fs log` shows of a record. */
export interface LogEntry {
  readonly sequence: number;
  readonly op: FileRecord["op"];
  readonly id: number;
  /** Of the object, as far as one is known; a character a byte. */
  readonly name: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Vice may have it already. */
  readonly offered: boolean;
  /** It was done here without vice. */
  readonly applied: boolean;
  /** Of its content. */
  readonly bytes: number;
}

const triesMax = 8;

export class Venus implements FileSystem {
  readonly cache: Cache;
  readonly link: Link;
  readonly shipper: Shipper;
  readonly permit: Permit;
  readonly #options: VenusOptions;
  readonly #files: OpenFiles;
  readonly #operations: Operations;
  readonly #hoarder: Hoarder;
  readonly #history: HistoryFolder;
  /** Nodes that the kernel knows, and how often. */
  readonly #known = new Map<number, number>([[ROOT_ID, 1]]);
  #verification: Verification | null = null;
  #calls = 0;
  #wasConnected = false;

  /** Opens the cache, finds what was changed and not logged, and says HELLO. */
  constructor(options: VenusOptions) {
    this.#options = options;
    this.cache = new Cache(options);
    const { cache } = this;
    const call: CallVice = (operation, given, done) => {
      this.#calls++;
      options.call(operation, given, done);
    };
    this.link = new Link({
      ...{ call, now: options.clock, port: options.port, machine: options.machine },
      uuid: fromHex(cache.row.uuid) ?? new Uint8Array(16),
      changed: (state) => this.#changed(state),
      accept: (hello) => this.#accept(hello),
    });
    this.permit = new Permit({
      ...{ link: this.link, state: cache.state, now: options.clock, mode: options.permit ?? "auto" },
      isStuck: () => this.shipper.stuck !== null,
    });
    this.shipper = new Shipper({
      ...{ cache, link: this.link, permit: this.permit, now: options.clock },
      isHeld: (id) => this.#files.isOpen(id),
      changed: (ids) => this.#forget(ids, () => undefined),
      emptied: () => undefined,
    });
    this.#files = new OpenFiles(cache, () => this.shipper);
    this.#operations = new Operations({
      ...{ cache, files: this.#files, shipper: this.shipper, time: options.now },
      known: (node) => this.#known.set(node, (this.#known.get(node) ?? 0) + 1),
    });
    const past = new PastContents(options.folder, options.newDigest);
    this.#history = new HistoryFolder(this.link, cache, past, options.now());
    this.#files.recover(options.now());
    cache.link = this.link;
    this.#hoarder = new Hoarder({ cache, link: this.link, now: options.clock });
    if (options.mode !== undefined)
      setPin(cache, ROOT_PIN, options.mode === "replica" ? { time: options.now() } : null);
    this.link.begin();
  }

  // ---- the connection ------------------------------------------------------------------

  #accept({ identity, volume, venus }: HelloDocument): boolean {
    const { row } = this.cache;
    if (row.identity !== "" && row.identity !== identity) return false; // another volume: 79
    if (row.identity === "" || row.venus !== venus || row.volume !== volume)
      this.cache.tables.commit([["cache", 0, { ...row, identity, volume, venus }]]);
    return true;
  }

  #changed(state: LinkState): void {
    if (state !== "connected") {
      this.permit.lost();
      this.shipper.lost();
    } else if (this.link.hello !== null) {
      this.permit.connected(this.link.hello.permit);
      this.shipper.begin(this.link.hello);
      this.permit.shipped(); // there may be nothing
      if (this.#wasConnected) this.#forget([...this.#known.keys()], () => undefined);
      this.#wasConnected = true;
      this.#hoarder.connected();
    }
    if (state !== "connecting") this.cache.stateKnown();
  }

  /**
   * Vice says that objects are not as they were told, without ids that none is; `done` when nobody is
   * shown that any more.
   */
  break(ids: readonly number[], done: () => void): void {
    this.link.break(ids);
    this.permit.disturbed();
    if (ids.length === 0) this.#hoarder.connected();
    else this.#hoarder.broken(ids);
    this.#forget(ids.length === 0 ? [...this.#known.keys()] : ids, done);
  }

  /** Somebody else asks for what was changed under the permit. */
  hurry(fence: number): void {
    this.permit.hurry(fence);
  }

  /** Nobody works here any more: what is in the log is shipped, and the permit given back. */
  leave(): void {
    this.permit.yield();
  }

  /** Whether that is under way. */
  get isLeaving(): boolean {
    return this.permit.isYielding;
  }

  /** As if there were no network, until `link.begin`. */
  hold(): void {
    this.leave();
    this.link.hold();
  }

  /**
   * Has the kernel forget objects. Names are not waited for: they take the lock of their directory,
   * which a request may hold that waits for vice, which may wait for us. A strict volume lets the
   * kernel keep no names.
   */
  #forget(ids: readonly number[], done: () => void): void {
    const nodes: Invalidation[] = [];
    const names: Invalidation[] = [];
    for (const id of ids) {
      if (!this.#known.has(id)) continue;
      nodes.push({ kind: "node", node: id, data: true });
      const row = this.cache.state.objects.get(id);
      if (row !== undefined && !isDirectory(row.status)) continue;
      for (const [name, child] of this.cache.state.names.get(id) ?? [])
        if (this.#known.has(child)) names.push({ kind: "name", directory: id, name });
    }
    if (names.length > 0) this.#options.invalidate(names, () => undefined);
    if (nodes.length > 0) this.#options.invalidate(nodes, done);
    else done();
  }

  /** Milliseconds until `tick` is due. */
  nextMs(): number {
    if (this.#verification?.isReady === true) return 0;
    const { link, shipper, permit } = this;
    return Math.min(link.nextMs(), shipper.nextMs(), permit.nextMs(), this.#hoarder.nextMs());
  }

  tick(): void {
    this.link.tick();
    this.permit.tick();
    this.shipper.kick();
    this.#hoarder.tick();
    this.#verification?.step();
  }

  /** Begins to compare the cache with what it should be, unless that is under way; or says how far it is. */
  verify({ isBegin, isRepair }: { readonly isBegin: boolean; readonly isRepair: boolean }): Check {
    if (isBegin && this.#verification?.findings.isRunning !== true)
      this.#verification = new Verification({
        ...{ cache: this.cache, link: this.link, newDigest: this.#options.newDigest, isRepair },
        forget: (ids) => this.#forget(ids, () => undefined),
      });
    return this.#verification?.findings.report() ?? noCheck;
  }

  /** Has a path kept, with all that is below it, or not any more. */
  pin(path: string, isWanted: boolean, done: (pinned: Pinned) => void): void {
    pin(this.cache, path, isWanted, this.#options.now(), done);
  }

  pins(): readonly PinEntry[] {
    return pinsOf(this.cache);
  }

  status(): VenusStatus {
    const { state, reason, promises, isConnected } = this.link;
    const { log, objects } = this.cache.state;
    const { bytesMax = Number.POSITIVE_INFINITY } = this.#options;
    const isBehind = isConnected && !this.shipper.isThrough && !this.permit.isHeld;
    return {
      ...{ volume: this.cache.row.volume, state: isBehind ? "reintegrating" : state },
      ...{ reason: isConnected ? "" : reason, records: log.size, promises, objects: objects.size },
      ...{ bytesMax: Number.isFinite(bytesMax) ? bytesMax : null, stuck: this.shipper.stuck },
      ...{ bytes: this.cache.bytes, open: this.#files.count, calls: this.#calls, notes: this.shipper.notes },
      ...{ hoard: this.#hoarder.status(), permit: this.permit.status() },
    };
  }

  /** The log, its first records: those that vice has not taken. */
  log(most = 1000): readonly LogEntry[] {
    const { log, names } = this.cache.state;
    const nameOf = (record: FileRecord): string => {
      if ("name" in record) return record.name;
      for (const own of names.values()) for (const [name, id] of own) if (id === record.id) return name;
      return "";
    };
    return [...log].slice(0, most).map(([sequence, { record, applied }]) => ({
      ...{ sequence, op: record.op, id: record.id, name: nameOf(record), time: record.time[0] },
      ...{ offered: record.n > 0, applied, bytes: record.op === "store" ? record.size : 0 },
    }));
  }

  /** Everything that was done is durable; nothing is asked any more. */
  close(): void {
    this.cache.tables.syncNow();
    this.cache.tables.close();
  }

  // ---- requests ------------------------------------------------------------------------

  handle(request: FileRequest, answer: GiveAnswer): void {
    if (request.kind === "forget") {
      for (const [node, count] of this.#history.forget(request.nodes)) this.#unknown(node, count);
      return;
    }
    if (this.#history.takes(request)) {
      try {
        this.#history.handle(request, answer);
      } catch (error) {
        answer(this.#answerOf(error));
      }
      return;
    }
    this.#attempt(request, answer, 0);
  }

  #unknown(node: number, count: number): void {
    const left = (this.#known.get(node) ?? 0) - count;
    if (left > 0) this.#known.set(node, left);
    else this.#known.delete(node);
  }

  #attempt(request: FileRequest, answer: GiveAnswer, tries: number): void {
    const again = (): void => {
      if (tries + 1 < triesMax) this.#attempt(request, answer, tries + 1);
      else answer({ kind: "error", errno: errno.EIO });
    };
    try {
      this.#operations.run(request, answer, again);
    } catch (error) {
      if (error instanceof Lacking)
        this.cache.fill(error.lack, (problem) => {
          if (problem === undefined) again();
          else answer(this.#answerOf(problem));
        });
      else answer(this.#answerOf(error));
    }
  }

  #answerOf(error: unknown): FileAnswer {
    if (error instanceof Failure) return { kind: "error", errno: error.errno };
    const isFull =
      (error instanceof FolderError && error.code === "FOLDER_FULL") ||
      (error instanceof RecoverableError && error.code === "RECOVERABLE_FULL");
    if (!isFull) this.#options.failed(error);
    return { kind: "error", errno: isFull ? errno.ENOSPC : errno.EIO };
  }
}
