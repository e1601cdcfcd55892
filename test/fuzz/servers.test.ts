// Servers under random requests: whatever header and data somebody sends, with or without a
// genuine capability, the answer is a standard status and the server goes on.
//
// - Half of the requests are made from the tables: an operation's own arguments with values of
//   their types, right or at the edge, then sometimes bent in a byte, cut or made longer. So
//   what lies behind the checks is reached; the other half are headers and bytes at random.
// - Statuses other than 0 and STD_* would be a leak of something inside.
// - Seeds are counted from 1; a failure names its seed.

import { describe, expect, it } from "vitest";
import type { Capability } from "../../control/capability/capability.js";
import { claims } from "../../control/capability/private-part.js";
import { bulletTable } from "../../control/interface/bullet.js";
import type { Field, Operation } from "../../control/interface/operation.js";
import { randomTable } from "../../control/interface/random.js";
import { segmentTable } from "../../control/interface/segment.js";
import { systemTable } from "../../control/interface/system.js";
import { allOperations, type ServerTable } from "../../control/interface/table.js";
import { knownOperations } from "../../control/interface/tables.js";
import { timeTable } from "../../control/interface/time.js";
import { Unfit } from "../../control/interface/types.js";
import { type Header, trans } from "../../control/kernel/calls.js";
import { SystemServer } from "../../control/server/system/system.js";
import { measure, put } from "../../control/stub/messages.js";
import * as statuses from "../../core-wasm/status.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { Shelf } from "../unit/server/bullet/shelf.js";
import { perTier } from "./tier.js";

const callsWanted = perTier(1_500, 9_000, 90_000);
const callsAtOnce = 20;
const dataBytesMax = 3000;
/** After so long a source has a guess again. */
const forgottenMs = 100;

const standard = new Set<number>(
  Object.entries(statuses).flatMap(([name, value]) => (name.startsWith("STD_") ? [value] : [])),
);
const numbers = [...new Set(knownOperations().map(({ number }) => number))];

/** Requests that come near to what a server takes. */
class Requests {
  readonly #random: SeededRandom;
  readonly #targets: readonly Capability[];
  /** The table of each. */
  readonly #tables: ReadonlyMap<Capability, ServerTable>;

  constructor(seed: number, targets: ReadonlyMap<Capability, ServerTable>) {
    this.#random = new SeededRandom(seed);
    this.#tables = targets;
    this.#targets = [...targets.keys()];
  }

