// Servers and their clients on three machines: every size and kind of call, and the counts.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Programs, type Served } from "./programs.js";

const M = 1024 * 1024;

describe("three pool machines on one network", () => {
  const pool = new Programs();
  let server: Served;
  let made = 0;

  /** Calls from a machine; their number is added up. */
  async function call(node: string, count: number, ...words: string[]) {
    made += count;
    return pool.call(node, server.putPort, "--count", `${count}`, ...words);
  }

  beforeAll(async () => {
    await pool.up("--nodes", "3");
    server = await pool.serve("n1", "abcdef");
  });
  afterAll(() => pool.close());

  it("shows the port that clients call", () => {
    expect(server).toMatchObject({ getPort: "616263646566", putPort: "e4b2c2985455" });
  });

  it.each([
    ["0", 0, 200],
    ["1", 1, 50],
    ["1402", 1402, 50],
    ["1403", 1403, 50],
    ["30000", 30_000, 20],
    ["1M", M, 5],
    ["4M", 4 * M, 2],
  ])("echoes %s bytes to both others unchanged", async (size, bytes, count) => {
    for (const node of ["n2", "n3"]) {
      const report = await call(node, count, "--size", size);
      expect(report).toMatchObject({
        schema: 1,
        kind: "echo",
        size: bytes,
        count,
        succeeded: count,
        failures: {},
        bytes: bytes * count,
      });
      const { seconds, p50Us, p99Us, longestUs, meanUs, callsPerSecond, megabytesPerSecond } = report;
      expect(p50Us).toBeGreaterThan(0);
      expect(p99Us).toBeGreaterThanOrEqual(p50Us);
      expect(longestUs).toBeGreaterThanOrEqual(p99Us);
      expect(meanUs * count).toBeCloseTo(seconds * 1e6, 0);
      expect(callsPerSecond * seconds).toBeCloseTo(count, 3);
      expect(megabytesPerSecond * seconds).toBeCloseTo((bytes * count) / 1e6, 6);
    }
  });

  it("echoes to two clients at the same time", async () => {
    const both = await Promise.all(["n2", "n3"].map((node) => call(node, 20, "--size", "64K")));
    expect(both.map(({ succeeded }) => succeeded)).toEqual([20, 20]);
  });

  it.each([
    ["--sink", "sink"],
    ["--reverse", "source"],
  ])("carries data one way with %s", async (option, kind) => {
    for (const [size, bytes] of [
      ["0", 0],
      ["1403", 1403],
      ["1M", M],
    ] as const) {
      const report = await call("n2", 3, "--size", size, option);
      expect(report).toMatchObject({ kind, succeeded: 3, bytes: 3 * bytes });
    }
  });

  it("says the same for people", async () => {
    made += 10;
    const words = ["call", "--port", server.putPort, "--size", "1K", "--count", "10"];
    const { status, stdout, stderr } = await pool.run("n3", ...words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^10 of 10 calls of 1024 bytes \(echo\) in [\d.]+ s$/m);
    expect(stdout).toMatch(/^per call: mean [\d.]+ µs, p50 [\d.]+, p99 [\d.]+$/m);
  });

  it("has executed every call once, and asking for the count is none of them", async () => {
    expect(await pool.executions("n2", server.putPort)).toBe(made);
    expect(await pool.executions("n3", server.putPort)).toBe(made);
  });

  it("calls the echo service of every agent, from every machine", async () => {
    for (const of of ["n1", "n2", "n3"]) {
      const { echo } = pool.ready(of);
      for (const node of ["n1", "n2", "n3"]) {
        const report = await pool.call(node, echo, "--count", "5", "--size", "3000");
        expect({ of, node, succeeded: report.succeeded }).toEqual({ of, node, succeeded: 5 });
      }
      expect(await pool.executions("n2", echo)).toBe(15);
    }
  });

  it("is told by every agent's status service how it fares, from every machine", async () => {
    for (const of of ["n1", "n2", "n3"]) {
      const status = await pool.status(of === "n1" ? "n3" : "n1", of);
      expect(status).toMatchObject({ schema: 1, name: of, executions: 15 });
      expect(status.interfaces).toMatchObject([{ name: "eth0", mtu: 1500 }]);
      expect(status.counters.requestsIn).toBeGreaterThanOrEqual(15);
      // Calls of its own may have failed: it announces itself before a control daemon is there.
      expect(status.counters).toMatchObject({ malformed: 0, tableFull: 0 });
    }
  });

  it("prints the executions when the server ends, once more the same number", async () => {
    expect(await server.stop()).toBe(made);
  });
});
