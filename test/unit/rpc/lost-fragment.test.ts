// If one of these fails, a single lost frame of a long message costs a user a second or the
// whole message again.

import { describe, expect, it } from "vitest";
import type { FlipLayer } from "../../../control/kernel/layers.js";
import { bytesOf, layersOf, original, type PairOptions, pair } from "../../simulation/pairs.js";
import { MILLISECOND, SECOND } from "../../simulation/world.js";

const size = 100_000;
const limits = { stashBytes: 262_144 }; // the standard: what came before the first fragment fits
const data = bytesOf(size);

/** Runs one call whose `position`th fragment from `from` is lost once; what it cost. */
function callWithLoss(from: "client" | "server", position: number, options: PairOptions = {}) {
  const { lan, client, server, port, world } = pair({ client: { limits }, server: { limits }, ...options });
  client.call({ port }); // both know each other
  const large = (flip: FlipLayer | undefined): boolean => flip !== undefined && flip.total > 50_000;
  let sent = 0;
  lan.filter = (frame, sender) =>
    sender === from && frame.length > 100 && large(layersOf(frame).flip) && sent++ === position;
  const end = client.call({ port, data, replyCapacity: size });
  const { fragmentsRepeated } = (from === "client" ? client : server).running.counters();
  expect(end.status).toBe(0);
  expect(Buffer.compare(end.data, data)).toBe(0);
  world.run(undefined, 10 * SECOND);
  return { took: end.took, fragmentsRepeated, sent };
}

const fragments = Math.ceil((size + 56) / 1454);
const positions = Array.from({ length: fragments }, (_, index) => index);

describe.each(["client", "server"] as const)("a fragment of a long message from the %s", (from) => {
  it("is sent again alone when it is lost, wherever it stands", () => {
    const costs = positions.map((position) => callWithLoss(from, position));
    expect(costs.map(({ fragmentsRepeated }) => fragmentsRepeated)).toEqual(positions.map(() => 1));
    expect(costs.map(({ sent }) => sent)).toEqual(positions.map(() => fragments + 1));
    expect(Math.max(...costs.map(({ took }) => took))).toBeLessThan(60 * MILLISECOND);
  });
});

describe("between a machine of ours and an original", () => {
  it.each([
    ["request", "client", { client: original }],
    ["request", "client", { server: original }],
    ["reply", "server", { client: original }],
    ["reply", "server", { server: original }],
  ] as const)("the whole %s comes again, by the original's timers", (_, from, options) => {
    const { took, sent, fragmentsRepeated } = callWithLoss(from, 3, options);
    expect(fragmentsRepeated).toBe(0);
    expect(sent).toBeGreaterThan(fragments);
    expect(took).toBeGreaterThan(100 * MILLISECOND);
    expect(took).toBeLessThan(20 * SECOND);
  });
});
