// Imports run one way, so that each part can be read, tested and replaced without what
// stands above it.

import { describe, expect, it } from "vitest";
import { arrowFaults } from "./arrows.js";
import { sourcesBelow } from "./sources.js";

const places = /^(core-wasm|drivers|control|simulation|boot|test)\//;

describe("the arrows", () => {
  it("are followed by every source file", () => {
    const sources = sourcesBelow().filter(
      ({ path }) => places.test(path) && !path.startsWith("test/as-pect-shim"),
    );
    expect(sources.length).toBeGreaterThan(0);
    expect(arrowFaults(sources)).toEqual([]);
  });

  it("let a part import what stands below it, and itself", () => {
    const text = 'import type { Device } from "../../drivers/device.js"; import { a } from "./other.js";';
    expect(arrowFaults([{ path: "control/kernel/host.ts", text }])).toEqual([]);
  });

  it.each([
    ["drivers/memory/lan.ts", 'import { boot } from "../../control/kernel/boot.js";'],
    ["drivers/memory/lan.ts", 'export { boot } from "../../control/kernel/boot.js";'],
    ["drivers/memory/lan.ts", 'import type { Boot } from "../../control/kernel/boot.js";'],
    ["control/node/agent.ts", 'const lab = await import("../lab/up.js");'],
    ["control/kernel/load.ts", 'import { check } from "../../core-wasm/wire/flip.js";'],
    ["control/lab/up.ts", 'import { build } from "../../scripts/build.mjs";'],
    ["control/elsewhere/new.ts", 'import type { Device } from "../../drivers/device.js";'],
    ["control/server/echo/serve.ts", 'import { list } from "../directory/list.js";'],
    ["core-wasm/wire/flip.ts", 'import { find } from "../flip/routes";'],
    ["core-wasm/flip/switch.ts", 'import { receive } from "../kernel";'],
    ["core-wasm/layout.ts", 'import { LIMIT_FIELDS } from "./limits2";'],
  ])("stop %s with %s", (path, text) => {
    expect(arrowFaults([{ path, text }])).toHaveLength(1);
  });
});
