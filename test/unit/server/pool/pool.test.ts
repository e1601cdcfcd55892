// If one of these fails, an administrator sees a pool that is not there, or loses what he decided.

import { describe, expect, it } from "vitest";
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
