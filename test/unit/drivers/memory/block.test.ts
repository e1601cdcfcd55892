// A device in memory that keeps the caller's bytes instead of its own changes when the caller does.
//
// - What was written stays, whatever becomes of the buffer it came in.
// - Also of a Buffer: its slices share its bytes, those of a Uint8Array do not.

import { describe, expect, it } from "vitest";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";

describe("a block device in memory", () => {
  it.each([
    ["a Uint8Array", new Uint8Array(4096)],
    ["a Buffer", Buffer.alloc(4096)],
  ])("keeps a copy of what is written from %s", async (_kind, data) => {
    const device = new MemoryBlockDevice(4);
    await device.write(2, data.fill(7));
    data.fill(9);
    const found = new Uint8Array(4096);
    await device.read(2, found);
    expect(found).toEqual(new Uint8Array(4096).fill(7));
  });
});
