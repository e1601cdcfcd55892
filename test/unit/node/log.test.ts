// If one of these fails, a log cannot be read by the program that collects it, or ends
// before its last line.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const source = fileURLToPath(new URL("../../../dist/control/node/log.js", import.meta.url));

/** What a program of its own writes to stderr. */
function logged(options: object, then: string): string {
  const all = { level: "info", format: "json", name: "n1", colours: false, ...options };
  const script = `import { openLog } from ${JSON.stringify(source)};
    const { log, close } = openLog(${JSON.stringify(all)});
    ${then}`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect([ended.status, ended.stdout]).toEqual([0, ""]);
  return ended.stderr;
}

const lines =
  'log.debug("hidden"); log.info({ drops: 3 }, "lost\\nframes"); log.error("bad"); await close(); process.exit(0)';

describe("a log", () => {
  it("is one JSON document a line, with level, time and node, also the last line", () => {
    const documents = logged({}, lines)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(documents).toMatchObject([
      { level: "info", node: "n1", drops: 3, msg: "lost\nframes" },
      { level: "error", node: "n1", msg: "bad" },
    ]);
    for (const { time } of documents) expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("for people has a line each, and colours only where they are wanted", () => {
    const text = logged({ format: "pretty" }, lines);
    expect(text).toMatch(/^\[[\d:. -]+\] INFO: lost/);
    expect(text).toContain('{"drops":3}');
    expect(text.endsWith("ERROR: bad\n")).toBe(true);
    expect(text).not.toContain("\u001b");
    expect(logged({ format: "pretty", colours: true }, lines)).toContain("\u001b[");
  });

  it("is as silent as its level says", () => {
    expect(logged({ level: "silent" }, lines)).toBe("");
    expect(logged({ level: "debug" }, lines)).toContain("hidden");
  });
});
