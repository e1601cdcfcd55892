// If one of these fails, a touch run lets something go that has a name, or keeps what has none,
// or ages objects though it could not see everything.

import { beforeEach, describe, expect, it } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { claims } from "../../../control/capability/private-part.js";
import { setOf } from "../../../control/capability/set.js";
import { type CollectOptions, type CollectReport, collect } from "../../../control/collect/collect.js";
import { ObjectNumbers } from "../../../control/collect/numbers.js";
import { toHex } from "../../../control/kernel/bytes.js";
import { BulletServer } from "../../../control/server/bullet/server.js";
import { createFile } from "../../../control/stub/files.js";
import { MemoryFiles } from "../server/bullet/memory-files.js";
import { Alarms } from "../server/bullet/shelf.js";
import { LoneDirectory } from "../server/directory/alone.js";

const call = { locateTimeoutMs: 50, pollMs: 20, deadMs: 60 };

let lone: LoneDirectory;
let bullets: { readonly files: MemoryFiles; readonly server: BulletServer }[];

beforeEach(async () => {
  lone = await new LoneDirectory().start();
  const { pool } = lone;
  bullets = [1, 2].map(() => {
    const files = new MemoryFiles({ random: pool.random });
    const server = new BulletServer({
      ...{ kernel: pool.far, engine: files, getPort: pool.random(6), key: pool.random(32), threads: 4 },
      ...{ after: new Alarms().after, failed: pool.failed, locateTimeoutMs: 20 },
    });
    return { files, server };
  });
});

const end = <Value>(work: Promise<Value>): Promise<Value> => lone.pool.end(work);
const serverAt = (at: number): BulletServer => bullets[at]?.server ?? expect.fail("no such server");
const file = (text: string, at = 0): Promise<Capability> =>
  end(createFile(lone.pool.near, serverAt(at).capability(), Buffer.from(text), call));
const stored = (at: number): string[] =>
  [...(bullets[at]?.files.files() ?? [])].map(({ number }) =>
    Buffer.from(bullets[at]?.files.content(number) ?? []).toString("latin1"),
  );
const servers = () => [serverAt(0).capability(), serverAt(1).capability(), lone.server.capability(0)];
const run = (options: Partial<CollectOptions> = {}): Promise<CollectReport> =>
  end(
    collect({
      ...{ via: lone.pool.near, names: lone.names(), servers: servers(), age: true, call, patienceMs: 0 },
      ...options,
    }),
  );
const of = ({ servers: all }: CollectReport, { port }: Capability) =>
  all.find((each) => each.port === toHex(port)) ?? expect.fail("no such server");

/** After so many runs. */
async function runs(count: number, options: Partial<CollectOptions> = {}): Promise<CollectReport> {
  let report = await run(options);
  for (let times = 1; times < count; times++) report = await run(options);
  return report;
}

async function shortLives(): Promise<void> {
  for (const server of servers())
    await end(lone.stub(server).setparams({ settings: [{ name: "lifetime", value: "2" }] }));
}

