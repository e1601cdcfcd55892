// If one of these fails, `doctor` hides what a machine lacks, or does not say what mends it.

import { describe, expect, it } from "vitest";
import { allChecks, type Check, purposes } from "../../../control/cli/doctor/checks.js";
import { examine, exitOf } from "../../../control/cli/doctor.js";
import { proteus } from "./command.js";

const check = (name: string, ok: boolean, required: boolean): Check => ({
  name,
  why: "because",
  for: ["lab"],
  required,
  look: () => ({ ok, seen: "seen", mend: `mend ${name}` }),
});

describe("an examination", () => {
  it("tells what is missing from what is only poorer, and gives the command for both", async () => {
    const findings = await examine(
      [check("a", true, true), check("b", false, true), check("c", false, false)],
      ["lab"],
    );
    expect(findings.map(({ state, mend }) => [state, mend])).toEqual([
      ["ok", null],
      ["missing", "mend b"],
      ["poorer", "mend c"],
    ]);
    expect([exitOf(findings), exitOf(findings.slice(0, 1)), exitOf(findings.slice(2))]).toEqual([1, 0, 6]);
  });

  it("looks only at what a purpose needs", async () => {
    expect(await examine([check("a", false, true)], ["node", "bench"])).toEqual([]);
  });
});

describe("the table of checks", () => {
  it("has each thing once, with what it is for", () => {
    const checks = allChecks();
    expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length);
    for (const { why, for: those } of checks) {
      expect(why).toMatch(/\w/);
      expect(those.length).toBeGreaterThan(0);
    }
    for (const purpose of purposes) expect(checks.some((each) => each.for.includes(purpose))).toBe(true);
  });
});

describe("proteus doctor", () => {
  it("says what it saw of every package that developers need, as JSON", async () => {
    const { stdout, exit } = await proteus("doctor", "--for", "development", "--json");
    const { schema, checks } = JSON.parse(stdout);
    expect(schema).toBe(1);
    expect([0, 1, 6]).toContain(exit);
    expect(checks.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(["Node.js", "kernel", "gcc", "tshark"]),
    );
    for (const { state, mend } of checks) expect(mend === null).toBe(state === "ok");
  });

  it("refuses a purpose that it does not know", async () => {
    expect((await proteus("doctor", "--for", "fun")).exit).toBe(2);
  });
});
