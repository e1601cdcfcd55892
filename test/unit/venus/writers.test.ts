// Several people at once on one volume, some of them without network for a while: at the end all mounts
// show the same, every content that a close returned for is there or was replaced by somebody who had
// seen it, and nobody hangs.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { perTier } from "../../simulation/seeds.js";
import { FilesWorld, type Mount } from "./world.js";

const seeds = perTier({ quick: 30, long: 300, nightly: 20_000 });
const names = ["a", "b", "d/a", "d/b"];

async function play(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const world = new FilesWorld();
  const mounts = [world.mount(), world.mount(), world.mount()] as [Mount, Mount, Mount];
  await world.settle();
  await mounts[0].mkdir("d");
  for (const mount of mounts) await mount.tree();
  /** What was written and closed; taken out when its writer, having seen it, replaced or removed it. */
  const alive = new Set<string>();
  const told: string[] = [];
  const where = (): string => `seed ${seed}: ${told.join("; ")}`;
  for (let round = 0; round < 30; round++) {
    const mount = mounts[random.below(3)] ?? mounts[0];
    const name = names[random.below(names.length)] ?? "a";
    const fate = random.below(12);
    if (fate === 0) mount.isCut = true;
    else if (fate === 1) mount.isCut = false;
    else if (fate === 2) mount.restart("kill");
    else if (fate === 3) world.restartVice();
    if (fate < 2) await world.pass(1500);
    const who = `m${mounts.indexOf(mount) + 1}${mount.isCut ? "!" : ""}`;
    if (fate < 4) told.push(`${who} ${["cut", "back", "kill", "vice"][fate] ?? ""}`);
    await mount.tree().catch(() => undefined);
    const seen = await mount.read(name).catch(() => null);
    const text = `${round} of ${who}`;
    if (random.below(4) > 0) {
      const outcome = await mount.write(name, text).catch((error: Error) => error.message);
      told.push(`${who} write ${name} (had ${seen ?? "nothing"}): ${outcome}`);
      if (outcome !== 0) continue;
      if (seen !== null) alive.delete(seen);
      alive.add(text);
    } else {
      const outcome = await mount.remove(name).catch((error: Error) => error.message);
      told.push(`${who} remove ${name} (had ${seen ?? "nothing"}): ${outcome}`);
      if (outcome === 0 && seen !== null) alive.delete(seen);
    }
    world.milliseconds += 11;
  }
  for (const mount of mounts) mount.isCut = false;
  await world.pass(6000);
  const trees = await Promise.all(mounts.map((mount) => mount.tree()));
  for (const [index, { venus }] of mounts.entries()) {
    expect(venus.status(), where()).toMatchObject({ state: "connected", records: 0 });
    expect(trees[index], where()).toEqual(trees[0]);
  }
  const contents = new Set(Object.values(trees[0] ?? {}));
  for (const text of alive) expect(contents.has(text), `${text} is lost; ${where()}`).toBe(true);
  expect(world.failures, where()).toEqual([]);
}

describe("several writers, some without network", () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed + 1))(
    "end with one tree, seed %i",
    async (seed) => {
      await play(seed);
    },
  );
});
