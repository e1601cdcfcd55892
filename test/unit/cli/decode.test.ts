// If one of these fails, `proteus decode` shows a wrong frame or stops at a bad line.

import { describe, expect, it } from "vitest";
import { decodeLines, frameOf } from "../../../control/cli/decode.js";
import { capturedFrames, kernel } from "../wire/golden.js";
import { listen } from "./command.js";

const good = capturedFrames[0]?.hex ?? "";

describe("proteus decode", () => {
  it("writes one JSON object a line, with the layers by name", async () => {
    const { stdout } = await listen(() => decodeLines(kernel, [good, good], true));
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      schema: 1,
      ethernet: { dst: "ffffffffffff", ethertype: "8146" },
      fragment: { type: "DATA", count: 0 },
      flip: { type: "MULTIDATA", messid: 1, proto: 1 },
      rpc: { type: "LOCATE", port: "e4b2c2985455" },
    });
  });

  it("goes on after a bad line and says which one it was", async () => {
    let bad = 0;
    const { stdout, stderr } = await listen(async () => {
      bad = await decodeLines(kernel, ["nonsense", "", "ffff", good], true);
    });
    expect(bad).toBe(2);
    const objects = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { error?: string });
    expect(objects.map(({ error }) => error !== undefined)).toEqual([true, true, false]);
    expect(stderr).toMatch(/^proteus: line 1: .*\nproteus: line 3: .*\n$/);
  });

  it("has a line for people for every captured frame", async () => {
    const { stdout, stderr } = await listen(() =>
      decodeLines(
        kernel,
        capturedFrames.map(({ hex }) => hex),
        false,
      ),
    );
    expect(stdout.trimEnd().split("\n")).toHaveLength(capturedFrames.length);
    expect(stderr).toBe("");
  });

  it("allows spaces, colons and 0x between the digits", () => {
    expect(frameOf("0x01 02:0A\t0xff\r")).toEqual(Uint8Array.of(1, 2, 10, 255));
  });

  it.each([
    ["012", /3 hex digits/],
    ["01g2", /"g" is not a hex digit/],
    ["00".repeat(65_537), /at most 65536 bytes/],
  ])("refuses %.10s", (line, error) => {
    expect(frameOf(line)).toMatch(error);
  });
});
