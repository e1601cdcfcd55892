// If one of these fails, a user of a pool machine's memory reads what another left there, or
// ends the machine by a wrong number.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as status from "../../../core-wasm/status.js";
import { bootWith, Room } from "./booted.js";

const region = 1024 * 1024;
const kernelWith = (segmentBytes: number, segments = 64) =>
  new Room().kernel({ segmentBytes, segments, memoryBytes: 24 * 1024 * 1024 });

describe("segments of a kernel", () => {
  it("lie in the kernel's memory, behind its tables and in front of the host's buffers", () => {
    const kernel = kernelWith(region);
    const handle = kernel.segments.create(1000);
    const info = kernel.segments.info(handle);
    expect(info).toMatchObject({ bytes: 1000, room: 1008 });
    expect(info?.address).toBeGreaterThan(4096);
    expect((info?.address ?? 0) + region).toBeLessThanOrEqual(kernel.buffers.take(64));
    expect(kernel.segments.bytes(handle)).toHaveLength(1000);
    expect(kernel.segments.stat()).toEqual({
      regionBytes: region,
      takenBytes: 1008,
      largestFreeBytes: region - 1008,
      count: 1,
      most: 64,
    });
  });

  it("begin as zeros, and grow by zeros, whatever the last owner left", () => {
    const { segments } = kernelWith(region);
    const first = segments.create(region);
    segments.bytes(first)?.fill(0xaa);
    expect(segments.destroy(first)).toBe(status.STD_OK);
    const second = segments.create(100);
    expect(segments.bytes(second)?.every((byte) => byte === 0)).toBe(true);
    segments.bytes(second)?.fill(0xbb);
    expect(segments.grow(second, 5000)).toBe(status.STD_OK);
    const bytes = segments.bytes(second) as Uint8Array;
    expect(bytes).toHaveLength(5000);
    expect(bytes.subarray(0, 100).every((byte) => byte === 0xbb)).toBe(true);
    expect(bytes.subarray(100).every((byte) => byte === 0)).toBe(true);
  });

  it("answer a status when memory or table are full, and the largest free size always works", () => {
    const { segments } = kernelWith(region, 3);
    const first = segments.create(region / 2);
    expect(segments.create(region / 2 + 1)).toBe(status.STD_NOMEM);
    expect(segments.create(segments.stat().largestFreeBytes)).toBeGreaterThan(0);
    expect(segments.create(1)).toBe(status.STD_NOMEM);
    expect(segments.grow(first, region)).toBe(status.STD_NOMEM);
    expect(segments.info(first)?.bytes).toBe(region / 2);
    const small = kernelWith(region, 2).segments;
    expect([small.create(0), small.create(1)].every((handle) => handle > 0)).toBe(true);
    expect(small.create(1)).toBe(status.KERNEL_FULL);
  });

  it("answer a status to what is no size and no handle", () => {
    const { segments } = kernelWith(region);
    for (const bytes of [-1, 0.5, Number.NaN, 2 ** 32, Number.POSITIVE_INFINITY])
      expect(segments.create(bytes)).toBe(status.STD_ARGBAD);
    for (const bytes of [2 ** 31, 2 ** 32 - 1]) expect(segments.create(bytes)).toBe(status.STD_NOMEM);
    const handle = segments.create(10);
    expect(segments.grow(handle, 9)).toBe(status.STD_ARGBAD);
    expect(segments.grow(handle, Number.NaN)).toBe(status.STD_ARGBAD);
    expect(segments.destroy(handle)).toBe(status.STD_OK);
    for (const wrong of [handle, 0, -1, 2 ** 31, handle + 0.5]) {
      expect(segments.destroy(wrong)).toBe(status.KERNEL_BADHANDLE);
      expect(segments.grow(wrong, 10)).toBe(status.KERNEL_BADHANDLE);
      expect(segments.info(wrong)).toBeNull();
      expect(segments.bytes(wrong)).toBeNull();
    }
  });

  it("are none in a kernel that was given no region", () => {
    const { segments } = new Room().kernel();
    expect(segments.create(1)).toBe(status.STD_NOMEM);
    expect(segments.destroy(65_536)).toBe(status.KERNEL_BADHANDLE);
    expect(segments.stat()).toMatchObject({ regionBytes: 0, largestFreeBytes: 0, count: 0 });
  });

  it("have a region that fits the memory, or the kernel does not boot", () => {
    expect(bootWith({ segmentBytes: 8 * region, clientKernels: 1 })).toBe(status.STD_OK);
    expect(bootWith({ segmentBytes: 17 * region, clientKernels: 1 })).toBe(status.KERNEL_NOMEMORY);
    expect(bootWith({ segmentBytes: 0xffff_ffff })).toBe(status.KERNEL_BADLIMIT);
    expect(bootWith({ segmentBytes: region, segments: 32_768 })).toBe(status.KERNEL_BADLIMIT);
    expect(bootWith({ segmentBytes: 1, segments: 1 })).toBe(status.STD_OK);
  });

  it("keep what was written into them, whatever is created, grown and destroyed beside them", () => {
    const operation = fc.record({
      what: fc.constantFrom("create", "create", "grow", "destroy"),
      bytes: fc.oneof(fc.nat(64), fc.nat(5000), fc.nat(300_000)),
      which: fc.nat(),
    });
    const { segments } = kernelWith(region, 16);
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const live = new Map<number, { mark: number; bytes: number }>();
        let mark = 0;
        for (const { what, bytes, which } of operations) {
          const chosen = [...live.keys()][which % Math.max(live.size, 1)];
          if (what === "create" || chosen === undefined) {
            const handle = segments.create(bytes);
            if (handle < 0) continue;
            expect(live.has(handle)).toBe(false);
            mark = (mark % 255) + 1;
            segments.bytes(handle)?.fill(mark);
            live.set(handle, { mark, bytes });
          } else if (what === "destroy") {
            expect(segments.destroy(chosen)).toBe(status.STD_OK);
            live.delete(chosen);
          } else {
            const before = live.get(chosen) ?? { mark: 0, bytes: 0 };
            if (segments.grow(chosen, before.bytes + bytes) !== status.STD_OK) continue;
            segments.bytes(chosen)?.fill(before.mark, before.bytes);
            live.set(chosen, { mark: before.mark, bytes: before.bytes + bytes });
          }
        }
        for (const [handle, { mark: expected, bytes }] of live) {
          const held = segments.bytes(handle) as Uint8Array;
          expect(held).toHaveLength(bytes);
          expect(held.findIndex((byte) => byte !== expected)).toBe(-1);
        }
        expect(segments.stat().count).toBe(live.size);
        for (const handle of live.keys()) segments.destroy(handle);
        expect(segments.stat()).toMatchObject({ takenBytes: 0, largestFreeBytes: region });
      }),
      { numRuns: 100 },
    );
  });
});
