// The Ethernet driver on a real wire: three machines on a bridge, every mode of the driver.
// Without root there are no namespaces and no raw sockets: skipped, and says so.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EthernetError } from "../../drivers/ethernet/errors.js";
import { type EthernetDevice, type EthernetMode, openEthernet } from "../../drivers/ethernet/ethernet.js";
import { BROADCAST, frame, payload, TestHost } from "../unit/drivers/host.js";
import { TestWire } from "./wire.js";

const root = process.getuid?.() === 0;
if (!root) console.warn("skipped: the Ethernet driver's tests need root (network namespaces, raw sockets)");

const GROUP = Uint8Array.of(0x03, 0, 0, 0, 0, 0x42);
const MODES: readonly EthernetMode[] = ["ring", "recvmmsg", "koffi"];

/** Packet rings mapped into this process. */
function mappedRings(): number {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.includes("socket:[")).length;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof EthernetError ? error.code : String(error);
  }
  return "no error";
}

describe.skipIf(!root).each(MODES)("ethernet, mode %s", (mode) => {
  let wire: TestWire;
  const open: TestHost<EthernetDevice>[] = [];

  function host(machine: number, on = wire): TestHost<EthernetDevice> {
    const made = new TestHost(on.inside(machine, () => openEthernet("eth0", { mode })));
    open.push(made);
    return made;
  }

  function closeAll(): void {
    for (const one of open.splice(0)) one.device.close();
  }

  beforeAll(() => {
    wire = new TestWire(3);
  });
  afterAll(() => {
    closeAll();
    wire?.remove();
  });

  it("carries a frame in two pieces, both ways, and pads short ones", () => {
    const [a, b] = [host(1), host(2)];
    expect(a.device.mode).toBe(mode);
    a.send(b.device.address, payload(1, 300));
    expect(b.drain()).toEqual([frame(b.device.address, a.device.address, payload(1, 300))]);
    b.send(a.device.address, payload(2, 3));
    const [short] = a.drain();
    expect(short?.length).toBe(60);
    expect(short?.slice(0, 17)).toEqual(frame(a.device.address, b.device.address, payload(2, 3)));
    expect(short?.slice(17)).toEqual(new Uint8Array(43));
    closeAll();
  });

  it("keeps order and loses nothing when the queue is overfilled", () => {
    const [a, b] = [host(1), host(2)];
    for (let i = 0; i < 700; i++) a.queue(frame(b.device.address, a.device.address, payload(i)));
    a.device.flush();
    const got = b.drain();
    expect(got.length).toBe(700);
    expect(got.every((bytes, i) => Buffer.compare(bytes.subarray(14), payload(i)) === 0)).toBe(true);
    expect(a.device.counters()).toMatchObject({ sent: 700, sendDropped: 0 });
    expect(b.device.counters()).toMatchObject({ received: 700, receiveDropped: 0 });
    closeAll();
  });

  it("gives each process on one machine an address, and each hears the other and the LAN exactly once", () => {
    const [first, second, far] = [host(1), host(1), host(2)];
    expect(first.device.address[0]).not.toBe(undefined);
    expect(second.device.address[0]).toBe(0x02);
    expect(second.device.address).not.toEqual(first.device.address);

    first.send(second.device.address, payload(1));
    expect(second.drain()).toEqual([frame(second.device.address, first.device.address, payload(1))]);
    second.send(first.device.address, payload(2));
    expect(first.drain()).toEqual([frame(first.device.address, second.device.address, payload(2))]);
    expect(far.drain()).toEqual([]);

    for (const [sender, others] of [
      [first, [second, far]],
      [second, [first, far]],
      [far, [first, second]],
    ] as const) {
      sender.send(BROADCAST, payload(3));
      for (const other of others) expect(other.drain()).toHaveLength(1);
      expect(sender.drain()).toEqual([]);
    }
    far.send(second.device.address, payload(4));
    expect(second.drain()).toHaveLength(1);
    expect(first.drain()).toEqual([]);
    closeAll();
  });

  it("hands the interface's own address on when its process has gone", () => {
    const first = host(1);
    const own = first.device.address.slice();
    first.device.close();
    expect(host(1).device.address).toEqual(own);
    closeAll();
  });

  it("hears a multicast group only while it has joined", () => {
    const [a, b, neighbour] = [host(1), host(2), host(2)];
    a.send(GROUP, payload(1));
    expect(b.drain()).toEqual([]);
    b.device.joinMulticast(GROUP);
    b.device.joinMulticast(GROUP);
    a.send(GROUP, payload(2));
    neighbour.send(GROUP, payload(3));
    expect(b.drain().map((bytes) => bytes[14])).toEqual([payload(2)[0], payload(3)[0]]);
    expect(neighbour.drain()).toEqual([]);
    b.device.leaveMulticast(GROUP);
    a.send(GROUP, payload(4));
    expect(b.drain()).toEqual([]);
    closeAll();
  });

  it("passes neither frames for another address nor other protocols", () => {
    const [a, b] = [host(1), host(2)];
    a.send(Uint8Array.of(2, 9, 9, 9, 9, 9), payload(1));
    a.send(b.device.address, payload(2), 0x0800);
    a.send(b.device.address, payload(3));
    expect(b.drain().map((bytes) => bytes[14])).toEqual([payload(3)[0]]);
    closeAll();
  });

  it("counts what it could not take, and goes on", () => {
    const [a, b] = [host(1), host(2)];
    const frames = 12_000;
    for (let i = 0; i < frames; i++) a.queue(frame(b.device.address, a.device.address, payload(i, 1400)));
    a.device.flush();
    const got = b.drain().length;
    const { received, receiveDropped } = b.device.counters();
    expect(received).toBe(got);
    expect(received + receiveDropped).toBe(a.device.counters().sent);
    expect(receiveDropped).toBeGreaterThan(0);
    a.send(b.device.address, payload(1));
    expect(b.drain()).toHaveLength(1);
    expect(a.device.transmit(1024, 14 + 1501, 0, 0)).toBe(-1);
    expect(a.device.counters().sendDropped).toBe(1);
    closeAll();
  });

  it("wakes the event loop, and not while nobody watches", async () => {
    const [a, b] = [host(1), host(2)];
    for (let round = 0; round < 3; round++) {
      const woken = new Promise<Uint8Array[]>((resolve) => {
        b.device.watch(() => {
          b.device.watch(null);
          resolve(b.poll());
        });
      });
      a.send(b.device.address, payload(round));
      expect((await woken)[0]?.slice(14)).toEqual(payload(round));
      expect(b.poll()).toEqual([]);
    }
    closeAll();
  });

  it("ends a wait for a frame on another interface, where it has a ring", () => {
    const [a, b, c] = [host(1), host(2), host(3)];
    expect(b.device.spinWith([c.device])).toBe(mode === "ring");
    if (mode !== "ring") return;
    a.send(c.device.address, payload(8));
    // Of a minute: without this it is the test's own time that is over.
    expect(b.device.poll(60_000_000)).toBe(0);
    expect(c.poll()).toHaveLength(1);
    c.device.close();
    a.send(b.device.address, payload(9));
    expect(b.poll(1_000_000)).toHaveLength(1);
  });

  it("survives an interface that goes down and comes back", async () => {
    const [a, b] = [host(1), host(2)];
    let calls = 0;
    const arrivedAgain = new Promise<void>((resolve) => {
      b.device.watch(() => {
        calls++;
        if (b.poll().length > 0) resolve();
      });
    });
    wire.ip(2, "link set eth0 down");
    b.send(a.device.address, payload(1));
    await new Promise((resolve) => setImmediate(resolve));
    wire.ip(2, "link set eth0 up");
    const sender = setInterval(() => a.send(b.device.address, payload(2)), 20);
    await arrivedAgain;
    clearInterval(sender);
    expect(calls).toBeLessThan(1000);
    expect(b.device.counters().sendDropped).toBe(1);
    closeAll();
  });

  it("leaves ordinary memory behind when it closes", () => {
    const [a, b] = [host(1), host(2)];
    expect(mappedRings()).toBe(mode === "ring" ? 2 : 0);
    a.send(b.device.address, payload(1));
    expect(b.drain()).toHaveLength(1);
    b.device.close();
    b.device.close();
    expect(mappedRings()).toBe(mode === "ring" ? 1 : 0);
    const region = b.bytes.subarray(b.base, b.base + b.device.regionBytes);
    region.fill(0x5a);
    a.send(BROADCAST, payload(2));
    expect(region.every((byte) => byte === 0x5a)).toBe(true);
    expect(b.device.poll(0)).toBe(0);
    expect(b.device.transmit(1024, 60, 0, 0)).toBe(-1);
    closeAll();
  });

  it.each([9000, 65_521])("carries whole frames at MTU %i", (mtu) => {
    const large = new TestWire(2, mtu);
    try {
      const [a, b] = [host(1, large), host(2, large)];
      expect(a.device.mtu).toBe(mtu);
      for (let i = 0; i < 40; i++) {
        a.send(b.device.address, payload(i, mtu));
        const [bytes] = b.poll(1_000_000);
        expect(bytes?.length).toBe(mtu + 14);
        expect(Buffer.compare(bytes?.subarray(14) ?? new Uint8Array(), payload(i, mtu))).toBe(0);
      }
    } finally {
      closeAll();
      large.remove();
    }
  });

  it("says what is wrong with an interface", () => {
    const inside = (name: string) => codeOf(() => wire.inside(3, () => openEthernet(name, { mode })));
    expect(inside("nothere")).toBe("ETHERNET_NO_INTERFACE");
    expect(inside("lo")).toBe("ETHERNET_NOT_ETHERNET");
    wire.ip(3, "link set eth0 down");
    expect(inside("eth0")).toBe("ETHERNET_INTERFACE_DOWN");
    wire.ip(3, "link set eth0 up");
    const back = process.geteuid?.() ?? 0;
    const denied = wire.inside(3, () => {
      process.seteuid?.(65_534);
      try {
        return codeOf(() => openEthernet("eth0", { mode }));
      } finally {
        process.seteuid?.(back);
      }
    });
    expect(denied).toBe("ETHERNET_NO_PERMISSION");
  });
});
