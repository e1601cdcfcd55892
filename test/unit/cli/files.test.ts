// What commands for files say. If one of these fails, a name does something to a terminal, or a
// log fills with bars.

import { describe, expect, it } from "vitest";
import { treeText } from "../../../control/cli/files/list.js";
import { clockText, TransferProgress } from "../../../control/cli/files/progress.js";
import { bytesText, shown } from "../../../control/cli/files/report.js";
import { proteus } from "./command.js";

describe("a transfer", () => {
  const said = (isTTY: boolean, json = false): string[] => {
    const lines: string[] = [];
    let now = 0;
    const progress = new TransferProgress(json, { isTTY, write: (text) => lines.push(text) }, () => now);
    progress.whole = { files: 4, bytes: 4 * 1024 * 1024 };
    for (let done = 0; done < 4; done++) {
      now += 400;
      progress.moved(1024 * 1024);
      progress.file();
    }
    progress.clear();
    return lines;
  };

  it("shows a bar with rate and time left on a terminal", () => {
    expect(said(true)[0]).toBe(
      "\r\x1b[K50%  [============            ]  1/4 files  2.0/4.0 MiB  2.5 MiB/s  0:01 left",
    );
    expect(said(true).at(-1)).toBe("\r\x1b[K");
  });

  it("is quiet elsewhere, and with --json", () => {
    expect(said(false)).toEqual([]);
    expect(said(true, true)).toEqual([]);
  });

  it("says time and sizes for people", () => {
    expect([5, 65, 3725].map(clockText)).toEqual(["0:05", "1:05", "1:02:05"]);
    expect([1, 1023, 1536, 3 * 1024 ** 3].map(bytesText)).toEqual([
      "1 byte",
      "1023 bytes",
      "1.5 KiB",
      "3.0 GiB",
    ]);
  });
});

describe("names", () => {
  it("do nothing to a terminal", () => {
    expect(shown("a\x1b[31m\n\u202eb é")).toBe("a\\u{1b}[31m\\u{a}\\u{202e}b é");
  });

  it("are drawn as a tree", () => {
    const entry = (path: string, isDirectory = false) => ({
      ...{ path, name: path === "/" ? "/" : path.slice(path.lastIndexOf("/") + 1), isDirectory, masks: [] },
    });
    const entries = [entry("/", true), entry("/a", true), entry("/a/x"), entry("/a/y"), entry("/b")];
    expect(treeText(entries)).toBe("/\n├── a/\n│   ├── x\n│   └── y\n└── b");
  });
});

describe("a command for files", () => {
  const root = "e4b2c2985455110000ff1125f2c66632";
  it.each([
    [["put", "one"], 2, "it is not said where the file goes"],
    [["mv", "/a"], 2, "it is not said where to"],
    [["find", "--type", "x"], 2, '"x" is no type'],
    [["ls", "--root", "a:b:c"], 2, "names nothing"],
    [["ls", "--root", root, "--timeout", "never"], 2, "is not a duration"],
    [["gc", "--server", "e4b2c2985455", "--root", root], 2, "is a port alone"],
    [["put", "a", "/a", "--root", root, "--copies", "9"], 2, "is not a count"],
  ])("%j ends with %d: %s", async (words, exit, message) => {
    const outcome = await proteus(...words);
    expect(outcome.stderr).toContain(message);
    expect(outcome.exit).toBe(exit);
  });
});
