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

/** Two networks with an IP router between them, the second with shorter packets. */
const routedFile = `name: routed
networks: { lan0: { mtu: 1500 }, lan1: { mtu: 1300 } }
nodes:
  a: { kind: host, networks: [lan0] }
  r: { kind: host, networks: [lan0, lan1] }
  b: { kind: host, networks: [lan1] }
`;

describe.skipIf(!isRoot)("peers with an IP router between them", () => {
  const pool = new Programs();
  const keys: Record<string, string> = {};
  const keyFile = (name: string): string => join(pool.lab.folder, `${name}.key`);
  const toA = () => `ip:10.0.0.1=${keys.a}+key=${keyFile("b")}`;
  const toB = () => `ip:10.1.0.3=${keys.b}+key=${keyFile("a")}`;

  beforeAll(async () => {
    writeFileSync(join(pool.lab.folder, "routed.yaml"), routedFile);
    await pool.up(join(pool.lab.folder, "routed.yaml"));
    const root = (node: string, line: string) => pool.lab.must(["lab", "exec", node, "--", "sh", "-c", line]);
    await root("r", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    await root("a", "ip route add 10.1.0.0/24 via 10.0.0.2");
    await root("b", "ip route add 10.0.0.0/24 via 10.1.0.2");
    for (const name of ["a", "b", "stranger"]) {
      const { stdout } = await pool.lab.must(["link", "key", keyFile(name)]);
      keys[name] = stdout.trim();
    }
  });
  afterAll(() => pool.close());

  it("call each other in secret, in packets that the path carries; strangers get nothing", async () => {
    const server = await pool.serve("b", "abcdef", "--interface", toA());
    const dump = pool.lab.start([
      ...["lab", "exec", "r", "--", "tcpdump", "-l", "-n", "-v", "-c", "200", "-i", "eth0", "ip proto 253"],
    ]);
    const words = ["--interface", toB()];
    expect(await pool.call("a", server.putPort, "--count", "5", ...words)).toMatchObject({ succeeded: 5 });
    const bulk = await pool.call("a", server.putPort, "--size", "300K", "--count", "2", ...words);
    expect(bulk).toMatchObject({ succeeded: 2 });
    const { stdout } = await dump.outcome;
    const lengths = [...stdout.matchAll(/length (\d+)\)/g)].map(([, length]) => Number(length));
    expect(lengths.length).toBeGreaterThan(100);
    // The first packets ask for the path's MTU; what follows fits without being cut.
    expect(lengths.filter((length) => length > 1290 && length <= 1300).length).toBeGreaterThan(50);
    expect(stdout).not.toMatch(/offset [1-9]/);
    for (const stranger of [
      `ip:10.1.0.3=${keys.b}+key=${keyFile("stranger")}`, // a key that b does not know
      `ip:10.1.0.3=${keys.stranger}+key=${keyFile("a")}`, // b has another key than is expected
      "ip:10.1.0.3+trusted", // no key at all
    ]) {
      const refused = ["call", "--port", server.putPort, "--interface", stranger, "--locate-timeout", "1s"];
      expect((await pool.run("a", ...refused)).status).toBe(5);
    }
    expect(await pool.call("a", server.putPort, "--count", "2", ...words)).toMatchObject({ succeeded: 2 });
    expect(await server.stop()).toBe(9);
  });

  it("without keys are an untrusted network: calls say so, unless someone vouches for it", async () => {
    const plain = await pool.serve("b", "plain", "--interface", "ip:10.0.0.1");
    const words = ["call", "--port", plain.putPort, "--count", "1", "--interface"];
    const { status, stderr } = await pool.run("a", ...words, "ip:10.1.0.3");
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/trusted/);
    expect(await plain.stop()).toBe(0);
    const trusting = await pool.serve("b", "trust", "--interface", "ip:10.0.0.1+trusted");
    const vouched = ["--interface", "ip:10.1.0.3+trusted", "--count", "2"];
    expect(await pool.call("a", trusting.putPort, ...vouched)).toMatchObject({ succeeded: 2 });
    await trusting.stop();
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
