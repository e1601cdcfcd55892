// Who serves a storage: of all machines with a member of it exactly one, found without anybody's help.
//
// - Every machine that has a storage's record on a medium watches whether its port is served. When
//   nobody answers it tries to serve it itself, the sooner the earlier its member stands in the record.
// - Two that try at the same time harm nothing: members give themselves to one epoch (the fence), and
//   keep to it while its server lives. Who loses watches again.
// - One that cannot be served yet gets its port all the same after a while: who asks is told how it is,
//   or waits. It ends when another machine has it.
// - One that serves ends when it is fenced: it closes its port, and watches.
// - It is moved in use: the next machine stands by, then this one ends in order and keeps its port until
//   the next one serves, so that nobody else takes it meanwhile; requests come again, there.

import type { Capability } from "../../capability/capability.js";
import { type After, pause } from "../../group/timer.js";
import { storageTable } from "../../interface/storage.js";
import { toHex } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { DiskError } from "../../server/disk/errors.js";
import { storageCapability } from "../../server/disk/identity.js";
import type { MemberRecord } from "../../server/disk/member/record.js";
import { StorageServer } from "../../server/disk/storage-server.js";
import { stub } from "../../stub/client.js";
import type { Served } from "./served.js";

export interface HostOptions {
  readonly kernel: Kernel;
  /** Begins to open it; it waits for its members by itself. */
  readonly open: (record: MemberRecord, host: Host, winner?: Uint8Array) => Served;
  /** Whether another machine with a member of it says that it serves it. */
  readonly isElsewhere: (record: MemberRecord) => Promise<boolean>;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  readonly failed: (error: unknown) => void;
  /** Told when this machine begins or ends to serve it. */
  readonly noticed: (name: string, what: "served" | "ended", why: string) => void;
}

const askEveryMs = 400;
/** The next rank tries so much later. */
const rankMs = 250;
/** One that cannot be served yet gets its port after so long: who asks is told why, or waits. */
const waitingMs = 4000;
const elsewhereMs = 1000;
/** A storage that was just made is served within. */
const madeMs = 15_000;
/** Who stands by for a storage that is let go does so for so long; who lets it go waits as long. */
const takingMs = 10_000;
const lookMs = 50;
const asking = { locateTimeoutMs: 500, pollMs: 200, deadMs: 800, replyBytesMax: 256 };

/** What one machine does about one storage. */
export class Host {
  record: MemberRecord;
  /** Place of the first member here among the record's members. */
  rank: number;
  readonly #options: HostOptions;
  #server: StorageServer | null = null;
  #served: Served | null = null;
  #isReady = false;
  #forget: () => void = () => undefined;
  #closed = false;
  /** It is about to serve what another machine lets go; it is letting go. */
  #isTaking = false;
  #isLeaving = false;

  constructor(options: HostOptions, record: MemberRecord, rank: number) {
    this.#options = options;
    this.record = record;
    this.rank = rank;
  }

  /** It has the storage: its members have given themselves to this machine. */
  get isServing(): boolean {
    return this.#isReady;
  }

  /** The storage, while it is served here. */
  get serving(): Served | null {
    return this.#isReady ? this.#served : null;
  }

  /** It is being opened, or served. */
  get isOpen(): boolean {
    return this.#served !== null;
  }

  /** What keeps this machine from serving it. */
  get why(): string {
    if (this.#isReady) return "";
    if (this.#served === null) return "another machine serves it, or is about to";
    const { state, members } = this.#served.storage.status();
    const told = members.map(({ node, state: each }) => `${node} ${each}`).join(", ");
    return `it is ${state}; its members here: ${told}`;
  }

  capability(rights: number): Capability {
    return storageCapability(this.#options.kernel, this.record.storage.secret, rights);
  }

  /** Looks again and again whether it is to serve. */
  watch(soonMs = 0): void {
    if (this.#closed) return;
    this.#forget();
    const [lot = 0] = this.#options.random(1);
    this.#forget = this.#options.after(Math.max(1, soonMs + (lot % 64)), () => {
      this.#look().catch((error: unknown) => {
        this.#options.failed(error);
        this.watch(askEveryMs);
      });
    });
  }

