// A log that vice refuses as a whole: it waits longer each time, says why and what to do, and is shipped
// when the reason is gone. If one of these fails, a mount asks for ever, hangs, or loses its work.

import { describe, expect, it } from "vitest";
import { STD_DENIED, STD_NOSPACE } from "../../../core-wasm/status.js";
import { FilesWorld } from "./world.js";

const ENOSPC = 28;
const EROFS = 30;

async function two() {
  const world = new FilesWorld();
  const [a, b] = [world.mount(), world.mount()];
  await world.settle();
  await a.list();
  return { world, a, b };
}

describe("a log that vice refuses", () => {
  it("is tried less and less often, said in the status, and shipped when that is over", async () => {
    const { world, a, b } = await two();
    a.isCut = true;
    await a.write("f", "kept");
    a.refuses.set("reintegrate", STD_DENIED);
    a.isCut = false;
    await world.pass(2000);
    world.calls.length = 0;
    await world.pass(300_000);
    const tries = world.calls.filter((each) => each === "reintegrate").length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(15);
    const { stuck, records, state } = a.venus.status();
    expect({ stuck, state }).toMatchObject({
      state: "reintegrating",
      stuck: { code: "STD_DENIED", hint: expect.stringContaining("capability that may write") },
    });
    expect(stuck?.nextMs).toBeLessThanOrEqual(60_000);
    expect(records).toBeGreaterThan(0);
    expect(await a.read("f")).toBe("kept");
    a.refuses.clear();
    await world.pass(61_000);
    expect(a.venus.status()).toMatchObject({ state: "connected", records: 0, stuck: null });
    expect(await b.read("f")).toBe("kept");
    expect(world.failures).toEqual([]);
  });

  it("is tried at once when the connection begins anew", async () => {
    const { world, a, b } = await two();
    a.isCut = true;
    await a.write("f", "kept");
    a.refuses.set("reintegrate", STD_NOSPACE);
    a.isCut = false;
    await world.pass(60_000);
    expect(a.venus.status().stuck?.code).toBe("STD_NOSPACE");
    a.refuses.clear();
    a.venus.link.begin();
    await world.settle();
    expect(a.venus.status()).toMatchObject({ records: 0, stuck: null });
    expect(await b.read("f")).toBe("kept");
  });

  it("does not hold up who waits for its answer, nor who comes next", async () => {
    const { world, a, b } = await two();
    await a.write("f", "there");
    a.refuses.set("reintegrate", STD_DENIED);
    for (let count = 0; count < 12; count++) expect(await a.mkdir("d")).toBe(EROFS);
    a.refuses.clear();
    a.refuses.set("send", STD_NOSPACE);
    expect(await a.write("f", "large ".repeat(10_000))).toBe(ENOSPC);
    a.refuses.clear();
    expect(await a.mkdir("d")).toBe(0);
    expect(a.venus.status().stuck).toBe(null);
    expect(await b.list()).toEqual(["d", "f"]);
    expect(world.failures).toEqual([]);
  });
});
