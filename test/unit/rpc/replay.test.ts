// If one of these fails, a machine that runs the original Amoeba kernel no longer
// understands ours, or we no longer understand it.
//
// The recorded client called an echo with command 1004 and then sent 999, its farewell.

import { describe, expect, it } from "vitest";
import { fromHex } from "../../../control/kernel/bytes.js";
import { encodeFrame } from "../../../control/kernel/encode.js";
import type { CallEnd } from "../../../simulation/engine/programs.js";
import { getPort, layersOf, reader } from "../../simulation/pairs.js";
import { SECOND, World } from "../../simulation/world.js";
import { messages, Replay, recording } from "./recordings.js";

const modes = [
  ["with our extensions on", {}],
  ["with extensions off", { extensions: 0 }],
] as const;

const port = fromHex("e4b2c2985455") as Uint8Array;
const hex = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array();

describe.each(modes)("the recorded client's calls, made by our kernel %s", (_, limits) => {
  it.each(["small", "b1402", "frag", "loss"])("are answered by the recorded peer: %s", (name) => {
    const frames = recording(name);
    const calls = messages(frames, "tx", "REQUEST");
    const replies = messages(frames, "rx", "REPLY");
    const world = new World(1);
    const lan = world.lan({ latencyMicroseconds: 20 });
    const client = world.machine("client", lan, { limits });
    const replay = new Replay(world, lan, client, frames, "tx");
    const ends: CallEnd[] = [];
    const next = (): void => {
      const call = calls[ends.length];
      if (call?.header === undefined) return;
      const { header, data } = call;
      const request = { ...header, private: hex(header.priv), port: hex(header.port), data };
      client.begin({ ...request, replyCapacity: 8192 }, (end) => {
        ends.push(end);
        next();
      });
    };
    next();
    world.run(() => replay.done, 20 * SECOND);

    expect(replay.done).toBe(true);
    for (const { ours, recorded } of replay.compared) expect(ours).toEqual(recorded);
    expect(replay.compared).toHaveLength(frames.filter(({ dir }) => dir === "tx").length);
    expect(replay.surplus).toEqual([]);
    expect(replay.lost).toBe(name === "loss" ? 7 : 0);
    world.run(() => ends.length >= replies.length, SECOND);
    for (const [index, { header, data }] of replies.entries()) {
      const end = ends[index];
      expect(end?.status).toBe(0);
      expect(end?.header.extra).toBe(header?.extra);
      expect(Buffer.compare(end?.data ?? new Uint8Array(), data)).toBe(0);
    }
  });
});

describe.each(modes)("the recorded client's frames, served by our kernel %s", (_, limits) => {
  it.each(["small", "b1402", "frag"])("are answered as the recorded server did: %s", (name) => {
    const frames = recording(name);
    const world = new World(1);
    const lan = world.lan({ latencyMicroseconds: 20 });
    const server = world.machine("server", lan, { limits });
    let executions = 0;
    server.serve(getPort, 2, 8192, ({ header, data }, reply) => {
      executions++;
      const extra = header.command === 999 ? 0 : header.extra + 1;
      reply({ port: header.port, offset: header.offset, size: header.size, extra, data });
    });
    const replay = new Replay(world, lan, server, frames, "rx");
    replay.start();
    world.run(undefined, 5 * SECOND);
    expect(replay.done).toBe(true);
    for (const { ours, recorded } of replay.compared) expect(ours).toEqual(recorded);
    expect(replay.compared).toHaveLength(frames.filter(({ dir }) => dir === "rx").length);
    expect(replay.surplus).toEqual([]);
    expect(executions).toBe(messages(frames, "tx", "REQUEST").length);
    expect(server.running.threadsBusy).toBe(2); // both wait for requests again
  });

  it("execute nothing twice when every one of them comes twice", () => {
    for (const name of ["small", "b1402", "frag"]) {
      const frames = recording(name);
      const world = new World(1);
      const lan = world.lan({ latencyMicroseconds: 20 });
      lan.setFaults({ duplicate: 1 });
      const server = world.machine("server", lan, { limits });
      let executions = 0;
      server.serve(getPort, 2, 8192, ({ header, data }, reply) => {
        executions++;
        reply({ ...header, extra: header.extra + 1, data });
      });
      new Replay(world, lan, server, frames, "rx").start();
      world.run(undefined, 5 * SECOND);
      expect(executions).toBe(messages(frames, "tx", "REQUEST").length);
    }
  });
});

describe("a frame of an unknown control type", () => {
  it.each([7, 8, 9, 0x52, 0xff])("gets no answer (%i)", (type) => {
    const world = new World(1);
    const lan = world.lan();
    const machine = world.machine("server", lan);
    machine.serve(getPort, 1, 64, () => {});
    const peer = lan.socket("peer", Uint8Array.of(2, 9, 9, 9, 9, 9), () => {});
    const locate = recording("small")[0]?.layers ?? {};
    const frame = encodeFrame(reader, locate);
    frame.set(machine.sockets[0]?.mac ?? [], 0);
    frame[14] = type;
    let answers = 0;
    lan.tap = (sent, by) => {
      if (by === machine.name && layersOf(sent).ethernet !== undefined) answers++;
    };
    lan.carry(peer, frame);
    world.run(undefined, SECOND);
    expect(answers).toBe(0);
    expect(port).toEqual(machine.running.publicPort(getPort));
  });
});

describe("the recorded group frames", () => {
  it("decode, and encode to the same frames again", () => {
    for (const { layers } of recording("grpr0-joiner")) {
      expect(layers.error).toBeUndefined();
      expect(layersOf(encodeFrame(reader, layers))).toEqual(layers);
    }
  });
});
