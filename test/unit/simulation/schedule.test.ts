// A schedule of faults that is not the same every time cannot be replayed; one that cannot be
// read back cannot be handed on.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { SECOND } from "../../../simulation/engine/world.js";
import { generateSchedule, standardRates, type Terrain } from "../../../simulation/faults/generate.js";
import { faultKinds, parseFaults, type Schedule } from "../../../simulation/faults/kinds.js";
import { shrink } from "../../../simulation/faults/shrink.js";

const terrain: Terrain = {
  lans: [
    ["a", "b", "router0"],
    ["c", "router0"],
  ],
  machines: ["a", "b", "c"],
  routers: ["router0"],
  without: [],
};

const schedule = (seed: number, over: Partial<Terrain> = {}, seconds = 600): Schedule =>
  generateSchedule(new SeededRandom(seed), standardRates, { ...terrain, ...over }, seconds * SECOND);

describe("a schedule", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(schedule(1)).toEqual(schedule(1));
    expect(schedule(1)).not.toEqual(schedule(2));
  });

  it("is in order of time, within the run, and of machines that are there", () => {
    const entries = Array.from({ length: 20 }, (_, seed) => schedule(seed)).flat();
    for (const entry of entries) {
      expect(entry.at).toBeLessThan(600 * SECOND);
      if ("machine" in entry) expect([...terrain.machines, ...terrain.routers]).toContain(entry.machine);
      if ("part" in entry) expect(terrain.lans[entry.lan]).toEqual(expect.arrayContaining(entry.part));
    }
    const times = schedule(3).map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it("has every kind within some seeds, and never one that is left out", () => {
    const kinds = new Set(
      Array.from({ length: 30 }, (_, seed) => schedule(seed))
        .flat()
        .map(({ kind }) => kind),
    );
    expect([...faultKinds].filter((kind) => !kinds.has(kind))).toEqual([]);
    const without = Array.from({ length: 10 }, (_, seed) =>
      schedule(seed, { without: ["crash"], routers: [] }),
    ).flat();
    expect(without.filter(({ kind }) => kind === "crash" || kind === "routerDeath")).toEqual([]);
  });

  it("comes back from its text as it was", () => {
    const entries = schedule(5);
    expect(parseFaults(JSON.stringify(entries), "x")).toEqual({ schedule: entries });
    expect(parseFaults('{"crash": 3}', "x")).toEqual({ rates: { crash: 3 } });
  });

  it.each([
    ["no JSON", "crash", /not JSON/],
    ["an unknown kind", '[{"at":1,"kind":"fire"}]', /at 0/],
    ["a share above 1", '[{"at":1,"for":1,"kind":"loss","lan":0,"share":2}]', /share/],
    ["a rate of an unknown kind", '{"fire": 1}', /holds no faults/],
  ])("is refused with %s, and told where", (_, text, message) => {
    expect(() => parseFaults(text, "f.json")).toThrow(message);
  });
});

describe("shrinking", () => {
  const entries = Array.from({ length: 100 }, (_, i) => i);

  it("leaves what it takes, in order, and nothing else", async () => {
    const fails = async (some: readonly number[]): Promise<boolean> => some.includes(17) && some.includes(80);
    expect(await shrink(entries, { fails, runsMax: 200 })).toEqual([17, 80]);
  });

  it("leaves nothing when it fails by itself", async () => {
    expect(await shrink(entries, { fails: async () => true })).toEqual([]);
  });

  it("keeps to its bounds, and still answers what fails", async () => {
    let runs = 0;
    const fails = async (some: readonly number[]): Promise<boolean> => {
      runs++;
      return [3, 50, 51, 99].every((entry) => some.includes(entry));
    };
    const some = await shrink(entries, { fails, runsMax: 9 });
    expect(runs).toBeLessThanOrEqual(9);
    expect(some).toEqual(expect.arrayContaining([3, 50, 51, 99]));
    expect(await shrink(entries, { fails, enough: () => true })).toEqual(entries);
  });
});
