// A new storage: if this fails, its first generation counts as later than those of its servers, and a
// member that was away for long wins over those that were written since.

import { describe, expect, it } from "vitest";
import { capabilityHex } from "../../../../control/capability/capability.js";
import { createStorage } from "../../../../control/node/disk/engine.js";
import { generationIn, isBehind } from "../../../../control/server/disk/storage/decision.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { goodLink } from "../../server/disk/fake-link.js";
import { FakeWorld } from "../../server/disk/fake-storage.js";

describe("a new storage", () => {
  it("has a first generation that is behind any of a server, however many there were since", async () => {
    const world = new FakeWorld({ members: 3 });
    const random = new SeededRandom(7);
    const links = world.members.map((member) => member.port(goodLink()));
    const members = world.record.members.map(({ node, path, capability }) => ({
      ...{ node, path, capability: capabilityHex(capability) },
    }));
    const record = await world.time.during(
      createStorage(
        {
          ...{ name: "d", size: 64 * 4096, algorithm: "mirror", members },
          ...{ ack: "all" as const, serve: "majority" as const, onSplit: "keep" as const },
        },
        {
          random: (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256)),
          connect: ({ path }) =>
            links[members.findIndex((each) => each.path === path)] as (typeof links)[number],
        } as Parameters<typeof createStorage>[1],
      ),
    );
    const history = Array.from({ length: 16 }, (_, at) => generationIn(at + 2, at));
    const later = { ...record, generation: generationIn(20, 20), history };
    expect(isBehind(record, later)).toBe(true);
    expect(isBehind(later, record)).toBe(false);
  });
});
