// What a server makes of capabilities that are revoked, forged, or guessed: if one of these
// fails, somebody gets at an object who may not, or its owner does not.

import { beforeEach, describe, expect, it } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { claims } from "../../../control/capability/private-part.js";
import { operation } from "../../../control/interface/operation.js";
import { defineServer } from "../../../control/interface/table.js";
import type { Kernel } from "../../../control/kernel/kernel.js";
import { stub } from "../../../control/stub/client.js";
import { Objects } from "../../../control/stub/objects.js";
import { Server } from "../../../control/stub/serving.js";
import { Pool } from "./pool.js";

const table = defineServer({
  name: "box",
  summary: "boxes with a number in them",
  object: "a box",
  rights: { read: 1, write: 2 },
  operations: { look: operation({ number: 30200, summary: "open and look", rights: ["read"] }) },
});

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});

/** A server with one object, its clock, and the capability of the object. */
function boxes(options: { keyed: boolean; own?: { generation: Uint8Array; renew(): Uint8Array } }) {
  const clock = { ms: 0 };
  const objects = new Objects<string>({ random: pool.random, own: options.own });
  const server = new Server({
    ...{ ...pool.given(), table, objects, now: () => clock.ms, info: () => "a box" },
    ...(options.keyed ? { key: pool.random(32) } : {}),
    handlers: { look: () => ({}) },
    guessRates: {
      source: { perSecond: 1, atOnce: 4 },
      object: { perSecond: 2, atOnce: 6 },
      server: { perSecond: 4, atOnce: 12 },
    },
  });
  const object = objects.add("one") ?? 0;
  return { clock, objects, server, object, capability: server.capability(object) };
}

const calls = (capability: Capability, kernel: Kernel = pool.near) => stub(kernel, table, capability);
const look = (capability: Capability, kernel?: Kernel) => pool.refused(calls(capability, kernel).look());

function forged({ port, private: part }: Capability, seed: number): Capability {
  const changed = part.slice();
  changed[4 + (seed % 6)] = ((changed[4 + (seed % 6)] ?? 0) ^ (1 + (seed >> 3))) & 0xff;
  return { port, private: changed };
}

describe.each([true, false])("REVOKE with keyed capabilities: %s", (keyed) => {
  it("ends all capabilities to the object, gives a new one with all rights, and touches no other", async () => {
    const { server, objects, capability } = boxes({ keyed });
    const other = server.capability(objects.add("two") ?? 0);
    const reader = (await pool.end(calls(capability).restrict({ mask: 1 }))).capability;
    expect(await pool.refused(calls(reader).revoke())).toBe("STD_DENIED");
    await pool.end(calls(reader).look());
    const { capability: renewed } = await pool.end(calls(capability).revoke());
    expect(claims(renewed.private)).toEqual(claims(capability.private));
    for (const old of [capability, reader]) expect(await look(old)).toBe("STD_CAPBAD");
    await pool.end(calls(renewed).look());
    await pool.end(calls(other).look());
  });

  it("renews the server itself where its generation is kept, and only as it is kept", async () => {
    const own = {
      generation: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      renew: () => Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1),
    };
    const { server } = boxes({ keyed, own });
    const before = server.capability();
    const { capability } = await pool.end(calls(before).revoke());
    expect(await pool.refused(calls(before).info())).toBe("STD_CAPBAD");
    expect(capability.private).toEqual(server.capability().private);
  });
});

describe("a renewal that does not become durable", () => {
  it("is no revocation: the old capability counts on", async () => {
    const own = {
      generation: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      renew(): Uint8Array {
        throw new Error("the medium is full");
      },
    };
    const { server } = boxes({ keyed: true, own });
    expect(await pool.refused(calls(server.capability()).revoke())).toBe("STD_SYSERR");
    await pool.end(calls(server.capability()).info());
    expect(pool.failures).toHaveLength(1);
  });
});

describe("somebody who guesses", () => {
  it("is not listened to after some tries; a right guess is told apart from a wrong one no more", async () => {
    const { capability, clock, server, object } = boxes({ keyed: true });
    for (let seed = 0; seed < 4; seed++) expect(await look(forged(capability, seed))).toBe("STD_CAPBAD");
    expect(await look(forged(capability, 5))).toBe("STD_NOTNOW");
    expect(await look(capability)).toBe("STD_NOTNOW"); // never seen before: as good as a guess
    expect(await look(server.capability(object, 1))).toBe("STD_NOTNOW");
    clock.ms += 1000;
    await pool.end(calls(capability).look());
    expect(await look(forged(capability, 6))).toBe("STD_CAPBAD");
    expect(await look(forged(capability, 7))).toBe("STD_NOTNOW");
  });

  it("does not lock out those whose capability the server knows, nor other machines at once", async () => {
    const { capability, server, object } = boxes({ keyed: true });
    const reader = server.capability(object, 1);
    await pool.end(calls(capability).look());
    for (let seed = 0; seed < 9; seed++) await look(forged(capability, seed));
    await pool.end(calls(capability).look());
    await pool.end(calls(reader, pool.far).look()); // another source
  });

  it("gets no more tries from many machines, nor by TOUCH of many", async () => {
    const { capability } = boxes({ keyed: true });
    const parts = Array.from({ length: 40 }, (_, seed) => [...forged(capability, seed).private]);
    const touch = calls({ port: capability.port, private: new Uint8Array(10) }).ntouch({
      objects: Uint8Array.from(parts.flat()),
    });
    expect(await pool.refused(touch)).toBe("STD_NOTNOW");
    for (let seed = 50; seed < 52; seed++)
      expect(await look(forged(capability, seed), pool.far)).toBe("STD_CAPBAD");
    expect(await look(forged(capability, 53), pool.far)).toBe("STD_NOTNOW"); // the object's six are used up
  });

  it("hears why, in words", async () => {
    const { capability } = boxes({ keyed: true });
    for (let seed = 0; seed < 4; seed++) await look(forged(capability, seed));
    await expect(pool.end(calls(capability).look())).rejects.toMatchObject({
      code: "STD_NOTNOW",
      why: expect.stringContaining("not genuine"),
    });
  });
});
