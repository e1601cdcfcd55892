// If one of these fails, a control daemon joins networks that somebody keeps apart, or does not
// reach its own.

import { describe, expect, it } from "vitest";
import { FC_CHECKED, FC_CREDIT, FC_DATA, FC_HELLO } from "../../../core-wasm/wire/formats.js";
import { EndHost } from "../../../drivers/end-host.js";
import { MemoryLan } from "../../../drivers/memory/lan.js";
import { TestClock } from "./clock.js";
import { TestHost } from "./host.js";

const flipBytes = 40;

/** The beginning of a frame: fragment control, with a check where there is one, and a hop count. */
function packet(type: number, actHop: number): Uint8Array {
  const at = type === FC_CHECKED ? 6 : 2;
  const bytes = new Uint8Array(at + flipBytes);
  bytes[0] = type;
  new DataView(bytes.buffer).setUint16(at + 4, actHop, true);
  return bytes;
}

function pair(weight?: number) {
  const lan = new MemoryLan({ schedule: new TestClock().schedule });
  const port = lan.port("memory:0");
  const sender = new TestHost(new EndHost(weight === undefined ? port : Object.assign(port, { weight })));
  return { sender, receiver: new TestHost(lan.port("memory:1")) };
}

/** Sends with the FLIP header in the frame's head, as the kernel does. */
function arrives(type: number, actHop: number, weight?: number): boolean {
  const { sender, receiver } = pair(weight);
  const payload = packet(type, actHop);
  const bytes = new Uint8Array(14 + payload.length);
  bytes.set(receiver.device.address);
  bytes.set(sender.device.address, 6);
  bytes.set([0x81, 0x46], 12);
  bytes.set(payload, 14);
  sender.queue(bytes);
  sender.device.flush();
  return receiver.poll().length === 1;
}

describe("a machine that is no router", () => {
  it.each([FC_DATA, FC_CHECKED])(
    "sends its own packets, and none that has crossed a network (%i)",
    (type) => {
      expect([0, 3].map((hops) => arrives(type, hops))).toEqual([true, true]);
      expect([4, 6, 9, 0xffff].map((hops) => arrives(type, hops))).toEqual([false, false, false, false]);
    },
  );

  it("counts a crossing of its own network by what that weighs", () => {
    expect([3, 5, 6, 8].map((hops) => arrives(FC_DATA, hops, 5))).toEqual([true, true, false, false]);
  });

  it.each([FC_HELLO, FC_CREDIT])("speaks with its neighbours as others do (%i)", (type) => {
    expect(arrives(type, 0xffff)).toBe(true);
  });
});
