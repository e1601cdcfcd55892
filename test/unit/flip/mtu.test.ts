// If one of these fails, machines send frames that their neighbour cannot take, or never use
// the large frames that both could.

import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../../control/kernel/encode.js";
import { bytesOf, original, type PairOptions, pair, reader } from "../../simulation/pairs.js";
import { recording } from "../rpc/recordings.js";

const data = bytesOf(60_000);
const limits = { frameBytes: 9100 };

/** The longest frame behind its Ethernet header in one long call, first and later. */
function longest(options: PairOptions): number {
  const { lan, client, port } = pair(options);
  let most = 0;
  lan.tap = (frame) => {
    most = Math.max(most, frame.length - 14);
  };
  for (let i = 0; i < 3; i++) {
    const end = client.call({ port, data });
    expect(end.status).toBe(0);
    expect(Buffer.compare(end.data, data)).toBe(0);
  }
  return most;
}

describe("the frames of a long message", () => {
  it("fill the large MTU of both ends after HELLO", () => {
    expect(longest({ lan: { mtu: 9000 }, client: { limits }, server: { limits } })).toBe(9000);
  });

  it("keep to the smaller MTU of the two", () => {
    const small = { limits, mtu: 4000 };
    expect(longest({ lan: { mtu: 9000 }, client: small, server: { limits } })).toBe(4000);
  });

  it.each([
    ["client", { client: original, server: { limits } }],
    ["server", { client: { limits }, server: original }],
  ] as const)("keep to 1500 when the %s is an original", (_, machines) => {
    expect(longest({ lan: { mtu: 9000 }, ...machines })).toBe(1500);
  });
});

describe("HELLO", () => {
  it("is sent on first contact and answered once", () => {
    const { lan, client, port } = pair();
    let hellos = 0;
    lan.tap = (frame) => {
      if (frame[14] === 0x50) hellos++;
    };
    for (let i = 0; i < 10; i++) client.call({ port });
    expect(hellos).toBeLessThanOrEqual(4);
  });

  it("is not doubted for one late frame without a check", () => {
    const { lan, client, server, port } = pair();
    client.call({ port });
    client.call({ port, data });
    const socket = server.sockets[0];
    if (socket === undefined) throw new Error("the server is on the wire");
    const late = recording("small")[4]?.layers ?? {};
    const plain = encodeFrame(reader, late);
    plain.set(client.sockets[0]?.mac ?? [], 0);
    plain.set(socket.mac, 6);
    lan.carry(socket, plain);
    const kinds = new Set<number | undefined>();
    lan.tap = (frame, by) => {
      if (by === "client" && frame.length > 1000) kinds.add(frame[14]);
    };
    expect(client.call({ port, data }).status).toBe(0);
    expect([...kinds]).toEqual([0x51]);
  });

  it("holds again after a neighbour has booted anew with its MAC address", () => {
    const { client, server, port, world } = pair({
      lan: { mtu: 9000 },
      client: { limits },
      server: { limits },
    });
    client.call({ port, data });
    server.crash();
    server.boot();
    server.serve(Uint8Array.of(0x61, 0x62, 0x63, 0x64, 0x65, 0x66), 2, 1 << 17, (request, reply) => {
      reply({ data: request.data });
    });
    world.run(undefined, 1_000_000);
    expect(client.call({ port, data }).status).toBe(0);
  });
});
