// Partitions in which both sides write: if a run fails, something that one of them acknowledged is neither in
// the storage nor in a branch, or the storage does not become whole again.
//
// - Two sides, with one or two members each; servers, members and links fail again while the branch of
//   the loser is being saved and while it becomes a copy of the winner.
// - Of a block whose write was not acknowledged nothing is promised, and nothing is checked.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../control/server/disk/disk.js";
import { DiskError } from "../../control/server/disk/errors.js";
import { fakeDigests } from "../unit/server/disk/fake-member.js";
import { type FakeServer, FakeWorld } from "../unit/server/disk/fake-storage.js";
import { keptIn, MemoryBranches } from "../unit/server/disk/memory-branches.js";
import { contentOf } from "./disk-content.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/disk-splits.test.ts";
const durable = { durable: true };
/** Written by each side, so that it is known which one has won. */
const marker = 4000;
const numberIn = (data: Uint8Array): number => new DataView(data.buffer, data.byteOffset).getUint32(0, true);

/** What one side was told is written, since the two were cut apart. */
class Side {
  readonly acked = new Map<number, number>();
  readonly unknown = new Set<number>();

  constructor(
    readonly life: SplitLife,
    readonly server: () => FakeServer,
  ) {}

  async write(block: number, value: number): Promise<void> {
    const { storage } = this.server();
    try {
      if (value === 0) await storage.zero(block, 1, { ...durable, punch: true });
      else await storage.write(block, contentOf(value), durable);
      this.acked.set(block, value);
      this.unknown.delete(block);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.unknown.add(block);
    }
  }
}

class SplitLife {
  readonly branches = new MemoryBranches();
  readonly world: FakeWorld;
  readonly places: readonly number[];
  servers: FakeServer[] = [];
  known = new Map<number, number>();
  counts = { writes: 0, branches: 0, kept: 0 };
  #value = 0;

  constructor(
    seed: number,
    readonly members: number,
  ) {
    const policy = { retryMaxMs: 1000, requestLimitMs: 8000 };
    const facts = { serve: "any" as const };
    this.world = new FakeWorld({ members, facts, policy, seed, branches: this.branches });
    this.places = Array.from({ length: 20 }, (_, at) => (at * 211) % marker);
  }

  get half(): number {
    return this.members / 2;
  }

  cut(server: FakeServer, from: number, to: number, isCut: boolean): void {
    for (let place = from; place < to; place++) {
      const link = server.links[place];
      if (link !== undefined) link.isCut = isCut;
    }
  }

  serve(): FakeServer {
    const server = this.world.serve();
    this.servers.push(server);
    return server;
  }

  below(count: number): number {
    return this.world.random.below(count);
  }

  /** Random writes of a side, one after the other. */
  async writes(side: Side, count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) {
      await this.world.time.pause(this.below(200));
      const block = this.places[this.below(this.places.length)] ?? 0;
      await side.write(block, this.below(6) === 0 ? 0 : ++this.#value);
      this.counts.writes++;
    }
  }

  /** The sides meet; whoever is about fails some more. */
  async meet(): Promise<void> {
    const { time } = this.world;
    for (const server of this.servers) this.cut(server, 0, this.members, false);
    for (let turn = this.below(4); turn > 0; turn--) {
      await time.run(this.below(1500));
      const kind = this.below(3);
      const server = this.servers[this.below(this.servers.length)];
      const member = this.world.members[this.below(this.members)];
      if (kind === 0) {
        server?.storage.stop();
        this.branches.forget();
      } else if (kind === 1 && member !== undefined) {
        member.crash();
        await time.run(this.below(900));
        member.start();
      } else if (server !== undefined) {
        const place = this.below(this.members);
        this.cut(server, place, place + 1, true);
        await time.run(this.below(1200));
        this.cut(server, place, place + 1, false);
      }
    }
    await time.until(() => {
      this.servers = this.servers.filter(({ storage }) => !storage.hasEnded);
      if (this.servers.length === 0) this.serve();
      return this.servers.some(({ storage }) => storage.status().state === "ok");
    });
    const server = this.servers.find(({ storage }) => storage.status().state === "ok");
    for (const each of this.servers) if (each !== server) each.storage.stop();
    this.servers = this.servers.filter((each) => each === server);
  }

