// Servers under random requests: whatever header and data somebody sends, with or without a
// genuine capability, the answer is a standard status and the server goes on.
//
// - Statuses other than 0 and STD_* would be a leak of something inside.
// - Seeds are counted from 1; a failure names its seed.

import { describe, expect, it } from "vitest";
import type { Capability } from "../../control/capability/capability.js";
import { randomTable } from "../../control/interface/random.js";
import { segmentTable } from "../../control/interface/segment.js";
import { systemTable } from "../../control/interface/system.js";
import { allOperations, type ServerTable } from "../../control/interface/table.js";
import { knownOperations } from "../../control/interface/tables.js";
import { timeTable } from "../../control/interface/time.js";
import { trans } from "../../control/kernel/calls.js";
import { SystemServer } from "../../control/server/system/system.js";
import * as statuses from "../../core-wasm/status.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { Pool } from "../unit/stub/pool.js";
import { perTier } from "./tier.js";

const callsWanted = perTier(600, 6_000, 60_000);
const callsAtOnce = 20;
const dataBytesMax = 3000;

const standard = new Set<number>(
  Object.entries(statuses).flatMap(([name, value]) => (name.startsWith("STD_") ? [value] : [])),
);
const numbers = [...new Set(knownOperations().map(({ number }) => number))];

/** Requests that come near to what a server takes. */
class Requests {
  readonly #random: SeededRandom;
  readonly #targets: readonly Capability[];
  /** The numbers of each one's own operations. */
  readonly #tables: ReadonlyMap<Capability, readonly number[]>;

  constructor(seed: number, targets: ReadonlyMap<Capability, readonly number[]>) {
    this.#random = new SeededRandom(seed);
    this.#tables = targets;
    this.#targets = [...targets.keys()];
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

  next() {
    const target = this.#pick(this.#targets);
    const own = this.#tables.get(target) ?? numbers;
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

describe("servers under random requests", () => {
  it("answer standard statuses only, and serve on", async () => {
    const counted = new Map<number, number>();
    let calls = 0;
    for (let seed = 1; calls < callsWanted; seed++) {
      const pool = new Pool();
      const system = new SystemServer({
        ...{ ...pool.given(), info: "machine", describe: () => ({}), interfaces: () => [] },
      });
      const segments = pool.segments();
      const made = await pool.end(pool.segmentStub(segments.capability()).create({ bytes: 3000 }));
      const own = (table: ServerTable) => [...allOperations(table).values()].map(({ number }) => number);
      const targets = new Map<Capability, readonly number[]>([
        [segments.capability(), own(segmentTable)],
        [made.segment, own(segmentTable)],
        [system.capability(), own(systemTable)],
        [pool.randomServer().capability(), own(randomTable)],
        [pool.timeServer(() => 0).capability(), own(timeTable)],
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
        }
        calls += callsAtOnce;
      }
      expect(pool.failures, `seed ${seed}`).toEqual([]);
      for (const target of targets.keys())
        if (target !== made.segment) await pool.end(pool.segmentStub(target).info());
    }
    console.log(`servers: ${calls} random requests, statuses ${JSON.stringify([...counted])}`);
    for (const status of [0, statuses.STD_CAPBAD, statuses.STD_COMBAD, statuses.STD_ARGBAD])
      expect(counted.get(status)).toBeGreaterThan(0);
  });
});
