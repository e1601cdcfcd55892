// C, TypeScript and AssemblyScript must see the same numbers, so the header's maker may
// not pass over a line that it does not understand.

import { describe, expect, it } from "vitest";
import { defines } from "../../../scripts/kernel-header.mjs";

describe("the C header of the kernel's constants", () => {
  it("has one definition a constant", () => {
    const source =
      "// Text\nexport const A = 1; // one\n\nexport const B: u32 = 0x8146;\nexport const C = -3;\n";
    expect(defines(source, "status")).toEqual([
      "#define PROTEUS_A 1",
      "#define PROTEUS_B 0x8146",
      "#define PROTEUS_C (-3)",
    ]);
  });

  it.each(["export const A = B + 1;", "const A = 1;", "export function f(): void {}"])(
    "refuses %s",
    (line) => {
      expect(() => defines(line, "status")).toThrow("core-wasm/status.ts:1");
    },
  );
});
