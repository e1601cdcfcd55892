// The program that merges contents of a volume: if one of these fails, what it says of a failure is taken
// for a merged content, or its folder stays behind.

import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { mergeBy } from "../../../../control/node/fs/merge.js";

const folder = mkdtempSync(join(tmpdir(), "merge-test-"));
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\ncd ${folder}\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("a program that merges", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("gets three contents, and writes one", async () => {
    const merge = mergeBy(program("cat", 'echo "$1" > used; cat "$1" "$2" "$3" > "$4"'));
    const merged = await merge(bytes("base "), bytes("server "), bytes("client"));
    expect(Buffer.from(merged ?? []).toString()).toBe("base server client");
  });

  it.each([
    ["fails", 'cat "$2" > "$4"; exit 1'],
    ["writes nothing", "exit 0"],
  ])("has merged nothing when it %s", async (_, script) => {
    expect(await mergeBy(program("bad", script))(bytes("b"), bytes("s"), bytes("c"))).toBeNull();
  });

  it("has merged nothing when it is not there, and others go on", async () => {
    const merge = mergeBy(join(folder, "none"));
    expect(await Promise.all([1, 2].map(() => merge(bytes("b"), bytes("s"), bytes("c"))))).toEqual([
      null,
      null,
    ]);
    expect(readdirSync(folder)).not.toContain("merged");
  });
});
