// If one of these fails, an administrator sees a pool that is not there, or loses what he decided.

import { describe, expect, it } from "vitest";
import { toHex } from "../../../../control/kernel/bytes.js";
import { Announcer } from "../../../../control/node/announce.js";
import { MemoryStore } from "../../../../control/store/memory.js";
import { BC_TOOMANY } from "../../../../core-wasm/status.js";
import { Party } from "./party.js";

const states = (pool: { nodes(): readonly { name: string; state: string }[] }): string[] =>
  pool.nodes().map(({ name, state }) => `${name} ${state}`);

describe("a control daemon", () => {
  it("lists a machine a moment after it has announced itself, at every daemon", async () => {
    const party = new Party(1);
    const [one, two] = [await party.daemon("c1"), await party.daemon("c2")];
    const n1 = party.machine("n1");
    await party.room.until(() => states(one.pool).length === 1 && states(two.pool).length === 1, 3000);
    expect(states(one.pool)).toEqual(["n1 up"]);
    expect(one.pool.node("n1")).toMatchObject({ address: n1.address, kind: "pool", version: "1.0.0" });
    await party.room.until(() => two.pool.node("n1").status !== null, 3000);
    expect(two.pool.node("n1").status).toMatchObject({ name: "n1" });
    expect(two.events).toContainEqual(expect.objectContaining({ kind: "joined", subject: "n1" }));
  });

  it("says within two seconds that a machine died, and that it is back without being told", async () => {
    const party = new Party(2);
    const { pool, events } = await party.daemon("c1");
    const n1 = party.machine("n1");
    await party.room.until(() => states(pool).length === 1, 3000);
    const died = party.elapsed;
    party.kill(n1);
    await party.room.until(() => states(pool)[0] === "n1 unreachable", 3000);
    expect(party.elapsed - died).toBeLessThanOrEqual(2000);
    party.machine("n1");
    await party.room.until(() => states(pool)[0] === "n1 up", 5000);
    expect(pool.nodes().length).toBe(1);
    expect(events.map(({ kind }) => kind)).toEqual(["daemons", "joined", "lost", "back"]);
  });

  it("drains a name at all daemons, and the machine hears of it", async () => {
    const party = new Party(3);
    const [one, two] = [await party.daemon("c1"), await party.daemon("c2")];
    const n1 = party.machine("n1");
    await party.room.until(() => states(two.pool).length === 1, 3000);
    expect(await party.room.settled(two.pool.drain("n1"))).toMatchObject({ name: "n1", state: "draining" });
    await party.room.until(() => n1.draining && states(one.pool)[0] === "n1 draining", 5000);
    await party.room.settled(one.pool.undrain("n1"));
    await party.room.until(() => !n1.draining && states(two.pool)[0] === "n1 up", 5000);
  });
});

const code = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return "it was done";
};

describe("several control daemons", () => {
  it("go on when the watching one dies: the next one says who does not answer", async () => {
    const party = new Party(4);
    const [one, two] = [await party.daemon("c1"), await party.daemon("c2")];
    const [n1, n2] = [party.machine("n1"), party.machine("n2")];
    await party.room.until(() => states(two.pool).length === 2, 3000);
    expect(one.pool.daemons()).toEqual([
      { member: 0, name: "c1", self: true, watching: true },
      { member: 1, name: "c2", self: false, watching: false },
    ]);
    party.killDaemon(one);
    party.kill(n1);
    await party.room.until(() => states(two.pool)[0] === "n1 unreachable", 5000);
    expect(two.pool.daemons()).toEqual([{ member: 1, name: "c2", self: true, watching: true }]);
    await party.room.settled(two.pool.drain("n2"));
    await party.room.until(() => n2.draining, 6000);
    // A part of the pool says that it is one, until the other is back or struck from the list.
    expect(two.pool.faults()).toMatchObject([{ kind: "daemonsLost", nodes: ["c1"] }]);
    await party.room.settled(two.pool.forget("c1"));
    expect(two.pool.faults()).toEqual([]);
  });

  it("give a joiner what they know, and take from its store what is newer", async () => {
    const party = new Party(5);
    const [storeA, storeB] = [new MemoryStore(), new MemoryStore()];
    const a = await party.daemon("a", { store: storeA });
    const b = await party.daemon("b", { store: storeB });
    const machines = [party.machine("n1"), party.machine("n2")];
    await party.room.until(() => states(b.pool).length === 2, 3000);
    await party.room.settled(a.pool.drain("n1"));
    await party.room.settled(b.pool.leave());
    party.killDaemon(b);
    await party.room.settled(a.pool.undrain("n1"));
    await party.room.settled(a.pool.drain("n2"));
    party.killDaemon(a);
    // Both are down. The one with the older store comes first.
    const b2 = await party.daemon("b", { store: storeB });
    expect(b2.pool.node("n1").draining).toBe(true);
    const a2 = await party.daemon("a", { store: storeA });
    const same = (): boolean => [a2, b2].every(({ pool }) => states(pool).join() === "n1 up,n2 draining");
    await party.room.until(same, 5000);
    for (const machine of machines) machine.announcer.close();
  });

  it("tell every change in the same order", async () => {
    const party = new Party(6);
    const [one, two] = [await party.daemon("c1"), await party.daemon("c2")];
    for (const name of ["n1", "n2", "n3"]) party.machine(name);
    await party.room.until(() => states(one.pool).length === 3 && states(two.pool).length === 3, 4000);
    const asked = ["n1", "n2", "n3"].flatMap((name) => [one.pool.drain(name), two.pool.undrain(name)]);
    await party.room.settled(Promise.all(asked));
    await party.room.until(() => one.events.at(-1)?.order === two.events.at(-1)?.order, 1000);
    const from = two.events[0]?.order ?? 0;
    expect(one.events.filter(({ order }) => order >= from)).toEqual(two.events);
  });
});

