// Rules that keep every file readable: a header that says what it is for, and lines and
// characters that any editor and diff shows the same.

import { describe, expect, it } from "vitest";
import { type Source, sourcesBelow } from "./sources.js";

const lineLengthMax = 120; // the formatter breaks code at 110; drawings and strings may reach this
const headerLinesMin = (path: string) => (path.startsWith("test/") ? 1 : 2);

/** What is wrong with a file's text, one sentence each. */
function fileFaults({ path, text }: Source): string[] {
  const found: string[] = [];
  const lines = text.split("\n");
  const content = lines[0]?.startsWith("#!") ? lines.slice(1) : lines;
  const header = content.findIndex((line) => !line.startsWith("//"));
  if (header < headerLinesMin(path))
    found.push(`${path} does not open with a comment that says what it is for`);
  if (!text.endsWith("\n") || text.endsWith("\n\n")) found.push(`${path} does not end with one line end`);
  for (const [index, line] of lines.entries()) {
    const where = `${path}:${index + 1}`;
    if (/\t/.test(line)) found.push(`${where} has a tab`);
    if (/\s$/.test(line)) found.push(`${where} ends in blanks`);
    if (line.length > lineLengthMax && !/https?:|^import |from "/.test(line)) {
      found.push(`${where} is longer than ${lineLengthMax}`);
    }
  }
  return found;
}

describe("every source file", () => {
  it("opens with its purpose and has plain lines of at most 120 characters", () => {
    expect(sourcesBelow().flatMap(fileFaults)).toEqual([]);
  });

  it("is refused with a tab, a trailing blank, a long line or no header", () => {
    const text = `const a = 1; \n\tconst b = 2;\nconst c = "${"x".repeat(lineLengthMax)}";`;
    expect(fileFaults({ path: "control/lab/up.ts", text })).toHaveLength(5);
  });
});
