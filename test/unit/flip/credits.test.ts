// If one of these fails, a sender overruns its receiver, stands still for seconds after a
// lost frame, or one long message keeps another waiting.

import { describe, expect, it } from "vitest";
import type { CallEnd } from "../../../simulation/engine/programs.js";
import { bytesOf, original, pair, record } from "../../simulation/pairs.js";
import { MILLISECOND, SECOND, World } from "../../simulation/world.js";

const large = bytesOf(200_000);

describe("credits", () => {
  it("never let more fragments be under way than the receiver has room for", () => {
    const { lan, client, port } = pair({ lan: { receiveFrames: 64 } });
    for (let i = 0; i < 5; i++) expect(client.call({ port, data: large }).status).toBe(0);
    expect(lan.counts.overrun).toBe(0);
  });

  it("grow from 8 with the first CREDIT, so that an original too fills a large ring", () => {
    const { world, lan, client, port } = pair({ lan: { receiveFrames: 128 }, client: original });
    client.call({ port });
    const frames = record(world, lan);
    expect(client.call({ port, data: large, replyCapacity: 0 }).status).toBe(0);
    const sent: number[] = [];
    let run = 0;
    for (const { by, flip, fragment } of frames) {
      if (by === "client" && (flip?.total ?? 0) > 1458) run++;
      else if (by === "server" && (fragment?.type === "CREDIT" || (fragment?.count ?? 0) > 0)) {
        sent.push(run);
        run = 0;
      }
    }
    expect(sent[0]).toBe(8);
    expect(Math.max(...sent)).toBeGreaterThanOrEqual(24);
    const bonus = frames.find(({ by, fragment }) => by === "server" && fragment?.type === "CREDIT");
    expect(bonus?.fragment?.count).toBe(1 + 24); // one taken in, and 32 - 8 more
  });

  it.each(["CREDIT", "ABSCREDIT", "REQCREDIT"])(
    "are restored within a round trip when a %s is lost",
    (lost) => {
      const { lan, world, client, port } = pair({ lan: { receiveFrames: 32, bytesPerMicrosecond: 100 } });
      client.call({ port });
      const undisturbed = client.call({ port, data: large, replyCapacity: 0 }).took;
      const types = { CREDIT: 2, ABSCREDIT: 6, REQCREDIT: 1 };
      let dropped = 0;
      const until = world.now + 5 * MILLISECOND;
      lan.filter = (frame) => {
        const hit = frame[14] === types[lost as keyof typeof types] && world.now < until;
        if (hit) dropped++;
        return hit;
      };
      const { status, took } = client.call({ port, data: large, replyCapacity: 0 });
      expect(status).toBe(0);
      expect(took).toBeLessThan(undisturbed + 30 * MILLISECOND);
      if (lost === "CREDIT") expect(dropped).toBeGreaterThan(0);
    },
  );

  it("are restored for an original by its own timer of two seconds", () => {
    const { lan, client, port } = pair({ client: original, lan: { receiveFrames: 8 } });
    client.call({ port });
    let dropped = 0;
    lan.filter = (frame) => frame[14] === 2 && dropped++ === 0;
    const { status, took } = client.call({ port, data: large, replyCapacity: 0 });
    expect(status).toBe(0);
    expect(dropped).toBeGreaterThan(1);
    expect(took).toBeLessThan(4 * SECOND);
  });

  it("are shared: long messages to two machines behind one router take turns and end together", () => {
    const world = new World(1);
    const near = world.lan({ bytesPerMicrosecond: 100 });
    const far = world.lan({ bytesPerMicrosecond: 100 });
    const client = world.machine("client", near);
    world.machine("router", [near, far]);
    const ports = [1, 2].map((number) => {
      const server = world.machine(`server${number}`, far);
      const port = Uint8Array.of(number, 0, 0, 0, 0, 1);
      server.serve(port, 2, 1 << 18, (_, reply) => reply({}));
      return server.running.publicPort(port);
    });
    for (const port of ports) expect(client.call({ port }).status).toBe(0);
    const frames = record(world, near);
    const ends: CallEnd[] = [];
    for (const port of ports) client.begin({ port, data: large, replyCapacity: 0 }, (end) => ends.push(end));
    expect(world.run(() => ends.length === 2)).toBe(true);
    expect(ends.map(({ status }) => status)).toEqual([0, 0]);
    expect(ends[1]?.took).toBeLessThan(1.2 * (ends[0]?.took ?? 0));
    const sent = frames.filter(({ by, flip }) => by === "client" && (flip?.total ?? 0) > 1458);
    const turns = sent.filter(({ flip }, index) => flip?.dst !== sent[index - 1]?.flip?.dst);
    expect(turns.length).toBeGreaterThan(200);
  });

  it("do not hold up a short call behind a long one", () => {
    const { world, client, port } = pair({ lan: { receiveFrames: 32, bytesPerMicrosecond: 100 } });
    client.call({ port });
    const order: string[] = [];
    client.begin({ port, data: large }, () => order.push("long"));
    client.begin({ port, data: bytesOf(10) }, () => order.push("short"));
    world.run(() => order.length === 2);
    expect(order).toEqual(["short", "long"]);
  });
});
