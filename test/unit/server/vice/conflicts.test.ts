// The table of conflicts in docs/FILES.md, case by case, under its numbers: what was done at vice (S,
// by a client with network) and then comes in a log (C, of one that had none). If one of these fails,
// somebody's work ends up elsewhere than the page says, or is lost.

import { describe, expect, it } from "vitest";
import { ROOT_ID } from "../../../../control/interface/file-status.js";
import { Client, ViceWorld } from "./world.js";

/** What was there before both: file f (old), g (old g), directory d with x, empty directory e. */
interface Base {
  readonly f: number;
  readonly g: number;
  readonly d: number;
  readonly x: number;
  readonly e: number;
  /** The version of an object then. */
  readonly at: (id: number) => number;
}

type Step = (client: Client, base: Base) => void;

interface Case {
  readonly number: number;
  readonly s: Step;
  readonly c: Step;
  /** What becomes of C's records. */
  readonly became: readonly string[];
  /** Paths that are not as in the base; null: gone. Conflict copies are NAME!c. */
  readonly tree: Readonly<Record<string, string | null>>;
  readonly listed?: readonly string[];
}

const nothing: Step = () => undefined;
const baseTree = { f: "old", g: "old g", "d/": "", "d/x": "in d", "e/": "" };

const cases: readonly Case[] = [
  {
    number: 1,
    s: nothing,
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: "C" },
  },
  {
    number: 2,
    s: (s, b) => s.store(b.f, "both"),
    c: (c, b) => c.store(b.f, "both", { base: b.at(b.f) }),
    became: ["same"],
    tree: { f: "both" },
  },
  {
    number: 3,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["kept"],
    tree: { f: "S", "f!c": "C" },
  },
  {
    number: 7,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.chmod(b.f, 0o600, b.at(b.f)),
    became: ["done"],
    tree: { f: "S" },
  },
  {
    number: 8,
    s: (s, b) => s.chmod(b.f, 0o600),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: "C" },
  },
  {
    number: 10,
    s: (s, b) => s.record({ op: "setattr", id: b.f, base: 0, uid: 7 }),
    c: (c, b) => c.chmod(b.f, 0o600, b.at(b.f)),
    became: ["done"],
    tree: {},
  },
  {
    number: 16,
    s: (s, b) => {
      s.store(b.f, "S");
      s.store(b.f, "old");
    },
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f), baseText: "old" }),
    became: ["done"],
    tree: { f: "C" },
  },
  {
    number: 17,
    s: nothing,
    c: (c, b) => {
      c.store(b.f, "C1", { base: b.at(b.f) });
      c.store(b.f, "C2", { base: b.at(b.f) });
    },
    became: ["done", "done"],
    tree: { f: "C2" },
  },
  {
    number: 18,
    s: (s, b) => s.store(b.f, ""),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["kept"],
    tree: { f: "", "f!c": "C" },
  },
  {
    number: 19,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.store(b.f, "", { base: b.at(b.f) }),
    became: ["kept"],
    tree: { f: "S", "f!c": "" },
  },
  {
    number: 20,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.store(b.f, "old", { base: b.at(b.f), baseText: "old" }),
    became: ["same"],
    tree: { f: "S" },
  },
  {
    number: 21,
    s: (s, b) => s.remove("f", b.f),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: "C" },
    listed: ["it was removed meanwhile and is back"],
  },
  {
    number: 22,
    s: (s, b) => s.remove("f", b.f),
    c: (c, b) => c.chmod(b.f, 0o600, b.at(b.f)),
    became: ["listed"],
    tree: { f: null },
    listed: ["it is gone"],
  },
  {
    number: 23,
    s: (s, b) => s.remove("f", b.f),
    c: (c, b) => c.remove("f", b.f, b.at(b.f)),
    became: ["same"],
    tree: { f: null },
  },
  {
    number: 24,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.remove("f", b.f, b.at(b.f)),
    became: ["listed"],
    tree: { f: "S" },
    listed: ["it was changed meanwhile, and stays"],
  },
  {
    number: 25,
    s: (s, b) => s.chmod(b.f, 0o600),
    c: (c, b) => c.remove("f", b.f, b.at(b.f)),
    became: ["done"],
    tree: { f: null },
  },
  {
    number: 26,
    s: (s, b) => {
      s.remove("f", b.f);
      s.store(s.make("f"), "other");
    },
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: "other", "f!c": "C" },
    listed: ["it was removed meanwhile and is back"],
  },
  {
    number: 27,
    s: (s, b) => {
      s.record({ op: "link", id: b.f, directory: ROOT_ID, name: "f2" });
      s.remove("f", b.f);
    },
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: null, f2: "C" },
  },
  {
    number: 29,
    s: (s, b) => {
      s.remove("x", b.x, 0, b.d);
      s.remove("d", b.d);
    },
    c: (c, b) => c.store(b.x, "C", { base: b.at(b.x) }),
    became: ["done"],
    tree: { "d/x": "C" },
    listed: ["it was removed meanwhile and is back", "it was removed meanwhile and is back"],
  },
  {
    number: 30,
    s: (s, b) => s.record({ op: "link", id: b.f, directory: ROOT_ID, name: "f2" }),
    c: (c, b) => c.remove("f", b.f, b.at(b.f)),
    became: ["done"],
    tree: { f: null, f2: "old" },
  },
  {
    number: 31,
    s: (s) => s.store(s.make("n"), "equal"),
    c: (c) => c.store(c.make("n"), "equal"),
    became: ["kept", "same"],
    tree: { n: "equal" },
    listed: ["another object has the name"],
  },
  {
    number: 32,
    s: (s) => s.store(s.make("n"), "S"),
    c: (c) => c.store(c.make("n"), "C"),
    became: ["kept", "done"],
    tree: { n: "S", "n!c": "C" },
    listed: ["another object has the name"],
  },
  {
    number: 33,
    s: (s) => s.make("s", s.mkdir("n")),
    c: (c) => c.make("c", c.mkdir("n")),
    became: ["same", "done"],
    tree: { "n/": "", "n/s": "", "n/c": "" },
  },
  {
    number: 34,
    s: (s) => s.mkdir("n"),
    c: (c) => c.store(c.make("n"), "C"),
    became: ["kept", "done"],
    tree: { "n/": "", "n!c": "C" },
    listed: ["another object has the name"],
  },
  {
    number: 35,
    s: (s) => s.store(s.make("n"), "S"),
    c: (c) => c.store(c.make("in", c.mkdir("n")), "C"),
    became: ["kept", "done", "done"],
    tree: { n: "S", "n!c/": "", "n!c/in": "C" },
    listed: ["another object has the name"],
  },
  {
    number: 36,
    s: (s) => s.symlink("n", "t"),
    c: (c) => c.symlink("n", "t"),
    became: ["same"],
    tree: { n: "-> t" },
  },
  {
    number: 37,
    s: (s) => s.symlink("n", "t"),
    c: (c) => c.symlink("n", "u"),
    became: ["kept"],
    tree: { n: "-> t", "n!c": "-> u" },
    listed: ["another object has the name"],
  },
  {
    number: 38,
    s: (s) => s.make("n"),
    c: (c) => c.symlink("n", "u"),
    became: ["kept"],
    tree: { n: "", "n!c": "-> u" },
    listed: ["another object has the name"],
  },
  {
    number: 39,
    s: (s) => s.make("n", ROOT_ID, 0o010644, { device: 0 }),
    c: (c) => c.make("n", ROOT_ID, 0o010644),
    became: ["same"],
    tree: { n: "" },
  },
  {
    number: 40,
    s: (s) => s.make("n", ROOT_ID, 0o020644, { device: 259 }),
    c: (c) => c.make("n", ROOT_ID, 0o020644, { device: 261 }),
    became: ["kept"],
    tree: { n: "", "n!c": "" },
    listed: ["another object has the name"],
  },
  {
    number: 41,
    s: (s, b) => s.record({ op: "link", id: b.f, directory: ROOT_ID, name: "n" }),
    c: (c, b) => c.record({ op: "link", id: b.f, directory: ROOT_ID, name: "n" }),
    became: ["same"],
    tree: { n: "old" },
  },
  {
    number: 42,
    s: (s, b) => s.record({ op: "link", id: b.g, directory: ROOT_ID, name: "n" }),
    c: (c, b) => c.record({ op: "link", id: b.f, directory: ROOT_ID, name: "n" }),
    became: ["kept"],
    tree: { n: "old g", "n!c": "old" },
    listed: ["another object has the name"],
  },
  {
    number: 43,
    s: (s) => s.remove("n", s.make("n")),
    c: (c) => c.store(c.make("n"), "C"),
    became: ["done", "done"],
    tree: { n: "C" },
  },
  { number: 44, s: (s) => s.make("n"), c: (c) => c.make("N"), became: ["done"], tree: { n: "", N: "" } },
  {
    number: 45,
    s: (s, b) => s.remove("e", b.e),
    c: (c, b) => c.make("new", b.e),
    became: ["done"],
    tree: { "e/new": "" },
    listed: ["it was removed meanwhile and is back"],
  },
  {
    number: 46,
    s: (s, b) => s.remove("e", b.e),
    c: (c, b) => c.remove("e", b.e),
    became: ["same"],
    tree: { "e/": null },
  },
  {
    number: 47,
    s: (s, b) => s.make("new", b.e),
    c: (c, b) => c.remove("e", b.e),
    became: ["listed"],
    tree: { "e/new": "" },
    listed: ["the directory is not empty"],
  },
  {
    number: 48,
    s: (s, b) => s.remove("e", b.e),
    c: (c, b) => c.chmod(b.e, 0o700),
    became: ["listed"],
    tree: { "e/": null },
    listed: ["it is gone"],
  },
  {
    number: 49,
    s: (s, b) => s.make("a", b.d),
    c: (c, b) => c.make("b", b.d),
    became: ["done"],
    tree: { "d/a": "", "d/b": "" },
  },
  {
    number: 50,
    s: (s, b) => s.remove("x", b.x, 0, b.d),
    c: (c, b) => c.make("b", b.d),
    became: ["done"],
    tree: { "d/x": null, "d/b": "" },
  },
  {
    number: 51,
    s: (s, b) => s.chmod(b.d, 0o700),
    c: (c, b) => c.make("b", b.d),
    became: ["done"],
    tree: { "d/b": "" },
  },
  {
    number: 52,
    s: (s, b) => {
      s.remove("e", b.e);
      s.make("s", s.mkdir("e"));
    },
    c: (c, b) => c.make("c", b.e),
    became: ["done"],
    tree: { "e/s": "", "e!c/": "", "e!c/c": "" },
    listed: ["it was removed meanwhile and is back"],
  },
  {
    number: 54,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.rename("f", b.f, "h"),
    became: ["same"],
    tree: { f: null, h: "old" },
  },
  {
    number: 55,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.rename("f", b.f, "i"),
    became: ["listed"],
    tree: { f: null, h: "old" },
    listed: ["it was renamed meanwhile"],
  },
  {
    number: 56,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: null, h: "C" },
  },
  {
    number: 57,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.remove("f", b.f, b.at(b.f)),
    became: ["listed"],
    tree: { f: null, h: "old" },
    listed: ["it has another name now"],
  },
  {
    number: 58,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.rename("f", b.f, "h"),
    became: ["done"],
    tree: { f: null, h: "S" },
  },
  {
    number: 59,
    s: (s, b) => s.remove("f", b.f),
    c: (c, b) => c.rename("f", b.f, "h"),
    became: ["listed"],
    tree: { f: null },
    listed: ["what was renamed is gone"],
  },
  {
    number: 60,
    s: (s) => s.store(s.make("h"), "S"),
    c: (c, b) => c.rename("f", b.f, "h"),
    became: ["kept"],
    tree: { f: null, h: "S", "h!c": "old" },
    listed: ["another object has the name"],
  },
  {
    number: 61,
    s: (s, b) => s.store(b.g, "S"),
    c: (c, b) => c.rename("f", b.f, "g", { over: b.g, overBase: b.at(b.g) }),
    became: ["done"],
    tree: { f: null, g: "old", "g!c": "S" },
    listed: ["it was changed before it was replaced"],
  },
  {
    number: 62,
    s: (s, b) => s.remove("g", b.g),
    c: (c, b) => c.rename("f", b.f, "g", { over: b.g, overBase: b.at(b.g) }),
    became: ["done"],
    tree: { f: null, g: "old" },
  },
  {
    number: 63,
    s: (s, b) => s.rename("d", b.d, "d", { to: b.e }),
    c: (c, b) => c.rename("e", b.e, "e", { to: b.d }),
    became: ["listed"],
    tree: { "d/": null, "d/x": null, "e/d/": "", "e/d/x": "in d" },
    listed: ["a directory would be below itself"],
  },
  {
    number: 64,
    s: (s, b) => s.rename("d", b.d, "z"),
    c: (c, b) => c.make("b", b.d),
    became: ["done"],
    tree: { "d/": null, "d/x": null, "z/": "", "z/x": "in d", "z/b": "" },
  },
  {
    number: 65,
    s: (s, b) => s.remove("e", b.e),
    c: (c, b) => c.rename("f", b.f, "f", { to: b.e }),
    became: ["done"],
    tree: { f: null, "e/f": "old" },
    listed: ["it was removed meanwhile and is back"],
  },
  {
    number: 66,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c) => c.make("f"),
    became: ["done"],
    tree: { h: "old", f: "" },
  },
  {
    number: 67,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.rename("g", b.g, "f"),
    became: ["done"],
    tree: { h: "old", f: "old g", g: null },
  },
  {
    number: 68,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.rename("f", b.f, "g", { over: b.g, exchange: true }),
    became: ["listed"],
    tree: { f: null, h: "old" },
    listed: ["it was renamed meanwhile"],
  },
  {
    number: 69,
    s: (s, b) => s.rename("f", b.f, "g", { over: b.g, exchange: true }),
    c: (c, b) => c.rename("f", b.f, "g", { over: b.g, exchange: true }),
    became: ["same"],
    tree: { f: "old g", g: "old" },
  },
  {
    number: 70,
    s: (s, b) => s.rename("f", b.f, "h"),
    c: (c, b) => c.record({ op: "link", id: b.f, directory: ROOT_ID, name: "i" }),
    became: ["done"],
    tree: { f: null, h: "old", i: "old" },
  },
  {
    number: 71,
    s: (s, b) => s.remove("e", b.e),
    c: (c, b) => c.rename("d", b.d, "e", { over: b.e }),
    became: ["done"],
    tree: { "d/": null, "d/x": null, "e/": "", "e/x": "in d" },
  },
  {
    number: 72,
    s: (s, b) => s.make("s", b.e),
    c: (c, b) => c.rename("d", b.d, "e", { over: b.e }),
    became: ["kept"],
    tree: { "d/": null, "d/x": null, "e/s": "", "e!c/": "", "e!c/x": "in d" },
    listed: ["another object has the name"],
  },
];

async function prepared() {
  const world = new ViceWorld();
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
    Object.entries(tree).map(([path, text]) => [path.replace(/\.conflict-c-\d+/, "!c"), text]),
  );

describe("a conflict", () => {
  it.each(cases)(
    "of case $number ends as the page says",
    async ({ s: atVice, c: inLog, became, tree, listed }) => {
      const { world, s, c, base } = await prepared();
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
