// A kernel that imports anything else, or brings its own memory, would not run on the
// other hosts: the build must refuse it.

import { describe, expect, it } from "vitest";
import { faults } from "../../../scripts/check-kernel.mjs";

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const memory = [...name("env"), ...name("memory"), 2, 0, 1]; // at least one page, no maximum
const bounded = [...name("env"), ...name("memory"), 2, 1, 1, 2];
const called = (from: string, what: string): number[] => [...name(from), ...name(what), 0, 0];

/** A module with one function type and these imports. */
function moduleOf(...imports: number[][]): Uint8Array {
  const section = [imports.length, ...imports.flat()];
  return new Uint8Array([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    1,
    4,
    1,
    0x60,
    0,
    0,
    2,
    section.length,
    ...section,
  ]);
}

describe("the check of the built kernel", () => {
  it("accepts the memory and the four calls", () => {
    const calls = ["transmit", "random", "log", "trap"].map((call) => called("env", call));
    expect(faults(moduleOf(memory, ...calls))).toEqual([]);
  });

  it("refuses another import", () => {
    expect(faults(moduleOf(memory, called("env", "abort")))).toEqual(["imports env.abort (function)"]);
    expect(faults(moduleOf(memory, called("wasi", "log")))).toEqual(["imports wasi.log (function)"]);
  });

  it("refuses a memory of its own, and one with a maximum", () => {
    expect(faults(moduleOf())).toEqual(["does not import its memory"]);
    expect(faults(moduleOf(bounded))).toEqual(["declares a maximum for its memory"]);
  });
});
