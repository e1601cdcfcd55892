// The compacted log replayed makes the same volume as the whole one: names, contents, owners, times. If
// one of these fails, work without network ends up otherwise than it was done.

import { describe, expect, it } from "vitest";
import type { FileRecord } from "../../../control/interface/file-records.js";
import { idOf, ROOT_ID } from "../../../control/interface/file-status.js";
import { Draft } from "../../../control/server/vice/draft.js";
import { replay } from "../../../control/server/vice/replay.js";
import { newVolume, statusOf, VolumeState } from "../../../control/server/vice/state.js";
import { compact } from "../../../control/venus/compaction.js";
import { effectOf, isDirectory } from "../../../control/venus/effect.js";
import { CacheState, nameChange } from "../../../control/venus/state.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { perTier } from "../../simulation/seeds.js";
import { sha256 } from "../server/vice/world.js";

const seeds = perTier({ quick: 400, long: 4000, nightly: 100_000 });
type Fresh = FileRecord extends infer R
  ? R extends FileRecord
    ? Omit<R, "n" | "checked" | "time">
    : never
  : never;
const names = ["a", "b", "c", "d"];
const venus = 1;

function emptyVolume(): VolumeState {
  const state = new VolumeState();
  const facts = { name: "v", semantics: "session", identity: "0", generation: "0" } as const;
  for (const change of newVolume(facts, 0, [1, 0])) state.apply(...change);
  return state;
}

/** Replays records as a log of their own; all of them have to be done. */
function replayed(records: readonly FileRecord[], state = emptyVolume(), first = 1): VolumeState {
  for (const [index, record] of records.entries()) {
    const draft = new Draft(state);
    const install = () => "content";
    const others = { machineOf: () => "vice", readied: () => undefined, outlived: () => undefined };
    const given = { draft, venus, machine: "m", seconds: 1, at: 1000, install, ...others };
    const outcome = replay(given, { ...record, n: first + index });
    expect(outcome, JSON.stringify(records)).toMatchObject({ became: expect.stringMatching(/done|same/) });
    for (const change of draft.changes()) state.apply(...change);
  }
  return state;
}

/** A tree with everything of it that a program can see. */
function shape(state: VolumeState, directory = ROOT_ID, path = ""): Record<string, object> {
  const row = state.objects.get(directory);
  const found: Record<string, object> = { [`${path}/`]: { mtime: row?.mtime, ctime: row?.ctime } };
  for (const [name, id] of [...(state.names.get(directory) ?? [])].sort()) {
    const object = state.objects.get(id);
    if (object === undefined) throw new Error(`${name} has no object`);
    const { mode, uid, links, size, hash, mtime, ctime } = object;
    found[`${path}/${name}`] = { id, mode, uid, links, size, hash, mtime, ctime };
    if (isDirectory(object)) Object.assign(found, shape(state, id, `${path}/${name}`));
  }
  return found;
}

/** A cache that goes on without vice: its log, and all records that were ever made. */
class Offline {
  readonly state = new CacheState();
  readonly whole: FileRecord[] = [];
  #sequence = 0;
  #counter = 100;

  constructor(base: VolumeState) {
    for (const [id, row] of base.objects)
      this.state.apply("object", id, { status: statusOf(id, row), content: 0, own: 0, whole: true });
    for (const [directory, own] of base.names)
      for (const [name, id] of own) this.state.apply(...nameChange(directory, name, id));
  }

