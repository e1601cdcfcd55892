// If one of these fails, --interface opens another wire than was meant, or a mistake in it is only
// found when machines do not hear each other.

import { describe, expect, it } from "vitest";
import { parseInterface } from "../../../control/node/interface-name.js";

const key = "A".repeat(43);
const keys = { publicKey: key, bytes: Buffer.alloc(32) };

describe("the name of an interface", () => {
  it("is an Ethernet interface unless it says otherwise", () => {
    expect(parseInterface("eth0")).toEqual({ kind: "ethernet", name: "eth0" });
    expect(parseInterface("enp3s0.100")).toEqual({ kind: "ethernet", name: "enp3s0.100" });
  });

  it("is a serial port with its speed", () => {
    expect(parseInterface("serial:/dev/ttyS0@115200")).toEqual({
      ...{ kind: "serial", name: "/dev/ttyS0", path: "/dev/ttyS0", speed: 115_200, rtscts: false },
    });
    expect(parseInterface("cable=serial:/dev/serial/by-id/usb@1@9600+rtscts")).toEqual({
      ...{ kind: "serial", name: "cable", path: "/dev/serial/by-id/usb@1", speed: 9600, rtscts: true },
    });
  });

  it("is peers over IP, with keys for all of them or for none", () => {
    expect(parseInterface("ip:10.0.0.2")).toMatchObject({
      ...{ kind: "ip", name: "10.0.0.2", peers: [{ address: "10.0.0.2" }], keyFile: null, protocol: 253 },
      ...{ mtu: null, trusted: false },
    });
    const all = `wan=ip:10.0.0.2=${keys.publicKey}+10.0.0.3=${key}+key=/k+protocol=254+mtu=1400`;
    expect(parseInterface(all)).toEqual({
      ...{ kind: "ip", name: "wan", keyFile: "/k", protocol: 254, mtu: 1400, trusted: false },
      peers: [
        { address: "10.0.0.2", key: keys.bytes },
        { address: "10.0.0.3", key: keys.bytes },
      ],
    });
    expect(parseInterface("ip:10.0.0.2+trusted")).toMatchObject({ trusted: true });
  });

  it.each([
    ["", "1 to 15"],
    ["a/b", "1 to 15"],
    ["a-name-that-is-too-long", "1 to 15"],
    ["serial:/dev/ttyS0", "a port and its speed"],
    ["serial:ttyS0@9600", "a port and its speed"],
    ["serial:/dev/ttyS0@300", "the speed is"],
    ["serial:/dev/ttyS0@x", "the speed is"],
    ["serial:/dev/ttyS0@9600+xonxoff", "not known"],
    ["ip:", "1 to 15"],
    ["ip:example.org", "neither an IPv4 address"],
    ["ip:10.0.0.300", "neither an IPv4 address"],
    ["ip:10.0.0.2+10.0.0.2", "named twice"],
    ["ip:key=/k", "1 to 64 peers"],
    ["ip:10.0.0.2=short+key=/k", "no public key"],
    [`ip:10.0.0.2=${key}`, "either key=FILE"],
    ["ip:10.0.0.2+key=/k", "either key=FILE"],
    [`ip:10.0.0.2=${key}+10.0.0.3+key=/k`, "either key=FILE"],
    ["ip:10.0.0.2+protocol=255", "1 to 254"],
    ["ip:10.0.0.2+mtu=500", "639 to 9000"],
    ["ip:10.0.0.2+fast", "neither"],
  ])("is not %j, and it is said why", (text, why) => {
    expect(() => parseInterface(text)).toThrow(
      expect.objectContaining({ code: "INTERFACE_INVALID", message: expect.stringContaining(why) }),
    );
  });
});
