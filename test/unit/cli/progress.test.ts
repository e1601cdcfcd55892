// How far a long command is, and colours. If one of these fails, a log fills with lines, or a
// terminal shows escapes.

import { describe, expect, it } from "vitest";
import { ProgressLine } from "../../../control/cli/bench-options.js";
import { hasColours } from "../../../control/cli/output.js";

describe("progress", () => {
  const said = (isTTY: boolean): string[] => {
    const lines: string[] = [];
    let now = 0;
    const stream = { isTTY, write: (text: string) => lines.push(text) } as unknown as typeof process.stderr;
    const line = new ProgressLine(stream, () => now);
    for (let done = 0; done < 10; done++) {
      line.say(["null-rpc", "flip"], done, 10);
      now += 4000;
    }
    line.clear();
    return lines;
  };

  it("is one line that is written over on a terminal", () => {
    const lines = said(true);
    expect(lines).toHaveLength(11);
    expect(lines[3]).toBe("\r\x1b[K30%  null-rpc  flip");
    expect(lines.at(-1)).toBe("\r\x1b[K");
  });

  it("is a plain line now and then elsewhere", () => {
    expect(said(false)).toEqual(["30%  null-rpc  flip\n", "60%  null-rpc  flip\n", "90%  null-rpc  flip\n"]);
  });
});

describe("colours", () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [false, { FORCE_COLOR: "1" }, true],
    [true, { FORCE_COLOR: "0" }, false],
    [false, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [true, { TERM: "dumb" }, false],
  ] as const)("on a terminal: %s, with %j: %s", (isTTY, environment, expected) => {
    expect(hasColours({ isTTY }, environment)).toBe(expected);
  });
});
