// The fuzzer's run: frames made up, conversations meddled with, and what both reach.
//
// - Long tier: a million changed frames, more than half of them in conversations. A
//   quarter of the cases run on the instrumented kernel, the others on the one we ship.
// - What is checked is in machine.ts (every entry) and conversations.ts (afterwards).

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernelBytes } from "../../control/cli/package-files.js";
import { bombard } from "./bombardment.js";
import { converse } from "./conversations.js";
import { Coverage } from "./coverage.js";
import { groupStorm } from "./groups.js";
import type { Machine } from "./machine.js";
import { perTier, runSeeds, Watchdog } from "./tier.js";

const framesWanted = perTier(40_000, 320_000, 4_000_000);
const changesWanted = perTier(60_000, 620_000, 6_000_000);
const groupChangesWanted = perTier(30_000, 400_000, 4_000_000);
const changesPerCase = 1_000;
const framesPerCase = 2_000;
const narrow = process.env.PROTEUS_FUZZ_SEED !== undefined;

let coverage: Coverage | undefined;
let released: WebAssembly.Module;
const watchdog = new Watchdog();
const totals = { changed: 0, delivered: 0, calls: 0, replies: 0, frames: 0 };
const grouped = { changed: 0, delivered: 0, messages: 0, joined: 0, resets: 0 };

const instrumented = (seed: number): boolean => seed % 4 === 1;
const moduleOf = (seed: number): WebAssembly.Module =>
  instrumented(seed) && coverage !== undefined ? coverage.module : released;
const seenBy =
  (seed: number) =>
  (machine: Machine): void => {
    if (instrumented(seed)) coverage?.add(machine);
  };

beforeAll(() => {
  coverage = new Coverage();
  released = new WebAssembly.Module(kernelBytes());
}, 120_000);

afterAll(async () => {
  await watchdog.close();
  const { changed, delivered, calls, replies, frames } = totals;
  console.log(
    `fuzzed: ${frames} frames made up or replayed, ${changed} changed in conversations ` +
      `(${delivered} delivered there, ${calls} calls, ${replies} answered)\n` +
      `groups: ${grouped.changed} changed of ${grouped.delivered} delivered, ${grouped.messages} messages, ` +
      `${grouped.joined} joins, ${grouped.resets} resets\n${coverage?.report()}`,
  );
});

describe("a kernel on a hostile wire", () => {
  it("takes any frame, whatever it is doing, without a trap, a hang or a lost buffer", () => {
    const cases = runSeeds(
      "frames",
      watchdog,
      () => totals.frames >= framesWanted,
      (seed) => {
        bombard({ seed, module: moduleOf(seed), frames: framesPerCase, crowd: false, seen: seenBy(seed) });
        totals.frames += framesPerCase;
      },
    );
    expect(cases).toBeGreaterThan(0);
  });

  it("answers statuses, never a trap, when every table is full of strangers", () => {
    const before = totals.frames;
    const cases = runSeeds(
      "tables",
      watchdog,
      () => totals.frames - before >= framesWanted / 2,
      (seed) => {
        bombard({ seed, module: moduleOf(seed), frames: framesPerCase, crowd: true, seen: seenBy(seed) });
        totals.frames += framesPerCase;
      },
    );
    expect(cases).toBeGreaterThan(0);
  });

  it("survives changes to conversations in progress and is of use afterwards", () => {
    const cases = runSeeds(
      "conversations",
      watchdog,
      () => totals.changed >= changesWanted,
      (seed) => {
        const played = converse(seed, moduleOf(seed), changesPerCase, seenBy(seed));
        totals.changed += played.changed;
        totals.delivered += played.delivered;
        totals.calls += played.calls;
        totals.replies += played.replies;
      },
    );
    expect(cases).toBeGreaterThan(0);
    if (!narrow) expect(totals.changed).toBeGreaterThanOrEqual(changesWanted);
  });

  it("survives forged group packets and impossible group calls, and forms a group afterwards", () => {
    const cases = runSeeds(
      "groups",
      watchdog,
      () => grouped.changed >= groupChangesWanted,
      (seed) => {
        const played = groupStorm(seed, moduleOf(seed), changesPerCase, seenBy(seed));
        for (const key of Object.keys(grouped) as (keyof typeof grouped)[]) grouped[key] += played[key];
      },
    );
    expect(cases).toBeGreaterThan(0);
    if (!narrow) expect(grouped.resets).toBeGreaterThan(0);
  });
});
