// A changed lab file changes the running lab, and only what differs: who stays keeps his
// processes, addresses and connections.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabStatus, NodeStatus } from "../../control/lab/status.js";
import { perTier } from "../simulation/seeds.js";
import { systemNetwork } from "./lab-runner.js";
import { isRoot, Programs } from "./programs.js";

const first = `name: grown
networks: { lan0: , lan1: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0] }
  h1: { kind: host, networks: [lan1] }
impairments: { n1: { delay: 1ms } }
`;
const second = `name: grown
networks: { lan0: { rate: 1gbit }, lan2: { mtu: 9000 } }
nodes:
  n3: { kind: pool, networks: [lan2] }
  r1: { kind: router, networks: [lan0, lan2] }
  n2: { kind: pool, networks: [lan0] }
  n1: { kind: pool, networks: [lan0] }
impairments: { n3: { loss: 1% } }
`;

const changes = [
  "+ network lan2: mtu 9000",
  "- node h1",
  "~ network lan0: mtu 1500 → mtu 1500, rate 1gbit",
  "+ node n3: pool on lan2",
  "+ node r1: router on lan0, lan2",
  "- network lan1",
  "~ control daemons start again: their networks change",
  "~ link n3:lan2: none → loss 1%",
  "~ link n1:lan0: delay 1ms → none",
];

const real = isRoot ? "netns" : "auto";
/** CI plays both: one in each of its tiers. */
const isolations = perTier({ quick: [real], long: ["memory"], nightly: [real, "memory"] } as const);

describe.each(isolations)("a changed lab file (%s)", (isolation) => {
  const machines = new Programs();
  const { lab } = machines;
  const before = systemNetwork();
  const path = join(lab.folder, "lab.yaml");
  const write = (text: string): void => writeFileSync(path, text);
  const named = ({ nodes }: LabStatus, name: string): NodeStatus | undefined =>
    nodes.find((node) => node.name === name);

  beforeAll(async () => {
    write(first);
    await machines.up(path, "--isolation", isolation);
  });
  afterAll(() => lab.close());

  it("is shown as what it would change, and changes nothing in a dry run", async () => {
    const was = await lab.status();
    write(second);
    const { stdout, stderr } = await lab.must(["lab", "apply", path, "--dry-run"]);
    expect(stdout.trimEnd().split("\n")).toEqual(changes);
    expect(stderr).toContain("nothing was changed");
    expect(await lab.status()).toEqual(was);
  });

  it("changes what differs while the others' calls go on", async () => {
    const was = await lab.status();
    const server = await machines.serve("n1", "1057");
    const calls = machines.call("n2", server.putPort, "--count", "2000");
    const { stdout } = await lab.must(["lab", "apply", path, "--json"]);
    const document = JSON.parse(stdout) as { changes: { text: string }[]; status: LabStatus };
    expect(document.changes.map(({ text }) => text)).toEqual(changes);
    expect(await calls).toMatchObject({ succeeded: 2000 });
    const now = await lab.status();
    expect(document.status.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "n3 up",
      "r1 up",
      "n2 up",
      "n1 up",
    ]);
    for (const name of ["n1", "n2"]) {
      expect(named(now, name)?.agent).toBe(named(was, name)?.agent);
      expect(named(now, name)?.interfaces[0]).toMatchObject({
        mac: named(was, name)?.interfaces[0]?.mac,
        ip: named(was, name)?.interfaces[0]?.ip,
      });
    }
    expect(named(now, "n1")?.interfaces[0]).not.toHaveProperty("impairments");
    expect(named(now, "n3")?.interfaces[0]).toMatchObject({ mtu: 9000, impairments: { loss: 0.01 } });
    // The new machine is reached through the new router.
    expect(await machines.call("n3", server.putPort, "--count", "50")).toMatchObject({ succeeded: 50 });
    expect(await server.stop()).toBe(2050);
  });

  it("has nothing left to change then", async () => {
    const { stdout } = await lab.must(["lab", "apply", path]);
    expect(stdout).toBe("lab grown is as the file says\n");
    const again = await lab.must(["lab", "up", path]);
    expect(again.stderr).toContain("is up already");
  });

  it("gives a machine other networks, another MTU, and boots its agent on them", async () => {
    const was = await lab.status();
    write(
      second.replace("n2: { kind: pool, networks: [lan0] }", "n2: { kind: router, networks: [lan2, lan0] }"),
    );
    await lab.must(["lab", "apply", path]);
    const now = await lab.status();
    expect(named(now, "n2")).toMatchObject({ kind: "router", state: "up" });
    expect(named(now, "n2")?.interfaces.map(({ network, mtu }) => `${network} ${mtu}`)).toEqual([
      "lan2 9000",
      "lan0 1500",
    ]);
    expect(machines.ready("n2").interfaces.map(({ mtu }) => mtu)).toEqual([9000, 1500]);
    expect(named(now, "n1")?.agent).toBe(named(was, "n1")?.agent);
    write(second.replace("rate: 1gbit", "rate: 1gbit, mtu: 4000"));
    await lab.must(["lab", "apply", path]);
    expect(named(await lab.status(), "n1")?.interfaces[0]?.mtu).toBe(4000);
    expect(machines.ready("n1").interfaces[0]?.mtu).toBe(4000);
    const server = await machines.serve("n1", "1057");
    expect(await machines.call("n3", server.putPort, "--size", "20K", "--count", "20")).toMatchObject({
      succeeded: 20,
    });
    await server.stop();
  });

  it("is drawn as it runs", async () => {
    await lab.must(["lab", "kill", "n3"]);
    const { stdout } = await lab.must(["lab", "graph"]);
    expect(stdout).toContain("lan2  (mtu 9000)\n");
    expect(stdout).toMatch(/n3 {2}eth0 {2}\S+ {2}\(pool, down\) {2}⚡ loss 1%/);
    const svg = await lab.must(["lab", "graph", path, "--format", "svg"]);
    expect(svg.stdout).toMatch(/<svg .*>r1<.*<\/svg>\n$/s);
  });

  it("goes back to what it was, and all that came goes with it", async () => {
    write(first);
    await lab.must(["lab", "apply", path]);
    expect((await lab.status()).nodes.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "n1 up",
      "n2 up",
      "h1 up",
    ]);
    const cleaned = await lab.must(["lab", "clean", "--all"]);
    expect(cleaned.stdout).toMatch(/^removed lab grown \(was running\)/);
    expect(cleaned.stdout).toMatch(/^ {2}process \d+: /m);
    expect(cleaned.stdout.includes("  namespace proteus-grown-n2\n")).toBe(isolation !== "memory");
    expect(cleaned.stdout).toContain(`  folder ${join(lab.state, "grown")}`);
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  });

  it("is refused when no such lab runs", async () => {
    const refused = await lab.run(["lab", "apply", path]);
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain(`proteus lab up ${path}`);
  });
});
