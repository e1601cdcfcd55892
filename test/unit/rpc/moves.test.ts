// If one of these fails, callers do not find a server again that restarted or moved, or a
// call reaches a server that never got it under that name.

import { describe, expect, it } from "vitest";
import { RPC_FAILURE, STD_OK } from "../../../core-wasm/status.js";
import { echo, getPort, pair, record } from "../../simulation/pairs.js";
import { MILLISECOND, SECOND } from "../../simulation/world.js";

describe("a server machine that boots again", () => {
  it("has a new FLIP address, and the next call finds it at once", () => {
    const { client, server, port } = pair();
    expect(client.call({ port }).status).toBe(STD_OK);
    const before = server.running.address;
    server.crash();
    server.boot();
    server.serve(getPort, 1, 1024, echo);
    expect(server.running.address).not.toEqual(before);
    const end = client.call({ port });
    expect(end.status === STD_OK || end.status === RPC_FAILURE).toBe(true);
    expect(client.call({ port }).status).toBe(STD_OK);
  });

  it("does not execute a request that was sent to its life before", () => {
    let executions = 0;
    const { world, lan, client, server, port } = pair({
      handler: () => {
        executions++;
      },
    });
    let held = true;
    lan.filter = (_frame, _from, to) => held && to === "client" && executions > 0;
    client.begin({ port }, ({ status }) => expect(status).toBe(RPC_FAILURE));
    world.run(() => executions === 1);
    server.crash();
    server.boot();
    server.serve(getPort, 1, 1024, () => {
      executions++;
    });
    held = false;
    world.run(undefined, 10 * SECOND);
    expect(executions).toBe(1);
    expect(client.running.threadsBusy).toBe(0);
  });
});

describe("a server that moves to another machine with its get-port", () => {
  it("is followed by its callers after their cached place has gone", () => {
    const { world, lan, client, server, port } = pair();
    const other = world.machine("other", lan);
    expect(client.call({ port }).status).toBe(STD_OK);
    server.crash();
    other.serve(getPort, 1, 1024, echo);
    world.run(undefined, SECOND);
    const end = client.call({ port });
    expect(end.status).toBe(STD_OK);
    expect(end.took).toBeLessThan(500 * MILLISECOND);
  });

  it("is followed although its old machine lives and answers NOTHERE or NAK", () => {
    const { world, lan, client, server, port } = pair({ threads: 1 });
    const other = world.machine("other", lan);
    client.call({ port });
    server.crash();
    server.boot();
    other.serve(getPort, 1, 1024, echo);
    const frames = record(world, lan);
    const ends = [client.call({ port }), client.call({ port })];
    expect(ends.at(-1)?.status).toBe(STD_OK);
    expect(frames.some(({ flip }) => flip?.type === "NOTHERE")).toBe(true);
  });
});

describe("a port with several servers", () => {
  it("is found elsewhere when the first one is busy", () => {
    const { world, lan, client, server, port } = pair({ threads: 1, handler: () => {} });
    client.begin({ port }, () => {});
    world.run(undefined, 10 * MILLISECOND);
    const other = world.machine("other", lan);
    other.serve(getPort, 1, 1024, echo);
    const end = client.call({ port });
    expect(end.status).toBe(STD_OK);
    expect(end.took).toBeLessThan(SECOND);
    expect(server.running.counters().naksOut).toBeGreaterThan(0);
  });
});
