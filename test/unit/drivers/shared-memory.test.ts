// Pages of a linear memory that others map, with the real system: what is shared, what is not,
// what a seal forbids, and what is left when it ends.

import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from "node:fs";
import { describe, expect, it } from "vitest";
import { type Addon, loadAddon } from "../../../drivers/ethernet/addon.js";
import { bootId, memoryName, sharedMemory } from "../../../drivers/shared-memory/pages.js";
import type { SharedMemory, SharedPages } from "../../../drivers/shared-memory.js";

function addon(): Addon {
  const loaded = loadAddon();
  if (typeof loaded === "string") throw new Error(loaded);
  return loaded;
}

function shared(sealed: boolean) {
  const facility = sharedMemory() as SharedMemory;
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
  const all = new Uint8Array(memory.buffer).fill(5);
  const page = facility.pageBytes;
  const range = all.subarray(8 * page, 10 * page);
  const pages = facility.share(range, sealed) as SharedPages;
  return { all, page, range, pages };
}

function mapped(path: string, length: number, write: boolean) {
  const descriptor = openSync(path, write ? constants.O_RDWR : constants.O_RDONLY);
  try {
    const buffer = addon().map(descriptor, length, write);
    return { bytes: new Uint8Array(buffer), close: () => addon().unmap(buffer) };
  } finally {
    closeSync(descriptor);
  }
}

describe("shared pages", () => {
  it("are the same bytes for both, and nothing beside them is shared", () => {
    const { all, page, range, pages } = shared(false);
    expect(readlinkSync(pages.path)).toBe(memoryName(pages.tag));
    expect(pages.boot).toBe(bootId());
    expect(range.every((byte) => byte === 0)).toBe(true);
    const map = mapped(pages.path, 2 * page, true);
    range[0] = 1;
    map.bytes[2 * page - 1] = 2;
    expect([map.bytes[0], range[2 * page - 1]]).toEqual([1, 2]);
    expect([all[8 * page - 1], all[10 * page]]).toEqual([5, 5]);
    expect(readFileSync(pages.path).length).toBe(2 * page);
    expect(pages.withdraw()).toBe(true);
  });

  it("keep their size, whoever opens them", () => {
    const { page, pages } = shared(false);
    const descriptor = openSync(pages.path, constants.O_RDWR);
    for (const size of [0, page, 100 * page]) expect(() => ftruncateSync(descriptor, size)).toThrow("EPERM");
    expect(() => addon().map(descriptor, 2 * page + 1, false)).toThrow();
    closeSync(descriptor);
    pages.withdraw();
  });

  it("cannot be written by others when they are sealed", () => {
    const { page, range, pages } = shared(true);
    range[7] = 9;
    const descriptor = openSync(pages.path, constants.O_RDWR);
    expect(() => writeSync(descriptor, "x")).toThrow("EPERM");
    closeSync(descriptor);
    expect(() => mapped(pages.path, 2 * page, true)).toThrow("not permitted");
    const map = mapped(pages.path, 2 * page, false);
    expect(map.bytes[7]).toBe(9);
    range[7] = 10;
    expect(map.bytes[7]).toBe(10);
    map.bytes[7] = 66; // its own copy
    expect(range[7]).toBe(10);
    pages.withdraw();
  });

  it("are private zeros once they are withdrawn, and who has them keeps what they held", () => {
    const { page, range, pages } = shared(false);
    const map = mapped(pages.path, 2 * page, true);
    range.fill(3);
    expect(pages.withdraw()).toBe(true);
    expect(pages.withdraw()).toBe(true);
    expect(range.every((byte) => byte === 0)).toBe(true);
    expect(() => readlinkSync(pages.path)).toThrow("ENOENT");
    range.fill(4);
    expect(map.bytes.every((byte) => byte === 3)).toBe(true);
    map.bytes.fill(6);
    expect(range.every((byte) => byte === 4)).toBe(true);
    map.close();
    map.close();
    expect(map.bytes.length).toBe(0);
  });

  it("must lie on whole pages of the memory", () => {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    for (const [offset, length] of [
      [16, 4096],
      [0, 100],
      [0, 0],
      [-4096, 4096],
      [61_440, 8192],
      [Number.NaN, 4096],
    ] as const)
      expect(() => addon().share(buffer, offset, length, "proteus-test", true)).toThrow("range");
  });

  it("come and go many times without a trace", () => {
    const facility = sharedMemory() as SharedMemory;
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
    const range = new Uint8Array(memory.buffer).subarray(0, 4 * facility.pageBytes);
    for (let round = 0; round < 2000; round++) {
      const pages = facility.share(range, round % 2 === 0) as SharedPages;
      range[0] = round & 0xff;
      expect(pages.withdraw()).toBe(true);
    }
    expect(range[0]).toBe(0);
  });
});

it("maps nothing whose maker could take pages away", () => {
  const descriptor = openSync(process.execPath, "r");
  expect(() => addon().map(descriptor, 4096, false)).toThrow("Invalid argument");
  closeSync(descriptor);
});
