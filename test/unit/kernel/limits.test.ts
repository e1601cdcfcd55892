// If one of these fails, a kernel runs with other limits than its host asked for.

import { describe, expect, it } from "vitest";
import { writeLimits } from "../../../control/kernel/limits.js";
import * as constants from "../../../core-wasm/limits.js";
import * as status from "../../../core-wasm/status.js";
import { bootWith } from "./booted.js";

const address = 1024;
const record = (): Uint32Array => new Uint32Array(1024).fill(0xffffffff);

describe("the limits record", () => {
  it("has each limit in its field, and 0 (the kernel's default) where none was given", () => {
    const words = record();
    writeLimits(words, address, { threads: 7, stashBytes: 4096 });
    const fields = [...words.subarray(address >> 2, (address >> 2) + constants.LIMIT_FIELDS)];
    expect(fields[constants.LIMIT_THREADS]).toBe(7);
    expect(fields[constants.LIMIT_STASH_BYTES]).toBe(4096);
    expect(fields.filter((value) => value !== 0)).toHaveLength(2);
    expect(words[(address >> 2) + constants.LIMIT_FIELDS]).toBe(0xffffffff);
  });

  it("says that extensions were chosen even when none is: that is an original, not the default", () => {
    const words = record();
    writeLimits(words, address, { extensions: 0 });
    expect(words[(address >> 2) + constants.LIMIT_EXTENSIONS]).toBe(constants.EXTENSIONS_GIVEN);
  });
});

describe("boot", () => {
  it("takes the defaults, and answers a status to what does not fit, never a trap", () => {
    expect(bootWith({})).toBe(status.STD_OK);
    expect(bootWith({ threads: 40_000 })).toBe(status.KERNEL_BADLIMIT);
    expect(bootWith({ networks: 17 })).toBe(status.KERNEL_BADLIMIT);
    expect(bootWith({ frameBytes: 65_601 })).toBe(status.KERNEL_BADLIMIT);
    expect(bootWith({ ports: 1_000_000, portCache: 1_000_000 })).toBe(status.KERNEL_NOMEMORY);
    expect(bootWith({ clientKernels: 1_048_576, duplicateWindow: 1_048_576 })).toBe(status.KERNEL_NOMEMORY);
    expect(bootWith({ memoryBytes: 0xffff0000 })).toBe(status.KERNEL_NOMEMORY);
    expect(bootWith({ tableBase: 0xffff0000 })).toBe(status.KERNEL_NOMEMORY);
  });

  it("finds every amount of memory that is too small, whichever table it ends in", () => {
    const small = { threads: 4, ports: 4, portCache: 4, clientKernels: 1, duplicateWindow: 1024 };
    const tiny = { ...small, neighbours: 2, routes: 2, locations: 2, locates: 2, frames: 2, stashBytes: 64 };
    const few = { ...tiny, groups: 1, groupOperations: 1, groupBytes: 128 };
    const sparse = { ...few, broadcastsSeen: 16, forgottenKernels: 2 };
    const outcomes = new Set<number>();
    for (let memoryBytes = 8192; memoryBytes < 262_144; memoryBytes += 448) {
      outcomes.add(bootWith({ ...sparse, memoryBytes }));
    }
    expect([...outcomes].sort()).toEqual([status.KERNEL_NOMEMORY, status.STD_OK].sort());
  });

  it("boots with the least of everything", () => {
    const least = Object.fromEntries(
      ["networks", "neighbours", "routes", "locations", "endpoints", "locates", "broadcastsSeen", "frames"]
        .concat(["frameBytes", "threads", "ports", "portCache", "clientKernels", "duplicateWindow"])
        .concat(["forgottenKernels", "stashBytes", "groups", "groupOperations", "groupBytes"])
        .map((name) => [name, 1]),
    );
    expect(bootWith(least)).toBe(status.STD_OK);
  });
});
