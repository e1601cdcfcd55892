// What a server of a storage knows and may do: its epoch, its members, its generation, whether it may
// answer now; and what follows when a member goes.
//
// - Serves while it is open, enough members have answered a renewal that was sent less than LEASE_MS ago,
//   and the members in sync that answer have every block. Otherwise requests wait, within a limit.
// - A member that is down is taken out (`out`) only while the others suffice without it; the last copy
//   is waited for. Another generation begins at once when writes were under way or not yet flushed, or
//   the member has failed; else with the next write. Nothing that is missing there is acknowledged before
//   the records say so (records.ts).
// - Whoever finds DISK_FENCED ends it for good.

import { type After, pause } from "../../../group/timer.js";
import type { DiskErrorCode } from "../errors.js";
import { DiskError } from "../errors.js";
import { LEASE_MS, type MemberPort } from "../member/port.js";
import {
  HISTORY_MAX,
  type MemberEntry,
  type MemberRecord,
  type StorageFacts,
  type Upkeep,
} from "../member/record.js";
import { Ranges } from "../ranges.js";
import { type Algorithm, algorithmOf } from "./algorithm.js";
import type { Branches } from "./branches.js";
import { type Decision, generationIn, votesNeeded } from "./decision.js";
import type { MakeBits } from "./dirty-map.js";
import { runsOf, union } from "./extents.js";
import { MemberLink } from "./member-link.js";
import { defaultPolicy, type StoragePolicy } from "./policy.js";
import { Records } from "./records.js";
import { Scrubbing } from "./scrubbing.js";
import { Signal } from "./signal.js";
import { newUpkeep, policyOf } from "./upkeep.js";

export interface StorageOptions {
  /** Any record of the storage, however old: it says where the members are. */
  readonly record: MemberRecord;
  /** The way to a member; called once for each entry. */
  readonly connect: (entry: MemberEntry) => MemberPort;
  /** Milliseconds; never runs back. */
  readonly clock: () => number;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  /** Of whole blocks, with the storage's seed, as its members compute them (port.ts). */
  readonly digests: (data: Uint8Array) => Uint8Array;
  /** Where the maps of what members lack have their bits; default: in plain memory. */
  readonly bits?: MakeBits;
  /** Milliseconds since 1970; without it nothing is scrubbed by itself. */
  readonly wall?: () => number;
  /** Counts more than what the records say. */
  readonly policy?: Partial<StoragePolicy>;
  /** Where the blocks of a history that lost are kept; without it a split brain waits for a person. */
  readonly branches?: Branches;
  /** What people should know, a line each. */
  readonly log?: (line: string) => void;
}

interface Request {
  readonly deadline: number;
  readonly reject: (error: DiskError) => void;
}

export class Core {
  facts: StorageFacts;
  members: MemberLink[] = [];
  epoch: number;
  readonly server: bigint;
  generation: bigint;
  history: readonly bigint[];
  isClean = false;
  phase: "opening" | "serving" | "closed" = "opening";
  /** What opening has found last, while it cannot serve. */
  decision: Exclude<Decision, { kind: "serve" }> | null = null;
  ended: DiskError | null = null;
  /** The first record of this server is on the members. */
  isReady = false;
  /** The only copy has lost writes that were not flushed; the next flush says so. */
  isCacheLost = false;
  /** Another generation has to begin before the next write. */
  isTurnDue = false;
  /** What an earlier server's users have written may be in caches alone, until a flush of this one has ended. */
  isInherited = false;
  /** Requests of users under way, and when the last one ended. */
  #users = 0;
  #usedAt = Number.NEGATIVE_INFINITY;
  /** Extents in which writes may have been under way when an earlier server ended. */
  unsure: Uint8Array;
  /** How often a copy in sync has come back without what it had not flushed: what was read before is void. */
  doubts = 0;
  /** Of what is not acknowledged yet: sends it again to a member that has forgotten it. */
  readonly unacked = new Set<(member: MemberLink) => void>();
  /** One object for all who have it: what the records say of it is changed in place. */
  readonly policy: StoragePolicy;
  upkeep: Upkeep;
  readonly changed = new Signal();
  readonly locks = new Ranges();
  readonly records = new Records(this);
  readonly scrubbing = new Scrubbing(this);
  #sequence = 0;
  #volatile = 0;
  #flushedTo = 0;
  readonly #outstanding = new Set<number>();
  readonly #requests = new Set<Request>();

