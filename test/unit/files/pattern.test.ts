// Patterns for names, as a shell has them. If one of these fails, `proteus find` misses a name
// or never ends.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { patternOf } from "../../../control/files/pattern.js";

describe("a pattern", () => {
  it.each([
    ["*", ["", "a", "a.b"], []],
    ["*.ts", [".ts", "a.ts", "a.ts.ts"], ["a.js", "ts"]],
    ["a?c", ["abc", "a.c"], ["ac", "abbc"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "x", "-x"]],
    ["[!a-c]x", ["dx"], ["ax", "x"]],
    ["[]x]", ["]", "x"], ["[", ""]],
    ["[a", ["[a"], ["a"]],
    ["\\*", ["*"], ["a", ""]],
    ["a*b*c", ["abc", "aXbYc", "abbcc"], ["acb", "ab"]],
    ["?", ["é", "💾"], ["", "ab"]],
  ])("%s fits %j and not %j", (pattern, good, bad) => {
    const fits = patternOf(pattern);
    expect(good.filter((name) => !fits(name))).toEqual([]);
    expect(bad.filter((name) => fits(name))).toEqual([]);
  });

  it("fits as a regular expression would", () => {
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, name, (each, text) => {
        const expression = new RegExp(`^${each.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(patternOf(each)(text)).toBe(expression.test(text));
      }),
    );
  });

  it("ends soon, however many stars it has", () => {
    expect(patternOf(`${"*a".repeat(60)}*b`)("a".repeat(250))).toBe(false);
  });
});
