// Addresses of NBD servers: if one of these fails, somebody listens elsewhere than he has said, or a
// client cannot use what it is given.

import { describe, expect, it } from "vitest";
import { nbdUri, parseNbdAddress } from "../../../control/node/nbd-address.js";

describe("an address for NBD", () => {
  it.each([
    ["unix:/run/a b", { kind: "unix", path: "/run/a b" }, "nbd+unix:///d?socket=/run/a%20b"],
    ["tcp:10809", { kind: "tcp", port: 10809 }, "nbd://127.0.0.1:10809/d"],
    ["tcp:10.1.0.1:0", { kind: "tcp", host: "10.1.0.1", port: 0 }, "nbd://10.1.0.1:0/d"],
    ["tcp:node1.lan:99", { kind: "tcp", host: "node1.lan", port: 99 }, "nbd://node1.lan:99/d"],
    ["tcp:[::1]:99", { kind: "tcp", host: "::1", port: 99 }, "nbd://[::1]:99/d"],
  ])("%s", (text, address, uri) => {
    expect(parseNbdAddress(text)).toEqual(address);
    expect(nbdUri(parseNbdAddress(text), "d")).toBe(uri);
  });

  it.each(["", "unix:", "tcp:", "tcp:host", "tcp:host:65536", "tcp:a b:1", "tcp:::1:99", "/run/x", "udp:1"])(
    "is not %j",
    (text) => {
      expect(() => parseNbdAddress(text)).toThrow(expect.objectContaining({ code: "NBD_ADDRESS" }));
    },
  );

  it("with any name of an export is one URI", () => {
    expect(nbdUri({ kind: "tcp", port: 1 }, "a/b?c", true)).toBe("nbds://127.0.0.1:1/a%2Fb%3Fc");
  });
});
