// The control daemons of a lab, asked from outside of it as an administrator does. If one of these
// fails, someone at a shell does not see the pool, sees it wrong, or cannot change it.

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isLong, perTier } from "../simulation/seeds.js";
import { EtcdCluster, hasEtcd } from "./etcd-cluster.js";
import { isRoot, Programs, until } from "./programs.js";

interface Listed {
  readonly nodes: readonly { name: string; state: string; draining: boolean }[];
  readonly faults: readonly { kind: string; message: string }[];
}

const isolations = isRoot ? ["netns", "memory"] : ["memory"];
const inThisTier = perTier({ quick: isolations.slice(0, 1), long: isolations, nightly: isolations });

/** What `node list --json` says. */
async function listed({ lab }: Programs): Promise<Listed> {
  return JSON.parse((await lab.must(["node", "list", "--json"])).stdout) as Listed;
}

const states = async (programs: Programs): Promise<string> =>
  (await listed(programs)).nodes.map(({ name, state }) => `${name} ${state}`).join(", ");

/** Waits until the machines are in these states: `n1 up, n2 down`. */
const become = (programs: Programs, wanted: string, milliseconds?: number): Promise<true> =>
  until(
    wanted,
    async () => ((await states(programs)) === wanted ? (true as const) : undefined),
    milliseconds,
  );

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** The process of the lab's control daemon of that number. */
function daemonOf({ lab }: Programs, name: string, number: number): number {
  const path = join(lab.state, name, "nodes", `control_${number}`, "node.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { agent: { pid: number } }).agent.pid;
}

describe.each(inThisTier)("a pool in a lab (%s)", (isolation) => {
  const programs = new Programs();
  const { lab } = programs;
  const up = (...words: string[]) => lab.must(["lab", "up", "--isolation", isolation, "--json", ...words]);
  let folder = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pool-"));
    const file = join(folder, "pool.yaml");
    writeFileSync(
      file,
      `name: pool
networks: { lan0: {}, lan1: {} }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan1] }
control: { daemons: 3 }
`,
    );
    await up(file);
  });
  afterAll(async () => {
    await programs.lab.close();
    rmSync(folder, { recursive: true, force: true });
    expect(lab.processes()).toEqual([]);
  });

  it("is seen whole, on all its networks, right after `lab up`", async () => {
    await become(programs, "n1 up, n2 up");
    const { faults } = await listed(programs);
    expect(faults).toEqual([]);
    const { stdout } = await lab.must(["node", "show", "n2", "--json"]);
    expect(json(stdout)).toMatchObject({
      schema: 1,
      node: { name: "n2", kind: "pool", state: "up", servers: { sys: expect.any(String) } },
    });
    const status = json((await lab.must(["control", "status", "--json"])).stdout);
    expect(status).toMatchObject({ schema: 1, pool: "pool", name: "control_1", faults: [] });
    expect(status.daemons).toHaveLength(3);
    const missing = await lab.run(["node", "show", "n9", "--json"]);
    expect(missing.status).toBe(3);
    expect(json(missing.stderr)).toMatchObject({ error: { code: "NODE_UNKNOWN" } });
    expect((await lab.run(["status"])).status).toBe(0);
    // The daemons are on both networks, and join them no more than a router would that is not there.
    const { servers } = json(stdout).node as { servers: Record<string, string> };
    const across = ["time", "get", servers.time ?? "", "--timeout", "1s"];
    expect((await lab.exec("n2", "proteus", ...across)).status).toBe(0);
    expect((await lab.exec("n1", "proteus", ...across)).status).toBe(5);
  });

  it("takes calls from outside of its network, with the caller's capability and no other", async () => {
    const made = await lab.must(["segment", "create", "n1", "--bytes", "64K"]);
    const capability = made.stdout.trim();
    expect(capability).toMatch(/^[0-9a-f]{32}$/);
    await lab.must(["segment", "write", capability, "--position", "5", "--data", "hello"]);
    const read = await lab.must(["segment", "read", capability, "--position", "5", "--count", "5"]);
    expect(read.stdout).toBe("hello");
    const [from, to] = [join(lab.folder, "from"), join(lab.folder, "to")];
    writeFileSync(from, "0123456789".repeat(6000));
    await lab.must(["segment", "write", capability, "--file", from]);
    await lab.must(["segment", "read", capability, "--length", "60000", "--output", to]);
    expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
    const forged = `${capability.slice(0, -1)}${capability.endsWith("0") ? "1" : "0"}`;
    expect((await lab.run(["segment", "read", forged, "--position", "0", "--count", "1"])).status).toBe(4);
    await lab.must(["std", "destroy", capability]);
    expect((await lab.run(["std", "info", "0123456789ab", "--timeout", "200ms"])).status).toBe(5);
    const [socket] = [join(lab.state, "pool/nodes/control_1/control.sock")];
    const asked = await lab.must(["time", "get", "n2", "--json", "--control", socket]);
    expect(json(asked.stdout)).toMatchObject({ schema: 1 });
    const denied = await lab.run(["segment", "create", "n1", "--bytes", "1", "--control", socket, "--json"]);
    expect(denied.status).toBe(4); // a daemon knows ports, and has no capability to give
  });

  it("has a drained machine take nothing new until it is undrained", async () => {
    const dry = await lab.must(["node", "drain", "n1", "--dry-run"]);
    expect(dry.stdout).toContain("would take nothing new");
    expect(await states(programs)).toBe("n1 up, n2 up");
    await lab.must(["node", "drain", "n1", "--wait", "--timeout", "20s"]);
    expect(await states(programs)).toBe("n1 draining, n2 up");
    const refused = await lab.run(["segment", "create", "n1", "--bytes", "1", "--json"]);
    expect(refused.status).not.toBe(0);
    expect(json(refused.stderr)).toMatchObject({ error: { code: "STD_NOTNOW" } });
    await lab.must(["node", "undrain", "n1"]);
    await until("n1 takes segments again", async () =>
      (await lab.run(["segment", "create", "n1", "--bytes", "1"])).status === 0 ? true : undefined,
    );
  });

  it("is answered for by any daemon: the first is killed, and every command goes on", async () => {
    await lab.must(["node", "drain", "n2"]);
    process.kill(daemonOf(programs, "pool", 1), "SIGKILL");
    expect(await states(programs)).toBe("n1 up, n2 draining");
    for (const words of [
      ["node", "show", "n1"],
      ["control", "status"],
      ["time", "get", "n1"],
      ["std", "info", "n2:segment"],
      ["node", "undrain", "n2"],
      ["node", "drain", "n1"],
    ])
      await lab.must(words);
    expect(await states(programs)).toBe("n1 draining, n2 up");
    expect((await lab.run(["status"])).status).toBe(6);
    await lab.must(["lab", "start", "control_1"]);
    await until("three daemons", async () => {
      const { daemons } = json((await lab.must(["control", "status", "--json"])).stdout);
      return (daemons as unknown[]).length === 3 ? true : undefined;
    });
    await lab.must(["node", "undrain", "n1"]);
  });

  it("shows a machine without power within three seconds, and when it is back", async () => {
    await become(programs, "n1 up, n2 up");
    const socket = join(lab.state, "pool/nodes/control_2/control.sock");
    await lab.must(["lab", "kill", "n2"]);
    const killed = performance.now();
    expect(await states(programs)).toBe("n1 up, n2 down");
    // The daemon itself, which the lab does not help, comes to it by itself.
    await until("n2 unreachable", async () => {
      const { stdout } = await lab.must(["node", "list", "--json", "--control", socket]);
      return (JSON.parse(stdout) as Listed).nodes.some((node) => node.state === "unreachable")
        ? true
        : undefined;
    });
    console.info(`noticed after ${Math.round(performance.now() - killed)} ms`);
    await lab.must(["lab", "start", "n2"]);
    await become(programs, "n1 up, n2 up");
  });

  if (isLong)
    it("is watched: a line for each change", async () => {
      const watching = lab.start(["node", "list", "--watch"]);
      const lines: string[] = [];
      if (watching.child.stdout === null) throw new Error("no output");
      createInterface(watching.child.stdout).on("line", (line) => lines.push(line));
      await until("the first look", () => (lines.length >= 2 ? true : undefined));
      await lab.must(["node", "drain", "n1"]);
      await until("the change", () => (lines.includes("draining n1") ? true : undefined));
      await lab.must(["node", "undrain", "n1"]);
      await until("the next", () => (lines.includes("undrained n1") ? true : undefined));
      watching.child.kill("SIGTERM");
      expect((await watching.outcome).status).toBe(0);
    });

  if (isLong)
    it("keeps its daemons through `lab apply`, also on a network that is new", async () => {
      await lab.must(["node", "drain", "n1"]);
      const file = join(folder, "pool.yaml");
      const text = readFileSync(file, "utf8");
      writeFileSync(
        file,
        text
          .replace("lan1: {}", "lan1: {}, lan2: {}")
          .replace("control:", "  n3: { kind: pool, networks: [lan2] }\ncontrol:")
          .replace("daemons: 3", "daemons: 1"),
      );
      const dry = await lab.must(["lab", "apply", file, "--dry-run"]);
      expect(dry.stdout).toContain("~ control daemons: 3 → 1");
      await lab.must(["lab", "apply", file]);
      await become(programs, "n1 draining, n2 up, n3 up");
      const again = await lab.must(["lab", "apply", file]);
      expect(again.stdout).toContain("is as the file says");
    });
});

