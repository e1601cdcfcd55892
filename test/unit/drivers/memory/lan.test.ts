// The LAN in memory stands in for a wire in most tests: where it differs from one, those
// tests prove nothing.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryLan, type MemoryLanOptions } from "../../../../drivers/memory/lan.js";
import { TestClock } from "../clock.js";
import { BROADCAST, frame, payload, TestHost } from "../host.js";

const GROUP = Uint8Array.of(3, 0, 0, 0, 0, 9);

function lan(ports: number, options: Partial<MemoryLanOptions> = {}) {
  const clock = new TestClock();
  const network = new MemoryLan({ schedule: clock.schedule, ...options });
  const hosts = Array.from({ length: ports }, (_, i) => new TestHost(network.port(`memory:${i}`)));
  const [a, b, c] = hosts;
  if (a === undefined || b === undefined) throw new Error("two ports at least");
  return { clock, network, hosts, a, b, c: c ?? b };
}

describe("the LAN in memory", () => {
  it("carries a frame in two pieces to its address only, padded to 60 bytes", () => {
    const { a, b, c } = lan(3);
    a.send(b.device.address, payload(1, 200));
    expect(b.poll()).toEqual([frame(b.device.address, a.device.address, payload(1, 200))]);
    expect(b.poll()).toEqual([]);
    expect(c.poll()).toEqual([]);
    a.send(b.device.address, payload(2, 1));
    expect(b.poll()[0]?.length).toBe(60);
  });

  it("takes broadcasts to everyone but the sender, and groups to those that joined", () => {
    const { a, b, c } = lan(3);
    a.send(BROADCAST, payload(1));
    expect([a, b, c].map((host) => host.poll().length)).toEqual([0, 1, 1]);
    c.device.joinMulticast(GROUP);
    a.device.joinMulticast(GROUP);
    a.send(GROUP, payload(2));
    expect([a, b, c].map((host) => host.poll().length)).toEqual([0, 0, 1]);
    c.device.leaveMulticast(GROUP);
    a.send(GROUP, payload(3));
    expect(c.poll()).toEqual([]);
  });

  it("sends at flush or poll, not before, and what lies in memory then", () => {
    const { a, b } = lan(2);
    a.queue(frame(b.device.address, a.device.address, payload(1)));
    expect(b.poll()).toEqual([]);
    a.bytes[1024 + 14] = 0xee;
    a.device.poll(0);
    expect(b.poll()[0]?.[14]).toBe(0xee);
  });

  it("holds as many frames as it says, and counts the rest", () => {
    const { a, b } = lan(2, { receiveFrames: 16 });
    for (let i = 0; i < 20; i++) a.send(b.device.address, payload(i));
    expect(b.device.counters().receiveDropped).toBe(4);
    expect(b.poll()).toHaveLength(16);
    expect(b.device.counters().received).toBe(16);
    expect(a.device.counters().sent).toBe(20);
  });

  it("refuses frames that are longer than its MTU or have no header", () => {
    const { a } = lan(2, { mtu: 600 });
    expect(a.device.transmit(1024, 14, 2048, 600)).toBe(0);
    expect(a.device.transmit(1024, 14, 2048, 601)).toBe(-1);
    expect(a.device.transmit(1024, 13, 2048, 60)).toBe(-1);
    expect(a.device.counters().sendDropped).toBe(2);
  });

  it("wakes a watcher through the schedule, once for what waits, and not after it stops", () => {
    const { a, b, clock } = lan(2);
    let woken = 0;
    b.device.watch(() => woken++);
    a.send(b.device.address, payload(1));
    a.send(b.device.address, payload(2));
    expect(woken).toBe(0);
    clock.advance(0);
    expect(woken).toBe(1);
    b.poll();
    b.device.watch(null);
    a.send(b.device.address, payload(3));
    clock.advance(10);
    expect(woken).toBe(1);
    b.device.watch(() => woken++);
    clock.advance(0);
    expect(woken).toBe(2);
  });

  it("takes its time when it has a latency, and loses what arrives after a port has closed", () => {
    const { a, b, c, clock } = lan(3, { latencyMicroseconds: 50 });
    a.send(BROADCAST, payload(1));
    clock.advance(49);
    expect(b.poll()).toEqual([]);
    c.device.close();
    clock.advance(1);
    expect(b.poll()).toHaveLength(1);
    expect(c.poll()).toEqual([]);
  });

  it("delivers every frame once, in order and unchanged, whatever is sent", () => {
    const send = fc.record({ from: fc.nat(2), to: fc.nat(3), length: fc.integer({ min: 46, max: 1500 }) });
    fc.assert(
      fc.property(fc.array(send, { maxLength: 60 }), (sends) => {
        const { hosts } = lan(3);
        const expected: Uint8Array[][] = hosts.map(() => []);
        sends.forEach(({ from, to, length }, i) => {
          const sender = hosts[from];
          const destination = hosts[to]?.device.address ?? BROADCAST;
          sender?.send(destination, payload(i, length));
          const bytes = frame(destination, sender?.device.address ?? BROADCAST, payload(i, length));
          hosts.forEach((_, index) => {
            if (index !== from && (to === 3 || to === index)) expected[index]?.push(bytes);
          });
        });
        expect(hosts.map((host) => host.poll())).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});
