// Machines that reach each other by IP alone, with an IP router between them. If one of these fails, what
// they say is read by others, or does not fit the path, or strangers are answered.
//
// - raw-socket is built for the Node.js that installed it: the quick tier's.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isRoot, Programs } from "./programs.js";

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
