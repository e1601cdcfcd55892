// If one of these fails, machines on different networks do not reach each other, or a loop
// of routers floods them.

import { describe, expect, it } from "vitest";
import { STD_OK } from "../../../core-wasm/status.js";
import { bytesOf, echo, getPort, original, record } from "../../simulation/pairs.js";
import { type Machine, type MachineOptions, MILLISECOND, SECOND, World } from "../../simulation/world.js";

/** A row of networks with a router between each two; client on the first, server on the last. */
function row(networks: number, options: MachineOptions = {}, routerOptions: MachineOptions = {}) {
  const world = new World(networks);
  const lans = Array.from({ length: networks }, () => world.lan());
  const routers = lans.slice(1).map((lan, index) => {
    return world.machine(`router${index}`, [lans[index] as typeof lan, lan], routerOptions);
  });
  const client = world.machine("client", lans[0] as (typeof lans)[0], options);
  const server = world.machine("server", lans.at(-1) as (typeof lans)[0], options);
  server.serve(getPort, 4, 1 << 18, echo);
  return { world, lans, routers, client, server, port: server.running.publicPort(getPort) };
}

const data = bytesOf(50_000);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe.each([
  ["our own machines", {}, {}],
  ["originals behind our routers", original, {}],
  ["our machines behind original routers", {}, original],
] as const)("a call across routers (%s)", (_, ends, between) => {
  it.each([1, 2, 3])("crosses %i network(s), and every frame counts its hops", (networks) => {
    const { world, lans, client, port } = row(networks, ends, between);
    const records = lans.map((lan) => record(world, lan));
    expect(client.call({ port }).status).toBe(STD_OK);
    const end = client.call({ port, data });
    expect(end.status).toBe(STD_OK);
    expect(same(end.data, data)).toBe(true);
    for (const [index, frames] of records.entries()) {
      const requests = frames.filter(({ rpc }) => rpc?.type === "REQUEST");
      expect(requests.length).toBeGreaterThan(0);
      for (const { flip } of requests)
        expect(flip).toMatchObject({ act_hop: 3 * (index + 1), max_hop: 3 * networks });
      const replies = frames.filter(({ rpc }) => rpc?.type === "REPLY");
      for (const { flip } of replies) {
        expect(flip).toMatchObject({ act_hop: 3 * (networks - index), max_hop: 3 * networks });
      }
    }
  });

  it("leaves no frame behind in a router", () => {
    const { world, client, routers, port } = row(2, ends, between);
    for (let i = 0; i < 20; i++) expect(client.call({ port, data }).status).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(routers[0]?.running.counters().tableFull).toBe(0);
    expect(routers[0]?.running.framesHeld).toBe(0);
  });
});

describe("a router", () => {
  it("may die and come back: calls go on", () => {
    const { world, client, routers, port } = row(2);
    const router = routers[0] as Machine;
    expect(client.call({ port }).status).toBe(STD_OK);
    router.crash();
    expect(client.call({ port }).status).toBeLessThan(0);
    router.boot();
    world.run(undefined, SECOND);
    expect(client.call({ port }).status).toBe(STD_OK);
  });

  it("may be replaced by another one on the way", () => {
    const { world, lans, client, routers, port } = row(2);
    expect(client.call({ port }).status).toBe(STD_OK);
    routers[0]?.crash();
    world.machine("spare", lans);
    world.run(undefined, SECOND);
    const end = client.call({ port, data }, 20 * SECOND);
    expect(end.status).toBe(STD_OK);
    expect(end.took).toBeLessThan(2 * SECOND);
  });

  it("finds the way back for a caller whose machine changed networks", () => {
    const { world, lans, client, port } = row(2);
    expect(client.call({ port }).status).toBe(STD_OK);
    client.crash();
    const moved = world.machine("moved", lans[1] as (typeof lans)[0]);
    expect(moved.call({ port }).status).toBe(STD_OK);
  });
});

describe("a port LOCATE", () => {
  it("goes no further than it has to", () => {
    const { world, lans, client, server, port } = row(3);
    const near = world.machine("near", lans[0] as (typeof lans)[0]);
    near.serve(getPort, 1, 1024, echo);
    const far = record(world, lans[2] as (typeof lans)[0]);
    expect(client.call({ port }).status).toBe(STD_OK);
    expect(far.filter(({ rpc }) => rpc?.type === "LOCATE")).toHaveLength(0);
    expect(server.running.counters().requestsIn).toBe(0);
  });

  it("tries 3, 7, 15 and 25 hops a tenth of a second apart, then ever more rarely", () => {
    const { world, lans, client } = row(1);
    const frames = record(world, lans[0] as (typeof lans)[0]);
    client.call({ port: Uint8Array.of(1, 1, 1, 1, 1, 1), options: { locateTimeoutMs: 650 } });
    const locates = frames.filter(({ rpc }) => rpc?.type === "LOCATE");
    expect(locates.map(({ flip }) => flip?.max_hop)).toEqual([3, 7, 15, 25, 25, 25]);
    expect(locates.map(({ at }) => at / MILLISECOND)).toEqual([0, 100, 200, 300, 400, 600]);
  });
});

describe("two routers between the same two networks", () => {
  it("forward every broadcast once each, and none of them comes back round", () => {
    const world = new World(5);
    const lans = [world.lan(), world.lan()];
    const client = world.machine("client", lans[0] as (typeof lans)[0]);
    const server = world.machine("server", lans[1] as (typeof lans)[0]);
    for (const name of ["a", "b"]) world.machine(name, lans);
    server.serve(getPort, 2, 1 << 17, echo);
    const near = record(world, lans[0] as (typeof lans)[0]);
    const far = record(world, lans[1] as (typeof lans)[0]);
    const end = client.call({ port: server.running.publicPort(getPort), data });
    expect(end.status).toBe(STD_OK);
    expect(same(end.data, data)).toBe(true);
    world.run(undefined, SECOND);
    for (const frames of [near, far]) {
      const locates = frames.filter(({ rpc }) => rpc?.type === "LOCATE");
      expect(locates.length).toBeLessThanOrEqual(4); // of two questions: 3 hops, then 7
      expect(frames.length).toBeLessThan(200);
    }
  });
});
