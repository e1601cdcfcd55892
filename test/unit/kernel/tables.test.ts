// If one of these fails, a machine that is asked for too much dies, or stays of no use
// after that.

import { describe, expect, it } from "vitest";
import type { Kernel } from "../../../control/kernel/kernel.js";
import * as status from "../../../core-wasm/status.js";
import { header, Room } from "./booted.js";

const port = (name: number): Uint8Array => Uint8Array.of(name & 255, name >> 8, 3, 3, 3, 3);
const nothing = (): void => {};

function wait(kernel: Kernel, name: number, done: (handle: number) => void = nothing): number {
  const at = header(kernel, port(name));
  return kernel.getreq(at, at + 32, 32, (outcome, _, handle) => {
    if (outcome === status.STD_OK) done(handle);
  });
}

function call(kernel: Kernel, name: number, done: (outcome: number) => void = nothing): number {
  const at = header(kernel, kernel.publicPort(port(name)));
  return kernel.trans(at, at + 32, 8, at, at + 32, 32, 0, done);
}

/** Answers every request to a port with an empty reply, for ever. */
function serve(kernel: Kernel, name: number): void {
  wait(kernel, name, (handle) => {
    kernel.putrep(handle, header(kernel, port(0)), 0, 0, nothing);
    serve(kernel, name);
  });
}

describe("a full table", () => {
  it("of threads answers try again, and takes calls when one has ended", () => {
    const room = new Room();
    const kernel = room.attached({ threads: 5 });
    const handles = [1, 2, 3, 4, 5].map((name) => wait(kernel, name));
    expect(handles.every((handle) => handle >= 0)).toBe(true);
    expect(wait(kernel, 6)).toBe(status.RPC_TRYAGAIN);
    expect(call(kernel, 1)).toBe(status.RPC_TRYAGAIN);
    expect(kernel.counters().tableFull).toBe(2);
    kernel.kill(handles[2] as number);
    expect(kernel.threadsBusy).toBe(4);
    expect(wait(kernel, 6)).toBeGreaterThanOrEqual(0);
  });

  it("of ports answers full, but lets another thread wait at a port that is in it", () => {
    const room = new Room();
    const kernel = room.attached({ threads: 16, ports: 3 });
    for (const name of [1, 2, 3]) expect(wait(kernel, name)).toBeGreaterThanOrEqual(0);
    expect(wait(kernel, 4)).toBe(status.KERNEL_FULL);
    expect(wait(kernel, 2)).toBeGreaterThanOrEqual(0);
    expect(kernel.threadsBusy).toBe(4);
  });

  it("of networks throws an error that names the device", () => {
    const room = new Room();
    const kernel = room.attached({ networks: 1 });
    expect(() => kernel.attach(room.lan.port("second"))).toThrow(/second/);
  });

  it.each([
    ["neighbours", { neighbours: 1 }],
    ["routes", { routes: 2, locations: 2 }],
    ["places", { portCache: 1 }],
    ["client kernels", { clientKernels: 1, forgottenKernels: 40 }],
    ["searches", { locates: 1 }],
  ])("of %s lets a server serve more clients than it holds, one after the other", (_, limits) => {
    const room = new Room();
    const server = room.attached({ threads: 8, ...limits });
    const outcomes: number[] = [];
    for (let i = 0; i < 4; i++) serve(server, 1);
    for (let i = 0; i < 12; i++) {
      call(room.attached({ threads: 4 }), 1, (outcome) => outcomes.push(outcome));
      room.run(30);
    }
    room.run(500);
    expect(outcomes).toEqual(new Array(12).fill(status.STD_OK));
  });

  it("of completions refuses calls before one could be lost, though the host never looks", () => {
    const room = new Room();
    const kernel = room.kernel({ threads: 479, groupOperations: 1 });
    let refused = 0;
    for (let round = 0; round < 3_000; round++) {
      const service = wait(kernel, 1);
      if (service === status.RPC_TRYAGAIN || call(kernel, 1) === status.RPC_TRYAGAIN) refused++;
      else if (round % 2 === 0) kernel.putrep(service, header(kernel, port(0)), 0, 0, nothing);
    }
    expect(refused).toBeGreaterThan(0);
    while (kernel.drain() > 0);
    expect(wait(kernel, 1)).toBeGreaterThanOrEqual(0);
  });
});

describe("a service whose caller in the same kernel has died", () => {
  it("may be killed too, and no end of it is told to whoever comes next", () => {
    const room = new Room();
    const kernel = room.kernel({ threads: 2 });
    const service = wait(kernel, 1);
    const caller = call(kernel, 1);
    while (kernel.drain() > 0);
    expect(kernel.kill(caller)).toBe(status.STD_OK);
    expect(kernel.kill(service)).toBe(status.STD_OK);
    const told: number[] = [];
    const at = header(kernel, port(2));
    kernel.getreq(at, at + 32, 32, (outcome) => told.push(outcome));
    kernel.getreq(at, at + 32, 32, (outcome) => told.push(outcome));
    while (kernel.drain() > 0);
    expect(told).toEqual([]);
  });
});
