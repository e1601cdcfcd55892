// A process is never taken for another one, and none survives being killed.

import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  environmentOf,
  isAlive,
  killAll,
  listProcesses,
  ownAncestors,
  processOf,
  waitGone,
  waitUntil,
} from "../../../control/lab/processes.js";

describe("processes", () => {
  it("are known by more than an id that someone else may have by now", () => {
    const own = processOf(process.pid);
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ pid: process.pid, started: (own?.started ?? 0) - 1 })).toBe(false);
    expect(processOf(undefined)).toBeNull();
    expect(isAlive(null)).toBe(false);
  });

  it("are all killed, those too that are born meanwhile", async () => {
    const tag = `lab-test-${process.pid}`;
    const script = "for i in 1 2 3 4 5; do (while :; do sleep 0.01; done) & done; wait";
    const parent = spawn("sh", ["-c", script], { env: { ...process.env, LAB_TEST: tag }, stdio: "ignore" });
    const tagged = (): number[] =>
      listProcesses().filter((pid) => environmentOf(pid).get("LAB_TEST") === tag);
    expect(await waitUntil(() => tagged().length > 5, 5000)).toBe(true);
    const killed = await killAll(tagged);
    expect(killed.length).toBeGreaterThan(5);
    expect(await waitGone(killed, 5000)).toBe(true);
    expect(tagged()).toEqual([]);
    expect(parent.pid).toBeDefined();
  });

  it("that started this one are found, so that they can be spared", () => {
    expect(ownAncestors()).toContain(process.pid);
    expect(ownAncestors()).toContain(process.ppid);
    expect(listProcesses()).not.toContain(process.pid);
  });
});