  constructor(readonly options: StorageOptions) {
    const { record } = options;
    this.policy = { ...defaultPolicy };
    this.upkeep = newUpkeep();
    this.setUpkeep(record.upkeep);
    this.facts = record.storage;
    this.epoch = record.epoch;
    this.generation = record.generation;
    this.history = record.history;
    this.server = this.random64();
    this.unsure = new Uint8Array(0);
  }

  get algorithm(): Algorithm {
    const found = algorithmOf(this.facts.algorithm);
    if (found !== undefined) return found;
    throw new DiskError(
      "DISK_FOREIGN",
      `there is no algorithm ${this.facts.algorithm}; take a newer version`,
    );
  }

  get entries(): readonly MemberEntry[] {
    return this.members.map(({ entry }) => entry);
  }

  /** What the records say, or are to say; the defaults when they say nothing. */
  setUpkeep(upkeep: Upkeep = newUpkeep()): void {
    this.upkeep = upkeep;
    Object.assign(this.policy, policyOf(upkeep), this.options.policy);
  }

  /** Milliseconds since 1970; 0 when nobody knows. */
  wall(): number {
    return Math.floor(this.options.wall?.() ?? 0);
  }

  now(): number {
    return this.options.clock();
  }

  log(line: string): void {
    this.options.log?.(`${this.facts.name}: ${line}`);
  }

  /** Never 0. */
  random64(): bigint {
    const bytes = this.options.random(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true) | 1n;
  }

  /** As pause, but ends when the server does. */
  async sleep(milliseconds: number): Promise<void> {
    let isOver = false;
    const wake = (): void => {
      isOver = true;
      this.changed.fire();
    };
    const cancel = this.options.after(milliseconds, wake);
    while (!isOver && this.ended === null) await this.changed.wait();
    cancel();
  }

  pause(milliseconds: number): Promise<void> {
    return pause(this.options.after, milliseconds);
  }

  // ---- members -------------------------------------------------------------------------

  get needed(): number {
    return votesNeeded({ storage: this.facts, members: this.entries });
  }

  get votes(): number {
    return this.members.filter(({ link }) => link === "up").length;
  }

  link(entry: MemberEntry): MemberLink {
    const { connect, clock, bits } = this.options;
    return new MemberLink(entry, connect(entry), this.facts.blocks, clock, this.policy, bits);
  }

  isWholeWithout(without: MemberLink | null): boolean {
    const has = (place: number): boolean => {
      const member = this.members[place];
      return member !== undefined && member !== without && member.isSource;
    };
    return this.algorithm.isWhole(this.entries, has);
  }

  /** As MemberLink.ask; a fence ends the server. */
  async ask<T>(member: MemberLink, send: (port: MemberPort) => Promise<T>, isOnce = false): Promise<T> {
    try {
      return await member.ask(send, isOnce);
    } catch (error) {
      if (error instanceof DiskError && error.code === "DISK_FENCED") this.end(error);
      throw error;
    }
  }

  /** The member answered that it is of no use, or nothing at all for too long. */
  lose(member: MemberLink, failure: DiskError | null): void {
    if (member.link === "down" && failure === null) return;
    const { node, path } = member.entry;
    this.log(`${node}:${path} is down: ${failure?.message ?? "it does not answer"}`);
    member.down(failure);
    this.evaluate();
    this.changed.fire();
  }

  /** Takes out whoever is down and can be done without. */
  evaluate(): void {
    if (this.phase !== "serving" || this.ended !== null) return;
    for (const member of this.members) {
      if (member.link === "up" || member.entry.isWitness || !member.isAttached) continue;
      if (this.votes < this.needed) continue;
      if (member.entry.state === "syncing" || this.isWholeWithout(member)) this.takeOut(member);
    }
  }

