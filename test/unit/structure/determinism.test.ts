// The same seed must give the same run: code that the simulator runs reads no clock,
// no randomness and no disk of its own.

import { describe, expect, it } from "vitest";
import { determinismFaults } from "./determinism.js";
import { sourcesBelow } from "./sources.js";

const places = /^(core-wasm|control|simulation|boot)\//;

describe("the determinism lint", () => {
  it("passes for every source file", () => {
    expect(determinismFaults(sourcesBelow().filter(({ path }) => places.test(path)))).toEqual([]);
  });

  it.each([
    "const now = Date.now();",
    "const now = new Date();",
    "setTimeout(() => {}, 1);",
    "const later = { wake: setImmediate };",
    "const n = Math.random();",
    "const t = performance.now();",
    "const t = process.hrtime.bigint();",
    "const t = globalThis.Date.now();",
    'import { readFileSync } from "node:fs";',
    'import { open } from "node:fs/promises";',
    'const net = await import("node:net");',
    'import { randomBytes } from "node:crypto";',
    'import koffi from "koffi";',
  ])("stops %s in a server", (text) => {
    expect(determinismFaults([{ path: "control/server/echo/echo.ts", text }])).toHaveLength(1);
  });

  it.each([
    "interface Clock { setTimeout(callback: () => void): void }",
    "export const at = (clock: { Date: number }) => clock.Date;",
    'import { posix } from "node:path";',
  ])("leaves %s alone", (text) => {
    expect(determinismFaults([{ path: "control/server/echo/echo.ts", text }])).toEqual([]);
  });

  it("lets a driver read the clock", () => {
    expect(determinismFaults([{ path: "drivers/ethernet/open.ts", text: "Date.now();" }])).toEqual([]);
  });
});
