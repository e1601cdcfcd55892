// A running node as its administrator sees it: what it counts, how it fares, and what it says
// when it cannot start.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HealthReport } from "../../control/cli/health.js";
import { isRoot, Programs } from "./programs.js";

const figure = (text: string, name: string): number =>
  Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);

describe.each(isRoot ? ["netns", "memory"] : ["memory"])("a node in a lab (%s)", (isolation) => {
  const pool = new Programs();
  beforeAll(() => pool.up("--nodes", "2", "--isolation", isolation));
  afterAll(() => pool.close());

  const health = async (...words: string[]) => {
    const { status, stdout } = await pool.lab.run(["status", "--json", ...words], { cwd: "/" });
    return { status, report: JSON.parse(stdout) as HealthReport };
  };

  it("counts the calls that it served, asked from outside and from inside", async () => {
    await pool.call("n2", pool.ready("n1").echo, "--size", "0", "--count", "25");
    const outside = await pool.lab.must(["metrics", "n1"], { cwd: "/" });
    expect(figure(outside.stdout, "proteus_echo_executions_total")).toBe(25);
    expect(figure(outside.stdout, "proteus_kernel_requests_in_total")).toBeGreaterThanOrEqual(25);
    const inside = await pool.run("n1", "metrics", "--json");
    expect(JSON.parse(inside.stdout).samples).toContainEqual({
      name: "proteus_echo_executions_total",
      labels: {},
      value: 25,
    });
  });

  it("is ok while it answers and bad when it does not", async () => {
    const patient = ["--timeout", "20s"]; // this computer may be busy
    expect(await health(...patient)).toMatchObject({ status: 0, report: { state: "ok" } });
    const { pid } = pool.ready("n1");
    process.kill(pid, "SIGSTOP");
    try {
      const { status, report } = await health("--timeout", "1s");
      expect([status, report.state]).toEqual([6, "bad"]);
      const bad = report.items.filter(({ state }) => state === "bad").map(({ what }) => what);
      expect(bad).toEqual(expect.arrayContaining(["lab lab", "lab:n1"]));
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect(await health("--wait", "30s")).toMatchObject({ status: 0, report: { state: "ok" } });
  });

  it("says as JSON, where the log is JSON, why it cannot start", async () => {
    const file = join(pool.lab.folder, "bad.yaml");
    writeFileSync(file, "node:\n  name: n1\n  colour: red\n");
    const unknown = await pool.run("n1", "node", "start", "--config", file);
    expect([unknown.status, unknown.stdout]).toEqual([2, ""]);
    expect(unknown.stderr).toContain(`${file}:3: "node.colour" is no setting`);
    const busy = ["--metrics", `unix:${join(pool.lab.state, "lab", "nodes", "n2", "metrics.sock")}`];
    const refused = await pool.run(
      "n1",
      "node",
      "start",
      "--interface",
      "eth0",
      "--log-format",
      "json",
      ...busy,
    );
    expect([refused.status, refused.stdout]).toEqual([1, ""]);
    const last = refused.stderr.trimEnd().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ level: "fatal", code: "METRICS_LISTEN", node: "n1" });
  });
});
