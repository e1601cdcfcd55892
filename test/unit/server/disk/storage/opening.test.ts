// Servers that begin at the same moment. If this fails, a disk of which two machines take one member each
// is served by nobody, for as long as both go on trying.

import { describe, expect, it } from "vitest";
import type { StorageFacts } from "../../../../../control/server/disk/member/record.js";
import { type FakeLink, goodLink } from "../fake-link.js";
import { FakeWorld } from "../fake-storage.js";

const near = goodLink;
const far = (): FakeLink => ({ ...goodLink(), minMs: 30, maxMs: 60 });
const seeds = Array.from({ length: 10 }, (_, index) => index + 1);
/** The leases of a server that is gone, and those of two that were in each other's way. */
const patienceMs = 5000;

describe("servers that begin at the same moment, each beside one member", () => {
  const begin = async (members: number, facts: Partial<StorageFacts>, seed: number): Promise<number> => {
    const world = new FakeWorld({ members, facts, seed });
    await world.format();
    const before = world.time.now;
    const servers = world.members.map((_, own) =>
      world.serve(world.members.map((_member, place) => (place === own ? near() : far()))),
    );
    await world.time.during(Promise.race(servers.map(({ storage }) => storage.ready())));
    for (const { storage } of servers) storage.stop();
    return world.time.now - before;
  };

  it.each(seeds)("get it soon when any copy suffices (seed %i)", async (seed) => {
    expect(await begin(2, { serve: "any" }, seed)).toBeLessThan(patienceMs);
  });

  it.each(seeds)("get it soon when most have to answer (seed %i)", async (seed) => {
    expect(await begin(2, {}, seed)).toBeLessThan(patienceMs);
    expect(await begin(3, {}, seed)).toBeLessThan(patienceMs);
  });
});
