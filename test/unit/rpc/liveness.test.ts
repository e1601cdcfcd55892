// If one of these fails, a user waits for a machine that is gone, or loses a call to one
// that was only slow.

import { describe, expect, it } from "vitest";
import { RPC_FAILURE, RPC_NOTFOUND, STD_OK } from "../../../core-wasm/status.js";
import type { Handler } from "../../../simulation/engine/programs.js";
import { bytesOf, echo, getPort, pair } from "../../simulation/pairs.js";
import { MILLISECOND, SECOND, type World } from "../../simulation/world.js";

const slow = (world: () => World, microseconds: number): Handler => {
  return (request, reply) => world().after(microseconds, () => echo(request, reply));
};

describe("the first call after a cold start", () => {
  it.each([0, 1402, 1403, 60_000])("of %i bytes does not wait for idle hop tries", (length) => {
    const { client, port } = pair({ lan: { latencyMicroseconds: 100 } });
    const data = bytesOf(length);
    const end = client.call({ port, data });
    expect(end.status).toBe(STD_OK);
    expect(Buffer.compare(end.data, data)).toBe(0);
    expect(end.took).toBeLessThan(5 * MILLISECOND);
  });
});

describe("a call to a port that nobody serves", () => {
  it("says so after the original's 5.2 s, or after what the caller asked for", () => {
    const { client } = pair();
    const port = Uint8Array.of(9, 9, 9, 9, 9, 9);
    expect(client.call({ port })).toMatchObject({ status: RPC_NOTFOUND, took: 5200 * MILLISECOND });
    const quick = client.call({ port, options: { locateTimeoutMs: 300 } });
    expect(quick).toMatchObject({ status: RPC_NOTFOUND, took: 300 * MILLISECOND });
  });
});

describe("a machine that dies in the middle of a call", () => {
  it.each(["crash", "cut"])("is noticed within two seconds (%s)", (how) => {
    const setting: { world?: World } = {};
    const { world, lan, client, server, port } = pair({
      handler: slow(() => setting.world as World, 60 * SECOND),
    });
    setting.world = world;
    world.after(500 * MILLISECOND, () => {
      if (how === "crash") server.crash();
      else lan.cut("server", "client");
    });
    const end = client.call({ port });
    expect(end.status).toBe(RPC_FAILURE);
    expect(end.took).toBeLessThanOrEqual(2500 * MILLISECOND + 20 * MILLISECOND);
  });

  it("is noticed as fast as the caller asked for", () => {
    const setting: { world?: World } = {};
    const { world, client, server, port } = pair({
      handler: slow(() => setting.world as World, 60 * SECOND),
    });
    setting.world = world;
    world.after(100 * MILLISECOND, () => server.crash());
    const end = client.call({ port, options: { deadMs: 300, pollMs: 50 } });
    expect(end.status).toBe(RPC_FAILURE);
    expect(end.took).toBeLessThanOrEqual(420 * MILLISECOND);
  });

  it("is noticed while a long request is on its way", () => {
    const { world, client, server, port } = pair({ lan: { bytesPerMicrosecond: 1 } });
    client.call({ port });
    world.after(20 * MILLISECOND, () => server.crash());
    const end = client.call({ port, data: bytesOf(200_000) });
    expect(end.status).toBe(RPC_FAILURE);
    expect(end.took).toBeLessThan(3 * SECOND);
  });

  it("gives the server's thread back when it was the client", () => {
    const setting: { world?: World } = {};
    const made = pair({ handler: slow(() => setting.world as World, SECOND), threads: 1 });
    setting.world = made.world;
    made.client.begin({ port: made.port }, () => {});
    made.world.run(undefined, 100 * MILLISECOND);
    made.client.crash();
    made.world.run(undefined, 5 * SECOND);
    made.client.boot();
    expect(made.client.call({ port: made.port }).status).toBe(STD_OK);
  });
});

describe("a slow server on a machine that lives", () => {
  it("is not taken for dead, although its reply takes a minute", () => {
    const setting: { world?: World } = {};
    const { world, client, port } = pair({ handler: slow(() => setting.world as World, 60 * SECOND) });
    setting.world = world;
    const end = client.call({ port, data: bytesOf(3000) }, 90 * SECOND);
    expect(end).toMatchObject({ status: STD_OK, data: bytesOf(3000) });
    expect(client.running.counters().enquiriesOut).toBeGreaterThan(50);
  });

  it("is not taken for dead on a wire that loses three frames of ten", () => {
    const setting: { world?: World } = {};
    const { world, lan, client, port } = pair({ handler: slow(() => setting.world as World, 20 * SECOND) });
    setting.world = world;
    client.begin({ port: getPort }, () => {});
    world.run(undefined, SECOND);
    lan.setFaults({ loss: 0.3 });
    expect(client.call({ port }).status).toBe(STD_OK);
  });
});
