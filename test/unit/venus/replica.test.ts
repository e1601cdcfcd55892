// Random work of two mounts beside a replica that is cut off and killed: when all is quiet
// it shows without the network what the others have. If one fails, a replica lacks something on the train.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { perTier } from "../../simulation/seeds.js";
import { FilesWorld, type Mount } from "./world.js";

const seeds = perTier({ quick: 20, long: 200, nightly: 10_000 });
const folders = ["", "d", "d/e"];
const names = ["a", "b", "c"];

async function play(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const world = new FilesWorld();
  const writers = [world.mount(), world.mount()] as [Mount, Mount];
  const replica = world.mount(undefined, "replica");
  await world.settle();
  await writers[0].mkdir("d");
  await writers[0].mkdir("d/e");
  const told: string[] = [];
  const where = (): string => `seed ${seed}: ${told.join("; ")}`;
  const path = (): string =>
    [folders[random.below(3)], names[random.below(3)]].filter((part) => part !== "").join("/");
  for (let round = 0; round < 40; round++) {
    const fate = random.below(16);
    if (fate === 0) replica.isCut = !replica.isCut;
    else if (fate === 1) replica.restart("kill");
    else if (fate === 2) world.restartVice();
    else if (fate < 6) await world.pass(1000);
    const who = random.below(5) === 0 ? replica : (writers[random.below(2)] ?? writers[0]);
    const [one, other] = [path(), path()];
    const work = random.below(6);
    const did = ["write", "write", "write", "unlink", "rename", "mkdir"][work] ?? "";
    told.push(`${fate} m${world.mounts.indexOf(who) + 1} ${did} ${one} ${other}`);
    await who.tree().catch(() => undefined);
    if (work < 3) await who.write(one, `${round} `.repeat(1 + random.below(20))).catch(() => undefined);
    else if (work === 3) await who.remove(one).catch(() => undefined);
    else if (work === 4) await who.rename(one, other).catch(() => undefined);
    else await who.mkdir(one).catch(() => undefined);
    world.milliseconds += 13;
  }
  replica.isCut = false;
  await world.pass(8000);
  const tree = await writers[0].tree();
  expect(replica.venus.status(), where()).toMatchObject({
    ...{ state: "connected", records: 0 },
    hoard: { isReplica: true, lacking: 0, unchecked: 0, state: "whole" },
  });
  replica.isCut = true;
  await world.pass(4000);
  expect(replica.venus.status().state, where()).toBe("disconnected");
  expect(await replica.tree(), where()).toEqual(tree);
  expect(world.failures, where()).toEqual([]);
}

describe("a replica beside random work", () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed + 1))(
    "has everything when it is cut off, seed %i",
    async (seed) => {
      await play(seed);
    },
  );
});
