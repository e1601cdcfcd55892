// What a client makes of the place that a segment server names: it maps that memory and nothing
// else, and says what is wrong otherwise.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { findSegment, mapSegment } from "../../../control/node/segment-map.js";
import { bootId, sharedMemory } from "../../../drivers/shared-memory/pages.js";
import type { SharedMemory, SharedPages } from "../../../drivers/shared-memory.js";
import { Pool } from "../stub/pool.js";

const real = sharedMemory() as SharedMemory;

/** A pool whose segment server shares memory, and says of it what `told` makes of the truth. */
async function served(told: Partial<SharedPages> = {}) {
  const pool = new Pool();
  const server = pool.segments(pool.far, {
    pageBytes: real.pageBytes,
    share(range, sealed) {
      const pages = real.share(range, sealed);
      return pages === undefined ? undefined : { ...pages, ...told };
    },
  });
  const { segment } = await pool.end(pool.segmentStub(server.capability()).create({ bytes: 5000 }));
  const calls = pool.segmentStub(segment);
  return { pool, segment, calls, server };
}

async function refusal(told: Partial<SharedPages>) {
  const { pool, segment, server } = await served(told);
  try {
    return await pool.refused(mapSegment(pool.near, segment));
  } finally {
    server.close();
  }
}

describe("mapSegment", () => {
  it("gives the segment's own bytes for writing", async () => {
    const { pool, segment, calls, server } = await served();
    await pool.end(calls.write({ position: 4990, data: Uint8Array.of(1, 2, 3) }));
    const { bytes, close } = await pool.end(mapSegment(pool.near, segment, { write: true }));
    expect(bytes.length).toBe(5000);
    expect([...bytes.subarray(4990, 4994)]).toEqual([1, 2, 3, 0]);
    bytes[0] = 9;
    expect((await pool.end(calls.read({ count: 1 }))).data).toEqual(Uint8Array.of(9));
    const place = await pool.end(findSegment(pool.near, segment, { write: true }));
    expect(readFileSync(place.path)[0]).toBe(9);
    close();
    expect(bytes.length).toBe(0);
    expect((await pool.end(calls.read({ count: 1 }))).data).toEqual(Uint8Array.of(9));
    server.close();
  });

  it("follows it for reading, and changes nothing in it", async () => {
    const { pool, segment, calls, server } = await served();
    const reader: Capability = (await pool.end(calls.restrict({ mask: 0x01 }))).capability;
    const map = await pool.end(mapSegment(pool.near, reader));
    await pool.end(calls.write({ data: Uint8Array.of(7) }));
    expect(map.bytes[0]).toBe(7);
    map.bytes[0] = 66;
    expect((await pool.end(calls.read({ count: 1 }))).data).toEqual(Uint8Array.of(7));
    expect(await pool.refused(mapSegment(pool.near, reader, { write: true }))).toBe("STD_DENIED");
    expect(await pool.refused(mapSegment(pool.near, segment, { write: true }))).toBe("STD_NOTNOW");
    map.close();
    server.close();
  });

  it.each<[string, Partial<SharedPages>, string]>([
    ["another machine's", { boot: "00000000-0000-0000-0000-000000000000" }, "SEGMENT_ELSEWHERE"],
    ["that of a process that is not here", { path: "/proc/4194304/fd/5" }, "SEGMENT_ELSEWHERE"],
    ["something else of a process", { path: `/proc/${process.pid}/fd/0` }, "SEGMENT_ELSEWHERE"],
    ["another memory", { tag: "0".repeat(32) }, "SEGMENT_ELSEWHERE"],
    ["a file", { path: "/etc/passwd" }, "ANSWER_WRONG"],
    ["a way out of /proc", { path: "/proc/1/fd/../../../etc/passwd" }, "ANSWER_WRONG"],
    ["a name with more in it", { tag: "x (deleted)" }, "ANSWER_WRONG"],
  ])("refuses memory that is %s", async (_, told, code) => {
    expect(await refusal({ boot: bootId(), ...told })).toBe(code);
  });
});
