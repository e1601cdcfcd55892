// If one of these fails, a call that was to stay on trusted networks is seen on another one.

import { describe, expect, it } from "vitest";
import { RPC_UNSAFE } from "../../../core-wasm/status.js";
import { echo, getPort, record } from "../../simulation/pairs.js";
import { SECOND, World } from "../../simulation/world.js";

describe("a server behind an untrusted network", () => {
  it("is not called over it: RPC_UNSAFE, and no request on the wire", () => {
    const world = new World(1);
    const lan = world.lan();
    const client = world.machine("client", lan, { untrusted: [0] });
    const server = world.machine("server", lan);
    server.serve(getPort, 1, 1024, echo);
    const frames = record(world, lan);
    const end = client.call({ port: server.running.publicPort(getPort) });
    expect(end.status).toBe(RPC_UNSAFE);
    expect(frames.some(({ rpc }) => rpc?.type === "REQUEST")).toBe(false);
    world.run(undefined, 10 * SECOND);
    expect(client.running.threadsBusy).toBe(0);
  });

  it("is not called through a router that does not trust it either", () => {
    const world = new World(2);
    const near = world.lan();
    const far = world.lan();
    const client = world.machine("client", near);
    world.machine("router", [near, far], { untrusted: [1] });
    const server = world.machine("server", far);
    server.serve(getPort, 1, 1024, echo);
    const frames = record(world, far);
    const end = client.call({ port: server.running.publicPort(getPort) });
    expect(end.status).toBe(RPC_UNSAFE);
    expect(frames.some(({ rpc }) => rpc?.type === "REQUEST")).toBe(false);
  });
});