  async #look(): Promise<void> {
    if (this.#served !== null) return;
    if (await this.#isServed()) return this.watch(askEveryMs);
    if (this.rank > 0) {
      await pause(this.#options.after, this.rank * rankMs);
      if (await this.#isServed()) return this.watch(askEveryMs);
    }
    if (!this.#closed && this.#served === null) this.open();
  }

  async #isServed(): Promise<boolean> {
    try {
      await stub(this.#options.kernel, storageTable, this.capability(0xff), asking).info();
      return true;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      // Whoever answers anything has the port.
      return !error.code.startsWith("RPC_") || error.code === "RPC_TRYAGAIN";
    }
  }

  /** Opens it, and serves it once that is done. */
  open(winner?: Uint8Array): Served {
    const served = this.#options.open(this.record, this, winner);
    this.#served = served;
    const { storage } = served;
    storage.ended.then((error) => this.#ended(served, error.message), this.#options.failed);
    storage.ready().then(
      () => this.#ready(served),
      () => undefined, // `ended` says it
    );
    this.#standBy(served, 0);
    return served;
  }

  /** Stands by to serve it as soon as the machine that does lets it go. */
  take(): void {
    if (this.#closed || this.#isReady) return;
    this.#isTaking = true;
    this.#options.after(takingMs, () => {
      this.#isTaking = false;
    });
    this.#forget();
    if (this.#served === null) this.open();
  }

  /** Ends it in order, and closes its port once the machine that stands by for it serves it. */
  async letGo(isServedThere: () => Promise<boolean>): Promise<void> {
    const served = this.#served;
    if (served === null || this.#isLeaving) return;
    this.#isLeaving = true;
    try {
      await served.storage.close();
      for (let waitedMs = 0; waitedMs < takingMs && !this.#closed; waitedMs += lookMs) {
        if (await isServedThere()) break;
        await pause(this.#options.after, lookMs);
      }
    } finally {
      this.#isLeaving = false;
      this.#ended(served, "it was moved");
    }
  }

  /** Ends it here and opens it anew: of two histories that of this member counts. */
  async reopen(winner: Uint8Array): Promise<void> {
    this.#letGo()?.storage.stop();
    this.#forget();
    await this.open(winner).storage.ready();
  }

  /** While it waits for members: ends when another machine has it. */
  #standBy(served: Served, waitedMs: number): void {
    const isOver = (): boolean => this.#closed || this.#served !== served || this.#isReady;
    const stepMs = this.#server === null ? askEveryMs : elsewhereMs;
    this.#options.after(stepMs, () => {
      if (isOver()) return;
      const isElsewhere = this.#server === null ? this.#isServed() : this.#options.isElsewhere(this.record);
      isElsewhere.then((found) => {
        if (isOver()) return;
        if (found && !this.#isTaking) served.storage.stop();
        else if (!found && this.#server === null && waitedMs + stepMs >= waitingMs) this.#listen(served);
        this.#standBy(served, waitedMs + stepMs);
      }, this.#options.failed);
    });
  }

  #ready(served: Served): void {
    if (this.#served !== served) return;
    this.#isReady = true;
    this.#listen(served);
    this.#options.noticed(this.record.storage.name, "served", "");
  }

  #listen(served: Served): void {
    if (this.#server !== null || this.#closed) return;
    const { kernel, failed } = this.#options;
    const { name, secret } = this.record.storage;
    try {
      this.#server = new StorageServer({ kernel, secret, storage: served, name, failed });
    } catch (error) {
      failed(error); // its kernel has no room for one more
      served.storage.stop();
    }
  }

  #ended(served: Served, why: string): void {
    if (this.#served !== served || this.#isLeaving) return;
    const wasReady = this.#isReady;
    this.#letGo();
    if (wasReady) this.#options.noticed(this.record.storage.name, "ended", why);
    this.watch(askEveryMs);
  }

  /** Ends, in order: what was written is on the media, and the members know that nothing is under way. */
  async close(): Promise<void> {
    await this.#close()?.storage.close();
  }

  /** Ends at once; its members flush when their media are closed. */
  stop(): void {
    this.#close()?.storage.stop();
  }

  #close(): Served | null {
    this.#closed = true;
    this.#forget();
    return this.#letGo();
  }

  /** Its port is closed, and what was served is nothing of this host's any more; answers that. */
  #letGo(): Served | null {
    const served = this.#served;
    this.#server?.close();
    this.#server = null;
    this.#served = null;
    this.#isReady = false;
    return served;
  }
}

/** All storages that a machine knows from its media. */
export class Hosts {
  readonly #options: HostOptions;
  readonly #hosts = new Map<string, Host>();
  /** Ages of storages that are being forgotten. */
  readonly #ending = new Set<string>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** What is on the machine's media now: watches what is new, and ends what is gone. */
  found(records: readonly MemberRecord[]): void {
    const known = new Set<string>();
    for (const record of records) {
      const age = toHex(record.storage.age);
      if (this.#ending.has(age)) continue;
      known.add(age);
      const rank = rankOf(record);
      const host = this.#hosts.get(age);
      if (host === undefined) {
        const made = new Host(this.#options, record, rank);
        this.#hosts.set(age, made);
        made.watch();
      } else if (record.epoch >= host.record.epoch) {
        host.record = record;
        host.rank = Math.min(host.rank, rank);
      }
    }
    for (const [age, host] of this.#hosts) {
      // Who serves it may have lost its own medium only.
      if (known.has(age) || host.isOpen) continue;
      this.#hosts.delete(age);
      host.close().catch(this.#options.failed);
    }
  }

  /** Serves a storage that was just made; ends when it is served, here or by a machine that was sooner. */
  async made(record: MemberRecord): Promise<Host> {
    const { after, isElsewhere } = this.#options;
    const age = toHex(record.storage.age);
    const host = this.#hosts.get(age) ?? new Host(this.#options, record, 0);
    this.#hosts.set(age, host);
    if (!host.isOpen) host.open();
    for (let waited = 0; !host.isServing && !(await isElsewhere(record)); waited += lookMs) {
      if (waited >= madeMs)
        throw new DiskError("DISK_NO_QUORUM", `${host.why}; it is made and not served yet`);
      await pause(after, lookMs);
    }
    return host;
  }

  /** Ends what is done for a storage, then has its media detached: nothing begins anew meanwhile. */
  async forget(age: Uint8Array, detach: () => Promise<void>): Promise<void> {
    const key = toHex(age);
    const host = this.#hosts.get(key);
    this.#ending.add(key);
    try {
      this.#hosts.delete(key);
      host?.stop();
      await detach();
    } finally {
      this.#ending.delete(key);
    }
  }

  of(age: Uint8Array): Host | undefined {
    return this.#hosts.get(toHex(age));
  }

  get(name: string): Host | undefined {
    return [...this.#hosts.values()].find(({ record }) => record.storage.name === name);
  }

  all(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((host) => host.close()));
  }
}

function rankOf({ members, member }: MemberRecord): number {
  const own = toHex(member);
  return Math.max(
    0,
    members.findIndex(({ id }) => toHex(id) === own),
  );
}
