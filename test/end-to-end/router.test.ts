// Two networks of different MTU and a router between them that forwards FLIP and no IP.
// Needs root: the proof is a capture.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Dissection } from "../../control/kernel/layers.js";
import { Capture } from "./capture.js";
import { isRoot, Programs, type Served, within } from "./programs.js";

const file = `name: demo
networks:
  lan0: { mtu: 1500 }
  lan1: { mtu: 9000, rate: 1gbit }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, lan1] }   # a pool machine on two networks
  n2: { kind: pool, networks: [lan1] }
  h1: { kind: host, networks: [lan0] }           # no agent: people run their own tools here
`;
const M = 1024 * 1024;

const hops = (frames: readonly Dissection[], type: string): string[] => [
  ...new Set(
    frames.flatMap(({ rpc, flip }) => (rpc?.type === type && flip ? `${flip.act_hop}/${flip.max_hop}` : [])),
  ),
];

describe.skipIf(!isRoot)("two networks and a router", () => {
  const pool = new Programs();
  let server: Served;
  let made = 0;

  async function call(size: string, count: number) {
    made += count;
    return pool.call("n1", server.putPort, "--size", size, "--count", `${count}`);
  }

  beforeAll(async () => {
    writeFileSync(join(pool.lab.folder, "demo.yaml"), file);
    await pool.up(join(pool.lab.folder, "demo.yaml"));
    server = await pool.serve("n2", "abcdef");
  });
  afterAll(() => pool.close());

  it("has no machine that forwards IP", async () => {
    for (const node of ["n1", "r1", "n2", "h1"]) {
      const { stdout } = await pool.lab.exec(node, "cat", "/proc/sys/net/ipv4/ip_forward");
      expect({ node, forwards: stdout.trim() }).toEqual({ node, forwards: "0" });
    }
  });

  it("carries calls from one network to the other with the hops of both", async () => {
    const [near, far] = await Promise.all([
      Capture.start(pool.lab, "h1"), // hears what is for everyone on lan0
      Capture.start(pool.lab, "n2"),
    ]);
    const report = await call("1402", 3);
    expect(report).toMatchObject({ succeeded: 3, bytes: 3 * 1402 });
    const asked = ({ rpc }: Dissection) => rpc?.type === "LOCATE" && rpc.port === server.putPort;
    const [onNear, allFar] = await Promise.all([
      near.stop((frame) => asked(frame) && frame.flip?.max_hop === 7),
      far.stop(({ rpc, flip }) => rpc?.type === "ACK" && flip?.act_hop === 6),
    ]);
    // To n2 all of it comes from the router's interface on its network.
    const router = pool.ready("r1").interfaces[1]?.mac;
    // Control daemons and agents ask each other as well, on this network alone.
    const onFar = allFar.filter(({ rpc }) => rpc?.port === server.putPort);
    const toFar = onFar.filter(({ ethernet }) => ethernet?.src === router);
    // The first LOCATE reaches its own network (an Ethernet weighs 3), the next one passes the router.
    // On a busy machine others follow that go further still, and the server answers questions with ACK.
    expect(hops(onNear.filter(asked), "LOCATE").slice(0, 2)).toEqual(["3/3", "3/7"]);
    expect(hops(toFar.filter(asked), "LOCATE")[0]).toBe("6/7");
    expect(hops(toFar, "REQUEST")).toEqual(["6/6"]);
    expect(hops(toFar, "ACK")).toEqual(["6/6"]);
    expect(hops(onFar, "HEREIS")).toEqual(["3/6"]);
    expect(hops(onFar, "REPLY")).toEqual(["3/6"]);
    expect(onFar.filter(({ rpc }) => rpc?.type === "REQUEST").every((frame) => toFar.includes(frame))).toBe(
      true,
    );
    expect([...onNear, ...allFar].filter(({ error }) => error !== undefined)).toEqual([]);
  });

  it.each([
    ["0", 0, 20],
    ["1402", 1402, 20],
    ["30000", 30_000, 10],
    ["1M", M, 3],
  ])("carries %s bytes across both MTUs and back unchanged", async (size, bytes, count) => {
    expect(await call(size, count)).toMatchObject({ succeeded: count, failures: {}, bytes: bytes * count });
  });

  it("carries bulk the other way too, from the network with the larger frames", async () => {
    const near = await pool.serve("n1", "near");
    for (const kind of ["--sink", "--reverse"]) {
      const report = await pool.call("n2", near.putPort, "--size", "1M", "--count", "2", kind);
      expect(report).toMatchObject({ succeeded: 2, bytes: 2 * M });
    }
    expect(await near.stop()).toBe(4);
  });

  it("uses the larger frames where both ends have them", async () => {
    const capture = await Capture.start(pool.lab, "n2");
    const { echo } = pool.ready("r1");
    await pool.call("n2", echo, "--size", "30000", "--count", "2", "--sink");
    const frames = await capture.stop(({ rpc }) => rpc?.type === "ACK");
    expect(Math.max(...frames.map(({ flip }) => flip?.length ?? 0))).toBeGreaterThan(8000);
  });

  it("has routed every call and executed it once", async () => {
    expect(await pool.executions("n1", server.putPort)).toBe(made);
    const { counters } = await pool.status("h1", "r1");
    expect(counters.forwarded).toBeGreaterThan(2 * made);
    expect(counters).toMatchObject({ malformed: 0, hopsDropped: 0 });
  });

  it("fails calls in time without the router, and says why", async () => {
    await pool.lab.must(["lab", "kill", "r1"]);
    const words = ["call", "--port", server.putPort, "--locate-timeout", "500ms"];
    const { status, stdout, stderr } = await within("the failure", pool.run("n1", ...words));
    expect({ status, stdout }).toEqual({ status: 5, stdout: "" });
    expect(stderr).toContain("no server listens to that port on any network that can be reached");
    expect(await pool.call("n2", server.putPort, "--count", "2")).toMatchObject({ succeeded: 2 });
    made += 2;
  });

  it("works again once the router is back", async () => {
    await pool.lab.must(["lab", "start", "r1"]);
    expect(await call("30000", 5)).toMatchObject({ succeeded: 5 });
    expect(await server.stop()).toBe(made);
  });
});
