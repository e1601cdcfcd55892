// If one of these fails, a frame over a serial line or IP reaches the wrong station, or bytes of
// the other end that are no message reach a kernel.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CarriedDevice, type Carrier } from "../../../../drivers/carried/device.js";
import {
  decodeMessage,
  encodeMessage,
  frameOf,
  stationAddress,
} from "../../../../drivers/carried/message.js";
import { BROADCAST, frame, payload, TestHost } from "../host.js";

const a = Uint8Array.of(1, 2, 3, 4);
const b = Uint8Array.of(5, 6, 7, 8);
const GROUP = Uint8Array.of(3, 0, 0, 0, 0, 9);

describe("a message of a wire that is no Ethernet", () => {
  it.each([
    ["one station", stationAddress(b), 9],
    ["everyone", BROADCAST, 5],
    ["a group", GROUP, 11],
  ])("has the frame for %s in it, and little more", (_, to, header) => {
    const original = frame(to, stationAddress(a), payload(1, 200));
    const message = encodeMessage(original, a);
    expect(message?.length).toBe(header + 200);
    const decoded = decodeMessage(message as Uint8Array);
    expect(decoded === null ? null : frameOf(decoded)).toEqual(original);
  });

  it("is not made of what is no FLIP, or goes to an address of an Ethernet", () => {
    expect(encodeMessage(frame(stationAddress(b), stationAddress(a), payload(1), 0x0800), a)).toBeNull();
    const ethernet = Uint8Array.of(2, 0, 0, 0, 0, 1);
    expect(encodeMessage(frame(ethernet, stationAddress(a), payload(1)), a)).toBeNull();
  });

  it("is never taken from bytes that are none, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeMessage(bytes);
        if (decoded === null) return;
        expect([0x11, 0x12, 0x13]).toContain(bytes[0]);
        expect(decoded.content.length).toBeGreaterThanOrEqual(2);
        expect(frameOf(decoded).length).toBeGreaterThanOrEqual(60);
      }),
    );
    for (let length = 0; length < 11; length++) expect(decodeMessage(new Uint8Array(length))).toBeNull();
  });
});

/** Two devices and the wire between them, which holds what is sent until it is carried. */
function pair(facts: { slots?: number } = {}) {
  const wire: { to: CarriedDevice; message: Uint8Array }[] = [];
  const make = (station: Uint8Array, other: () => CarriedDevice) => {
    const carrier: Carrier = {
      send: (message) => {
        wire.push({ to: other(), message });
        return wire.length <= 8;
      },
      ...{ keepAlive: () => {}, damaged: () => 0, close: () => {} },
    };
    return new CarriedDevice({
      ...{ name: "wire", station, mtu: 600, weight: 5, trusted: true, receiveFrames: 4, carrier, ...facts },
    });
  };
  const left: CarriedDevice = make(a, () => right);
  const right: CarriedDevice = make(b, () => left);
  const carry = () => {
    for (const { to, message } of wire.splice(0)) to.accept(message);
  };
  return { left: new TestHost(left), right: new TestHost(right), carry, wire };
}

describe("a device over such a wire", () => {
  it("carries frames to its station, to everyone, and to groups that it joined", () => {
    const { left, right, carry } = pair();
    left.send(right.device.address, payload(1));
    left.send(BROADCAST, payload(2));
    left.send(GROUP, payload(3));
    carry();
    expect(right.poll().map((bytes) => bytes.slice(14))).toEqual([payload(1), payload(2)]);
    right.device.joinMulticast(GROUP);
    left.send(GROUP, payload(4));
    carry();
    expect(right.poll()).toEqual([frame(GROUP, left.device.address, payload(4))]);
  });

  it("drops what it hears of itself, and what is for the station that was there before", () => {
    const { left, right, wire } = pair();
    left.send(BROADCAST, payload(1));
    left.device.accept(wire[0]?.message as Uint8Array);
    left.send(stationAddress(Uint8Array.of(9, 9, 9, 9)), payload(2));
    right.device.accept(wire[1]?.message as Uint8Array);
    expect([left.poll(), right.poll()]).toEqual([[], []]);
    expect([left.device.counters().damaged, right.device.counters().damaged]).toEqual([1, 1]);
  });

  it("believes the wire, not the message, where the wire knows who sends", () => {
    const { left, right, wire } = pair();
    left.send(right.device.address, payload(1));
    const peer = Uint8Array.of(7, 7, 7, 7);
    right.device.accept(wire[0]?.message as Uint8Array, peer);
    expect(right.poll()).toEqual([frame(right.device.address, stationAddress(peer), payload(1))]);
  });

  it("refuses frames beyond its MTU or the wire's room, drops what it cannot hold, and counts both", () => {
    const { left, right, carry } = pair({ slots: 6 });
    expect(left.device.transmit(1024, 14, 2048, 601)).toBe(-1);
    for (let i = 0; i < 10; i++) left.send(right.device.address, payload(i));
    expect(left.device.counters()).toMatchObject({ sent: 8, sendDropped: 3 });
    carry();
    expect(right.poll()).toHaveLength(6);
    expect(right.device.counters()).toMatchObject({ received: 6, receiveDropped: 4 });
  });
});