  /** Targets that are objects, once more: what asks for a capability mostly wants one of them. */
  get #objects(): readonly Capability[] {
    return this.#targets.filter(({ private: part }) => part.subarray(0, 3).some((byte) => byte !== 0));
  }

  #below = (most: number): number => this.#random.next() % most;
  #bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => this.#below(256));
  #pick = <Value>(values: readonly Value[]): Value => values[this.#below(values.length)] as Value;

  #data(): Uint8Array {
    const data = this.#bytes(this.#pick([0, 1, 4, 16, 20, this.#below(100), this.#below(dataBytesMax)]));
    const inside = this.#pick(this.#targets);
    // A capability of a server that is there: a copy of something real, or nearly.
    if (data.length >= 16 && this.#below(2) === 0) data.set(inside.port);
    if (data.length >= 16 && this.#below(2) === 0) data.set(inside.private, 6);
    if (data.length === 16 && this.#below(2) === 0) data.fill(0, 6);
    return data;
  }

  /** A value that a field may carry, mostly, or that just does not fit. */
  #value({ kind, otherwise }: Field<unknown>): unknown {
    if (otherwise !== undefined && this.#below(3) === 0) return otherwise;
    const edges = [
      0,
      1,
      16,
      255,
      3000,
      3001,
      65535,
      65536,
      1 << 20,
      (1 << 20) + 1,
      2 ** 31 - 1,
      2 ** 32 - 1,
      -1,
    ];
    switch (kind) {
      case "number":
        return this.#below(3) === 0 ? this.#pick(edges) : this.#below(4000);
      case "long":
        return BigInt(this.#random.next()) << BigInt(this.#below(33));
      case "boolean":
        return this.#below(2) === 0;
      case "text":
        return this.#pick(["a", "c", "t", "z", "lifetime", ""]);
      case "bytes":
        // Private parts, for what takes a row of them.
        if (this.#below(2) === 0)
          return Buffer.concat(
            Array.from({ length: this.#below(3) }, () => this.#pick(this.#objects).private),
          );
        return this.#bytes(this.#below(this.#below(4) === 0 ? dataBytesMax : 40));
      case "capability":
        return this.#below(3) === 0 ? undefined : this.#pick([...this.#targets, ...this.#objects]);
      case "compound": {
        const one = () => ({
          name: this.#pick(["lifetime", "lifetime", "weather", ""]),
          value: this.#pick(["7", "1", "255", "0", "256", "x", ""]),
        });
        return Array.from({ length: this.#below(3) }, one);
      }
    }
  }

  /** A request as the table has it; undefined when a value did not fit. */
  #typed(operation: Operation): { header: Partial<Header>; data: Uint8Array } | undefined {
    const fields = Object.entries(operation.arguments);
    const given = Object.fromEntries(fields.map(([name, field]) => [name, this.#value(field)]));
    try {
      const data = new Uint8Array(measure(operation.arguments, given));
      return { header: put(operation.arguments, given, data), data };
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      return undefined;
    }
  }

  /** Bent in a byte, cut, or longer than it should be; mostly as it is. */
  #bent(data: Uint8Array): Uint8Array {
    switch (this.#below(8)) {
      case 0:
        return data.subarray(0, this.#below(data.length + 1));
      case 1:
        return Uint8Array.from([...data, ...this.#bytes(1 + this.#below(9))]);
      case 2: {
        const copy = data.slice();
        if (copy.length > 0) copy[this.#below(copy.length)] = this.#below(256);
        return copy;
      }
      default:
        return data;
    }
  }

  next(): { header: Partial<Header> & { readonly port: Uint8Array }; data: Uint8Array } {
    const target = this.#pick(this.#targets);
    const table = this.#tables.get(target);
    if (table === undefined || this.#below(2) === 0) return this.#wild(target);
    const isServer = target.private.subarray(0, 3).every((byte) => byte === 0);
    const fitting = [...allOperations(table).values()].filter(
      ({ subject }) => subject === "either" || (subject === "server") === isServer,
    );
    const operation = this.#pick(fitting);
    const typed = this.#typed(operation);
    if (typed === undefined) return this.#wild(target);
    const { port, private: part } = target;
    const header = { ...typed.header, port, private: part, command: operation.number };
    return { header, data: this.#bent(typed.data) };
  }

  /** Headers and bytes at random, near to what a server takes. */
  #wild(target: Capability) {
    const table = this.#tables.get(target);
    const own = table === undefined ? numbers : [...allOperations(table).values()].map((each) => each.number);
    const part = target.private.slice();
    if (this.#below(4) === 0) part[this.#below(part.length)] = this.#below(256);
    if (this.#below(8) === 0) part.fill(0);
    const command = this.#pick([this.#pick(own), this.#pick(own), this.#pick(numbers), this.#below(65536)]);
    const offset = this.#pick([0, 1, this.#below(5000), this.#random.next() | 0, -1, 2 ** 31 - 1]);
    const size = this.#pick([0, 16, this.#below(65536)]);
    const extra = this.#pick([0, 97 + this.#below(26), this.#below(65536)]);
    return { header: { port: target.port, private: part, command, offset, size, extra }, data: this.#data() };
  }
}

/** Operations that a run has had done, by name: what was reached behind all checks. */
const wanted = [
  ...["segment create", "segment grow", "segment read", "segment write", "segment size", "segment copy"],
  ...[
    "segment setparams",
    "segment ntouch",
    "segment getparams",
    "segment age",
    "segment touch",
    "segment restrict",
  ],
  ...["bullet create", "bullet read", "bullet size", "bullet modify"],
  ...["bullet insert", "bullet delete", "bullet sync", "bullet check", "bullet compact", "bullet destroy"],
  ...["segment destroy", "sys kstat", "sys status", "random get", "time get", "time set"],
  ...["segment revoke", "sys revoke"],
];

/** `segment read`, for a request that was done. */
function nameOf(targets: ReadonlyMap<Capability, ServerTable>, header?: Partial<Header>): string {
  for (const [{ port }, table] of targets) {
    if (header?.port === undefined || Buffer.compare(port, header.port) !== 0) continue;
    for (const [name, { number }] of allOperations(table))
      if (number === header.command) return `${table.name} ${name}`;
  }
  return "?";
}

/** A capability was revoked: requests go on with the new one. */
function renewed(targets: Iterable<Capability>, port: Uint8Array, part: Uint8Array): void {
  for (const target of targets)
    if (Buffer.compare(target.port, port) === 0 && claims(target.private).object === claims(part).object)
      target.private.set(part);
}

describe("servers under random requests", () => {
  it("answer standard statuses only, and serve on", async () => {
    const counted = new Map<number, number>();
    const done = new Set<string>();
    let calls = 0;
    for (let seed = 1; calls < callsWanted; seed++) {
      const pool = new Shelf();
      pool.isTicking = true; // what is written behind a draft's end waits a moment
      const system = new SystemServer({
        ...{ ...pool.given(), info: "machine", describe: () => ({}), interfaces: () => [] },
      });
      const segments = pool.segments();
      const made = await pool.end(pool.segmentStub(segments.capability()).create({ bytes: 3000 }));
      const { server: bullet } = pool.bullet();
      const [randomServer, timeServer] = [pool.randomServer(), pool.timeServer(() => 0)];
      const create = (flags: number) =>
        pool.end(pool.calls(bullet.capability()).create({ data: new Uint8Array(3000), flags }));
      const targets = new Map<Capability, ServerTable>([
        [segments.capability(), segmentTable],
        [made.segment, segmentTable],
        [bullet.capability(), bulletTable],
        [(await create(1)).file, bulletTable],
        [(await create(0)).file, bulletTable],
        [system.capability(), systemTable],
        [randomServer.capability(), randomTable],
        [timeServer.capability(), timeTable],
      ]);
      const requests = new Requests(seed, targets);
      for (let round = 0; round < 5; round++) {
        const options = { replyBytesMax: 65536, locateTimeoutMs: 500 };
        const batch = Array.from({ length: callsAtOnce }, () => requests.next());
        const replies = batch.map(({ header, data }) => trans(pool.near, header, data, options));
        for (const [index, reply] of (await pool.end(Promise.all(replies))).entries()) {
          const { status } = reply.header;
          const asked = JSON.stringify(batch[index]?.header);
          expect(standard.has(status), `seed ${seed}: status ${status} to ${asked}`).toBe(true);
          counted.set(status, (counted.get(status) ?? 0) + 1);
          if (status < 0) continue;
          const asker = batch[index]?.header;
          const name = nameOf(targets, asker);
          done.add(name);
          if (name.endsWith(" revoke"))
            renewed(targets.keys(), asker?.port ?? new Uint8Array(6), reply.header.private);
        }
        calls += callsAtOnce;
      }
      expect(pool.failures, `seed ${seed}`).toEqual([]);
      // A request may have revoked what was given out: each is asked with a capability of now, and
      // when more wrong guesses than may come at once (a touch carries many) are forgotten again.
      pool.room.run(forgottenMs);
      for (const server of [segments, system, randomServer, timeServer, bullet])
        await pool.end(pool.segmentStub(server.capability()).info());
    }
    console.log(`servers: ${calls} random requests, statuses ${JSON.stringify([...counted])}`);
    expect(wanted.filter((name) => !done.has(name))).toEqual([]);
    for (const status of [0, statuses.STD_CAPBAD, statuses.STD_COMBAD, statuses.STD_ARGBAD])
      expect(counted.get(status)).toBeGreaterThan(0);
  });
});
