// What a cell shares and where it is found. If one of these fails, somebody mounts what nobody shared, finds
// a cell that is none, or does not find one that is there.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { capabilityHex } from "../../../../control/capability/capability.js";
import { passingSecrets } from "../../../../control/capability/secrets.js";
import { CELL_SERVERS_MAX, cellPlace, networkPlace } from "../../../../control/interface/cell.js";
import { viceTable, volumeSchema } from "../../../../control/interface/vice.js";
import { toHex } from "../../../../control/kernel/bytes.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { Service } from "../../../../control/kernel/service.js";
import { ViceServer } from "../../../../control/server/vice/server.js";
import { answering } from "../../../../control/stub/answers.js";
import { findCells } from "../../../../control/stub/cells.js";
import { stub } from "../../../../control/stub/client.js";
import { measure, put } from "../../../../control/stub/messages.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryFolder } from "../../../../drivers/memory/folder.js";
import { Pool } from "../../stub/pool.js";
import { mustBeCut, ViceWorld } from "./world.js";

class Cells extends Pool {
  serve(cell: string | undefined, kernel: Kernel, folders = new Map<number, MemoryFolder>(), secrets = 0) {
    const bits = new SeededRandom(secrets + 1);
    const own = passingSecrets((bytes) => Uint8Array.from({ length: bytes }, () => bits.next() >>> 24));
    const server = new ViceServer({
      ...{ kernel, getPort: own.getPort, key: own.key, own: own.own, cell, random: this.random },
      folderFor: (number: number): MemoryFolder => {
        const folder = new MemoryFolder({ random: new SeededRandom(number) });
        folders.set(number, folder);
        return folder;
      },
      discard: (number: number) => {
        folders.delete(number);
        return async () => undefined;
      },
      ...{ volumes: [...folders], newDigest: () => createHash("sha256"), time: () => 1000 },
      ...{ now: () => kernel.turnedAt / 1000, failed: this.failed, after: this.room.after },
    });
    return { server, folders, calls: stub(this.near, viceTable, server.capability()) };
  }

  async volume({ calls }: ReturnType<Cells["serve"]>, name: string) {
    const facts = { name, semantics: "session", policy: "both", owner: 0 };
    return (await this.end(calls.make(facts))).volume;
  }

  find(cell?: string) {
    return this.end(findCells({ via: this.near, maker: this.near, timeoutMs: 300, cell }));
  }

  async pass(milliseconds: number): Promise<void> {
    await this.end(new Promise<void>((resolve) => void this.room.after(milliseconds, resolve)));
  }

  /** Whoever says at a place what it likes. */
  liar(getPort: Uint8Array, cell: object): Service {
    const { reply } = viceTable.operations.cell;
    const data = new Uint8Array(measure(reply, { cell }));
    put(reply, { cell }, data);
    return new Service(
      this.far,
      getPort,
      answering(() => ({ status: 0, data }), this.failed),
      { threads: 1 },
    );
  }
}

