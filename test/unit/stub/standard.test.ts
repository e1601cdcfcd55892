// The standard operations: the same for every server, whatever its objects are.

import { beforeEach, describe, expect, it } from "vitest";
import { portOnly } from "../../../control/capability/capability.js";
import { claims } from "../../../control/capability/private-part.js";
import { randomTable } from "../../../control/interface/random.js";
import { timeTable } from "../../../control/interface/time.js";
import { trans } from "../../../control/kernel/calls.js";
import type { SegmentServer } from "../../../control/server/segment/segment.js";
import { stub } from "../../../control/stub/client.js";
import { STD_CAPBAD } from "../../../core-wasm/status.js";
import { Pool } from "./pool.js";

let pool: Pool;
let server: SegmentServer;

beforeEach(() => {
  pool = new Pool();
  server = pool.segments();
});

const root = () => pool.segmentStub(server.capability());
const made = async () => (await pool.end(root().create({ bytes: 10 }))).segment;

describe("standard operations", () => {
  it("tell what an object is, as long a text as is wanted", async () => {
    const calls = pool.segmentStub(await made());
    expect((await pool.end(calls.info())).text).toBe("segment of 10 bytes");
    expect((await pool.end(calls.info({ most: 7 }))).text).toBe("segment");
    expect((await pool.end(root().info())).text).toBe("segment server");
  });

  it("take rights away, never give any", async () => {
    const segment = await made();
    const { capability } = await pool.end(pool.segmentStub(segment).restrict({ mask: 0x03 }));
    expect(claims(capability.private)).toEqual({ ...claims(segment.private), rights: 0x03 });
    const again = await pool.end(pool.segmentStub(capability).restrict({ mask: 0xff }));
    expect(claims(again.capability.private).rights).toBe(0x03);
    const raised = { port: segment.port, private: capability.private.slice() };
    raised.private[3] = 0xff;
    expect(await pool.refused(pool.segmentStub(raised).info())).toBe("STD_CAPBAD");
  });

  it("destroy what has not been touched for its lifetime", async () => {
    const [kept, left] = [await made(), await made()];
    await pool.end(root().setparams({ settings: [{ name: "lifetime", value: "3" }] }));
    for (let i = 0; i < 3; i++) {
      await pool.end(root().age());
      await pool.end(pool.segmentStub(kept).touch());
    }
    await pool.end(pool.segmentStub(left).info());
    await pool.end(root().age());
    await pool.end(pool.segmentStub(kept).info());
    expect(await pool.refused(pool.segmentStub(left).info())).toBe("STD_CAPBAD");
    expect(pool.far.segments.stat().count).toBe(1);
  });

  it("touch many at once, also when some of them are not there", async () => {
    const [one, other, gone] = [await made(), await made(), await made()];
    await pool.end(pool.segmentStub(gone).destroy());
    await pool.end(root().setparams({ settings: [{ name: "lifetime", value: "1" }] }));
    await pool.end(root().age());
    const anyone = pool.segmentStub(portOnly(server.putPort));
    const parts = (...of: { private: Uint8Array }[]) => Buffer.concat(of.map((each) => each.private));
    expect(await pool.end(anyone.ntouch({ count: 2, objects: parts(one, other) }))).toEqual({ touched: 2 });
    await pool.end(root().age());
    const raw = { port: server.putPort, command: 1010, size: 3 };
    const { header } = await pool.end(trans(pool.near, raw, parts(one, gone, other)));
    expect(header).toMatchObject({ status: STD_CAPBAD, extra: 2 });
    await pool.end(root().age());
    for (const segment of [one, other]) await pool.end(pool.segmentStub(segment).info());
    expect(await pool.refused(anyone.ntouch({ objects: parts(one).subarray(1) }))).toBe("STD_ARGBAD");
    expect(await pool.refused(anyone.ntouch({ count: 3, objects: parts(one) }))).toBe("STD_ARGBAD");
    await pool.end(root().age());
    expect(await pool.refused(pool.segmentStub(one).info())).toBe("STD_CAPBAD");
    expect(pool.failures).toEqual([]);
  });

  it("tell how old objects are, some at a time", async () => {
    const [kept, left] = [await made(), await made()];
    for (let age = 0; age < 3; age++) await pool.end(root().age());
    await pool.end(pool.segmentStub(kept).touch());
    const [one, other] = [kept, left].map((each) => claims(each.private).object);
    const all = await pool.end(root().ages());
    expect(all).toMatchObject({ lifetime: 24, next: expect.any(Number) });
    const seen = [...all.objects];
    let { next } = all;
    for (let calls = 0; next !== 0 && calls < 100; calls++) {
      const more = await pool.end(root().ages({ first: next }));
      seen.push(...more.objects);
      next = more.next;
    }
    expect(seen).toEqual([
      { object: one, age: 0 },
      { object: other, age: 3 },
    ]);
    const old = await pool.end(root().ages({ first: one ?? 0, least: 3 }));
    expect(old.objects).toEqual([{ object: other, age: 3 }]);
    expect(await pool.refused(pool.segmentStub(kept).ages())).toBe("STD_COMBAD");
  });

  it("set all parameters or none", async () => {
    const told = await pool.end(root().getparams());
    expect(told).toMatchObject({ count: 1, parameters: [{ name: "lifetime", value: "24" }] });
    const bad = [
      { name: "lifetime", value: "7" },
      { name: "weather", value: "fine" },
    ];
    expect(await pool.refused(root().setparams({ settings: bad }))).toBe("STD_NOTFOUND");
    const worse = root().setparams({ settings: [{ name: "lifetime", value: "0" }] });
    expect(await pool.refused(worse)).toBe("STD_ARGBAD");
    expect((await pool.end(root().getparams())).parameters[0]?.value).toBe("24");
    await pool.end(root().setparams({ settings: [{ name: "lifetime", value: "7" }] }));
    expect((await pool.end(root().getparams())).parameters[0]?.value).toBe("7");
  });

  it("are answered by servers without objects too", async () => {
    let now = 1_700_000_000_123;
    const random = pool.randomServer();
    const time = pool.timeServer(() => now);
    for (const [table, capability, info] of [
      [randomTable, random.capability(), "random server"],
      [timeTable, time.capability(), "time server"],
    ] as const) {
      const calls = stub(pool.near, { ...table, operations: {} }, capability);
      expect((await pool.end(calls.info())).text).toBe(info);
      await pool.end(calls.touch());
      await pool.end(calls.age());
      expect((await pool.end(calls.status())).text).not.toBe("");
      expect(await pool.refused(calls.copy({ source: capability }))).toBe("STD_COMBAD");
      expect(await pool.refused(calls.destroy())).toBe("STD_COMBAD");
    }
    const clock = stub(pool.near, timeTable, time.capability());
    expect(await pool.end(clock.get())).toEqual({ seconds: 1_700_000_000, milliseconds: 123, daylight: 0 });
    await pool.end(clock.set({ seconds: 4_000_000_000, milliseconds: 5 }));
    now += 1000;
    expect(await pool.end(clock.get())).toEqual({ seconds: 4_000_000_001, milliseconds: 5, daylight: 0 });
    const anyone = stub(pool.near, timeTable, portOnly(time.putPort));
    expect((await pool.end(anyone.get())).seconds).toBe(4_000_000_001);
    expect(await pool.refused(anyone.set({ seconds: 1 }))).toBe("STD_CAPBAD");
    const bytes = stub(pool.near, randomTable, portOnly(random.putPort));
    expect((await pool.end(bytes.get({ count: 32 }))).data.length).toBe(32);
    expect(await pool.refused(bytes.get({ count: 1025 }))).toBe("STD_ARGBAD");
    expect(pool.failures).toEqual([]);
  });
});
