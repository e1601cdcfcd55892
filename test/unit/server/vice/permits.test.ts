// Permits at vice: one client has one, nobody else is answered before it is back, a dead holder costs others
// one lease, and a restart forgets none.

import { describe, expect, it } from "vitest";
import { ROOT_ID } from "../../../../control/interface/file-status.js";
import { Refused } from "../../../../control/stub/refused.js";
import { STD_INTR, STD_NOTNOW } from "../../../../core-wasm/status.js";
import { Client, ViceWorld } from "./world.js";

const leaseMs = 11_000; // as vice counts it

async function two(semantics: "session" | "strict" = "session") {
  const world = new ViceWorld(undefined, semantics);
  const [a, b] = [await new Client(world, "a").begin(), await new Client(world, "b").begin()];
  return { world, a, b };
}

/** The status with which something is refused; 0: it is not. */
async function refused(work: () => unknown): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    if (error instanceof Refused) return error.status;
    throw error;
  }
}

const looks = (client: Client): Promise<number> =>
  refused(() => client.world.volume.statuses(client.session, [ROOT_ID]));

/** Vice is killed and comes back. */
function restart(world: ViceWorld): void {
  world.volume.close();
  world.folder.kill();
  world.folder.restart();
  world.volume = world.open();
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe("a permit", () => {
  it("is given to one client, and to the next with a higher number", async () => {
    const { a, b } = await two();
    expect(await a.permit()).toBe(1);
    expect(await b.permit()).toBe(0);
    expect(await a.permit()).toBe(1); // its answer may have been lost
    expect(await a.permit(1)).toBe(0);
    expect(await b.permit()).toBe(2);
  });

  it("is given when all promises of others are broken, and they have heard", async () => {
    const { world, a, b } = await two();
    world.volume.statuses(b.session, [ROOT_ID]);
    expect(await a.permit()).toBe(0); // b is at work
    world.milliseconds += 5000;
    world.hears = false;
    expect(await a.permit()).toBe(0);
    expect(await refused(() => b.session)).toBe(STD_NOTNOW);
    world.hears = true;
    expect(await a.permit()).toBe(0); // b may believe in its promise until its lease is over
    world.milliseconds += leaseMs - 1000;
    expect(await a.session).toBeTruthy();
    world.milliseconds += 1001;
    expect(await a.permit()).toBe(1);
    await b.begin();
    await a.permit(1);
    expect(await looks(b)).toBe(0);
    world.milliseconds += 5000;
    world.told.length = 0;
    expect(await a.permit()).toBe(2);
    expect(world.told).toEqual([["626262626262", []]]);
  });

  it("is given for no strict volume, for none with a quota, and not while others change something", async () => {
    const strict = await two("strict");
    expect(await strict.a.permit()).toBe(0);
    const { world, a, b } = await two();
    await world.volume.limit(1000);
    expect(await a.permit()).toBe(0);
    await world.volume.limit(0);
    const end = world.volume.permits.change(b.session);
    world.milliseconds += 6000;
    expect(await a.permit()).toBe(0);
    end();
    expect(await a.permit()).toBe(1);
    await world.volume.limit(1000); // whoever closes is to hear of it
    expect(world.hurried).toEqual([1]);
  });

  it("is not given when somebody asks while it is being given", async () => {
    const { world, a, b } = await two();
    world.volume.statuses(b.session, [ROOT_ID]);
    world.milliseconds += 5000;
    const asked = a.permit();
    expect(await looks(b)).toBe(0);
    expect(await asked).toBe(0);
    expect(world.volume.permits.holder).toBe(0);
  });

  it("is taken back before anybody else is answered", async () => {
    const { world, a, b } = await two();
    expect(await a.permit()).toBe(1);
    a.make("f");
    await a.ship(); // its own work goes on
    expect(await looks(b)).toBe(STD_INTR);
    expect(await refused(() => world.volume.entries(b.session, ROOT_ID, ""))).toBe(STD_INTR);
    b.make("g");
    expect(await refused(() => b.ship())).toBe(STD_INTR);
    expect(world.hurried).toEqual([1]);
    world.milliseconds += 1000;
    expect(await looks(b)).toBe(STD_INTR);
    expect(world.hurried).toEqual([1, 1]);
    await a.permit(1);
    expect(await looks(b)).toBe(0);
    b.forget();
    b.make("g");
    await b.ship();
    expect(world.tree()).toEqual({ f: "", g: "" });
  });

  it("is not given back by an old number, nor by somebody else", async () => {
    const { a, b } = await two();
    await a.permit();
    await a.permit(1);
    expect(await a.permit()).toBe(2);
    await a.permit(1);
    await b.permit(2);
    await b.permit(1);
    expect(await looks(b)).toBe(STD_INTR);
    await a.permit(2);
    expect(await looks(b)).toBe(0);
  });
});

describe("a holder that does not give it back", () => {
  it("costs others a lease when it is dead, and no more; what it did is disconnected work", async () => {
    const { world, a, b } = await two();
    const f = a.make("f");
    a.store(f, "base");
    await a.ship();
    const base = a.version(f);
    await a.permit();
    world.milliseconds += 3000;
    world.hears = false;
    expect(await looks(b)).toBe(STD_INTR);
    await turns();
    world.milliseconds += leaseMs - 3000 - 1;
    expect(await looks(b)).toBe(STD_INTR);
    world.milliseconds += 1;
    expect(await looks(b)).toBe(0);
    b.store(f, "of b", { base });
    await b.ship();
    // It was alive: what it did alone meanwhile is neither refused nor lost.
    expect(await refused(() => a.ship())).toBe(STD_NOTNOW);
    await a.begin();
    expect(a.hello?.permit).toBe(0);
    a.store(f, "of a", { base });
    expect((await a.ship())[0]).toMatchObject({ became: "kept" });
    expect(Object.values(world.tree()).sort()).toEqual(["of a", "of b"]);
  });

  it("has its session ended when it does not hear, and says HELLO before it believes longer", async () => {
    const { world, a, b } = await two();
    await a.permit();
    world.hears = false;
    expect(await looks(b)).toBe(STD_INTR);
    await turns();
    expect(await refused(() => a.session)).toBe(STD_NOTNOW);
    await a.begin();
    expect(a.hello?.permit).toBe(1); // nobody was answered: it ships, and gives it back
    expect(await looks(b)).toBe(STD_INTR);
    await a.permit(1);
    expect(await looks(b)).toBe(0);
  });

  it("costs two when it lives and lies", async () => {
    const { world, a, b } = await two();
    await a.permit();
    for (let waited = 0; waited <= leaseMs; waited += 1000) {
      expect(await looks(b)).toBe(STD_INTR);
      await refused(() => a.session); // goes on with its lease
      world.milliseconds += 1000;
    }
    await looks(b);
    expect(await refused(() => a.session)).toBe(STD_NOTNOW);
    await a.begin();
    expect(a.hello?.permit).toBe(0);
    expect(await looks(b)).toBe(0);
  });
});

describe("a vice that was restarted", () => {
  it("answers nobody else before the holder of before has given its permit back", async () => {
    const { world, a, b } = await two();
    await a.permit();
    restart(world);
    await b.begin();
    expect(await looks(b)).toBe(STD_INTR);
    await a.begin();
    expect(a.hello?.permit).toBe(1);
    a.make("f");
    await a.ship();
    expect(await looks(b)).toBe(STD_INTR);
    await a.permit(1);
    expect(await looks(b)).toBe(0);
    restart(world);
    await b.begin();
    expect(await looks(b)).toBe(0); // that it was given back is known too
  });

  it("waits a lease for one that does not come, and gives none in that time", async () => {
    const { world, a, b } = await two();
    await a.permit();
    restart(world);
    await b.begin();
    expect(await looks(b)).toBe(STD_INTR);
    world.milliseconds += leaseMs - 1;
    expect(await looks(b)).toBe(STD_INTR);
    world.milliseconds += 1;
    expect(await looks(b)).toBe(0);
    restart(world);
    await b.begin();
    expect(await b.permit()).toBe(0); // others may have promises of before
    world.milliseconds += leaseMs;
    await b.begin();
    expect(await b.permit()).toBe(2);
  });
});