  async round(number: number): Promise<void> {
    const { time } = this.world;
    const [first] = this.servers;
    if (first === undefined) throw new Error("nobody serves");
    const before = new Side(this, () => first);
    await time.during(this.writes(before, 4));
    for (const [block, value] of before.acked) this.known.set(block, value);
    await time.run(this.below(6000));
    this.cut(first, this.half, this.members, true);
    const second = this.serve();
    this.cut(second, 0, this.half, true);
    const sides = [new Side(this, () => first), new Side(this, () => second)];
    await time.during(
      Promise.all(
        sides.map(async (side, at) => {
          await side.write(marker, 1_000_000 + 2 * number + at);
          await this.writes(side, 3 + this.below(8));
        }),
      ),
    );
    await this.meet();
    await this.check(sides);
  }

  async read(block: number): Promise<number> {
    const buffer = new Uint8Array(BLOCK_BYTES);
    const [server] = this.servers;
    if (server !== undefined) await this.world.time.during(server.storage.read(block, buffer));
    return numberIn(buffer);
  }

  async check(sides: readonly Side[]): Promise<void> {
    const won = await this.read(marker);
    const kept = new Map<number, Set<number>>();
    for (const branch of await this.branches.all()) {
      if (!branch.isKept) continue;
      for (const [block, data] of await keptIn(branch, fakeDigests)) {
        const values = kept.get(block) ?? new Set();
        kept.set(block, values.add(data === null ? 0 : numberIn(data)));
      }
    }
    this.counts.branches = this.branches.devices.length;
    this.counts.kept += kept.size;
    for (const side of sides) {
      const isWinner = side.acked.get(marker) === won;
      for (const [block, value] of side.acked) {
        if (side.unknown.has(block)) continue;
        const isThere = (await this.read(block)) === value;
        if (isThere || (!isWinner && kept.get(block)?.has(value) === true)) continue;
        throw new Error(`block ${block} of the ${isWinner ? "winner" : "loser"} is gone: ${value}`);
      }
      if (!isWinner) continue;
      for (const [block, value] of side.acked) this.known.set(block, value);
      for (const block of side.unknown) this.known.delete(block);
    }
    for (const [block, value] of this.known)
      if (sides.every(({ unknown }) => !unknown.has(block)) && (await this.read(block)) !== value)
        throw new Error(`block ${block} is ${await this.read(block)}, not ${value}`);
  }

  async run(rounds: number): Promise<void> {
    await this.world.format();
    const first = this.serve();
    await this.world.time.during(first.storage.ready());
    for (let round = 0; round < rounds; round++) await this.round(round);
  }
}

describe("a storage that is cut apart while both sides write", () => {
  it("keeps everything that either side was told is written, and is whole again", async () => {
    const total = { writes: 0, branches: 0, kept: 0 };
    await forEachSeed(file, 1, perTier({ quick: 4, long: 140, nightly: 2000 }), async (seed) => {
      const life = new SplitLife(seed, seed % 2 === 0 ? 2 : 4);
      try {
        await life.run(3);
      } catch (error) {
        const log = life.servers.flatMap(({ log: lines }) => lines).slice(-40);
        throw new Error([String(error), ...log].join("\n"), { cause: error });
      }
      for (const key of ["writes", "branches", "kept"] as const) total[key] += life.counts[key];
    });
    expect(total.writes).toBeGreaterThan(0);
    expect(total.branches).toBeGreaterThan(0);
    expect(total.kept).toBeGreaterThan(0);
  });
});
