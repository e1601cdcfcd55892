// The table of conflicts in docs/FILES.md as data: what a case is, and those of contents and attributes.
//
// - S: what was done at vice, by a client with network; C: what then comes in a log.
// - Names, directories and renames are in conflict-names.ts.

import { ROOT_ID } from "../../../../control/interface/file-status.js";
import type { Policy } from "../../../../control/interface/vice.js";
import type { Merge } from "../../../../control/server/vice/readying.js";
import type { Client } from "./world.js";

/** What was there before both: file f (old), g (old g), directory d with x, empty directory e. */
export interface Base {
  readonly f: number;
  readonly g: number;
  readonly d: number;
  readonly x: number;
  readonly e: number;
  /** The version of an object then. */
  readonly at: (id: number) => number;
}

export type Step = (client: Client, base: Base) => void;

export interface Case {
  readonly number: number;
  /** Of the volume; both where there is none. */
  readonly policy?: Policy;
  readonly merge?: Merge;
  readonly s: Step;
  readonly c: Step;
  /** What becomes of C's records. */
  readonly became: readonly string[];
  /** Paths that are not as in the base; null: gone. Conflict copies are NAME!c. */
  readonly tree: Readonly<Record<string, string | null>>;
  readonly listed?: readonly string[];
}

const joined: Merge = async (...contents) =>
  new Uint8Array(
    Buffer.from(contents.map((each) => Buffer.from(each).toString("latin1")).join("+"), "latin1"),
  );
export const nothing: Step = () => undefined;
export const baseTree = { f: "old", g: "old g", "d/": "", "d/x": "in d", "e/": "" };

export const contentCases: readonly Case[] = [
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
    number: 3,
    policy: "server",
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["kept"],
    tree: { f: "S", "f!c": "C" },
  },
  {
    number: 4,
    policy: "client",
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: "C", "f!s": "S" },
    listed: ["somebody else changed it too"],
  },
  {
    number: 4,
    policy: "client",
    s: (s, b) => s.store(b.f, ""),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["done"],
    tree: { f: "C", "f!s": "" },
    listed: ["somebody else changed it too"],
  },
  {
    number: 5,
    policy: "newest",
    s: (s, b) => s.store(b.f, "S", { mtime: 3000 }),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f), mtime: 3001 }),
    became: ["done"],
    tree: { f: "C", "f!s": "S" },
    listed: ["somebody else changed it too"],
  },
  {
    number: 5,
    policy: "newest",
    s: (s, b) => s.store(b.f, "S", { mtime: 3001 }),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f), mtime: 3000 }),
    became: ["kept"],
    tree: { f: "S", "f!c": "C" },
  },
  {
    number: 6,
    policy: "program",
    merge: joined,
    s: (s, b) => s.store(b.f, "S"),
    c: (c, b) => c.store(b.f, "C", { base: b.at(b.f) }),
    became: ["kept"],
    tree: { f: "old+S+C" },
    listed: [],
  },
  {
    number: 6,
    policy: "program",
    merge: async () => null,
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
    listed: [], // equal contents are no conflict
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
    number: 32,
    policy: "client",
    s: (s) => s.store(s.make("n"), "S"),
    c: (c) => c.store(c.make("n"), "C"),
    became: ["kept", "kept"],
    tree: { n: "C", "n!s": "S" },
    listed: ["another object had the name"],
  },
];