describe("a volume of a cell", () => {
  it("is shared when its administrator says so, with the rights that are said", async () => {
    const pool = new Cells();
    const math = pool.serve("math", pool.far);
    const [home, notes] = [await pool.volume(math, "home"), await pool.volume(math, "notes")];
    const shared = async () => (await pool.end(math.calls.shared())).shared;
    expect(await shared()).toEqual({ cell: "math", volumes: [] });
    const owner = stub(pool.near, viceTable, notes);
    await pool.end(owner.share({ rights: 1 }));
    const seen = (await shared()) as { volumes: { name: string; capability: string }[] };
    expect(seen.volumes.map(({ name }) => name)).toEqual(["notes"]);
    const reader = { port: notes.port, private: math.server.capability().private.slice() };
    reader.private.set(Buffer.from(seen.volumes[0]?.capability.slice(12) ?? "", "hex"));
    const read = stub(pool.near, viceTable, reader);
    const { volume } = await pool.end(read.describe());
    expect(volumeSchema.parse(volume)).toMatchObject({ name: "notes", shared: "read" });
    for (const denied of [
      read.share({ rights: 3 }),
      read.change({ quota: 1 }),
      read.settle({ conflict: 1 }),
      read.erase({ force: 1 }),
    ])
      expect(await pool.refused(denied)).toBe("STD_DENIED");
    expect(await pool.refused(owner.share({ rights: 2 }))).toBe("STD_ARGBAD");
    expect(await pool.refused(owner.share({ rights: 0x83 }))).toBe("STD_ARGBAD");
    await pool.end(stub(pool.near, viceTable, home).share({ rights: 3 }));
    // Another start has it from the volumes' rows; what is unshared, or deleted, is not there any more.
    math.server.close();
    for (const folder of math.folders.values()) {
      folder.kill();
      folder.restart();
    }
    const again = pool.serve("math", pool.far, math.folders);
    expect(toHex(again.server.putPort)).toBe(toHex(math.server.putPort));
    const after = (await shared()) as { volumes: { name: string; capability: string }[] };
    expect(after.volumes.map(({ name }) => name)).toEqual(["home", "notes"]);
    expect(after.volumes.map(({ capability }) => capability.slice(18, 20))).toEqual(["03", "01"]);
    await pool.end(owner.share({ rights: 0 }));
    await pool.end(stub(pool.near, viceTable, home).erase({ force: 0 }));
    expect(await shared()).toEqual({ cell: "math", volumes: [] });
    // Revoked capabilities are not shared on: what is shared is always the one that counts.
    await pool.end(owner.share({ rights: 1 }));
    const before = JSON.stringify(await shared());
    const { capability } = await pool.end(owner.revoke());
    expect(JSON.stringify(await shared())).not.toBe(before);
    expect(await pool.refused(read.describe())).toBe("STD_CAPBAD");
    await pool.end(stub(pool.near, viceTable, capability).describe());
    expect(pool.failures).toEqual([]);
  });

  it("is shared by nobody without a cell", async () => {
    const pool = new Cells();
    const lone = pool.serve(undefined, pool.far);
    const volume = stub(pool.near, viceTable, await pool.volume(lone, "home"));
    expect(await pool.refused(volume.share({ rights: 1 }))).toBe("STD_NOTNOW");
    expect(await pool.refused(lone.calls.shared())).toBe("STD_NOTNOW");
    expect(await pool.refused(lone.calls.cell())).toBe("STD_NOTNOW");
    await pool.end(volume.share({ rights: 0 }));
    expect(await pool.find()).toEqual([]);
    expect(pool.failures).toEqual([]);
  });

  it("is shared after the power's end when that was answered, wherever it ended", async () => {
    const wanted = [1, 3, 0, 1];
    /** `hasty`: who says that it is shared before it is durable. */
    const work = async (world: ViceWorld, answered: number[], hasty: boolean): Promise<void> => {
      for (const rights of wanted) {
        if (hasty) answered.push(rights);
        await world.volume.share(rights);
        if (!hasty) answered.push(rights);
      }
    };
    const whole = new MemoryFolder({ random: new SeededRandom(1) });
    await work(new ViceWorld(whole), [], false);
    /** Seeds after which what was answered is not so. */
    const lost = async (hasty: boolean) => {
      const found: number[] = [];
      let cuts = 0;
      for (let cutAt = 0; cutAt < whole.operations; cutAt++)
        for (let seed = 100 * cutAt; seed < 100 * cutAt + 3; seed++) {
          const folder = new MemoryFolder({ random: new SeededRandom(seed) });
          folder.cutAt = cutAt;
          const answered: number[] = [];
          try {
            await work(new ViceWorld(folder), answered, hasty);
          } catch (error) {
            mustBeCut(error);
            cuts++;
          }
          folder.restart();
          const now = new ViceWorld(folder).volume.state.volume?.shared ?? 0;
          const may = [0, ...wanted].slice(answered.length, answered.length + 2); // the next one may be done
          if (!may.includes(now)) found.push(seed);
        }
      return { found, cuts };
    };
    const { found, cuts } = await lost(false);
    expect(found).toEqual([]);
    expect(cuts).toBeGreaterThan(10);
    expect((await lost(true)).found).not.toEqual([]); // the planted fault is seen
  });
});

