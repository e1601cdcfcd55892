// Machines with nothing but a cable or IP between them. If one of these fails, a wire that is no
// Ethernet loses what FLIP promises: calls at most once, unchanged, across routers. Needs root.

import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { firstLine, isRoot, Programs, until } from "./programs.js";

const M = 1024 * 1024;

/** Ethernet – router – serial – router – IP. */
const rowFile = `name: row
networks:
  lan0: { mtu: 1500 }
  cable: { kind: serial, speed: 4000000, noise: 0.000002 }
  wan: { kind: ip, mtu: 1400 }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, cable] }
  r2: { kind: router, networks: [cable, wan] }
  n2: { kind: pool, networks: [wan] }
`;

describe.skipIf(!isRoot)("an Ethernet, a cable and IP in a row, with a router between each two", () => {
  const pool = new Programs();
  let port = "";
  let before = 0;
  let made = 0;

  async function call(size: string, count: number, ...more: string[]) {
    made += count;
    return pool.call("n1", port, "--size", size, "--count", `${count}`, ...more);
  }

  beforeAll(async () => {
    writeFileSync(join(pool.lab.folder, "row.yaml"), rowFile);
    await pool.up(join(pool.lab.folder, "row.yaml"));
    port = pool.ready("n2").echo;
    before = await pool.executions("n1", port);
  });
  afterAll(() => pool.close());

  it.each([
    ["0", 0, 20],
    ["1402", 1402, 10],
    ["30000", 30_000, 4],
    ["200K", 200 * 1024, 1],
  ])("carries %s bytes across all three and back unchanged", async (size, bytes, count) => {
    expect(await call(size, count)).toMatchObject({ succeeded: count, failures: {}, bytes: bytes * count });
  });

  it("carries bulk in one direction and in the other", async () => {
    for (const kind of ["--sink", "--reverse"])
      expect(await call("100K", 1, kind)).toMatchObject({ succeeded: 1, bytes: 100 * 1024 });
  });

  it("carries calls from the machine behind IP, too", async () => {
    const report = await pool.call("n2", pool.ready("n1").echo, "--interface", "eth0", "--count", "1").catch(
      (error: Error) => error.message, // its agent has IP: nobody else of the machine may
    );
    expect(JSON.stringify(report)).toContain("RAW_IP_IN_USE");
    const near = await pool.call("n1", pool.ready("r2").echo, "--size", "30000", "--count", "2");
    expect(near).toMatchObject({ succeeded: 2 });
  });

  it("executes each call once, over an Ethernet that loses frames and a cable with noise as well", async () => {
    await pool.lab.must(["lab", "impair", "n1:lan0", "--loss", "2%"]);
    expect(await call("8000", 10)).toMatchObject({ succeeded: 10 });
    await pool.lab.must(["lab", "impair", "n1:lan0", "--reset"]);
    expect((await pool.executions("n1", port)) - before).toBe(made);
  });

  it("keeps the keys of its machines to their owner", () => {
    for (const node of ["r2", "n2"]) {
      const path = join(pool.lab.state, "row", "nodes", node, "link.key");
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it.each(["r2"])("works again when %s, between cable and IP, was without power", async (router) => {
    await pool.lab.must(["lab", "kill", router]);
    await pool.lab.must(["lab", "start", router]);
    await until("a call", async () => {
      const words = ["call", "--port", port, "--count", "1"];
      return (await pool.run("n1", ...words)).status === 0 ? true : undefined;
    });
  });
});

describe("two programs with a cable between them", () => {
  const folder = mkdtempSync(join(tmpdir(), "cable-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("call each other over noise, 10 MB, each call executed once; garbage does not end them", async () => {
    const { Cable } = await import("../../drivers/serial/cable.js");
    const { openSync, writeSync, closeSync } = await import("node:fs");
    const cable = new Cable({ speed: null, noise: 0.00001, seed: 5 });
    const programs = new Programs();
    let server: Running | undefined;
    try {
      const [here, there] = cable.paths.map((path) => ["--interface", `serial:${path}@12000000`]) as [
        string[],
        string[],
      ];
      const garbage = openSync(cable.paths[1], "r+");
      server = programs.lab.start(["serve", "echo", "--port", "abcdef", "--json", ...here]);
      const line = await firstLine("the server", server);
      const bytes = Buffer.alloc(64 * 1024, 0xdb);
      for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2_654_435_761) >>> 13;
      writeSync(garbage, bytes.subarray(0, 3000));
      closeSync(garbage);
      const { putPort } = JSON.parse(line) as { putPort: string };
      const words = ["call", "--port", putPort, "--json", ...there];
      const bulk = await programs.lab.must([...words, "--sink", "--size", "1M", "--count", "10"]);
      expect(JSON.parse(bulk.stdout)).toMatchObject({ succeeded: 10, bytes: 10 * M, failures: {} });
      const small = await programs.lab.must([...words, "--size", "5000", "--count", "20"]);
      expect(JSON.parse(small.stdout)).toMatchObject({ succeeded: 20 });
      const asked = await programs.lab.must([...words, "--executions"]);
      expect(JSON.parse(asked.stdout).executions).toBe(30);
      server.child.kill("SIGINT");
      expect((await server.outcome).status).toBe(0);
    } finally {
      server?.child.kill("SIGKILL");
      cable.close();
      await programs.close();
    }
  });
});
