// Every part of the kernel stands beside its native counterpart, and no goal is called met that
// is not, nor one that nobody measured.

import { describe, expect, it } from "vitest";
import {
  blockText,
  kernelRatiosOf,
  kernelRemarksOf,
  kernelResultOf,
  planKernelCases,
} from "../../../../control/bench/kernel/plan.js";
import {
  type KernelCase,
  type KernelOperation,
  type KernelResult,
  kernelTests,
} from "../../../../control/bench/kernel/types.js";
import { kernelReportText } from "../../../../control/cli/bench-kernel-table.js";

const row = (
  operation: KernelOperation,
  system: KernelCase["system"],
  bytes: number | null,
  nanoseconds: number,
): KernelResult => kernelResultOf({ test: "kernel-copy", operation, system, bytes }, [nanoseconds]);

describe("the plan", () => {
  it("puts both sides of every operation and size next to each other", () => {
    const cases = planKernelCases({ tests: kernelTests, blocks: [65_536, 64, 64] });
    expect(new Set(cases.map(({ test }) => test))).toEqual(new Set(kernelTests));
    for (let i = 0; i < cases.length; i += 2) {
      expect(cases[i]).toMatchObject({ system: "wasm" });
      expect(cases[i + 1]).toEqual({ ...cases[i], system: "native" });
    }
    expect(cases.filter(({ operation }) => operation === "copy").map(({ bytes }) => bytes)).toEqual([
      64, 64, 65_536, 65_536,
    ]);
    expect(cases.filter(({ operation }) => operation === "codec").map(({ bytes }) => bytes)).toEqual([
      null,
      null,
    ]);
  });

  it("takes only what was asked for", () => {
    const cases = planKernelCases({ tests: ["kernel-checksum"], blocks: [4096], systems: ["native"] });
    expect(cases.map(({ operation, system }) => [operation, system])).toEqual([
      ["hash", "native"],
      ["crc", "native"],
    ]);
  });
});

describe("a row", () => {
  it("is the median of its runs, with bytes a nanosecond as GB a second", () => {
    const each = planKernelCases({ tests: ["kernel-copy"], blocks: [1000] })[0] as KernelCase;
    expect(kernelResultOf(each, [300, 100, 200])).toMatchObject({
      ...{ nanoseconds: 200, gigabytesPerSecond: 5, runs: 3, spread: 1 },
    });
    expect(kernelResultOf(each, [], "no compiler")).toMatchObject({
      ...{ nanoseconds: null, gigabytesPerSecond: null, runs: 0, spread: null, problem: "no compiler" },
    });
  });
});

describe("the goals", () => {
  it("are met or missed on the right side", () => {
    const good = [
      row("codec", "wasm", null, 8),
      row("match", "wasm", null, 20),
      row("segment", "wasm", null, 40),
    ];
    expect(kernelRatiosOf(good).map(({ met }) => met)).toEqual([true, true, true]);
    const bad = [
      row("codec", "wasm", null, 8.1),
      row("match", "wasm", null, 21),
      row("segment", "wasm", null, 41),
    ];
    expect(kernelRatiosOf(bad).map(({ met }) => met)).toEqual([false, false, false]);
  });

  it("hold block copy against memcpy of the same size, from 4 KiB up", () => {
    const results = [
      ...[row("copy", "wasm", 1024, 100), row("copy", "native", 1024, 10)],
      ...[row("copy", "wasm", 4096, 4), row("copy", "native", 4096, 3.75)],
      ...[row("copy", "wasm", 65_536, 4), row("copy", "native", 65_536, 2)],
    ];
    const ratios = kernelRatiosOf(results);
    expect(ratios.map(({ value, met }) => [value, met])).toEqual([
      [0.9375, true],
      [0.5, false],
    ]);
    expect(ratios[0]?.name).toContain("4K");
  });

  it("ask 10 GB/s of XXH3-64, and nothing of what was not measured", () => {
    const slow = row("hash", "wasm", 4096, 4096 / 9.9);
    const fast = row("hash", "wasm", 65_536, 65_536 / 10);
    expect(kernelRatiosOf([slow, fast]).map(({ met }) => met)).toEqual([false, true]);
    expect(kernelRatiosOf([row("hash", "native", 4096, 1), row("crc", "wasm", 4096, 1)])).toEqual([]);
    expect(kernelRatiosOf([row("copy", "wasm", 4096, 1)])).toEqual([]);
  });
});

describe("the report", () => {
  it("shows both sides in one row, and a problem once", () => {
    const missing = { test: "kernel-checksum", operation: "hash", system: "native" } as const;
    const text = kernelReportText({
      environment: {
        ...{ proteus: "1", node: "v20", kernel: "6", cpu: "x", cores: 2, load: 3, runs: 1, compiler: null },
      },
      results: [
        row("copy", "wasm", 4096, 40.96),
        row("copy", "native", 4096, 20.48),
        kernelResultOf({ ...missing, bytes: 64 }, [], "xxhash.h is not installed"),
        kernelResultOf({ ...missing, bytes: 4096 }, [], "xxhash.h is not installed"),
      ],
      ratios: [],
      remarks: kernelRemarksOf([row("segment", "wasm", null, 1)], 3),
    });
    expect(text).toMatch(/block copy +4K +40\.96 +0% +20\.48 +0% +100\.0 +200\.0/);
    expect(text.match(/is not installed/g)).toHaveLength(1);
    expect(text).toContain("load 3.0");
    expect(text).toContain("malloc");
  });

  it.each([
    [64, "64"],
    [1024, "1K"],
    [65_536, "64K"],
    [1_048_576, "1M"],
    [1500, "1500"],
  ])("writes %i bytes as %s", (bytes, text) => {
    expect(blockText(bytes)).toBe(text);
  });
});