describe("cells", () => {
  it("are found by asking the network, each with all of its servers", async () => {
    const pool = new Cells();
    const servers = [pool.serve("math", pool.far), pool.serve("math", pool.near, new Map(), 1)];
    const physics = pool.serve("physics", pool.far, new Map(), 2);
    for (const [index, each] of [...servers, physics].entries()) {
      const volume = await pool.volume(each, `v${index}`);
      await pool.end(stub(pool.near, viceTable, volume).share({ rights: 1 }));
    }
    await pool.pass(9000); // those that took one place at the same moment have found out
    const found = await pool.find();
    expect(
      found.map(({ name, servers: all }) => [name, all.flatMap(({ volumes }) => volumes.map((v) => v.name))]),
    ).toEqual([
      ["math", expect.arrayContaining(["v0", "v1"])],
      ["physics", ["v2"]],
    ]);
    const [math] = await pool.find("math");
    expect(math?.servers.map(({ server }) => server).sort()).toEqual(
      servers.map(({ server }) => toHex(server.putPort)).sort(),
    );
    expect(await pool.find("chemistry")).toEqual([]);
    // Who stops is not found any more; its place is free.
    for (const { server } of servers) server.close();
    expect((await pool.find()).map(({ name }) => name)).toEqual(["physics"]);
    expect(pool.failures).toEqual([]);
  });

  it("find out when two servers have taken one place", async () => {
    const pool = new Cells();
    pool.serve("math", pool.far);
    pool.serve("math", pool.near, new Map(), 1);
    await pool.pass(600);
    const third = pool.room.attached({ memoryBytes: 32 * 1024 * 1024 });
    const look = () => pool.end(findCells({ via: third, maker: third, timeoutMs: 300, cell: "math" }));
    expect((await look())[0]?.servers).toHaveLength(1); // the fault is there: both hold the first place
    await pool.pass(9000);
    expect((await look())[0]?.servers).toHaveLength(2);
    expect(pool.failures).toEqual([]);
  });

  it("are not what somebody says at a place", async () => {
    const pool = new Cells();
    const math = pool.serve("math", pool.far);
    const volume = await pool.volume(math, "home");
    await pool.end(stub(pool.near, viceTable, volume).share({ rights: 1 }));
    const server = toHex(math.server.putPort);
    const lies = [
      { cell: "bank", server }, // math's server says that it is math's
      { cell: "../../etc", server },
      { cell: "math", server: "not a port" },
      { cell: "math", server: "0102030405060708" },
      { cell: "nobody", server: "010203040506" },
      {},
    ];
    for (const [index, lie] of lies.entries()) {
      pool.liar(networkPlace(pool.far, 20 + index), lie);
      if (index < CELL_SERVERS_MAX - 1) pool.liar(cellPlace(pool.far, "bank", index), lie);
    }
    await pool.pass(1000);
    expect((await pool.find()).map(({ name }) => name)).toEqual(["math"]);
    expect(await pool.find("bank")).toEqual([]);
    // A server that offers others' objects, or names that are none, is believed in nothing of that.
    const { reply } = viceTable.operations.shared;
    const other = capabilityHex(math.server.capability());
    const getPort = Uint8Array.of(9, 9, 9, 9, 9, 9);
    const own = toHex(pool.far.publicPort(getPort));
    const say = (shared: object): Service => {
      const data = new Uint8Array(measure(reply, { shared }));
      put(reply, { shared }, data);
      const answer = answering(() => ({ status: 0, data }), pool.failed);
      return new Service(pool.far, getPort, answer, { threads: 1 });
    };
    pool.liar(networkPlace(pool.far, 30), { cell: "false", server: own });
    const good = { name: "good", capability: `${own}${"01".repeat(10)}` };
    let service = say({ cell: "false", volumes: [{ name: "theirs", capability: other }, good] });
    const volumes = async () => (await pool.find()).find(({ name }) => name === "false")?.servers[0]?.volumes;
    expect(await volumes()).toEqual([good]);
    service.close();
    service = say({ cell: "false", volumes: [{ ...good, name: "../up" }] });
    expect(await volumes()).toBeUndefined();
    service.close();
    expect(pool.failures).toEqual([]);
  });
});
