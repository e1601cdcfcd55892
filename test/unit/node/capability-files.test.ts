// Capabilities that servers get in files. If one of these fails, a server takes a capability that
// others could have read, or does not find those that are there.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { capabilityHex } from "../../../control/capability/capability.js";
import { capabilitiesIn } from "../../../control/node/capability-files.js";

const folder = mkdtempSync(join(tmpdir(), "capabilities-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const hex = (digit: string): string => digit.repeat(32);
function file(path: string, text: string, mode = 0o600): string {
  const whole = join(folder, path);
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, text, { mode });
  chmodSync(whole, mode);
  return whole;
}
const found = (patterns: readonly string[], server = "bullet"): string[] =>
  capabilitiesIn(patterns, server).map(capabilityHex);

describe("a file of capabilities", () => {
  it("has one a line, or is what an agent gave out", () => {
    expect(found([file("lines", `${hex("1")}\n\n  ${hex("2")}\n`)])).toEqual([hex("1"), hex("2")]);
    const ready = (digit: string) => JSON.stringify({ capabilities: { bullet: hex(digit) } });
    file("nodes/n2/ready.json", ready("4"));
    file("nodes/n1/ready.json", ready("3"));
    file("nodes/n3/ready.json", JSON.stringify({ capabilities: { sys: hex("5") } }));
    mkdirSync(join(folder, "nodes/n4"));
    const all = join(folder, "nodes/*/ready.json");
    expect(found([all])).toEqual([hex("3"), hex("4")]);
    expect(found([all], "sys")).toEqual([hex("5")]);
    expect(found([join(folder, "none"), join(folder, "none/*")])).toEqual([]);
  });

  it("is refused when others may read it, or when it holds something else", () => {
    const open = file("open", hex("1"), 0o644);
    expect(() => found([open])).toThrow(expect.objectContaining({ code: "CAPABILITY_FILE_UNFIT" }));
    const wrong = file("wrong", "no capability");
    expect(() => found([wrong])).toThrow(expect.objectContaining({ code: "CAPABILITY_FILE_UNFIT" }));
  });
});
