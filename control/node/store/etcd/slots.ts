// Slots: keys of our own in etcd by which a change is done once, however often it is asked for.
//
// - A batch carries a write of its slot's key, on the condition that the key is still at the
//   revision that we know. So of all attempts at a batch at most one is executed, also of those
//   that arrive late; and the key tells whether one was.
// - A slot serves one batch at a time; so many slots, so many batches under way.
// - Slot keys hang on a lease: of a process that died nothing is left after an hour. A slot is
//   never used so long that its lease could run out under it.

import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { EtcdConnection } from "./connection.js";
import { methods } from "./protocol.js";

const slotsMax = 16;
const leaseSeconds = 3600;
/** New slots take a new lease after that; slots are used for twice as long. */
const leaseFreshMs = (leaseSeconds / 3) * 1000;

interface Lease {
  readonly id: string;
  readonly grantedMs: number;
}

export interface Slot {
  readonly key: Uint8Array;
  readonly lease: Lease;
  /** Of its key, 0 before the first batch. */
  revision: number;
  /** Of the batch that it serves, or served last. */
  batch: number;
}

export class Slots {
  readonly #connection: EtcdConnection;
  readonly #prefix: Uint8Array;
  readonly #idle: Slot[] = [];
  readonly #waiting: (() => void)[] = [];
  #leases: Lease[] = [];
  #granting: Promise<Lease> | null = null;
  #busy = 0;

  constructor(connection: EtcdConnection, prefix: Uint8Array) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** A slot for one batch; give it back. Rejects when a lease is needed and no member answers. */
  async take(): Promise<Slot> {
    while (this.#busy >= slotsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#busy++;
    try {
      for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop())
        if (performance.now() - slot.lease.grantedMs < 2 * leaseFreshMs) return slot;
      return this.#newSlot(await this.#freshLease());
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  #newSlot(lease: Lease): Slot {
    return { key: Buffer.concat([this.#prefix, Buffer.from(randomUUID())]), lease, revision: 0, batch: 0 };
  }

  /** Gives a slot back; `isGood` when what etcd has of it is known. */
  giveBack(slot: Slot, isGood: boolean): void {
    if (isGood) this.#idle.push(slot);
    this.#release();
  }

  /** A lease turned out to be gone: no slot of it is used again. */
  lost(lease: Lease): void {
    this.#leases = this.#leases.filter((other) => other !== lease);
    const kept = this.#idle.filter((slot) => slot.lease !== lease);
    this.#idle.splice(0, this.#idle.length, ...kept);
  }

  #release(): void {
    this.#busy--;
    this.#waiting.shift()?.();
  }

  async #freshLease(): Promise<Lease> {
    const latest = this.#leases.at(-1);
    if (latest !== undefined && performance.now() - latest.grantedMs < leaseFreshMs) return latest;
    this.#granting ??= this.#grant().finally(() => {
      this.#granting = null;
    });
    return this.#granting;
  }

  async #grant(): Promise<Lease> {
    const grantedMs = performance.now(); // before it was asked for: so it is never younger than that
    const { ID } = await this.#connection.call(methods.leaseGrant, { TTL: leaseSeconds });
    const lease = { id: ID, grantedMs };
    this.#leases = [...this.#leases.slice(-3), lease];
    return lease;
  }

  /** Takes the slots' keys out of etcd, if it answers. To be called when no batch is under way. */
  async close(): Promise<void> {
    const leases = this.#leases;
    this.#leases = [];
    for (const { id } of leases) {
      // Not answered, it runs out by itself.
      await this.#connection.attempt(methods.leaseRevoke, { ID: id }).catch(() => undefined);
    }
  }
}
