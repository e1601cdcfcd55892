// Where a control daemon is asked, and where a pool keeps its state: what a person may write for it.

import { describe, expect, it } from "vitest";
import { parseEndpoints, parseStore } from "../../../../control/node/control/places.js";

describe("places", () => {
  it("name daemons by sockets and https addresses", () => {
    expect(parseEndpoints("/run/a.sock, https://n1:99,https://[::1]")).toEqual([
      { kind: "unix", path: "/run/a.sock" },
      { kind: "tls", host: "n1", port: 99 },
      { kind: "tls", host: "::1", port: 9533 },
    ]);
    for (const text of ["", ",", "ftp://x", "https://n1/path", "https://u@n1", "https://"])
      expect(() => parseEndpoints(text), text).toThrow(expect.objectContaining({ code: "CONTROL_INVALID" }));
  });

  it("name stores", () => {
    expect(parseStore("embedded:/srv/pool").place).toEqual({ kind: "embedded", folder: "/srv/pool" });
    expect(parseStore("etcd://a:1,b:2").place).toEqual({ kind: "etcd", endpoints: ["a:1", "b:2"] });
    for (const text of ["", "etcd://", "etcd://a", "embedded:x", "redis://a:1"])
      expect(parseStore(text).fault, text).toBeDefined();
  });
});