describe("a touch run", () => {
  it("keeps what has a name, and lets go what has none, which it tells before", async () => {
    const names = lone.names();
    await shortLives();
    await end(names.makeDirectory("/a"));
    await end(names.makeDirectory("/a/b"));
    await end(names.append("/a/b/kept", setOf(await file("kept"), await file("kept too", 1))));
    const left = await file("left");
    const lost = await end(names.makeDirectory("/lost"));
    await end(names.remove("/lost"));
    const told: CollectReport[] = [];
    await runs(2);
    expect(stored(0).sort()).toEqual(["kept", "left"]);
    const dry = await run({ age: false });
    expect(of(dry, left)).toMatchObject({
      ...{ touched: 1, goneCount: 0, held: null, aged: "no" },
      ages: { lifetime: 2, objects: 2, unnamed: 1, doomedCount: 1, endangered: 0 },
    });
    expect(stored(0).sort()).toEqual(["kept", "left"]);
    const before = (report: CollectReport) => void told.push(report);
    const report = await run({ before });
    expect(told).toHaveLength(1);
    const doomed = told.map((each) => [of(each, left), of(each, lone.root())].map((one) => one.ages?.doomed));
    const [gone] = lost.members;
    expect(doomed).toEqual([
      [
        [{ object: claims(left.private).object, age: 2 }],
        [{ object: claims(gone?.capability.private ?? new Uint8Array(10)).object, age: 2 }],
      ],
    ]);
    expect(report).toMatchObject({ directories: 3, names: 3, complete: true, unseenCount: 0 });
    expect(report.servers.map(({ aged }) => aged)).toEqual(["yes", "yes", "yes"]);
    await runs(4);
    expect([stored(0), stored(1)]).toEqual([["kept"], ["kept too"]]);
    expect(lone.state.directoryCount).toBe(3);
    expect((await end(names.list("/a/b"))).map(({ name }) => name)).toEqual(["kept"]);
    expect(lone.pool.failures).toEqual([]);
  });

  it("ends though directories stand in each other, and sees what only one of two names shows", async () => {
    const names = lone.names();
    await shortLives();
    const [a] = (await end(names.makeDirectory("/a"))).members;
    const [b] = (await end(names.makeDirectory("/a/b"))).members;
    if (a === undefined || b === undefined) throw new Error("no capability");
    await end(names.append("/a/b/up", setOf(a.capability)));
    await end(names.append("/a/itself", setOf(a.capability)));
    // A name that shows nothing of a directory comes first; another one shows it all.
    const { capability: blind } = await end(lone.stub(b.capability).restrict({ mask: 0x40 }));
    await end(names.append("/blind", setOf(blind)));
    await end(names.append("/a/b/kept", setOf(await file("kept"))));
    const report = await runs(4);
    expect(report.unseen).toMatchObject([]);
    expect(report).toMatchObject({ complete: true, directories: 3 });
    expect(stored(0)).toEqual(["kept"]);
    await end(names.remove("/a"));
    await end(names.remove("/blind"));
    await end(names.append("/blind", setOf(blind)));
    const hidden = await run();
    expect(hidden).toMatchObject({ complete: false, unseen: [{ path: "/blind", code: "STD_DENIED" }] });
    expect(hidden.servers.every(({ aged, held }) => aged === "no" && held !== null)).toBe(true);
  });

  it("ages nothing when a row could not be seen, and nobody whose objects were not touched", async () => {
    const names = lone.names();
    await shortLives();
    await end(names.append("/two", setOf(await file("first"), await file("second", 1))));
    await runs(2);
    serverAt(0).close();
    const report = await run();
    expect(report.complete).toBe(true);
    const [first, second] = [of(report, serverAt(0).capability()), of(report, serverAt(1).capability())];
    expect(first).toMatchObject({ aged: "no", held: expect.stringContaining("does not answer") });
    expect(second).toMatchObject({ aged: "yes", touched: 1, held: null });
    await end(names.append("/one", setOf(serverAt(0).capability())));
    await end(names.remove("/two"));
    const unknown = await run();
    expect(unknown).toMatchObject({ complete: false, unseen: [{ path: "/one", code: "RPC_NOTFOUND" }] });
    expect(unknown.servers.map(({ aged }) => aged)).toEqual(["no", "no", "no"]);
    expect(stored(1)).toEqual(["second"]);
  });

  it("tells names that lead to nothing, and goes on", async () => {
    const names = lone.names();
    const stale = await file("gone");
    const [directory] = (await end(names.makeDirectory("/d"))).members;
    if (directory === undefined) throw new Error("no capability");
    await end(names.append("/gone", setOf(stale)));
    await end(names.append("/kept", setOf(await file("kept"))));
    await end(lone.stub(stale).destroy());
    const { capability: fresh } = await end(lone.stub(directory.capability).revoke());
    await end(lone.stub(fresh).append({ name: "inside", set: setOf(await file("inside")), masks: [] }));
    const report = await run();
    expect(report).toMatchObject({ complete: true, directories: 1 });
    expect(of(report, stale)).toMatchObject({ goneCount: 1, gone: ["/gone"], touched: 1, aged: "yes" });
    expect(of(report, lone.root())).toMatchObject({ goneCount: 1, gone: ["/d"] });
    // Its name is stale, and comes first; the capability that counts has another.
    await end(names.append("/e", setOf(fresh)));
    expect(await run()).toMatchObject({ complete: true, directories: 2, names: 5 });
    // Or it has none, and is kept all the same.
    await end(names.remove("/e"));
    const kept = await run({ also: [{ path: "@fresh", set: setOf(fresh) }] });
    expect(kept).toMatchObject({ complete: true, directories: 2, names: 4 });
  });

  it("touches many objects of a server in few calls, and asks about more than one reply tells", async () => {
    const names = lone.names();
    const made: Capability[] = [];
    for (let index = 0; index < 120; index++) made.push(await file(`${index}`));
    for (const [index, each] of made.entries())
      if (index % 2 === 0) await end(names.append(`/${index}`, setOf(each)));
    const report = await run();
    expect(of(report, serverAt(0).capability())).toMatchObject({
      touched: 60,
      ages: { objects: 120, unnamed: 60, doomedCount: 0 },
    });
    expect(await run({ directoriesMost: 0 })).toMatchObject({
      complete: false,
      unseen: [{ code: "GC_MANY" }],
    });
  });
});

it("numbers of objects are a set", () => {
  const numbers = new ObjectNumbers();
  const some = [0, 1, 8191, 8192, 70_000, 2 ** 24 - 1];
  for (const each of [...some, ...some, -1, 2 ** 24]) numbers.add(each);
  expect(numbers.count).toBe(some.length);
  for (const each of some) expect([numbers.has(each), numbers.has(each + 2)]).toEqual([true, false]);
});