if (isLong)
  describe.runIf(isRoot)("a daemon on its own", () => {
    const programs = new Programs();
    const { lab } = programs;
    afterAll(() => lab.close());

    it("of a second lab is only asked when it is named", async () => {
      await programs.up("--nodes", "1", "--name", "one");
      await programs.up("--nodes", "1", "--name", "two");
      const which = await lab.run(["node", "list", "--json"]);
      expect([which.status, json(which.stderr)]).toMatchObject([2, { error: { code: "LAB_AMBIGUOUS" } }]);
      await lab.must(["node", "list", "--lab", "two"]);
      await lab.must(["lab", "down", "one"]);
      await lab.must(["lab", "down", "two"]);
    });

    it.runIf(hasEtcd())("keeps drains in etcd, where the next daemon finds them", async () => {
      const cluster = await EtcdCluster.start();
      try {
        await lab.must(["lab", "up", "--nodes", "1", "--isolation", "memory"]);
        const own = join(lab.folder, "own.sock");
        const environment = { PROTEUS_HUB_eth0: join(lab.state, "lab/nodes/n1/eth0") };
        const start = async (): Promise<ChildProcess> => {
          const words = ["control", "start", "--interface", "eth0", "--socket", own, "--pool", "etcd-pool"];
          const running = lab.start([...words, "--store", `etcd://${cluster.endpoints.join(",")}`], {
            environment,
          });
          await until("the daemon", async () =>
            (await lab.run(["control", "status", "--control", own])).status === 0 ? true : undefined,
          );
          return running.child;
        };
        const first = await start();
        const agent = lab.start(["lab", "exec", "n1", "--", "proteus", "node", "start", "--name", "e1"], {
          environment: { PROTEUS_POOL: "etcd-pool", PROTEUS_METRICS_LISTEN: "off" },
        });
        const ask = (...words: string[]) => lab.run([...words, "--control", own]);
        await until("e1", async () => ((await ask("node", "drain", "e1")).status === 0 ? true : undefined));
        first.kill("SIGKILL");
        const second = await start();
        const shown = await ask("node", "show", "e1", "--json");
        expect(json(shown.stdout)).toMatchObject({ node: { name: "e1", draining: true } });
        agent.child.kill("SIGTERM");
        second.kill("SIGTERM");
        await agent.outcome;
      } finally {
        await cluster.close();
      }
    });
  });