  takeOut(member: MemberLink): void {
    const wasInSync = member.entry.state === "in-sync";
    member.entry = { ...member.entry, state: "out", since: member.generation };
    for (const run of runsOf(this.unsure, this.facts.blocks)) member.check.set(run.block, run.blocks);
    member.isSuspect = false;
    if (wasInSync) member.percent = 0;
    if (wasInSync) this.turnSoon(this.#outstanding.size > 0 || this.isUnflushed || member.failure !== null);
    this.changed.fire();
    void this.records.commit();
  }

  /**
   * A copy in sync was opened anew and may have lost what was not flushed: whoever is not in sync may have
   * more of it, and is compared there; whoever is in sync and away has it, and counts when he comes back.
   */
  doubt(member: MemberLink, activity: Uint8Array): void {
    this.doubts++;
    this.unsure = union(this.facts.blocks, this.unsure, activity);
    for (const other of this.members) {
      if (other === member || other.entry.isWitness) continue;
      if (other.entry.state === "in-sync") member.isSuspect = true;
      else for (const run of runsOf(activity, this.facts.blocks)) other.check.set(run.block, run.blocks);
    }
  }

  // ---- generations ---------------------------------------------------------------------

  /** Begins another generation, at once or with the next write. */
  turnSoon(isNow: boolean): void {
    this.isTurnDue = !isNow;
    if (!isNow) return;
    this.history = [this.generation, ...this.history].slice(0, HISTORY_MAX);
    this.generation = generationIn(this.epoch, Number(this.random64() & 0xffff_ffffn));
  }

  // ---- sequences -----------------------------------------------------------------------

  begin(isDurable: boolean): number {
    const sequence = ++this.#sequence;
    this.#outstanding.add(sequence);
    if (!isDurable) this.#volatile = sequence;
    return sequence;
  }

  finish(sequence: number): void {
    this.#outstanding.delete(sequence);
  }

  /** Every sequence below it has ended on all members. */
  get done(): number {
    for (const first of this.#outstanding) return first;
    return this.#sequence + 1;
  }

  /** Some write that has ended may be in caches alone. */
  get isUnflushed(): boolean {
    return this.isInherited || this.#volatile > this.#flushedTo;
  }

  flushed(done: number): void {
    this.isInherited = false;
    this.#flushedTo = Math.max(this.#flushedTo, done - 1);
  }

  // ---- serving -------------------------------------------------------------------------

  get hasLease(): boolean {
    const since = this.now() - LEASE_MS;
    const heard = this.members.filter((each) => each.link === "up" && each.renewedAt > since).length;
    return heard >= this.needed;
  }

  get isServing(): boolean {
    return this.phase === "serving" && this.isReady && this.hasLease && this.isWholeWithout(null);
  }

  /** Ends when the storage may be used; rejects when it never will be again. */
  async gate(): Promise<void> {
    while (!this.isServing) {
      if (this.ended !== null) throw this.ended;
      await this.changed.wait();
    }
  }

  /** A request to the storage: it ends in time, with DISK_NO_QUORUM or what else is the matter. */
  request<T>(work: () => Promise<T>): Promise<T> {
    this.#users++;
    return this.look(work).finally(() => {
      this.#users--;
      this.#usedAt = this.now();
    });
  }

  /** Somebody uses the disk, or has done so a moment ago: a request that takes long is a use as well. */
  get isUsed(): boolean {
    return this.#users > 0 || this.now() - this.#usedAt < this.policy.idleMs;
  }

  /** As a request, of somebody who only wants to know how it is: resync need not make room for him. */
  look<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const request: Request = { deadline: this.now() + this.policy.requestLimitMs, reject };
      this.#requests.add(request);
      work()
        .finally(() => this.#requests.delete(request))
        .then(resolve, reject);
    });
  }

  /** Rejects the requests that have waited too long. */
  expire(): void {
    const now = this.now();
    for (const request of [...this.#requests])
      if (now > request.deadline) {
        this.#requests.delete(request);
        request.reject(this.#lateness());
      }
  }

  end(error: DiskError): void {
    if (this.ended !== null) return;
    this.ended = error;
    this.log(`ended: ${error.message}`);
    this.phase = "closed";
    for (const member of this.members) {
      member.down(null);
      member.close();
    }
    for (const { reject } of this.#requests) reject(error);
    this.#requests.clear();
    this.records.end(error);
    this.changed.fire();
  }

  #lateness(): DiskError {
    const kind = this.decision?.kind;
    const code: DiskErrorCode =
      kind === "split" ? "DISK_SPLIT" : kind === "no-copy" ? "DISK_NO_COPY" : "DISK_NO_QUORUM";
    const why =
      kind === "split"
        ? "it has two histories; say which one counts with heal"
        : kind === "no-copy"
          ? "no member with a valid copy answers; start one"
          : `${this.votes} of ${this.members.length} members answer, ${this.needed} are needed; start some`;
    return new DiskError(code, `${this.facts.name} is not served: ${why}`);
  }
}
