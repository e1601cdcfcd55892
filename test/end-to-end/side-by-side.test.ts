// Several programs on one machine and one interface, each with a kernel and a MAC address
// of its own: they must hear each other, the LAN must hear them, and none may answer for
// another. Needs root: the proof is a capture.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernelBytes } from "../../control/cli/package-files.js";
import type { Dissection } from "../../control/kernel/layers.js";
import { type RunningKernel, startKernel } from "../../control/node/start.js";
import { EchoServer } from "../../control/server/echo/echo.js";
import { EchoClient, type EchoKind } from "../../control/stub/echo.js";
import { Capture } from "./capture.js";
import { isRoot, Programs, type Served, within } from "./programs.js";
import { TestWire } from "./wire.js";

const sizes = ["0", "1403", "30000"];

/** Calls an echo server in every size; gives how often. */
async function callAll(pool: Programs, node: string, port: string): Promise<number> {
  const reports = await Promise.all(
    sizes.map((size) => pool.call(node, port, "--size", size, "--count", "4")),
  );
  expect(reports.map(({ succeeded }) => succeeded)).toEqual(sizes.map(() => 4));
  return 4 * reports.length;
}

/** MAC addresses from which a server answers to a port. */
function serversOf(frames: readonly Dissection[], port: string): Set<string> {
  const here = frames.filter(({ rpc }) => rpc?.type === "HEREIS" && rpc.port === port);
  return new Set(here.map(({ ethernet }) => ethernet?.src ?? ""));
}

describe.skipIf(!isRoot)("an agent, two servers and a client on one machine", () => {
  const pool = new Programs();
  let first: Served;
  let second: Served;
  let far: Served;
  let capture: Capture;
  let frames: Dissection[] = [];
  const made = { first: 0, second: 0, far: 0 };

  beforeAll(async () => {
    await pool.up("--nodes", "2");
    capture = await Capture.start(pool.lab, "n1");
    [first, second, far] = await Promise.all([
      pool.serve("n1", "first"),
      pool.serve("n1", "second"),
      pool.serve("n2", "far"),
    ]);
  });
  afterAll(() => pool.close());

  it("calls both servers and the agent from the machine itself", async () => {
    made.first += await callAll(pool, "n1", first.putPort);
    made.second += await callAll(pool, "n1", second.putPort);
    await callAll(pool, "n1", pool.ready("n1").echo);
  });

  it("calls both servers and the agent from another machine", async () => {
    made.first += await callAll(pool, "n2", first.putPort);
    made.second += await callAll(pool, "n2", second.putPort);
    await callAll(pool, "n2", pool.ready("n1").echo);
  });

  it("calls a server and the agent on another machine", async () => {
    made.far += await callAll(pool, "n1", far.putPort);
    await callAll(pool, "n1", pool.ready("n2").echo);
  });

  it("executes each call once, where it was sent", async () => {
    expect(await pool.executions("n1", first.putPort)).toBe(made.first);
    expect(await pool.executions("n2", second.putPort)).toBe(made.second);
    expect(await pool.executions("n1", far.putPort)).toBe(made.far);
  });

  it("answers no frame of another program: no NOTHERE from the agent or on the wire", async () => {
    for (const node of ["n1", "n2"]) {
      const { counters } = await pool.status(node === "n1" ? "n2" : "n1", node);
      expect(counters).toMatchObject({ nothereOut: 0, nothereIn: 0, malformed: 0 });
    }
    const { status } = pool.ready("n2");
    frames = await capture.stop(({ rpc }) => rpc?.type === "HEREIS" && rpc.port === status);
    expect(frames.length).toBeGreaterThan(500);
    expect(frames.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(frames.filter(({ flip }) => flip?.type === "NOTHERE")).toEqual([]);
  });

  it("has a MAC address for every program, the agent the interface's own", () => {
    const { echo, interfaces } = pool.ready("n1");
    const agent = serversOf(frames, echo);
    expect([...agent]).toEqual([interfaces[0]?.mac]);
    const servers = [first, second, far].map(({ putPort }) => [...serversOf(frames, putPort)]);
    // Agents look for control daemons as well: clients are those that look for one of these.
    const ports = ["n1", "n2"].flatMap((node) => [pool.ready(node).echo, pool.ready(node).status]);
    const served = new Set([...ports, ...[first, second, far].map(({ putPort }) => putPort)]);
    const looks = frames.filter(({ rpc }) => rpc?.type === "LOCATE" && served.has(rpc.port));
    const clients = new Set(looks.map(({ ethernet }) => ethernet?.src ?? ""));
    expect(servers.map((each) => each.length)).toEqual([1, 1, 1]);
    // Every `call` is a program of its own, on n1 as on n2.
    expect(clients.size).toBeGreaterThanOrEqual(6 * sizes.length);
    const all = [...agent, ...servers.flat(), ...clients];
    expect(new Set(all).size).toBe(all.length);
    expect(all.every((mac) => (Number.parseInt(mac.slice(0, 2), 16) & 0x03) === 0x02)).toBe(true);
  });

  it("carries bulk between all of them at the same time", async () => {
    const pairs = [
      ["n1", first.putPort],
      ["n1", far.putPort],
      ["n2", second.putPort],
    ] as const;
    const calls = pairs.map(([node, port]) => pool.call(node, port, "--size", "1M", "--count", "2"));
    expect((await Promise.all(calls)).map(({ succeeded }) => succeeded)).toEqual([2, 2, 2]);
    made.first += 2;
    made.far += 2;
    made.second += 2;
  });

  it("ends the servers with their count", async () => {
    expect(await Promise.all([first.stop(), second.stop(), far.stop()])).toEqual([
      made.first,
      made.second,
      made.far,
    ]);
  });
});

describe.skipIf(!isRoot)("a server and its client in one program", () => {
  let wire: TestWire;
  let program: RunningKernel;
  let server: EchoServer;

  beforeAll(async () => {
    wire = new TestWire(1);
    program = await wire.inside(1, () => startKernel({ wasm: kernelBytes(), interfaces: ["eth0"] }));
    server = new EchoServer(program.kernel, new TextEncoder().encode("inside"), { threads: 2 });
  });
  afterAll(() => {
    program?.close();
    wire?.remove();
  });

  it.each(["echo", "sink", "source"] as const)("call each other without a frame (%s)", async (kind) => {
    const { kernel } = program;
    const before = kernel.counters();
    for (const size of [0, 1403, 1024 * 1024]) expect(await oneCall(kind, size)).toEqual([0, undefined]);
    const { framesOut, framesIn, localCalls } = kernel.counters();
    expect({ framesOut, framesIn }).toEqual({ framesOut: before.framesOut, framesIn: before.framesIn });
    expect(localCalls).toBe(before.localCalls + 3);
    expect(program.interfaces.map((device) => device.counters().sent)).toEqual([before.framesOut]);
  });

  it("have executed every call", () => {
    expect(server.executions).toBe(9);
  });

  function oneCall(kind: EchoKind, size: number): Promise<[number, string | undefined]> {
    const client = new EchoClient(program.kernel, server.putPort, kind, size);
    const call = new Promise<[number, string | undefined]>((resolve) =>
      client.call((status, fault) => resolve([status, fault])),
    );
    return within("a call inside a program", call).finally(() => client.close());
  }
});
