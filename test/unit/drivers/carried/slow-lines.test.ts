// If one of these fails, a call over a slow serial line fails or is made twice, or questions of the
// protocol take the line from its data.
//
// - Virtual time; the line's own time is that of the call's bytes, ten bits each, there and back.
// - End to end, with real pseudo-terminals: test/end-to-end/wires.test.ts.

import { describe, expect, it } from "vitest";
import { bytesOf } from "../../../simulation/pairs.js";
import { perTier } from "../../../simulation/seeds.js";
import { type CallResult, echoAt, LineRoom } from "./line-room.js";

const speeds = [9600, 19_200, 38_400, 57_600, 115_200];
const sizes = [0, 5000, 0, 20_000];

/** Where the line is: between the machines, or behind a router, at the client's or the server's side. */
const places = ["direct", "behind a router", "behind the client's router"] as const;

function world(place: (typeof places)[number], speed: number, noise: { loss?: number; seed?: number } = {}) {
  const room = new LineRoom();
  const [client, server] = [room.kernel(), room.kernel()];
  const line = { speed, ...noise };
  if (place === "direct") room.line(client, server, line);
  else {
    const router = room.kernel();
    const [near, far] = place === "behind a router" ? [client, server] : [server, client];
    room.ethernet(near, router);
    room.line(router, far, line);
  }
  return { room, client, server, echo: echoAt(server) };
}

function expectEcho({ error, data }: CallResult, sent: Uint8Array): void {
  expect(error).toBeNull();
  expect(Buffer.compare(data, sent)).toBe(0);
}

describe.each(places)("calls over a slow line, %s", (place) => {
  it.each(speeds)(
    "succeed at %i bit/s, once each, in little more than the line's own time",
    async (speed) => {
      const { room, client, echo } = world(place, speed);
      for (const size of sizes) {
        const before = echo.executed();
        const sent = bytesOf(size);
        const result = await room.call(client, echo.port, sent);
        expectEcho(result, sent);
        expect(echo.executed() - before).toBe(1);
        const own = (2 * size * 10) / speed;
        const few = (600 * 10) / speed; // what a search and some questions may take
        expect(result.seconds, `${size} bytes`).toBeLessThan(1.5 * own + 8 * few);
      }
    },
  );
});

describe.each(places)("a slow line with noise, %s", (place) => {
  it.each(Array.from({ length: perTier({ quick: 3, long: 20, nightly: 100 }) }, (_, index) => index + 1))(
    "loses no call and makes none twice, seed %i",
    async (seed) => {
      const { room, client, echo } = world(place, 38_400, { loss: 0.02, seed });
      for (const [index, size] of [0, 3000, 8000].entries()) {
        const sent = bytesOf(size);
        expectEcho(await room.call(client, echo.port, sent), sent);
        expect(echo.executed()).toBe(index + 1);
      }
    },
  );
});

describe.each(places)("several calls at a time over a slow line, %s", (place) => {
  it("all succeed, once each", async () => {
    const { room, client, echo } = world(place, 38_400);
    const wanted = [4000, 0, 9000].map((size) => ({ from: client, port: echo.port, data: bytesOf(size) }));
    const results = await room.calls(wanted);
    for (const [index, result] of results.entries())
      expectEcho(result, wanted[index]?.data ?? new Uint8Array());
    expect(echo.executed()).toBe(wanted.length);
  });
});
