// The LAN in memory between processes: what a machine sends arrives at those it is for,
// whole, and at nobody else.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepNumbers } from "../../../control/lab/changes.js";
import { hubPower, hubTopology, serveHub } from "../../../control/lab/hub.js";
import { type Impairments, noImpairments } from "../../../control/lab/impairments.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { withImpairments } from "../../../control/lab/links.js";
import { waitUntil } from "../../../control/lab/processes.js";
import type { Device } from "../../../drivers/device.js";
import { encodeMessage, HubError, MessageReader, openHub, tapPath } from "../../../drivers/memory/hub.js";
import { openHubTap } from "../../../drivers/memory/hub-tap.js";

const topology = parseTopology(
  `networks: { lan0: , lan1: { mtu: 9000 } }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0, lan1] }
  n3: { kind: pool, networks: [lan1] }
`,
  "test",
);

const broadcast = [255, 255, 255, 255, 255, 255];
const sendAt = 1024 * 1024 * 8;

/** A device with memory of its own, and what has come in so far. */
class Station {
  readonly memory = new WebAssembly.Memory({ initial: 160 });
  readonly frames: string[] = [];

  constructor(readonly device: Device) {
    device.attach({ memory: this.memory, base: 65_536, length: device.regionBytes });
    device.watch(() => {});
  }

  send(to: ArrayLike<number>, payload: string): number {
    const frame = Buffer.concat([
      Buffer.from(Array.from(to)),
      this.device.address,
      Buffer.from([0x81, 0x46]),
    ]);
    const body = Buffer.from(payload);
    new Uint8Array(this.memory.buffer).set(frame, sendAt);
    new Uint8Array(this.memory.buffer).set(body, sendAt + 100);
    const status = this.device.transmit(sendAt, frame.length, sendAt + 100, body.length);
    this.device.flush();
    return status;
  }

  /** Waits until so many frames have come, then gives their payloads without the padding. */
  async received(count: number): Promise<string[]> {
    await waitUntil(() => {
      const listed = this.device.poll(0);
      for (let index = 0; index < listed; index++) {
        const [at = 0, length = 0] = this.device.arrived.subarray(2 * index, 2 * index + 2);
        this.frames.push(
          Buffer.from(this.memory.buffer, at + 14, length - 14)
            .toString()
            .replace(/\0+$/, ""),
        );
      }
      return this.frames.length >= count;
    }, 5000);
    return this.frames;
  }
}

