// The replication server over the wire. If one of these fails, a file has fewer copies than its
// owner asked for and nobody makes more, or one that was good is lost to a repair.

import { beforeEach, describe, expect, it } from "vitest";
import { portOnly } from "../../../../control/capability/capability.js";
import { inOrder, setOf } from "../../../../control/capability/set.js";
import {
  REPLICATION_DRY,
  REPLICATION_VERIFY,
  replicationTable,
} from "../../../../control/interface/replication.js";
import { stub } from "../../../../control/stub/client.js";
import { isLong } from "../../../simulation/seeds.js";
import { CopiesPool } from "./pool.js";

let pool: CopiesPool;
/** Each starts a pool: most are for the long tier. */
const long: (name: string, test: () => Promise<void>) => void = isLong ? it : () => undefined;
beforeEach(async () => {
  pool = await CopiesPool.start(3);
});
const acts = (report: { acts: readonly { act: string }[] }) => report.acts.map(({ act }) => act);
const codes = (report: { problems: readonly { code: string }[] }) => report.problems.map(({ code }) => code);

describe("a round", () => {
  long("leaves alone what has all its copies, and counts what is no file", async () => {
    await pool.write("/one", "first");
    await pool.end(pool.files().makeDirectory("/a/b", { parents: true }));
    await pool.write("/a/b/two", "second");
    await pool.end(pool.files().link(setOf(pool.bullet(0).server.capability()), "/server"));
    expect(await pool.run()).toMatchObject({
      ...{ files: 2, whole: 2, others: 1, directories: 3, complete: true, acts: [], problems: [] },
    });
    expect(pool.bullets.map(({ stored }) => stored).reduce((a, b) => a + b)).toBe(4);
  });

  it("makes the copies that a set was to have and has not", async () => {
    pool.bullet(1).server.close();
    pool.bullet(2).server.close();
    await pool.write("/one", "first", 3);
    for (const each of pool.bullets.slice(1)) each.start();
    expect(await pool.run(REPLICATION_DRY)).toMatchObject({ files: 1, whole: 0, copied: { copies: 0 } });
    expect(await pool.ports("/one")).toHaveLength(1);
    const report = await pool.run();
    expect(acts(report)).toEqual(["copy", "copy"]);
    expect(report).toMatchObject({ whole: 1, problems: [], copied: { copies: 2, bytes: 10 } });
    expect(new Set(await pool.ports("/one")).size).toBe(3);
    expect(pool.bullets.map(({ stored }) => stored)).toEqual([1, 1, 1]);
    expect(acts(await pool.run())).toEqual([]);
  });

  long("gives every file as many as the pool is to have at least", async () => {
    await pool.write("/one", "first", 1);
    const more = pool.replication({ copies: 2 });
    expect(acts(await pool.run(0, more))).toEqual(["copy"]);
    expect(await pool.ports("/one")).toHaveLength(2);
  });

  it("copies to another server when one stays away for longer than the grace time", async () => {
    await pool.write("/one", "first");
    const [first, second] = await pool.ports("/one");
    pool.at(first).server.close();
    expect(acts(await pool.run())).toEqual([]); // it may come back
    pool.alarms.pass(999);
    expect(acts(await pool.run())).toEqual([]);
    pool.alarms.pass(1);
    expect((await pool.run(REPLICATION_DRY)).acts.map(({ act, server }) => [act, server])).toMatchObject([
      ["copy", expect.not.stringMatching(`${first}|${second}`)],
      ["drop", first],
    ]);
    expect(acts(await pool.run())).toEqual(["copy", "drop"]);
    const now = await pool.ports("/one");
    expect(now).toHaveLength(2);
    expect(now).not.toContain(first);
    expect(now[0]).toBe(second);
    expect(await pool.text("/one")).toBe("first");
    pool.at(second).server.close();
    expect(await pool.text("/one")).toBe("first");
  });

  long("forgets that a server was away when it comes back", async () => {
    await pool.write("/one", "first");
    const [first] = await pool.ports("/one");
    pool.at(first).server.close();
    await pool.run();
    pool.alarms.pass(900);
    pool.at(first).start();
    await pool.run();
    pool.at(first).server.close();
    pool.alarms.pass(900);
    expect(acts(await pool.run())).toEqual([]);
  });

  it("mends what has rotted where it lies, for all names that it has", async () => {
    const set = await pool.write("/one", "first");
    const [first] = await pool.ports("/one");
    const [damaged] = inOrder(set);
    if (damaged === undefined) throw new Error("an empty set");
    await pool.end(pool.files().link(setOf(damaged), "/alone"));
    pool.at(first).rot("first");
    const report = await pool.run(REPLICATION_VERIFY);
    expect(report.acts).toMatchObject([{ act: "mend", server: first, bytes: 5 }]);
    expect(await pool.ports("/one")).toContain(first);
    expect(pool.at(first).stored).toBe(1);
    expect(await pool.text("/alone")).toBe("first");
    expect((await pool.run(REPLICATION_VERIFY)).acts).toEqual([]);
  });

  long("replaces a copy that is gone, and keeps the name's other one", async () => {
    const set = await pool.write("/one", "first");
    const [gone, kept] = inOrder(set);
    if (gone === undefined || kept === undefined) throw new Error("a set of two has fewer");
    await pool.end(pool.lone.pool.segmentStub(gone).destroy());
    expect(acts(await pool.run())).toEqual(["copy", "drop"]);
    const now = inOrder(await pool.end(pool.lone.names().lookup("/one")));
    expect(now).toHaveLength(2);
    expect(now[0]).toEqual(kept);
  });

  long("gives two names of one file the same new copies", async () => {
    const set = await pool.write("/one", "first");
    await pool.end(pool.files().link(set, "/two"));
    const [first] = await pool.ports("/one");
    pool.at(first).server.close();
    await pool.run();
    pool.alarms.pass(1000);
    await pool.run();
    expect(await pool.ports("/two")).toEqual(await pool.ports("/one"));
    expect(pool.bullets.map(({ stored }) => stored)).toEqual([1, 1, 1]);
  });

  long("says so, and changes nothing, when there is no good copy to make others from", async () => {
    await pool.write("/one", "first");
    for (const each of pool.bullets) each.rot("first");
    const before = await pool.end(pool.lone.names().lookup("/one"));
    expect(codes(await pool.run())).toEqual(["REPLICATION_LOST"]);
    expect(await pool.end(pool.lone.names().lookup("/one"))).toEqual(before);
    for (const each of pool.bullets) each.server.close();
    pool.alarms.pass(5000);
    expect(codes(await pool.run())).toContain("REPLICATION_AWAY");
    pool.alarms.pass(5000);
    expect(codes(await pool.run())).toContain("REPLICATION_LOST");
    expect(await pool.end(pool.lone.names().lookup("/one"))).toEqual(before);
  });

  long("never mixes files that are not the same", async () => {
    const [one] = inOrder(await pool.write("/one", "first", 1));
    const [two] = inOrder(await pool.write("/two", "other", 1));
    if (one === undefined || two === undefined) throw new Error("an empty set");
    await pool.end(pool.files().link(setOf(one, two), "/both"));
    expect(codes(await pool.run())).toEqual(["REPLICATION_DIFFERENT"]);
  });

  long("keeps useless members as out of date while there are too few, with the good ones first", async () => {
    pool.bullets = pool.bullets.slice(0, 2);
    const [first, second] = inOrder(await pool.write("/one", "first"));
    if (first === undefined || second === undefined) throw new Error("a set of two has fewer");
    pool.at((await pool.ports("/one"))[0]).server.close();
    await pool.run();
    pool.alarms.pass(1000);
    const report = await pool.run();
    expect([acts(report), codes(report)]).toEqual([["mark"], ["REPLICATION_SHORT"]]);
    const now = await pool.end(pool.lone.names().lookup("/one"));
    expect(now.members.map(({ current }) => current)).toEqual([false, true]);
    expect(inOrder(now)).toEqual([second, first]);
    expect(acts(await pool.run())).toEqual([]);
    for (const each of pool.bullets) if (each.port !== (await pool.ports("/one"))[0]) each.start();
    await pool.run();
    expect((await pool.end(pool.lone.names().lookup("/one"))).members.every(({ current }) => current)).toBe(
      true,
    );
  });

  long("leaves a name alone that somebody changes meanwhile, and what it made is gone", async () => {
    await pool.write("/one", "first", 1);
    const names = pool.lone.names();
    const other = await pool.write("/other", "second", 1);
    const lookup = names.lookup.bind(names);
    names.lookup = async (path) => {
      if (path === "/one") await names.replace("/one", other);
      return lookup(path);
    };
    const eager = pool.replication({ copies: 2, names: async () => names });
    expect(codes(await pool.run(0, eager))).toContain("REPLICATION_CHANGED");
    expect(await pool.text("/one")).toBe("second");
    const copies = pool.bullets.map(({ stored }) => stored).reduce((a, b) => a + b);
    expect(copies).toBe(3); // first, second, and the copy of second under /other
  });

  long("does not touch a row that gives fewer rights than the copies have", async () => {
    await pool.write("/one", "first", 1);
    await pool.end(pool.lone.names().chmod("/one", [0x02, 0x02]));
    const more = pool.replication({ copies: 2 });
    expect(codes(await pool.run(0, more))).toEqual(["REPLICATION_NARROWED"]);
    await pool.end(pool.lone.names().chmod("/one", [0xff, 0x02]));
    expect(acts(await pool.run(0, more))).toEqual(["copy"]);
  });

  long("is bounded: the next one goes on where it ended", async () => {
    for (const name of ["a", "b", "c", "d", "e"]) await pool.write(`/${name}`, name, 1);
    const slow = pool.replication({ copies: 2, intervalMs: 10_000, limits: { files: 2 } });
    for (let seconds = 0; seconds < 40; seconds++) {
      pool.alarms.pass(1000);
      await pool.run(REPLICATION_DRY, slow).catch(() => undefined);
    }
    for (const name of ["a", "b", "c", "d", "e"]) expect(await pool.ports(`/${name}`)).toHaveLength(2);
    slow.close();
  });
});

