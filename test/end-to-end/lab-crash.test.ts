// A lab after a crash of what made it, or of what keeps it: the next command removes what is left.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processOf, waitUntil } from "../../control/lab/processes.js";
import { hosts, LabRunner, systemNetwork } from "./lab-runner.js";

describe("after a crash", () => {
  let lab: LabRunner;
  let file: string;
  beforeEach(() => {
    lab = new LabRunner();
    file = join(lab.folder, "hosts.yaml");
    writeFileSync(file, hosts);
  });
  afterEach(() => lab.close());

  it("of `up` itself, the next `up` removes what is left and makes the lab", async () => {
    const crashed = lab.start(["lab", "up", file]);
    expect(await waitUntil(() => lab.processes().length > 0, 10_000)).toBe(true);
    crashed.child.kill("SIGKILL");
    await crashed.outcome;
    const left = lab.processes().map((pid) => processOf(pid));
    const next = await lab.must(["lab", "up", file]);
    expect(next.stderr).toMatch(/removed what a crash had left|is up already/);
    if (next.stderr.includes("removed")) expect(left.map((each) => processOf(each?.pid))).not.toEqual(left);
    expect((await lab.status()).nodes.every(({ state }) => state === "up")).toBe(true);
  });

  it("of the namespaces' keeper, `clean` ends what still runs in the nodes and says so", async () => {
    await lab.must(["lab", "up", file]);
    const running = lab.start(["lab", "exec", "h1", "--", "sh", "-c", "echo ready; sleep 1000"]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    const state = JSON.parse((await lab.must(["lab", "clean", "--json"])).stdout);
    expect(state).toEqual({ schema: 1, dryRun: false, removed: [], kept: ["hosts"] });
    const [keeper] = lab
      .processes()
      .filter((pid) => processOf(pid) !== null && pid !== running.child.pid)
      .sort((a, b) => a - b);
    if (keeper === undefined) throw new Error("there is no keeper");
    process.kill(keeper, "SIGKILL");
    expect(await waitUntil(() => processOf(keeper) === null, 5000)).toBe(true);
    expect((await lab.run(["lab", "status"])).status).toBe(3);
    const planned = JSON.parse((await lab.must(["lab", "clean", "--dry-run", "--json"])).stdout);
    expect(lab.processes()).not.toEqual([]);
    const cleaned = JSON.parse((await lab.must(["lab", "clean", "--json"])).stdout);
    expect(planned).toEqual({ ...cleaned, dryRun: true });
    expect(cleaned).toMatchObject({ removed: [{ lab: "hosts", why: "left over" }], kept: [] });
    expect(cleaned.removed[0].processes).toBeGreaterThan(0);
    expect((await running.outcome).status).toBe(137);
    expect(lab.processes()).toEqual([]);
  });

  it("an interrupted `up` leaves nothing", async () => {
    const before = systemNetwork();
    const running = lab.start(["lab", "up", file]);
    await waitUntil(() => lab.processes().length > 0, 10_000);
    running.child.kill("SIGINT");
    const { status, stderr } = await running.outcome;
    if (status === 0)
      expect(stderr).toContain("is up"); // It was faster than the signal.
    else {
      expect(status).toBe(130);
      expect(stderr).toContain("interrupted by SIGINT");
      expect(lab.processes()).toEqual([]);
    }
    expect(systemNetwork()).toEqual(before);
  });
});