describe("the LAN in memory", () => {
  let folder = "";
  const stations: Station[] = [];
  const socket = (node: string, name: string): string => join(folder, `${node}.${name}`);
  const open = async (node: string, name = "eth0"): Promise<Station> => {
    const station = new Station(await openHub(socket(node, name), name));
    stations.push(station);
    return station;
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "hub-"));
    await serveHub(topology, { interfaceSocket: socket, controlSocket: join(folder, "control") });
  });
  afterEach(() => {
    for (const { device } of stations.splice(0)) device.close();
    rmSync(folder, { recursive: true });
  });

  it("takes a frame to the one it is addressed to, and to everyone when it is for everyone", async () => {
    const [a, b, c] = [await open("n1"), await open("n2"), await open("n1")];
    expect(a.send(b.device.address, "for b")).toBe(0);
    a.send(broadcast, "for all");
    expect(await b.received(2)).toEqual(["for b", "for all"]);
    expect(await c.received(1)).toEqual(["for all"]);
    b.send(broadcast, "back");
    expect(await a.received(1)).toEqual(["back"]);
  });

  it("gives the first program of a machine the interface's address and the next one its own", async () => {
    const [a, b] = [await open("n1"), await open("n1")];
    expect(Buffer.from(a.device.address).toString("hex")).toBe("020000000001");
    expect(b.device.address).not.toEqual(a.device.address);
    expect((b.device.address[0] ?? 0) & 3).toBe(2);
    a.send(b.device.address, "neighbour");
    expect(await b.received(1)).toEqual(["neighbour"]);
  });

  it("keeps networks apart and gives each its MTU", async () => {
    const [n1, near, far, n3] = [
      await open("n1"),
      await open("n2"),
      await open("n2", "eth1"),
      await open("n3"),
    ];
    expect([n1, near, far, n3].map(({ device }) => device.mtu)).toEqual([1500, 1500, 9000, 9000]);
    n1.send(broadcast, "lan0");
    far.send(broadcast, "lan1");
    expect(await near.received(1)).toEqual(["lan0"]);
    expect(await n3.received(1)).toEqual(["lan1"]);
    expect(await far.received(0)).toEqual([]);
  });

  it("delivers a group's frames to members only", async () => {
    const [a, b] = [await open("n1"), await open("n2")];
    const group = [1, 0, 0x5e, 1, 2, 3];
    a.send(group, "before");
    a.send(broadcast, "mark");
    expect(await b.received(1)).toEqual(["mark"]);
    b.device.joinMulticast(Uint8Array.from(group));
    a.send(group, "member");
    expect(await b.received(2)).toEqual(["mark", "member"]);
    b.device.leaveMulticast(Uint8Array.from(group));
    a.send(group, "after");
    a.send(broadcast, "end");
    expect(await b.received(3)).toEqual(["mark", "member", "end"]);
  });

  it("shows a tap every frame of its network, whole, and whether its own machine sent it", async () => {
    const lost: Error[] = [];
    const tap = await openHubTap(tapPath(socket("n1", "eth0")), "eth0", (error) => lost.push(error));
    const [a, b, far] = [await open("n1"), await open("n2"), await open("n3")];
    expect(Buffer.from(a.device.address).toString("hex")).toBe("020000000001");
    a.send(b.device.address, "for b");
    b.send(a.device.address, "for a");
    far.send(broadcast, "elsewhere");
    b.send([2, 9, 9, 9, 9, 9], "for nobody");
    const seen: string[] = [];
    await waitUntil(() => {
      for (const { bytes, outgoing } of tap.poll())
        seen.push(`${outgoing} ${Buffer.from(bytes.subarray(14)).toString().replace(/\0+$/, "")}`);
      return seen.length >= 3;
    }, 5000);
    expect(seen).toEqual(["true for b", "false for a", "false for nobody"]);
    expect(await b.received(1)).toEqual(["for b"]);
    expect({ dropped: tap.dropped(), lost }).toEqual({ dropped: 0, lost: [] });
    tap.close();
  });

  it("counts for a tap that does not read what it missed, and delays nobody", async () => {
    const slow = createConnection(tapPath(socket("n1", "eth0"))).pause();
    await once(slow, "connect");
    const [a, b] = [await open("n1"), await open("n2")];
    const rounds = 6000;
    for (let i = 1; i <= rounds; i++) {
      a.send(broadcast, "x".repeat(1400));
      if (i % 100 === 0) await b.received(i);
    }
    expect(b.frames).toHaveLength(rounds);
    const reader = new MessageReader();
    let [shown, dropped] = [-1, 0]; // the greeting is no frame
    slow.on("data", (chunk: Buffer) => {
      for (const message of reader.push(chunk)) if (++shown > 0) dropped = message.readUInt32BE(8);
    });
    slow.resume();
    await waitUntil(() => {
      a.send(broadcast, "again");
      return dropped > 0;
    }, 5000);
    expect(dropped).toBeGreaterThan(0);
    expect(dropped).toBeLessThan(rounds);
    slow.destroy();
  });

  it("lets nothing in or out of a machine without power", async () => {
    const [a, b] = [await open("n1"), await open("n2")];
    await hubPower(join(folder, "control"), "n1", false);
    a.send(broadcast, "lost");
    b.send(broadcast, "lost too");
    await hubPower(join(folder, "control"), "n1", true);
    await waitUntil(() => a.device.poll(0) > 0, 50);
    a.send(broadcast, "again");
    expect(await b.received(1)).toEqual(["again"]);
    expect(a.frames).toEqual([]);
  });

  it("impairs both directions of a link as the topology says, and none of another", async () => {
    const [a, b, neighbour] = [await open("n1"), await open("n2"), await open("n1")];
    const told = (impairments: Partial<Impairments>) =>
      hubTopology(
        join(folder, "control"),
        withImpairments(topology, { node: "n1", network: "lan0" }, { ...noImpairments, ...impairments }),
      );
    await told({ duplicate: 1 });
    a.send(b.device.address, "out");
    expect(await b.received(2)).toEqual(["out", "out"]);
    b.send(a.device.address, "in");
    expect(await a.received(2)).toEqual(["in", "in"]);
    a.send(neighbour.device.address, "not over the link");
    expect(await neighbour.received(1)).toEqual(["not over the link"]);
    await told({ cut: true });
    a.send(b.device.address, "lost");
    await told({ delayMs: 20, reorder: 0 });
    const began = performance.now();
    a.send(b.device.address, "late");
    expect(await b.received(3)).toEqual(["out", "out", "late"]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(20);
    await told({});
    a.send(b.device.address, "whole");
    expect((await b.received(4))[3]).toBe("whole");
  });

  it("changes its networks without touching who stays", async () => {
    const [a, b] = [await open("n1"), await open("n2")];
    const far = await open("n3");
    const changed = parseTopology(
      `networks: { lan0: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0] }
  n4: { kind: pool, networks: [lan0] }
`,
      "test",
    );
    await hubTopology(join(folder, "control"), keepNumbers(topology, changed));
    const added = await open("n4");
    a.send(broadcast, "all");
    expect(await b.received(1)).toEqual(["all"]);
    expect(await added.received(1)).toEqual(["all"]);
    await expect(openHub(socket("n3", "eth0"))).rejects.toMatchObject({ code: "HUB_UNREACHABLE" });
    expect(far.send(broadcast, "nobody hears")).toBeLessThanOrEqual(0);
    expect(Buffer.from(added.device.address).toString("hex")).toBe("020000000003");
  });

  it("loses frames rather than grow when nobody looks, and counts them", async () => {
    const [a, b] = [await open("n1"), await open("n2")];
    const sent = b.device.receiveFrames + 20;
    for (let index = 0; index < sent; index++) a.send(b.device.address, `frame ${index}`);
    await waitUntil(() => b.device.counters().receiveDropped === 20, 5000);
    expect(b.device.counters()).toMatchObject({ received: b.device.receiveFrames, receiveDropped: 20 });
    expect((await b.received(b.device.receiveFrames))[255]).toBe("frame 255");
    a.send(b.device.address, "room again");
    expect((await b.received(257))[256]).toBe("room again");
    expect(a.send(b.device.address, "x".repeat(1501))).toBe(-1);
    expect(a.device.counters()).toMatchObject({ sent: sent + 1, sendDropped: 1 });
  });

  it("says so when nothing listens, or something else does", async () => {
    await expect(openHub(join(folder, "nothing"))).rejects.toMatchObject({ code: "HUB_UNREACHABLE" });
    const other = createServer((client) => client.end("HTTP/1.1 400 Bad Request\r\n")).listen(
      join(folder, "other"),
    );
    await expect(openHub(join(folder, "other"))).rejects.toThrow(HubError);
    other.close();
  });
});

describe("a stream of messages", () => {
  it("is cut back into the same messages wherever it was torn", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(60), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map((message) => encodeMessage(message)));
        const reader = new MessageReader();
        const got: string[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = 1 + (cuts[turn % cuts.length] ?? 0);
          got.push(...reader.push(stream.subarray(at, at + size)).map((message) => message.toString("hex")));
          at += size;
        }
        expect(got).toEqual(sent.map((message) => Buffer.from(message).toString("hex")));
      }),
    );
  });
});