if (isLong)
  describe("the replication server", () => {
    long("looks soon at a copy of which a reader says that it is damaged", async () => {
      const set = await pool.write("/one", "first");
      const server = pool.replication({ intervalMs: 1_000_000, verifyMs: 1_000_000 });
      await pool.run(REPLICATION_VERIFY, server);
      const [first] = await pool.ports("/one");
      const [damaged] = inOrder(set);
      if (damaged === undefined) throw new Error("an empty set");
      pool.at(first).rot("first");
      const calls = stub(pool.lone.pool.far, replicationTable, portOnly(server.putPort));
      await pool.end(calls.damaged({ file: damaged }));
      pool.alarms.pass(2000);
      await pool.end(
        (async () => {
          while (pool.at(first).files.rotten.size > 0) await Promise.resolve();
        })(),
      );
      expect(await pool.end(pool.lone.pool.segmentStub(damaged).size())).toEqual({ bytes: 5 });
      server.close();
    });

    long("answers those who may ask, and says how it fares", async () => {
      const { far } = pool.lone.pool;
      const own = stub(far, replicationTable, pool.server.capability());
      expect(await pool.lone.pool.refused(own.report())).toBe("STD_NOTFOUND");
      await pool.write("/one", "first");
      await pool.run();
      expect((await pool.end(own.report())).report).toMatchObject({ schema: 1, files: 1 });
      expect((await pool.end(own.status())).text).toContain("files 1, with all copies 1");
      const weak = stub(far, replicationTable, pool.server.capability(0x01));
      expect(await pool.lone.pool.refused(weak.run())).toBe("STD_DENIED");
      const none = stub(far, replicationTable, portOnly(pool.server.putPort));
      expect(await pool.lone.pool.refused(none.report())).toBe("STD_CAPBAD");
    });
  });
