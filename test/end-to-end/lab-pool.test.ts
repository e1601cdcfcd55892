// Pool machines: a lab is up when their agents serve, and a machine without its agent
// is not shown as up.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { processOf, waitUntil } from "../../control/lab/processes.js";
import { isLong } from "../simulation/seeds.js";
import { LabRunner, systemNetwork } from "./lab-runner.js";

const real = process.getuid?.() === 0 ? "netns" : "auto";

describe.each(isLong ? ([real, "memory"] as const) : [real])("a lab of pool machines (%s)", (isolation) => {
  const lab = new LabRunner();
  const before = systemNetwork();
  afterAll(() => lab.close());

  it("is up when every machine's agent serves", async () => {
    const file = join(lab.folder, "pool.yaml");
    writeFileSync(
      file,
      `networks: { lan0: , lan1: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, lan1] }
  n2: { kind: pool, networks: [lan1] }
  h1: { kind: host, networks: [lan0] }
`,
    );
    await lab.must(["lab", "up", file, "--isolation", isolation]);
    const { nodes } = await lab.status();
    for (const { name, state, agent, pids } of nodes) {
      expect({ name, state }).toEqual({ name, state: "up" });
      expect(pids).toEqual(name === "h1" ? [] : [agent]);
    }
  });

  it("shows a machine as down when its agent has ended, and boots it again", async () => {
    const agent = (await lab.status()).nodes[0]?.agent;
    if (!agent) throw new Error("n1 has no agent");
    process.kill(agent, "SIGKILL");
    expect(await waitUntil(() => processOf(agent) === null, 5000)).toBe(true);
    expect((await lab.status()).nodes[0]).toMatchObject({
      state: "down",
      agent: null,
      reason: expect.any(String),
    });
    await lab.must(["lab", "start", "n1"]);
    expect((await lab.status()).nodes[0]).toMatchObject({ name: "n1", state: "up" });
  });

  it("boots a killed machine with a new agent", async () => {
    const agent = (await lab.status()).nodes[2]?.agent;
    await lab.must(["lab", "kill", "n2"]);
    expect((await lab.status()).nodes[2]).toMatchObject({ state: "down", agent: null, pids: [] });
    await lab.must(["lab", "start", "n2"]);
    const now = (await lab.status()).nodes[2];
    expect(now).toMatchObject({ state: "up" });
    expect(now?.agent).not.toBe(agent);
  });

  it("leaves nothing when it goes", async () => {
    await lab.must(["lab", "down"]);
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  });

  it("is taken down again when a machine does not answer in time, which is named", async () => {
    const late = await lab.run(["lab", "up", "--nodes", "2", "--timeout", "0.001", "--isolation", isolation]);
    expect(late.status).toBe(5);
    expect(late.stderr).toMatch(/(n[12]|control_1) did not answer within 0.001 s/);
    expect(lab.processes()).toEqual([]);
    expect((await lab.run(["lab", "status"])).status).toBe(3);
  });
});
