// The table of conflicts in docs/FILES.md, case by case, under its numbers: what was done at vice (S,
// by a client with network) and then comes in a log (C, of one that had none). If one of these fails,
// somebody's work ends up elsewhere than the page says, or is lost.

import { describe, expect, it } from "vitest";
import { type Base, baseTree, type Case, contentCases } from "./conflict-cases.js";
import { namingCases } from "./conflict-names.js";
import { Client, ViceWorld } from "./world.js";

async function prepared({ policy, merge }: Pick<Case, "policy" | "merge"> = {}) {
  const world = new ViceWorld(undefined, "session", policy, merge);
  const s = await new Client(world, "s", true).begin();
  const c = await new Client(world, "c").begin();
  const [f, g, d, e] = [s.make("f"), s.make("g"), s.mkdir("d"), s.mkdir("e")];
  s.store(f, "old");
  s.store(g, "old g");
  const x = s.make("x", d);
  s.store(x, "in d");
  await s.ship();
  const versions = new Map([...world.volume.state.objects].map(([id, { version }]) => [id, version]));
  const base: Base = { f, g, d, x, e, at: (id) => versions.get(id) ?? 0 };
  return { world, s, c, base };
}

/** Conflict names without their record's number. */
const shown = (tree: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tree).map(([path, text]) => [path.replace(/\.conflict-([cs])-\d+/, "!$1"), text]),
  );

describe("a conflict", () => {
  it.each([...contentCases, ...namingCases])(
    "of case $number ends as the page says",
    async ({ s: atVice, c: inLog, became, tree, listed, ...setting }) => {
      const { world, s, c, base } = await prepared(setting);
      expect(world.tree()).toEqual(baseTree);
      atVice(s, base);
      if (s.batch.length > 0) for (const outcome of await s.ship()) expect(outcome.became).toBe("done");
      inLog(c, base);
      const outcomes = await c.ship();
      expect(outcomes.map((each) => each.became)).toEqual(became);
      const wanted = { ...baseTree, ...tree };
      const there = Object.fromEntries(Object.entries(wanted).filter(([, text]) => text !== null));
      expect(shown(world.tree())).toEqual(there);
      const kept = became.includes("kept") && listed === undefined ? ["somebody else changed it too"] : [];
      expect(world.conflicts).toEqual(listed ?? kept);
      // It is the same after the server was started anew.
      const before = world.tree();
      world.volume.close();
      world.folder.kill();
      world.folder.restart();
      world.volume = world.open();
      expect(world.tree()).toEqual(before);
    },
  );

  it("of attributes goes to the later one, and the other is listed (9)", async () => {
    const { world, s, c, base } = await prepared();
    for (let count = 0; count < 20; count++) s.chmod(base.f, 0o700);
    await s.ship();
    c.chmod(base.f, 0o600, base.at(base.f));
    expect((await c.ship())[0]).toMatchObject({ became: "listed" });
    expect(world.volume.state.objects.get(base.f)?.mode).toBe(0o100700);
  });

  it("is none for two logs that come one after the other (80)", async () => {
    const { world, c, base } = await prepared();
    const other = await new Client(world, "o").begin();
    c.store(base.f, "C", { base: base.at(base.f) });
    other.store(base.f, "O", { base: base.at(base.f) });
    await c.ship();
    expect((await other.ship())[0]).toMatchObject({ became: "kept" });
    expect(world.tree().f).toBe("C");
    expect(Object.values(world.tree())).toContain("O");
  });
});
