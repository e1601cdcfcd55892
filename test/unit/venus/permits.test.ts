// A permit as a mount has it: changes wait for nobody, others read nothing older than what was closed, and
// whatever ends – the network, the mount, the power – nothing that was answered is lost.

import { describe, expect, it } from "vitest";
import { ROOT_ID } from "../../../control/interface/file-status.js";
import type { FileAnswer, FileRequest } from "../../../drivers/file-system.js";
import { FilesWorld, type Mount } from "./world.js";

/** Works alone for as long as it takes. */
async function alone(mount: Mount): Promise<void> {
  await mount.tree();
  for (let count = 0; count < 12 && mount.venus.status().permit.state === "none"; count++)
    await mount.write("warm", `${count}`);
  await mount.world.settle();
}

async function held() {
  const world = new FilesWorld();
  const [a, b] = [world.mount(), world.mount()];
  await world.settle();
  await alone(a);
  expect(a.venus.status().permit).toMatchObject({ state: "held", fence: 1, mode: "auto" });
  return { world, a, b };
}

/** What is answered before anything else happens. */
function atOnce(mount: Mount, request: Partial<FileRequest> & { kind: FileRequest["kind"] }): FileAnswer {
  let answer: FileAnswer | undefined;
  const whole = { node: ROOT_ID, uid: 0, gid: 0, pid: 1, ...request } as FileRequest;
  mount.venus.handle(whole, (given) => {
    answer = given;
  });
  if (answer === undefined) throw new Error(`${request.kind} waits`);
  return answer;
}

describe("a mount that works alone", () => {
  it("waits for nobody: its changes and closes take no call", async () => {
    const { world, a, b } = await held();
    a.slowMs = 1000;
    const made = atOnce(a, { kind: "create", name: "f", flags: 1, mode: 0o644 });
    if (made.kind !== "created") throw new Error(made.kind);
    const { node } = made.entry.attributes;
    const { handle } = made.opened;
    atOnce(a, { kind: "write", node, handle, position: 0, data: new Uint8Array(Buffer.from("text")) });
    expect(atOnce(a, { kind: "flush", node, handle })).toEqual({ kind: "done" });
    atOnce(a, { kind: "release", node, handle });
    expect(atOnce(a, { kind: "mkdir", name: "d", mode: 0o755 }).kind).toBe("entry");
    expect(atOnce(a, { kind: "rename", name: "f", to: ROOT_ID, newName: "g", flags: 0 }).kind).toBe("done");
    expect(atOnce(a, { kind: "unlink", name: "warm" }).kind).toBe("done");
    expect(atOnce(a, { kind: "mkdir", name: "d", mode: 0o755 })).toMatchObject({ kind: "error", errno: 17 });
    expect(a.venus.status()).toMatchObject({ state: "connected", permit: { state: "held" } });
    expect(a.venus.status().records).toBeGreaterThan(2);
    a.slowMs = 0;
    await world.pass(3000);
    expect(a.venus.status().records).toBe(0);
    world.calls.length = 0;
    expect(await a.tree()).toEqual({ "d/": "", g: "text" }); // directories are known whole
    expect(world.calls).toEqual([]);
    expect(await b.tree()).toEqual({ "d/": "", g: "text" });
    expect(world.failures).toEqual([]);
  });

  it("ships before anybody else is answered, and waits for vice from then on", async () => {
    const { world, a, b } = await held();
    a.slowMs = 100;
    for (let count = 0; count < 20; count++) expect(await a.write(`f${count}`, `${count}`)).toBe(0);
    const [seen, mine] = await Promise.all([b.tree(), a.write("f3", "late")]);
    expect(mine).toBe(0);
    expect(Object.keys(seen).length).toBe(21);
    expect(["3", "late"]).toContain(seen.f3);
    expect(a.venus.status()).toMatchObject({ records: 0, permit: { state: "none" } });
    expect(await b.read("f3")).toBe("late");
    a.slowMs = 0;
    world.calls.length = 0;
    await a.write("f3", "again");
    expect(world.calls).toContain("reintegrate");
    expect(await b.read("f3")).toBe("again");
    expect(world.volume.state.conflicts.size).toBe(0);
    expect(world.failures).toEqual([]);
  });

  it("has one winner when both make the same name", async () => {
    for (let round = 0; round < 3; round++) {
      const { a, b } = await held();
      const both = round === 1 ? [b, a] : [a, b];
      const made = await Promise.all(both.map((mount) => mount.mkdir("lock")));
      expect(made.sort()).toEqual([0, 17]);
    }
  });

  it("asks more and more seldom when another one comes between", async () => {
    const { world, a, b } = await held();
    world.calls.length = 0;
    for (let round = 0; round < 40; round++) {
      for (let count = 0; count < 10; count++) await a.write("f", `${round} ${count}`);
      expect(await b.read("f")).toBe(`${round} 9`);
      await world.pass(6000, 1000);
    }
    const asked = world.calls.filter((each) => each === "permit").length;
    expect(asked).toBeGreaterThan(4);
    expect(asked).toBeLessThan(2 * 12); // each is given back
    expect(world.failures).toEqual([]);
  });

  it("asks for none when it must not, and gives back what it does not use", async () => {
    const { world, a, b } = await held();
    await world.pass(31_000, 1000);
    expect(a.venus.status().permit.state).toBe("none");
    expect(world.volume.permits.holder).toBe(0);
    await alone(a);
    expect(world.volume.permits.holder).toBeGreaterThan(0);
    a.venus.hold(); // fs disconnect
    await world.settle();
    expect(world.volume.permits.holder).toBe(0);
    const other = new FilesWorld();
    const never = other.mount();
    never.permit = "never";
    never.restart();
    await other.settle();
    await alone(never);
    expect(other.calls).not.toContain("permit");
    expect(await b.list()).toEqual(["warm"]);
  });

  it("ships and gives it back when the mount is taken off", async () => {
    const { world, a, b } = await held();
    a.slowMs = 100;
    await a.write("f", "last");
    a.venus.leave();
    while (a.venus.isLeaving) await world.pass(100);
    a.isCut = true;
    expect(await b.read("f")).toBe("last");
    expect(world.milliseconds).toBeLessThan(3000);
  });
});

