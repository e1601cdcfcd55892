// A member as the server of a storage has it: its entry, the way to it, and what it lacks.
//
// - `ask` sends a request until it is answered: what was not answered is sent again as it was (port.ts),
//   silence or bytes that changed on their way are no answer. It rejects with what the member answered,
//   or with DISK_SILENT once the member is down.
// - `isOnce`: what is under way is not doubled, and bytes that changed on their way are an answer: for
//   reads, which fill a buffer until they end, and have others to ask.
// - `tick` has to be called now and then: it sends again, and takes a silent member down.
// - Nothing here decides what a member that is down means: core.ts.

import { DiskError } from "../errors.js";
import type { MemberPort } from "../member/port.js";
import type { MemberEntry } from "../member/record.js";
import { type DirtyMap, type MakeBits, PagedDirtyMap } from "./dirty-map.js";
import type { StoragePolicy } from "./policy.js";

interface Attempt {
  readonly since: number;
  sentAt: number;
  /** Sent, and neither answered nor given up by the port. */
  inAir: number;
  readonly isOnce: boolean;
  readonly send: () => void;
  readonly drop: (error: DiskError) => void;
}

/** Of answers that count, the latest one's weight in the mean latency. */
const latencyWeight = 0.1;

export class MemberLink {
  entry: MemberEntry;
  readonly port: MemberPort;
  link: "up" | "down" = "down";
  /** The generation that its own medium was last known to have. */
  generation = 0n;
  /** Why it is down, when it is not for silence. */
  failure: DiskError | null = null;
  /** When the last renewal was sent that it has answered. */
  renewedAt = Number.NEGATIVE_INFINITY;
  latencyMs = 0;
  /** What it lacks for sure, and what has to be compared. */
  copy: DirtyMap;
  check: DirtyMap;
  /** Extents in which an earlier life of it may have left something half-done, until it is in sync. */
  earlier: Uint8Array | null = null;
  /** Of the resync under way or the last one; runs up only. */
  percent = 0;
  isResyncing = false;
  /** It was made a member of a blank medium and has been up ever since: zeros, but for what it got. */
  isEmpty = false;
  /** It was asked to be bound anew and is not back yet: whatever is bound by now may be another life of it. */
  isRebound = false;
  /** In sync but for what it has lost with its cache, while another one in sync was away. */
  isSuspect = false;
  /** A person has said that its own history may go, once it was saved. */
  isHealing = false;
  /** Taken off the list: nothing more is asked of it. */
  isRemoved = false;
  #heardAt = 0;
  readonly #attempts = new Set<Attempt>();
  readonly #now: () => number;
  readonly #policy: StoragePolicy;
  readonly #bits: MakeBits | undefined;

  constructor(
    entry: MemberEntry,
    port: MemberPort,
    readonly storageBlocks: number,
    now: () => number,
    policy: StoragePolicy,
    bits?: MakeBits,
  ) {
    this.entry = entry;
    this.port = port;
    this.#now = now;
    this.#policy = policy;
    this.#bits = bits;
    this.copy = new PagedDirtyMap(storageBlocks, bits);
    this.check = new PagedDirtyMap(storageBlocks, bits);
  }

  get isUp(): boolean {
    return this.link === "up";
  }

  /** It gets writes. */
  get isAttached(): boolean {
    return this.entry.state !== "out" && !this.isRemoved;
  }

  /** It is asked for data. */
  get isSource(): boolean {
    return this.entry.state === "in-sync" && this.link === "up" && !this.entry.isWitness;
  }

  get dirtyBlocks(): number {
    return this.copy.count + this.check.count;
  }

  /** The storage has become larger; it lacks nothing. */
  resize(blocks: number): void {
    this.entry = { ...this.entry, blocks };
    this.close();
    this.copy = new PagedDirtyMap(blocks, this.#bits);
    this.check = new PagedDirtyMap(blocks, this.#bits);
  }

  /** It is of no use any more: the room of its maps is given back. */
  close(): void {
    this.copy.close();
    this.check.close();
  }

  ask<T>(send: (port: MemberPort) => Promise<T>, isOnce = false): Promise<T> {
    if (this.link === "down") return Promise.reject(this.#silent());
    return new Promise<T>((resolve, reject) => {
      const since = this.#now();
      const attempt: Attempt = {
        since,
        sentAt: since,
        inAir: 0,
        isOnce,
        drop: reject,
        send: () => {
          attempt.sentAt = this.#now();
          attempt.inAir++;
          send(this.port).then(
            (answer) => {
              if (!this.#attempts.delete(attempt)) return;
              this.heard(since);
              resolve(answer);
            },
            (error: unknown) => {
              attempt.inAir--;
              if (!this.#attempts.has(attempt)) return;
              const code = error instanceof DiskError ? error.code : undefined;
              if (code === "DISK_TRANSFER") this.#heardAt = this.#now();
              if (code === "DISK_SILENT" || (code === "DISK_TRANSFER" && !isOnce)) return; // tick sends it again
              this.#attempts.delete(attempt);
              if (code !== undefined) this.heard(since);
              reject(error);
            },
          );
        },
      };
      this.#attempts.add(attempt);
      attempt.send();
    });
  }

  up(): void {
    this.link = "up";
    this.isRebound = false;
    this.failure = null;
    this.#heardAt = this.#now();
  }

  /** What is under way ends with DISK_SILENT: it may have happened. */
  down(failure: DiskError | null = null): void {
    this.link = "down";
    this.isEmpty = false;
    this.failure = failure;
    this.renewedAt = Number.NEGATIVE_INFINITY;
    const attempts = [...this.#attempts];
    this.#attempts.clear();
    for (const { drop } of attempts) drop(this.#silent());
  }

  /** Sends again what was not answered. True when the member has to be taken down. */
  tick(): boolean {
    const now = this.#now();
    if (this.link === "down") return false;
    if (now - this.#heardAt > this.#policy.memberTimeoutMs) return true;
    for (const attempt of [...this.#attempts]) {
      if (now - attempt.since > this.#policy.operationLimitMs) return true;
      const isDue = now - attempt.sentAt >= this.#policy.resendMs;
      if (isDue && !(attempt.isOnce && attempt.inAir > 0)) attempt.send();
    }
    return false;
  }

  /** It has answered what was sent then. */
  heard(since: number): void {
    const now = this.#now();
    this.#heardAt = now;
    this.latencyMs += (now - since - this.latencyMs) * latencyWeight;
  }

  #silent(): DiskError {
    const { node, path } = this.entry;
    return new DiskError("DISK_SILENT", `${node}:${path} does not answer; it is asked again for ever`);
  }
}
