// Corosync is started with what its own manual asks for, and nothing that slows it.

import { describe, expect, it } from "vitest";
import { corosyncConfiguration } from "../../../../control/bench/group/corosync.js";

describe("Corosync's configuration", () => {
  const text = corosyncConfiguration(3, "udp");

  it("names every machine once", () => {
    expect(text.match(/ring0_addr: .*/g)).toEqual([1, 2, 3].map((n) => `ring0_addr: 10.0.0.${n}`));
    expect(text.match(/nodeid: \d/g)).toEqual(["nodeid: 1", "nodeid: 2", "nodeid: 3"]);
  });

  it("has no cryptography and its standard timers", () => {
    expect(text).not.toMatch(/crypto|secauth|token|consensus/);
    expect(text).toContain("transport: udp\n");
    expect(corosyncConfiguration(2, "knet")).toContain("transport: knet\n");
  });

  it("has as many closing braces as opening ones, each block in lines of its own", () => {
    expect(text.split("{").length).toBe(text.split("}").length);
    expect(text.split("\n").every((line) => line.split("{").length <= 2)).toBe(true);
  });
});
