// If one of these fails, a capability copied from an original's shell is read wrongly.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../control/kernel/bytes.js";
import type { TextForm } from "../../../control/kernel/offline.js";
import { amoeba5, bytes, kernel } from "./golden.js";

describe("text forms", () => {
  it.each(amoeba5.ascii)("$ar_cap", ({ cap, ar_cap, ar_port, ar_priv }) => {
    const all = bytes(cap);
    expect(kernel.format("capability", all)).toBe(ar_cap);
    expect(kernel.format("port", all.subarray(0, 6))).toBe(ar_port);
    expect(kernel.format("private", all.subarray(6))).toBe(ar_priv);
    expect(kernel.parse("capability", ar_cap)).toEqual(all);
    expect(kernel.parse("capability", ar_cap.toLowerCase())).toEqual(all);
    expect(kernel.parse("port", ar_port)).toEqual(all.subarray(0, 6));
    expect(kernel.parse("private", ar_priv)).toEqual(all.subarray(6));
  });

  it("shows FLIP addresses in lower case", () => {
    expect(kernel.format("flip", bytes("8cc94db6f8d81900"))).toBe("8c:c9:4d:b6:f8:d8:19:0");
  });

  it("come back as the bytes they were made of", () => {
    const forms: [TextForm, number][] = [
      ["port", 6],
      ["private", 10],
      ["capability", 16],
      ["flip", 8],
    ];
    for (const [form, length] of forms) {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (value) => {
          expect(toHex(kernel.parse(form, kernel.format(form, value)) ?? new Uint8Array())).toBe(
            toHex(value),
          );
        }),
      );
    }
  });

  it.each([
    ["port", ""],
    ["port", "1:2:3:4:5"],
    ["port", "1:2:3:4:5:6:"],
    ["port", "1:2:3:4:5:100"],
    ["port", "1:2:3:4:5:g"],
    ["port", "1::3:4:5:6"],
    ["private", "(FF)/1:2:3:4:5:6"],
    ["private", "16777216(FF)/1:2:3:4:5:6"],
    ["private", "99999999999999999999(FF)/1:2:3:4:5:6"],
    ["private", "17()/1:2:3:4:5:6"],
    ["private", "17(100)/1:2:3:4:5:6"],
    ["private", "17(FF)1:2:3:4:5:6"],
    ["capability", "1:2:3:4:5:6/17(FF)"],
    ["capability", "1:2:3:4:5:6 17(FF)/1:2:3:4:5:6"],
    ["flip", "1:2:3:4:5:6"],
  ] as [TextForm, string][])("refuse %s %j", (form, text) => {
    expect(kernel.parse(form, text)).toBeUndefined();
  });
});