  id(): number {
    return idOf(venus, ++this.#counter);
  }

  add(fresh: Fresh): void {
    const sequence = ++this.#sequence;
    const record = { ...fresh, n: 0, checked: false, time: [10_000 + sequence, 0] } as FileRecord;
    this.whole.push(record);
    const changes = effectOf(this.state, record, sequence, () => false);
    this.state.apply("log", sequence, { record, applied: true });
    for (const change of changes) this.state.apply(...change);
    compact(this.state, sequence, (all) => {
      for (const change of all) this.state.apply(...change);
    });
  }

  get log(): readonly FileRecord[] {
    return [...this.state.log].sort(([one], [other]) => one - other).map(([, { record }]) => record);
  }

  /** The first entries are under way. */
  offer(count: number): void {
    for (const [sequence, row] of [...this.state.log].slice(0, count))
      this.state.apply("log", sequence, { ...row, record: { ...row.record, n: sequence } });
  }

  make(name: string, directory = ROOT_ID, mode = 0o100644): number {
    const id = this.id();
    this.add({ op: "make", id, directory, name, mode, uid: 1, gid: 1 });
    return id;
  }

  store(id: number, text: string): void {
    const content = {
      size: text.length,
      hash: sha256(text),
      mtime: [10_000 + this.whole.length, 0] as const,
    };
    this.add({ op: "store", id, base: this.state.objects.get(id)?.status.version ?? 0, ...content });
  }

  remove(name: string, directory = ROOT_ID): void {
    const id = this.state.names.get(directory)?.get(name) ?? 0;
    this.add({ op: "remove", id, directory, name, base: 0 });
  }

  rename(directory: number, name: string, to: number, newName: string, exchange = false): void {
    const id = this.state.names.get(directory)?.get(name) ?? 0;
    const over = this.state.names.get(to)?.get(newName) ?? 0;
    this.add({ op: "rename", id, directory, name, to, newName, over, overBase: 0, exchange });
  }
}

const base = (): readonly FileRecord[] => {
  const made = { op: "make", checked: false, uid: 0, gid: 0, n: 0 } as const;
  return [
    { ...made, id: idOf(venus, 1), directory: ROOT_ID, name: "a", mode: 0o100644, time: [2, 0] },
    { ...made, id: idOf(venus, 2), directory: ROOT_ID, name: "d", mode: 0o040755, time: [3, 0] },
    { ...made, id: idOf(venus, 3), directory: idOf(venus, 2), name: "b", mode: 0o100644, time: [4, 0] },
  ];
};
const behind = base().length + 1;
const begun = () => new Offline(replayed(base()));
const replayedTree = (records: readonly FileRecord[]) => shape(replayed(records, replayed(base()), behind));

/** Something that can be done on what is there. */
function work(on: Offline, random: SeededRandom): void {
  const { names: all, objects } = on.state;
  const folders = [...objects].filter(([, { status }]) => isDirectory(status)).map(([id]) => id);
  const pick = <Value>(of: readonly Value[]): Value => of[random.below(of.length)] as Value;
  const [directory, to, name, newName] = [pick(folders), pick(folders), pick(names), pick(names)];
  const id = all.get(directory)?.get(name) ?? 0;
  const over = all.get(to)?.get(newName) ?? 0;
  const isFolder = (object: number): boolean => {
    const row = objects.get(object);
    return row !== undefined && isDirectory(row.status);
  };
  const isEmpty = (object: number): boolean => (all.get(object)?.size ?? 0) === 0;
  const isBelow = (object: number, above: number): boolean =>
    object === above || (object !== ROOT_ID && isBelow(objects.get(object)?.status.parent ?? ROOT_ID, above));
  if (id === 0) {
    const other = pick([...objects.keys()]);
    if (random.below(5) > 0 || isFolder(other))
      on.make(name, directory, pick([0o100644, 0o100600, 0o040755]));
    else on.add({ op: "link", id: other, directory, name });
    return;
  }
  const change = random.below(8);
  if (change < 2 && !isFolder(id))
    on.store(id, `${on.whole.length}`); // equal ones: see docs/FILES.md, 2
  else if (change === 2) {
    const mtime = [30_000 + random.below(99), 0] as const;
    const one = pick([{ mode: 0o600 + random.below(64) }, { uid: random.below(9) }, { mtime }]);
    on.add({ op: "setattr", id, base: 0, ...one, ...pick([{}, { mode: 0o640 }]) });
  } else if (change < 5 && (!isFolder(id) || isEmpty(id))) on.remove(name, directory);
  else if (over !== id && !(isFolder(id) && isBelow(to, id))) {
    const exchange = over !== 0 && random.below(6) === 0;
    if (exchange && isFolder(over) && isBelow(directory, over)) return;
    if (over !== 0 && !exchange && (isFolder(over) !== isFolder(id) || !isEmpty(over))) return;
    on.rename(directory, name, to, newName, exchange);
  }
}

describe("a compacted log", () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed + 1))("makes the same volume, seed %i", (seed) => {
    const random = new SeededRandom(seed);
    const on = begun();
    let offered: readonly FileRecord[] = [];
    for (let round = 0; round < 60; round++) {
      work(on, random);
      if (round === 20 && random.below(2) === 0) {
        on.offer(random.below(10));
        offered = on.log.filter(({ n }) => n > 0);
      }
    }
    expect(on.log.filter(({ n }) => n > 0)).toEqual(offered); // what is under way stays as it is
    expect(replayedTree(on.log)).toEqual(replayedTree(on.whole));
  });

  const ops = (on: Offline) => on.log.map(({ op }) => op);

  it("has nothing but a directory's time of what was made and removed", () => {
    const on = begun();
    for (let count = 0; count < 100; count++) {
      on.store(on.make("t"), "text");
      on.rename(ROOT_ID, "t", ROOT_ID, "u");
      on.remove("u");
    }
    expect(ops(on)).toEqual(["setattr"]);
    const folder = on.make("f", ROOT_ID, 0o040755);
    on.make("x", folder);
    on.remove("x", folder);
    on.remove("f");
    expect(ops(on)).toEqual(["setattr"]);
    expect(replayedTree(on.log)).toEqual(replayedTree(on.whole));
  });

  it("has one file of many that an editor put in each other's place", () => {
    const on = begun();
    for (let count = 0; count < 50; count++) {
      on.store(on.make("new"), "y".repeat(count));
      on.rename(ROOT_ID, "new", ROOT_ID, "a");
    }
    expect(ops(on)).toEqual(["make", "store", "rename"]);
    expect(replayedTree(on.log)).toEqual(replayedTree(on.whole));
  });

  it("has one rename of a chain, one store, and one of each attribute", () => {
    const on = begun();
    for (const [from, into] of ["ab", "bc", "ce", "ef"].map((pair) => [...pair]))
      on.rename(ROOT_ID, from ?? "", ROOT_ID, into ?? "");
    expect(on.log).toMatchObject([{ op: "rename", name: "a", newName: "f" }]);
    const id = on.state.names.get(ROOT_ID)?.get("f") ?? 0;
    for (const mode of [1, 2, 3]) on.add({ op: "setattr", id, base: 0, mode });
    for (const text of ["1", "22", "333"]) on.store(id, text);
    expect(ops(on)).toEqual(["rename", "setattr", "store"]);
    expect(replayedTree(on.log)).toEqual(replayedTree(on.whole));
  });

  it("leaves alone what is under way", () => {
    const on = begun();
    on.make("t");
    on.offer(1);
    on.remove("t");
    expect(ops(on)).toEqual(["make", "remove"]);
  });
});
