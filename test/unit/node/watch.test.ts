// If one of these fails, a node loses frames or its cable and its log does not say so.

import { describe, expect, it } from "vitest";
import { type Counters, counterNames } from "../../../control/kernel/counters.js";
import type { Log } from "../../../control/node/log.js";
import { Watch } from "../../../control/node/watch.js";
import { type LinkState, linkState } from "../../../drivers/ethernet/link-state.js";

function machine() {
  const counters = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<
    keyof Counters,
    number
  >;
  const device = { received: 0, sent: 0, receiveDropped: 0, sendDropped: 0 };
  const link = { value: { up: true, mtu: 1500 } as LinkState | null };
  const lines: [string, object, string][] = [];
  const says = (level: string) => (facts: object, words: string) => lines.push([level, facts, words]);
  const log = { info: says("info"), warn: says("warn"), error: says("error") } as unknown as Log;
  let samples = 0;
  const watch = new Watch(
    {
      kernel: { counters: () => ({ ...counters }) },
      interfaces: [{ name: "eth0", mtu: 1500, counters: () => ({ ...device }) }],
    },
    log,
    () => samples++,
    () => link.value,
  );
  const look = () => {
    lines.length = 0;
    watch.look();
    return [...lines];
  };
  return { counters, device, link, look, samples: () => samples };
}

describe("a look at a node", () => {
  it("says nothing when nothing is wrong, and keeps the totals", () => {
    const { look, counters, device, samples } = machine();
    counters.framesIn = 1000;
    device.received = 1000;
    expect(look()).toEqual([]);
    expect(samples()).toBe(1);
  });

  it("says once what was lost since the last look, also when the counter wrapped", () => {
    const { look, counters, device } = machine();
    device.receiveDropped = 7;
    counters.tableFull = 0xffffffff;
    expect(look()).toEqual([
      ["warn", { counter: "tableFull", more: 0xffffffff }, expect.any(String)],
      ["warn", { interface: "eth0", received: 7, sent: 0 }, "frames were lost"],
    ]);
    expect(look()).toEqual([]);
    counters.tableFull = 1;
    expect(look()).toMatchObject([["warn", { more: 2 }, expect.any(String)]]);
  });

  it("tells when the interface goes, comes back, or has another MTU", () => {
    const { look, link } = machine();
    link.value = { up: false, mtu: 1500 };
    expect(look()).toMatchObject([["error", { interface: "eth0" }, "the interface is down"]]);
    expect(look()).toEqual([]);
    link.value = { up: true, mtu: 9000 };
    expect(look()).toMatchObject([
      ["info", {}, "the interface is up again"],
      ["warn", { was: 1500, is: 9000 }, expect.stringContaining("MTU")],
    ]);
    link.value = null;
    expect(look()).toEqual([]);
  });
});

describe("what the system says of an interface", () => {
  it("is read where there is one, and null where there is none", () => {
    expect(linkState("lo")).toMatchObject({ up: true, mtu: expect.any(Number) });
    expect(linkState("no-such0")).toBeNull();
  });
});
