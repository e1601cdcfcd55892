// If one of these fails, fragments over IP do not fit their path, or what stands in an IP header
// is taken for FLIP.

import { describe, expect, it } from "vitest";
import { pathMtu } from "../../../../drivers/raw-ip/path-mtu.js";
import { payloadOf } from "../../../../drivers/raw-ip/socket.js";

/** An interface of one MTU, and a router behind it of another that objects to the first packet. */
function path(interfaceMtu: number, routerMtu: number) {
  let known = interfaceMtu;
  let probes = 0;
  return {
    probe: (payload: number) => {
      probes++;
      const size = payload + 20;
      if (size > known) return { fits: false, error: null };
      if (size > routerMtu) setImmediate(() => (known = routerMtu));
      return { fits: true, error: null };
    },
    probes: () => probes,
  };
}

describe("the MTU of a path", () => {
  it.each([
    [1500, 1500, 1500],
    [1500, 1300, 1300],
    [1500, 576, 576],
    [65_536, 65_536, 9000],
    [65_536, 1492, 1492],
  ])("of an interface of %i and a router of %i is %i, found in a few packets", async (own, far, found) => {
    const prober = path(own, far);
    expect(await pathMtu(prober, "10.0.0.1")).toBe(found);
    expect(prober.probes()).toBeLessThan(60);
  });

  it("is not found where there is no way at all, and that is said", async () => {
    const prober = { probe: () => ({ fits: false, error: new Error("Network is unreachable") }) };
    await expect(pathMtu(prober, "10.0.0.1")).rejects.toMatchObject({ code: "RAW_IP_NO_ROUTE" });
  });
});

describe("an IP packet", () => {
  it("has its payload behind its header, however long that is", () => {
    expect(payloadOf(Buffer.concat([Buffer.of(0x45), Buffer.alloc(19), Buffer.of(1, 2)]))).toEqual(
      Buffer.of(1, 2),
    );
    expect(payloadOf(Buffer.concat([Buffer.of(0x46), Buffer.alloc(23), Buffer.of(3)]))).toEqual(Buffer.of(3));
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a header alone", Buffer.concat([Buffer.of(0x45), Buffer.alloc(19)])],
    ["a header that is too short", Buffer.concat([Buffer.of(0x44), Buffer.alloc(30)])],
    ["a header longer than the packet", Buffer.concat([Buffer.of(0x4f), Buffer.alloc(30)])],
  ])("of %s has none", (_, packet) => {
    expect(payloadOf(packet)).toBeNull();
  });
});
