// If one of these fails, the dissector does not know what the tables say. What tshark makes of
// it: test/end-to-end/dissector.test.ts.

import { describe, expect, it } from "vitest";
import { layers } from "../../../control/cli/dissector/fields.js";
import { generateDissector } from "../../../control/cli/dissector/generate.js";
import { dissectorText } from "../../../control/cli/dissector.js";
import { knownOperations } from "../../../control/interface/tables.js";
import * as formats from "../../../core-wasm/wire/formats.js";
import { proteus } from "./command.js";

describe("the dissector", () => {
  it("is what `proteus dissector` writes, the same every time", async () => {
    const { stdout, exit } = await proteus("dissector");
    expect(exit).toBe(0);
    expect(stdout).toBe(dissectorText());
  });

  it("has every constant of the wire and every operation of every server", () => {
    const text = dissectorText();
    for (const [name, value] of Object.entries(formats)) expect(text).toContain(`  ${name} = ${value},\n`);
    for (const { number, name, server } of knownOperations())
      expect(text).toMatch(new RegExp(`\\[${number}\\] = ".*${name} \\(${server}\\)`));
  });

  it("names an operation as soon as a table has it, beside others of its number", () => {
    const fixture = [
      { server: "one", number: 4711, name: "melt", summary: "" },
      { server: "two", number: 4711, name: "freeze", summary: "" },
    ];
    expect(generateDissector("", fixture, "1")).toContain('[4711] = "melt (one), freeze (two)",');
  });

  it("writes text that cannot end a string of Lua", () => {
    const nasty = [{ server: 'a"]]', number: 1, name: "b\\\n\u00e9", summary: "" }];
    expect(generateDissector("", nasty, "1")).toContain(
      '[1] = "b\\092\\010\\195\\169 (a\\034\\093\\093)"'.replaceAll("\\093", "]"),
    );
  });

  it("has no number of the wire in its code: those come from the table", () => {
    for (const fields of Object.values(layers))
      for (const { at, bytes } of fields) expect(at >= 0 && bytes > 0).toBe(true);
    const code = generateDissector("-- CODE", [], "1");
    expect(code.trimEnd().endsWith("-- CODE")).toBe(true);
  });
});
