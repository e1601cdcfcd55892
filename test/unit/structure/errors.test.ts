// What the sources say of errors, and the reference of their codes. If one of these fails, a
// program meets a code that the manual does not know, or a person an error that leads nowhere.

import ts from "typescript";
import { describe, expect, it } from "vitest";
import { errorCodes } from "../../../control/cli/manual/errors.js";
import { statusMeanings } from "../../../control/kernel/errors.js";
import { lineOf, parse, type Source, sourcesBelow, walk } from "./sources.js";

const sources = ["boot", "control", "drivers", "simulation"].flatMap((folder) => sourcesBelow(folder));

/** Texts that look like a code and are none: names of variables, capabilities, options, statuses. */
const others =
  /^(PROTEUS|XDG|CAP|LEVEL|ERR|SO|PACKET)_|^(NO_COLOR|FORCE_COLOR|STD_OK|FRAME_TAKEN)$|^(RPC|BC|STD|KERNEL)_/;
const single = new Set(["USAGE", "BUG", "TIMEOUT"]);

function codesIn(source: Source): string[] {
  const found: string[] = [];
  walk(parse(source), (node) => {
    if (!ts.isStringLiteral(node)) return;
    const { text } = node;
    if (single.has(text) || (/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(text) && !others.test(text)))
      found.push(text);
  });
  return found;
}

describe("the reference of error codes", () => {
  const listed = errorCodes.map(({ code }) => code);

  it("has every code of the sources, and no other", () => {
    const statuses = new Set(statusMeanings.map(({ code }) => code));
    const used = new Set(
      sources.filter(({ path }) => path !== "control/cli/manual/errors.ts").flatMap(codesIn),
    );
    const kernelMissing = ["KERNEL_MISSING"]; // looks like a status, and is none
    expect([...used].filter((code) => !listed.includes(code))).toEqual([]);
    expect(listed.filter((code) => !statuses.has(code) && !used.has(code))).toEqual(kernelMissing);
  });

  it("has each code once, with words", () => {
    expect(new Set(listed).size).toBe(listed.length);
    for (const { code, meaning } of errorCodes) expect(meaning, code).toMatch(/\w/);
  });
});

describe("an error in the sources", () => {
  it("says what to do next", () => {
    const silent: string[] = [];
    for (const source of sources)
      walk(parse(source), (node) => {
        if (!ts.isNewExpression(node) || node.expression.getText() !== "ProteusError") return;
        const [facts] = node.arguments ?? [];
        if (facts === undefined || !ts.isObjectLiteralExpression(facts)) return;
        const names = facts.properties.map((each) => each.name?.getText() ?? "...");
        if (!names.includes("hint") && !names.includes("...")) silent.push(`${source.path}:${lineOf(node)}`);
      });
    expect(silent).toEqual([]);
  });
});
