// The benchmark of machines without an operating system as someone runs it: each test has figures,
// and no machine is left afterwards.

import { afterAll, describe, expect, it } from "vitest";
import type { BootReport } from "../../control/bench/boot/types.js";
import { commandOf, listProcesses } from "../../control/lab/processes.js";
import { LabRunner } from "./lab-runner.js";
import { isRoot } from "./programs.js";

describe.runIf(isRoot)("proteus bench boot", () => {
  const runner = new LabRunner();
  afterAll(() => runner.close());

  it("measures boots, sixteen machines at once and calls", async () => {
    const { status, stdout } = await runner.run(["bench", "boot", "--quick", "--runs", "2", "--json"]);
    expect(status).toBe(0);
    const { results, ratios, image, linux, environment } = JSON.parse(stdout) as BootReport;
    for (const row of results) {
      expect(row).not.toHaveProperty("problem");
      const figure = row.test === "boot" || row.test === "many" ? row.medianMs : row.p50Us;
      expect(figure).toBeGreaterThan(0);
    }
    expect(results.map(({ test, system }) => `${test} ${system}`)).toEqual([
      ...[
        "boot microvm",
        "boot pc",
        ...(linux === undefined ? [] : ["boot linux"]), // where its kernel is there
        "boot qemu-alone",
        "many microvm",
        "frame-echo metal",
        "frame-echo linux",
      ],
      ...["null-rpc metal", "null-rpc linux", "call-1m metal", "call-1m linux"],
    ]);
    expect(image.bytes).toBeLessThanOrEqual(256 * 1024);
    expect(environment.accelerator).toMatch(/^(tcg|kvm)$/);
    expect(ratios.length).toBe(linux === undefined ? 7 : 8);
    const left = listProcesses().filter((pid) => commandOf(pid, 2000).includes("02:00:00:00:01:01"));
    expect(left).toEqual([]);
  });

  it.each([
    [["--system", "vax"], "no system"],
    [["suspend"], "no test"],
    [["--runs", "0"], "count"],
  ])("refuses %s", async (words, said) => {
    const { status, stderr } = await runner.run(["bench", "boot", ...words]);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });
});
