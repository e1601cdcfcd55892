// Random work on a mount, compared with a file system in memory: the same answers while there is a
// network, the same tree whatever comes between: no network, kills, a vice that is killed. Another mount
// sees the same at the end.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../drivers/fault/random.js";
import type { FileAnswer, FileRequest, FileSystem } from "../../../drivers/file-system.js";
import { MemoryFileSystem } from "../../../drivers/memory/file-system.js";
import { perTier } from "../../simulation/seeds.js";
import { KernelSide } from "./kernel-side.js";
import { FilesWorld, type Mount } from "./world.js";

const seeds = perTier({ quick: 40, long: 400, nightly: 20_000 });

class Model extends KernelSide {
  protected readonly fileSystem: FileSystem = new MemoryFileSystem({
    now: () => ({ seconds: 1, nanoseconds: 0 }),
  });

  protected async settle(): Promise<void> {}
}

type Work = (on: KernelSide) => Promise<unknown>;

const names = ["a", "b", "c"];
const errorOf = (answer: FileAnswer): number => (answer.kind === "error" ? answer.errno : 0);

/** Something to do, the same for all. */
function work(random: SeededRandom, round: number): { readonly what: string; readonly work: Work } {
  const name = (): string => names[random.below(names.length)] ?? "a";
  const folder = (): string => ["", "", "a", "b", "a/b"][random.below(5)] ?? "";
  const path = (): string => [folder(), name()].filter((part) => part !== "").join("/");
  const [one, other] = [path(), path()];
  const text = `${round}`.repeat(random.below(4));
  const flags = random.below(4) === 0 ? 1 : 0;
  const asked = async (
    on: KernelSide,
    at: string,
    more: Partial<FileRequest> & { kind: FileRequest["kind"] },
  ) => {
    const parts = at.split("/");
    const last = parts.pop() ?? "";
    return errorOf(
      await on.ask({ node: await on.walk(parts.join("/")), name: last, ...more } as FileRequest),
    );
  };
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return { what: `write ${one}`, work: (on) => on.write(one, text) };
    case 3:
      return { what: `mkdir ${one}`, work: (on) => on.mkdir(one) };
    case 4:
      return { what: `unlink ${one}`, work: (on) => on.remove(one) };
    case 5:
      return { what: `rmdir ${one}`, work: (on) => on.remove(one, "rmdir") };
    case 6:
      return {
        what: `rename ${one} ${other}`,
        work: (on) => on.rename(one, other, flags),
      };
    case 7:
      return {
        what: `link ${one} ${other}`,
        work: async (on) => asked(on, other, { kind: "link", of: await on.walk(one) } as never),
      };
    default: {
      const size = random.below(6);
      return {
        what: `truncate ${one} to ${size}`,
        work: async (on) =>
          errorOf(await on.ask({ kind: "setattr", node: await on.walk(one), changes: { size } } as never)),
      };
    }
  }
}

const outcome = async (on: KernelSide, { work: done }: { readonly work: Work }): Promise<unknown> =>
  done(on).catch((error: Error) => error.message);

async function play(seed: number, rounds: number): Promise<void> {
  const random = new SeededRandom(seed);
  const world = new FilesWorld();
  const [a, b] = [world.mount(), world.mount()] as [Mount, Mount];
  const model = new Model();
  await world.settle();
  await a.list();
  const told: string[] = [];
  const where = (): string =>
    `seed ${seed}: ${told.slice(-60).join("; ")} ${JSON.stringify([...world.volume.state.conflicts.values()])}`;
  for (let round = 0; round < rounds; round++) {
    const fate = random.below(40);
    if (fate === 0) a.isCut = true;
    else if (fate === 1) {
      a.isCut = false;
      await world.pass(4000);
    } else if (fate === 2) a.restart("kill");
    else if (fate === 3) {
      world.restartVice();
      await world.pass(4000);
    } else if (fate === 4) await b.tree().catch(() => undefined);
    if (fate < 5) told.push(["cut", "back", "kill", "vice", "look"][fate] ?? "");
    const each = work(random, round);
    told.push(each.what);
    await a.tree().catch(() => undefined); // without vice it has what it needs
    expect(await outcome(a, each), where()).toEqual(await outcome(model, each));
    world.milliseconds += 7;
  }
  a.isCut = false;
  await world.pass(5000);
  const tree = await model.tree();
  expect(await a.tree(), where()).toEqual(tree);
  expect(await b.tree(), where()).toEqual(tree);
  expect(a.venus.status(), where()).toMatchObject({ state: "connected", records: 0 });
  expect(world.volume.state.conflicts.size, where()).toBe(0);
  expect(world.failures, where()).toEqual([]);
}

describe("random work on a mount", () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed + 1))(
    "is what it is in memory, seed %i",
    async (seed) => {
      await play(seed, 60);
    },
  );
});
