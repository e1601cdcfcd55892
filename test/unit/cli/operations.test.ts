// The commands of servers: mistakes in what was typed cost no call, and say what to type.

import { describe, expect, it } from "vitest";
import { offlineKernel } from "../../../control/cli/package-files.js";
import { parseValue, plain, replyText } from "../../../control/cli/values.js";
import { inBuffer, inOffset } from "../../../control/interface/fields.js";
import { boolean, bytes, capability, int64 } from "../../../control/interface/types.js";
import { proteus } from "./command.js";

const hex = "e4b2c2985455110000ff1125f2c66632";

describe("a server's command", () => {
  it.each([
    [["segment", "create", hex], "--bytes"],
    [["segment", "create", hex, "--bytes", "many"], '"many" is not a number'],
    [["segment", "read", "a:b:c", "--position", "0"], '"a:b:c" names nothing'],
    [["segment", "write", hex], "nothing is to be written"],
    [["segment", "write", hex, "--data", "x", "--file", "y"], "--data and --file are both given"],
    [["segment", "read", hex, "--length", "2M", "--json"], "are too many to show"],
    [["std", "copy", hex, "--source", "1234"], '"1234" is not a capability'],
    [["std", "setparams", hex, "--settings", "lifetime"], "is not NAME=VALUE"],
    [["segment", "shrink", hex], "unknown command 'shrink'"],
  ])("refuses %s", async (words, said) => {
    const { exit, stdout, stderr } = await proteus(...words);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(said);
  });

  it("says so in JSON too", async () => {
    const { exit, stderr } = await proteus("segment", "create", hex, "--bytes", "x", "--json");
    expect(exit).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ schema: 1, error: { code: "NUMBER_INVALID", exit: 2 } });
  });
});

describe("values", () => {
  const parse = (field: Parameters<typeof parseValue>[0], text: string) =>
    parseValue(field, text, offlineKernel);

  it("are typed as the table says", () => {
    expect(parse(inOffset(""), "64K")).toBe(65536);
    expect(parse(inOffset(""), "-0x10")).toBe(-16);
    expect(parse(inBuffer(int64, ""), "-9007199254740993")).toBe(-9007199254740993n);
    expect(parse(inBuffer(boolean, ""), "yes")).toBe(true);
    expect(parse(inBuffer(bytes, ""), "hex:0aff")).toEqual(Uint8Array.of(10, 255));
    expect(plain(parse(inBuffer(capability, ""), hex))).toBe(hex);
  });

  it("are shown as tables, names and values, or alone", () => {
    expect(replyText({ seconds: 5, data: Uint8Array.of(1, 255) })).toBe("seconds 5\ndata 01ff");
    expect(replyText({ text: "plain" })).toBe("plain");
    expect(replyText({ text: '{"a":1}' })).toBe('{\n  "a": 1\n}');
    expect(replyText({ count: 1, list: [{ name: "x", value: 2n }] })).toBe("count 1\nNAME  VALUE\nx     2");
  });
});
