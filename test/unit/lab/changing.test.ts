// Two commands that change one lab at once would each undo the other's work: they take
// turns, and a command that was killed stands in nobody's way.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changing } from "../../../control/lab/changing.js";
import { processOf } from "../../../control/lab/processes.js";
import { claimFolder, labFolder, newState, writeLab } from "../../../control/lab/state.js";
import { defaultTopology } from "../../../control/lab/topology.js";

describe("changes of a running lab", () => {
  let root = "";
  const own = processOf(process.pid);
  const state = () => ({
    ...newState("test", "memory", defaultTopology("turns", 1)),
    phase: "running" as const,
    owner: null,
    keeper: own,
  });
  const before = process.env.PROTEUS_LAB_STATE;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "changing-"));
    process.env.PROTEUS_LAB_STATE = root;
    claimFolder(state());
    writeLab(state());
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
    if (before === undefined) delete process.env.PROTEUS_LAB_STATE;
    else process.env.PROTEUS_LAB_STATE = before;
  });

  it("are made one after the other, each on what the last one left", async () => {
    let inside = 0;
    const turn = () =>
      changing("turns", async (now) => {
        expect(inside++).toBe(0);
        await new Promise((resolve) => setImmediate(resolve));
        writeLab({ ...now, id: `${now.id}+` });
        inside--;
      });
    await Promise.all(Array.from({ length: 8 }, turn));
    await changing("turns", async ({ id }) => expect(id).toBe("test++++++++"));
    expect(readdirSync(labFolder("turns")).sort()).toEqual(["nodes", "state.json"]);
  });

  it("go on after one that failed, and after one whose process is gone", async () => {
    await expect(changing("turns", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    writeFileSync(join(labFolder("turns"), "changing"), JSON.stringify({ pid: process.pid, started: 1 }));
    expect(await changing("turns", async ({ topology }) => topology.name)).toBe("turns");
  });

  it("are refused when the lab is gone", async () => {
    await expect(changing("other", async () => 1)).rejects.toMatchObject({ code: "LAB_NOT_FOUND", exit: 3 });
    writeLab({ ...state(), keeper: null });
    await expect(changing("turns", async () => 1)).rejects.toMatchObject({ code: "LAB_NOT_FOUND" });
  });
});