describe("what a daemon is asked", () => {
  it("names machines by name, by name and address, by address, and says what is not clear", async () => {
    const party = new Party(7);
    const { pool } = await party.daemon("c1");
    const [n1, twin] = [party.machine("n1"), party.machine("n1")];
    party.machine("n2");
    await party.room.until(() => states(pool).length === 3 && pool.faults().length > 0, 4000);
    expect(pool.node(n1.address)).toMatchObject({ name: `n1#${n1.address.slice(0, 4)}` });
    expect(pool.node(`n1#${twin.address.slice(0, 6)}`).address).toBe(twin.address);
    expect(pool.faults()).toMatchObject([{ kind: "sameName" }]);
    const thrown = (name: string): unknown => {
      try {
        return pool.node(name);
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    };
    expect([thrown("n1"), thrown("n3"), thrown("n2#ff")]).toEqual([
      ...["NODE_AMBIGUOUS", "NODE_UNKNOWN", "NODE_UNKNOWN"],
    ]);
    expect(await code(pool.drain("n3"))).toBe("NODE_UNKNOWN");
    expect(await code(pool.drain(n1.address))).toBe("NODE_AMBIGUOUS");
    expect(await code(party.room.settled(pool.forget("n2")))).toBe("NODE_IN_USE");
    expect(await code(pool.forget("n3"))).toBe("NODE_UNKNOWN");
    party.kill(twin);
    await party.room.until(() => states(pool).includes(`n1#${twin.address.slice(0, 4)} unreachable`), 4000);
    await party.room.settled(pool.forget(twin.address));
    expect(states(pool)).toEqual(["n1 up", "n2 up"]);
  });

  it("is answered from what it knows while it is in no group, and it says so", async () => {
    const party = new Party(8);
    const { pool, groups } = await party.daemon("c1");
    party.machine("n1");
    await party.room.until(() => states(pool).length === 1, 3000);
    groups.create = () => BC_TOOMANY;
    party.room.network.cutOff(groups);
    await party.room.until(() => pool.faults().some(({ kind }) => kind === "daemonsLost"), 20_000);
    expect(states(pool)).toEqual(["n1 up"]);
    expect(await code(party.room.settled(pool.drain("n1"), 30_000))).toBe("POOL_ALONE");
    expect(pool.daemons()).toEqual([{ member: 0, name: "c1", self: true, watching: false }]);
    pool.close();
    expect(await code(pool.drain("n1"))).toBe("POOL_CLOSED");
  });

  it("is refused with the store's reason when it cannot be kept", async () => {
    const party = new Party(9);
    const store = new MemoryStore();
    const { pool, failures } = await party.daemon("c1", { store });
    party.machine("n1");
    await party.room.until(() => states(pool).length === 1, 3000);
    await store.close();
    expect(await code(party.room.settled(pool.drain("n1")))).toBe("POOL_NOT_STORED");
    expect(failures.length).toBeGreaterThan(0);
  });

  it("does not take in what only claims to be a machine", async () => {
    const party = new Party(10);
    const { pool } = await party.daemon("c1");
    const real = party.machine("n1");
    await party.room.until(() => states(pool).length === 1, 3000);
    const { kernel } = party.room.machine();
    const phantom = (sys: string) =>
      new Announcer({
        ...{ kernel, after: party.room.after, random: party.room.random, pool: "pool" },
        failed: () => undefined,
        announcement: () => ({ name: "ghost", address: "aabb", kind: "pool", servers: { sys } }),
        answered: () => undefined,
      });
    phantom("010203040506"); // nobody is there
    phantom(toHex(real.system.putPort)); // that is another machine
    await party.room.run(8000);
    expect(states(pool)).toEqual(["n1 up"]);
  });
});

describe("a machine that boots over the network", () => {
  const report = { mac: "02:00:00:00:00:07", name: "n1", kind: "metal", step: "asked" } as const;

  it("is in the list of every daemon with its step, until it is in the pool", async () => {
    const party = new Party(21);
    const [one, two] = [await party.daemon("c1"), await party.daemon("c2")];
    await party.room.settled(one.pool.booting(report));
    await party.room.until(() => states(two.pool)[0] === "n1 booting", 3000);
    const { mac, step } = two.pool.node("n1").boot ?? {};
    expect({ mac, step }).toEqual({ mac: report.mac, step: "asked" });
    const n1 = party.machine("n1");
    await party.room.until(() => states(two.pool)[0] === "n1 up", 3000);
    expect(two.pool.node("n1").boot).toBeUndefined();
    party.kill(n1);
    await party.room.settled(one.pool.booting({ ...report, step: "loading" }));
    await party.room.until(() => states(two.pool)[0] === "n1 booting", 5000);
    expect(two.pool.nodes()).toMatchObject([{ address: n1.address, boot: { step: "loading" } }]);
  });

  it("goes from the list when it is forgotten, or was silent for long", async () => {
    const party = new Party(22);
    const { pool } = await party.daemon("c1");
    await party.room.settled(pool.booting(report));
    await party.room.settled(pool.forget("n1"));
    expect(pool.nodes()).toEqual([]);
    await party.room.settled(pool.booting(report));
    expect(states(pool)).toEqual(["n1 booting"]);
    party.calendarMs += 700_000;
    expect(pool.nodes()).toEqual([]);
  });
});