describe("a holder that ends", () => {
  it("goes on without the network; others wait for a lease, and both sides' work is kept", async () => {
    const { world, a, b } = await held();
    await a.write("f", "base");
    await world.settle();
    a.isCut = true;
    expect(await a.write("f", "of a")).toBe(0);
    const began = world.milliseconds;
    expect(await b.read("f")).toBe("base");
    expect(world.milliseconds - began).toBeGreaterThan(5000);
    expect(world.milliseconds - began).toBeLessThan(12_000);
    expect(await b.write("f", "of b")).toBe(0);
    a.isCut = false;
    await world.pass(4000);
    const tree = await a.tree();
    expect(await b.tree()).toEqual(tree);
    expect(Object.values(tree)).toEqual(expect.arrayContaining(["of a", "of b"]));
    expect(world.failures).toEqual([]);
  });

  it("says HELLO with work that was not shipped: nobody is answered before that", async () => {
    for (const how of ["kill", "vice", "answer", "deaf"] as const) {
      const { world, a, b } = await held();
      a.slowMs = 200;
      for (let count = 0; count < 5; count++) await a.write(`f${count}`, `${count}`);
      expect(a.venus.status().records).toBeGreaterThan(0);
      if (how === "kill") a.restart("kill");
      else if (how === "vice") world.restartVice();
      else if (how === "answer") a.loseAnswer = "reintegrate";
      else a.isDeaf = true;
      const tree = await b.tree();
      expect(Object.keys(tree), how).toEqual(["f0", "f1", "f2", "f3", "f4", "warm"]);
      a.isDeaf = false;
      await world.pass(4000);
      expect(await a.tree(), how).toEqual(tree);
      expect(a.venus.status(), how).toMatchObject({ state: "connected", records: 0 });
      expect(world.volume.state.conflicts.size, how).toBe(0);
      expect(world.failures).toEqual([]);
    }
  });

  it("has everything that was answered after a kill, everything synced after the power's end", async () => {
    const names = ["f", "g", "h"];
    /** What was answered, and what was synced. */
    const work = async (a: Mount) => {
      const done: string[] = [];
      const synced: string[] = [];
      for (const name of names) {
        if ((await a.write(name, `text of ${name}`).catch(() => -1)) !== 0) break;
        done.push(name);
        const node = await a.walk(name).catch(() => 0);
        const opened = node === 0 ? null : await a.ask({ kind: "open", node, flags: 0 }).catch(() => null);
        if (opened?.kind !== "opened") break;
        const { handle } = opened;
        const answer = await a.ask({ kind: "fsync", node, handle } as never).catch(() => null);
        if (answer?.kind !== "done") break;
        synced.push(name);
      }
      return { done, synced };
    };
    const measure = await held();
    measure.a.slowMs = 50;
    const first = measure.a.folder.operations;
    await work(measure.a);
    const last = measure.a.folder.operations;
    expect(last - first).toBeGreaterThan(20);
    for (let at = first; at <= last; at++)
      for (const how of ["kill", "cut"] as const) {
        const { world, a, b } = await held();
        a.slowMs = 50;
        a.folder.cutAt = at;
        a.folder.cutBy = how;
        const { done, synced } = await work(a);
        const must = how === "kill" ? done : synced;
        a.slowMs = 0;
        a.restart(how);
        await world.pass(15_000, 1000);
        const tree = await b.tree();
        for (const name of must) expect(tree[name], `${how} at ${at}`).toBe(`text of ${name}`);
        const mine = await a.tree(); // of what was not synced a copy may be torn
        for (const name of how === "kill" ? Object.keys(tree) : must)
          expect(mine[name], `${how} at ${at}`).toBe(tree[name]);
        expect(a.venus.status()).toMatchObject({ state: "connected", records: 0 });
        expect(world.volume.state.conflicts.size).toBe(0);
      }
  });
});
