// Metal machines that are PCs: real ones in QEMU on a lab's network, with network cards on PCI. They
// answer Linux machines, come back when they hang, and tell when another has their MAC address.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Capture } from "./capture.js";
import type { Running } from "./lab-runner.js";
import { isRoot, Programs, until } from "./programs.js";

const file = `networks: { lan0: , lan1: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  m1: { kind: metal, networks: [lan0], machine: pc }
  m2: { kind: metal, networks: [lan0], machine: pc, nic: e1000e }
  m3: { kind: metal, networks: [lan0, lan1], machine: q35, nic: e1000e }
  h1: { kind: host, networks: [lan1] }
  h2: { kind: host, networks: [lan1] }
`;

describe.runIf(isRoot)("metal machines that are PCs", () => {
  const pool = new Programs();
  afterAll(() => pool.close());
  const echo = (node: string): string => pool.ready(node).echo;
  const log = (node: string): string => readFileSync(join(pool.folderOf(node), "agent.log"), "utf8");

  it("answer calls of a Linux machine through either card, in frames of FLIP", async () => {
    const path = join(pool.lab.folder, "pc.yaml");
    writeFileSync(path, file);
    const { nodes } = await pool.up(path);
    const capture = await Capture.start(pool.lab, "n1");
    for (const node of ["m1", "m2", "m3"])
      for (const [size, count] of [
        ["1402", 20],
        ["100K", 5],
      ] as const) {
        const report = await pool.call("n1", echo(node), "--size", size, "--count", `${count}`);
        expect({ node, size, succeeded: report.succeeded }).toEqual({ node, size, succeeded: count });
      }
    const macs = ["m1", "m2", "m3"].map((name) => {
      const [link] = nodes.find((each) => each.name === name)?.interfaces ?? [];
      return (link?.mac ?? "").replaceAll(":", "");
    });
    const seen = await capture.stop(({ ethernet }) => ethernet?.src === macs[2]);
    for (const mac of macs) {
      const from = seen.filter(({ ethernet, flip }) => ethernet?.src === mac && flip !== undefined);
      expect(from.length, mac).toBeGreaterThan(10);
    }
  });

  it("that hang end in a panic with the way there and the last frames, and boot again", async () => {
    const before = pool.ready("m2").address;
    await pool.lab.must(["boot", "console", "m2"], { input: "hang\n" });
    await until("m2 boots again", () => (pool.ready("m2").address === before ? undefined : true), 60_000);
    expect(log("m2")).toContain("panic: the machine hangs");
    expect(log("m2")).toMatch(/metal turn\+0x[0-9a-f]+/);
    expect(log("m2")).toMatch(
      /received on eth0, \d+ ms ago: [0-9a-f]{12} > [0-9a-f]{12} type 8146 length \d+: 51/,
    );
    const report = await pool.call("n1", echo("m2"), "--size", "1402", "--count", "5");
    expect(report.succeeded).toBe(5);
  });

  it("and have one MAC address between two tell of it on both consoles", async () => {
    const start = (node: string): Running =>
      pool.start(
        ...[node, "boot", "run", "--name", node, "--pool", "p", "--machine", "q35"],
        ...["--interface", "eth0", "--mac", "02:00:00:00:77:01"],
      );
    const said = { h1: "", h2: "" };
    const running = (["h1", "h2"] as const).map((node) => {
      const each = start(node);
      each.child.stdout?.on("data", (text: string) => {
        said[node] += text;
      });
      return each;
    });
    const tells = "another machine on eth0 has this machine's MAC address 020000007701";
    try {
      await until(
        "both tell of the other",
        () => (said.h1.includes(tells) && said.h2.includes(tells)) || undefined,
        30_000,
      );
    } finally {
      for (const { child } of running) child.kill("SIGTERM");
      await Promise.all(running.map(({ outcome }) => outcome));
    }
  });
});
