// Machines without an operating system, real ones in QEMU on the networks of a lab: they boot, answer
// and forward calls of Linux machines, die of a power cut or of a panic, and come back.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { BootReport } from "../../control/bench/boot/types.js";
import { perTier } from "../simulation/seeds.js";
import { LabRunner } from "./lab-runner.js";
import { isRoot, Programs, until } from "./programs.js";

const file = `networks: { lan0: , lan1: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  m1: { kind: metal, networks: [lan0, lan1] }
  m2: { kind: metal, networks: [lan1], disk: { size: 8M } }
  n2: { kind: pool, networks: [lan1] }
`;

interface Built {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

const image = async (pool: Programs, ...words: string[]): Promise<Built> =>
  JSON.parse((await pool.lab.must(["boot", "image", "--json", ...words])).stdout) as Built;

describe("the image of metal machines", () => {
  const pool = new Programs();
  afterAll(() => pool.close());

  it("has the same bytes when it is built again, and no more than a quarter of a mebibyte", async () => {
    const first = await image(pool);
    const output = join(pool.lab.folder, "again.elf");
    const second = await image(pool, "--anew", "--output", output);
    expect(second.sha256).toBe(first.sha256);
    expect(readFileSync(output).length).toBe(first.bytes);
    expect(first.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(first.bytes);
    expect(first.bytes).toBeLessThanOrEqual(256 * 1024);
  });
});

describe.runIf(isRoot)("metal machines in a lab", () => {
  const pool = new Programs();
  afterAll(() => pool.close());
  const echo = (node: string): string => pool.ready(node).echo;
  const calls = async (from: string, to: string, size: string, count: number): Promise<void> => {
    const report = await pool.call(from, echo(to), "--size", size, "--count", `${count}`);
    expect({ from, to, size, succeeded: report.succeeded }).toEqual({ from, to, size, succeeded: count });
  };

  it("answer calls of Linux machines, and forward them to other networks", async () => {
    const path = join(pool.lab.folder, "metal.yaml");
    writeFileSync(path, file);
    await pool.up(path);
    await calls("n1", "m1", "1402", 20);
    await calls("n2", "m2", "100K", 3);
    await calls("n1", "m2", "30000", 3); // m1 is the router
    await calls("n1", "n2", "100K", 3);
    expect(await pool.executions("n1", echo("m1"))).toBe(20);
    const { counters } = await pool.status("n1", "m1");
    expect(counters.forwarded).toBeGreaterThan(30);
  });

  it("are listed by the pool's daemon with what they say of themselves", async () => {
    const seen = await until("m2 in the list of nodes", async () => {
      const { stdout } = await pool.lab.must(["node", "list", "--json"]);
      const { nodes } = JSON.parse(stdout) as { nodes: { name: string; kind: string; state: string }[] };
      return nodes.find(({ name, state }) => name === "m2" && state === "up");
    });
    expect(seen).toMatchObject({ name: "m2", kind: "metal", state: "up" });
    expect((await pool.lab.must(["std", "info", "m2:sys"])).stdout).toContain('metal machine "m2"');
  });

  it("keep segments for whoever has their capability, until the power goes", async () => {
    const made = await pool.lab.must(["segment", "create", "m1", "--bytes", "200000", "--json"]);
    const { segment } = JSON.parse(made.stdout) as { segment: string };
    const [written, read] = [join(pool.lab.folder, "written"), join(pool.lab.folder, "read")];
    writeFileSync(written, "0123456789".repeat(20_000));
    const onNode = async (...words: string[]): Promise<void> => {
      const { status, stderr } = await pool.run("n1", "segment", ...words, "--interface", "eth0");
      expect({ words, status, stderr: status === 0 ? "" : stderr }).toEqual({ words, status: 0, stderr: "" });
    };
    await onNode("write", segment, "--file", written);
    await onNode("read", segment, "--output", read);
    expect(readFileSync(read).equals(readFileSync(written))).toBe(true);
    // Outside of the lab's machines, by its daemon.
    const outside = join(pool.lab.folder, "outside");
    writeFileSync(written, "abcdefghij".repeat(20_000));
    await pool.lab.must(["segment", "write", segment, "--file", written]);
    await pool.lab.must(["segment", "read", segment, "--output", outside]);
    expect(readFileSync(outside).equals(readFileSync(written))).toBe(true);
    expect((await pool.lab.must(["std", "info", segment])).stdout).toContain("segment of 200000 bytes");
  });

  it("come back from a power cut as another kernel, and answer again", async () => {
    const before = pool.ready("m1").address;
    await pool.lab.must(["lab", "kill", "m1"]);
    const cut = await pool.run("n1", "call", "--port", echo("m2"), "--locate-timeout", "500ms");
    expect(cut.status).toBe(5);
    await pool.lab.must(["lab", "start", "m1"]);
    expect(pool.ready("m1").address).not.toBe(before);
    await calls("n1", "m1", "1402", 5);
    await calls("n1", "m2", "0", 5);
  });

  it("take what is wrong with their links as Linux machines do, also on the way through them", async () => {
    const words = ["--loss", "5%", "--duplicate", "5%", "--corrupt", "2%", "--delay", "2ms"];
    await pool.lab.must(["lab", "impair", "m1", ...words]);
    const before = await pool.executions("n1", echo("m1"));
    const report = await pool.call("n1", echo("m1"), "--size", "4000", "--count", "40");
    expect(report.succeeded).toBe(40);
    expect(report.p50Us).toBeGreaterThan(4000);
    await calls("n1", "n2", "4000", 10);
    await pool.lab.must(["lab", "impair", "m1", "--reset"]);
    expect((await pool.executions("n1", echo("m1"))) - before).toBe(40); // at most once, and none lost
    await pool.lab.must(["lab", "impair", "m1:lan0", "--cut"]);
    const cut = await pool.run("n1", "call", "--port", echo("m1"), "--locate-timeout", "500ms");
    expect(cut.status).toBe(5);
    await pool.lab.must(["lab", "impair", "m1:lan0", "--no-cut"]);
    await calls("n1", "m1", "1402", 5);
  });

  it("tell of a panic with the way there, and boot again by themselves", async () => {
    const before = pool.ready("m2").address;
    const ports = await pool.lab.must(["console", "m2"], { input: "ports\n" });
    expect(ports.stdout).toContain(pool.ready("m2").status);
    await pool.lab.must(["console", "m2"], { input: "outside\n" });
    await until("m2 boots again", () => (pool.ready("m2").address === before ? undefined : true), 60_000);
    const said = readFileSync(join(pool.folderOf("m2"), "agent.log"), "utf8");
    expect(said).toContain("panic: access outside of the linear memory, at 0xfffffff0");
    expect(said).toMatch(/metal turn\+0x[0-9a-f]+/);
    await calls("n2", "m2", "1402", 5);
  });

  it("have a disk that outlives a power cut, and read and write it", async () => {
    await pool.lab.must(["lab", "kill", "m2"]);
    const path = join(pool.folderOf("m2"), "disk.image");
    const disk = readFileSync(path);
    expect(disk.length).toBe(8 * 1024 * 1024);
    disk.write("written by a test", disk.length - 512, "latin1");
    writeFileSync(path, disk);
    await pool.lab.must(["lab", "start", "m2"]);
    const { stdout } = await pool.lab.must(["console", "m2"], { input: "disk\ndisk-check\n" });
    expect(stdout).toContain("disk of 16384 sectors of 512 bytes");
    expect(stdout).toContain(
      `is the same when it was written back: ${disk.toString("hex", disk.length - 512, disk.length - 496)}`,
    );
    expect(readFileSync(path).equals(disk)).toBe(true);
  });

  it("get networks and lose them, and come and go, as the lab file says", async () => {
    const path = join(pool.lab.folder, "metal.yaml");
    const other = file
      .replace("lan1: }", "lan1: , lan2: { mtu: 9000 } }")
      .replace("m1: { kind: metal, networks: [lan0, lan1] }", "m1: { kind: metal, networks: [lan0, lan2] }")
      .replace(
        "m2: { kind: metal, networks: [lan1], disk: { size: 8M } }",
        "m3: { kind: metal, networks: [lan2] }",
      )
      .replace("n2: { kind: pool, networks: [lan1] }", "n2: { kind: pool, networks: [lan2] }");
    writeFileSync(path, other);
    const { stdout } = await pool.lab.must(["lab", "apply", path]);
    expect(stdout).toContain("~ node m1: metal on lan0, lan1 → metal on lan0, lan2");
    expect(stdout).toContain("- node m2");
    await calls("n1", "m3", "30000", 3); // m1 is the router
    await calls("n1", "n2", "100K", 3);
    const shown = await pool.lab.must(["console", "m1"], { input: "interfaces\n" });
    expect(shown.stdout.match(/ {2}eth[01] {2}/g)).toHaveLength(2);
  });
});

describe.runIf(isRoot)("metal machines that boot again and again", () => {
  const runner = new LabRunner();
  afterAll(() => runner.close());
  const boots = perTier({ quick: 10, long: 100, nightly: 1000 });

  it(`answer each of ${boots} times`, async () => {
    const words = ["bench", "boot", "boot", "--system", "microvm", "--runs", `${boots}`, "--json"];
    const { stdout } = await runner.must(words);
    const { results } = JSON.parse(stdout) as BootReport;
    expect(results).toMatchObject([{ test: "boot", system: "microvm", runs: boots }]);
    expect(results[0]).not.toHaveProperty("problem");
  });
});
