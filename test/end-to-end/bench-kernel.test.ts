// The benchmark of the kernel's parts as someone runs it: every row has figures or says what to
// install, and nothing is left afterwards, nor after an interruption.

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { KernelReport } from "../../control/bench/kernel/types.js";
import { waitUntil } from "../../control/lab/processes.js";
import { LabRunner } from "./lab-runner.js";

describe("proteus bench kernel", () => {
  const runner = new LabRunner();
  afterAll(() => runner.close());
  const temporary = join(runner.folder, "tmp");
  mkdirSync(temporary);
  const environment = { ...process.env, TMPDIR: temporary };

  it("measures every part beside C, or says what is not installed", async () => {
    const words = ["bench", "kernel", "--size", "64,4K", "--runs", "1", "--json"];
    const { status, stdout } = await runner.run(words, { environment });
    expect(status).toBe(0);
    const { results, ratios } = JSON.parse(stdout) as KernelReport;
    expect(results).toHaveLength(2 * (3 + 3 * 2));
    for (const { system, nanoseconds, gigabytesPerSecond, bytes, problem } of results) {
      if (system === "native" && problem !== undefined) {
        expect(problem).toContain("apt-get install");
        continue;
      }
      expect(nanoseconds).toBeGreaterThan(0);
      expect(gigabytesPerSecond).toBe(bytes === null ? null : bytes / (nanoseconds ?? 0));
    }
    expect(ratios.map(({ name }) => name)).toContain("XXH3-64 in GB/s, 4K");
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("shows a table with both sides of an operation in one row", async () => {
    const words = ["bench", "kernel", "kernel-codec", "--runs", "1"];
    const { status, stdout } = await runner.run(words, { environment });
    expect(status).toBe(0);
    expect(stdout).toMatch(/header encode and decode +- +\d+\.\d\d/);
    expect(stdout).toMatch(/header encode and decode, ns +\d+\.\d\d +≤ 8\.00 +(met|MISSED)/);
  });

  it("leaves nothing when it is interrupted", async () => {
    const running = runner.start(["bench", "kernel", "--runs", "1000"], { environment });
    expect(await waitUntil(() => readdirSync(temporary).length > 0, 20_000)).toBe(true);
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    [["--size", "2M"], "not a size"],
    [["--size", "0"], "not a size"],
    [["--system", "gpu"], "system"],
    [["kernel-magic"], "no test"],
    [["--runs", "0"], "count"],
  ])("refuses %s", async (words, said) => {
    const { status, stderr } = await runner.run(["bench", "kernel", ...words]);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });
});
