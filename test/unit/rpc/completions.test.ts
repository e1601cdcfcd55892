// If one of these fails, a program is told the end of another call than its own.

import { describe, expect, it } from "vitest";
import { STD_OK } from "../../../core-wasm/status.js";
import type { CallEnd } from "../../../simulation/engine/programs.js";
import { bytesOf, pair } from "../../simulation/pairs.js";
import { SECOND } from "../../simulation/world.js";

describe("calls that end in the same turn", () => {
  it("each call back their own program, although the first takes the second's thread again", () => {
    const { world, client, server, port } = pair({ threads: 4 });
    const ends = new Map<number, CallEnd>();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 4; i++) {
        const number = round * 4 + i;
        client.begin({ port, offset: number, data: bytesOf(number) }, (end) => ends.set(number, end));
      }
      world.run(undefined, SECOND / 100);
    }
    expect(ends.size).toBe(20);
    for (const [number, end] of ends) {
      expect(end).toMatchObject({ status: STD_OK, data: bytesOf(number), header: { offset: number } });
    }
    expect(server.running.threadsBusy).toBe(4);
    expect(client.running.threadsBusy).toBe(0);
  });
});

describe("a call that is killed", () => {
  it("does not send what has since been written into its buffer", () => {
    const { world, lan, client, port } = pair({ client: { limits: { extensions: 0 } } });
    client.call({ port });
    const sent: number[] = [];
    lan.tap = (frame, by) => {
      if (by === "client" && frame.length > 500) sent.push(frame.at(-1) ?? 0);
    };
    const kernel = client.running;
    const data = new Uint8Array(1000).fill(7);
    const handle = client.begin({ port, data }, () => {});
    kernel.kill(handle);
    client.begin({ port, data: new Uint8Array(1000).fill(9) }, () => {});
    world.run(undefined, SECOND);
    expect(sent).toEqual([7, 9]);
    expect(kernel.threadsBusy).toBe(0);
  });
});
