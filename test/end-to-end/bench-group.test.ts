// The benchmark of groups as someone runs it: every kind of row has figures, what is missing
// says so, and nothing is left afterwards.

import { afterAll, describe, expect, it } from "vitest";
import type { AlarmReport } from "../../control/bench/group/alarm.js";
import type { GroupReport } from "../../control/bench/group/types.js";
import { waitUntil } from "../../control/lab/processes.js";
import { isLong } from "../simulation/seeds.js";
import { LabRunner, systemNetwork } from "./lab-runner.js";

const root = process.getuid?.() === 0;
if (!root) console.warn("skipped: the benchmark of groups needs root (raw sockets)");

describe.skipIf(!root)("proteus bench group", () => {
  const lab = new LabRunner();
  const before = systemNetwork();
  afterAll(() => lab.close());

  function nothingIsLeft(): void {
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  }

  it("measures ours beside calls and Corosync, and takes everything away", async () => {
    const { stdout } = await lab.must(["bench", "group", "group-send", "group-flow", "--quick", "--json"]);
    const { results, ratios, environment } = JSON.parse(stdout) as GroupReport;
    const measured = results.filter(({ problem }) => problem === undefined);
    const systems = new Set(measured.map(({ system }) => system));
    expect([...systems]).toEqual(expect.arrayContaining(["group", "rpc", "rpc-all"]));
    expect(systems.has("corosync")).toBe(environment.corosync !== null);
    for (const { p50Us, members, link } of measured) {
      expect(p50Us).toBeGreaterThan(0);
      expect(members).toBe(3);
      expect(link).toBe("bridge");
    }
    for (const { problem } of results)
      if (problem !== undefined) expect(problem).toContain("apt-get install");
    expect(
      ratios.every(
        ({ value, met, better, goal }) => met === (better === "lower" ? value <= goal : value >= goal),
      ),
    ).toBe(true);
    nothingIsLeft();
  });

  it("measures how long a group is without service when the sequencer's machine dies", async () => {
    const words = ["group-recovery", "--system", "group", "--kills", "1", "--json"];
    const { stdout } = await lab.must(["bench", "group", ...words]);
    const { results } = JSON.parse(stdout) as GroupReport;
    expect(results.map(({ test, system, runs }) => [test, system, runs])).toEqual([
      ["group-recovery", "group", 1],
    ]);
    expect(results[0]?.p50Us).toBeGreaterThan(0);
    nothingIsLeft();
  });

  it("leaves nothing when it is interrupted", async () => {
    const running = lab.start(["bench", "group", "group-send", "--runs", "1000", "--members", "3"]);
    expect(await waitUntil(() => lab.processes().length > 0, 20_000)).toBe(true);
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    nothingIsLeft();
  });

  if (isLong)
    it("watches a group under load", async () => {
      const words = ["bench", "group-alarm", "--duration", "3s", "--busy", "1", "--json"];
      const report = JSON.parse((await lab.must(words)).stdout) as AlarmReport;
      expect(report.alarms).toEqual([]);
      expect(report.messages).toBeGreaterThan(0);
      expect(report.busyProcesses).toBeGreaterThan(0);
      nothingIsLeft();
    });

  it("refuses to watch a group of one", async () => {
    const { status, stderr } = await lab.run(["bench", "group-alarm", "--members", "1"]);
    expect(status).toBe(2);
    expect(stderr).toContain("group's size");
  });

  it.each([
    [["--members", "1"], "group's size"],
    [["--members", "16"], "group's size"],
    [["--size", "101K"], "not a size"],
    [["--resilience", "two"], "resilience degree"],
    [["--system", "nats"], "system"],
    [["group-rpc"], "no test"],
  ])("refuses %s", async (words, said) => {
    const { status, stderr } = await lab.run(["bench", "group", ...words]);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });
});
