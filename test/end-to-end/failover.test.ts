// A server's machine loses its power while calls run, comes back, and the server moves:
// callers notice in time, go on, follow the port, and never get a wrong answer.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { type CallReport, Programs, type Served, until, within } from "./programs.js";

const getPort = "abcdef";
const callers = ["n2", "n3"] as const;
/** A peer is taken for dead after 2 s by default; the rest is for a busy machine. */
const noticedUs = 4e6;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const failed = (report: CallReport, code: string): number => report.failures[code] ?? 0;

describe("a server whose machine fails, and that moves", () => {
  const pool = new Programs();
  let server: Served;

  beforeAll(async () => {
    await pool.up("--nodes", "3");
    server = await pool.serve("n1", getPort);
  });
  afterAll(() => pool.close());

  /** Calls without end from n2 and n3, every byte verified. */
  function callOn(): Running[] {
    const what = ["--size", "2000", "--count", "5000000", "--timeout", "90s"];
    const how = ["--locate-timeout", "300ms", "--keep-going", "--json"];
    return callers.map((node) => pool.start(node, "call", "--port", server.putPort, ...what, ...how));
  }

  /** Ends the calls as Ctrl-C would. A wrong answer ends them earlier, with exit 1. */
  async function reportsOf(running: readonly Running[]): Promise<CallReport[]> {
    return Promise.all(
      running.map(async ({ child, outcome }, index) => {
        child.kill("SIGTERM");
        const { status, stdout, stderr } = await within(`the report of ${callers[index]}`, outcome);
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        return JSON.parse(stdout) as CallReport;
      }),
    );
  }

  /** Waits until a server has executed so many more calls than now. */
  async function goesOn(what: string, more: number): Promise<number> {
    const asked = () => pool.executions("n2", server.putPort);
    const first = await asked();
    return until(what, async () => {
      const now = await asked();
      return now >= first + more ? now : undefined;
    });
  }

  function expectHonest(reports: readonly CallReport[]): void {
    for (const { count, succeeded, failures, longestUs } of reports) {
      const known = ["RPC_FAILURE", "RPC_NOTFOUND"];
      expect(Object.keys(failures).filter((code) => !known.includes(code))).toEqual([]);
      expect(succeeded + sum(Object.values(failures))).toBe(count);
      expect(succeeded).toBeGreaterThan(0);
      expect(longestUs).toBeLessThan(noticedUs);
    }
  }

  it("is noticed within the time for it after a power cut, and found again after it", async () => {
    const running = callOn();
    const before = await goesOn("calls to the first server", 500);
    await pool.lab.must(["lab", "kill", "n1"]);
    expect((await within("the end of the first server", server.running.outcome)).status).toBe(137);
    const words = ["call", "--port", server.putPort, "--locate-timeout", "300ms", "--json"];
    const { status, stderr } = await within("a call without server", pool.run("n2", ...words));
    expect({ status, code: JSON.parse(stderr).error.code }).toEqual({ status: 5, code: "RPC_NOTFOUND" });

    await pool.lab.must(["lab", "start", "n1"]);
    server = await pool.serve("n1", getPort);
    await goesOn("calls to the server that came back", 500);
    const reports = await reportsOf(running);
    expectHonest(reports);
    for (const report of reports) expect(failed(report, "RPC_FAILURE")).toBeLessThanOrEqual(1);
    const after = await pool.executions("n2", server.putPort);
    expect(before + after).toBeLessThanOrEqual(sum(reports.map(({ count }) => count)));
  });

  it("is followed to another machine when it keeps its port", async () => {
    const base = await pool.executions("n2", server.putPort);
    const running = callOn();
    await goesOn("calls before the move", 500);
    const here = (await server.stop()) - base;
    server = await pool.serve("n3", getPort);
    await goesOn("calls after the move", 500);
    const reports = await reportsOf(running);
    const there = await server.stop();
    expectHonest(reports);
    // Certainly not executed is what RPC_NOTFOUND says; RPC_FAILURE leaves it open.
    const good = sum(reports.map(({ succeeded }) => succeeded));
    const open = sum(reports.map((report) => failed(report, "RPC_FAILURE")));
    expect(here + there).toBeGreaterThanOrEqual(good);
    expect(here + there).toBeLessThanOrEqual(good + open);
  });
});
