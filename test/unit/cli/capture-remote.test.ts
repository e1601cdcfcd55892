// A capture on a machine behind ssh, with programs in the places of ssh and of Proteus there. If
// one of these fails, losses there go unnoticed here, or nobody learns that it broke off.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { feedSink } from "../../../control/cli/capture-sinks.js";
import { versionDocument } from "../../../control/cli/version.js";
import { bytes, capturedFrames } from "../wire/golden.js";
import { proteus } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "capture-remote-"));
afterAll(() => rmSync(folder, { recursive: true }));

const frames = capturedFrames.slice(0, 9).map(({ hex }, index) => ({
  timeUs: 1_700_000_000_000_001 + index * 1000,
  outgoing: index % 2 === 0,
  bytes: bytes(hex),
}));

function program(name: string, lines: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** What a machine sends: to its last frame, and what comes when it is told to end. */
function feed(dropped: number): { begin: Buffer; end: Buffer } {
  const stream = new PassThrough({ highWaterMark: 1 << 22 });
  const sink = feedSink(["eth0"], stream);
  for (const frame of frames) sink.frame(0, frame);
  sink.flush();
  const begin = stream.read() as Buffer;
  const interfaces = [{ name: "eth0", frames: frames.length, dropped }];
  sink.close({ frames: frames.length, dropped, interfaces });
  return { begin, end: stream.read() as Buffer };
}

describe("a capture on a machine behind ssh", () => {
  /** Proteus there does this for `capture`. */
  function there(name: string, lines: string): void {
    const version = `if [ "$1" = version ]; then cat ${folder}/version; exit; fi`;
    const only = '[ "$*" = "capture local:eth0 --feed" ] || exit 9';
    process.env.PROTEUS_REMOTE = program(name, [version, only, lines].join("\n"));
  }
  const capture = (...words: string[]) => proteus("capture", "ssh:root@h1:eth0", ...words);

  beforeAll(() => {
    process.env.PROTEUS_SSH = program(
      "ssh",
      'while [ "$1" != root@h1 ]; do shift; done\nshift\nexec sh -c "$*"',
    );
    writeFileSync(join(folder, "version"), `${JSON.stringify(versionDocument())}\n`);
    for (const [name, dropped] of [
      ["whole", 0],
      ["holes", 3],
    ] as const) {
      const { begin, end } = feed(dropped);
      writeFileSync(join(folder, `${name}.begin`), begin);
      writeFileSync(join(folder, `${name}.end`), end);
    }
  });

  it("shows and writes what passes there, and ends it when it has enough", async () => {
    there(
      "whole",
      `cat ${folder}/whole.begin; cat >/dev/null; cat ${folder}/whole.end; touch ${folder}/ended`,
    );
    const path = join(folder, "whole.pcapng");
    const { stdout, stderr, exit } = await capture("--json", "-w", path, "--count", "7");
    expect({ exit, stderr }).toEqual({
      ...{ exit: 0, stderr: "listening on ssh:root@h1: eth0\neth0: 7 frames, 0 lost\n" },
    });
    const documents = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(documents).toHaveLength(8);
    expect(documents[1]).toMatchObject({
      time: "2023-11-14T22:13:20.001001Z",
      interface: "eth0",
      direction: "in",
    });
    expect(documents[7].summary).toMatchObject({ frames: 7, dropped: 0 });
    const file = readFileSync(path);
    let written = 0;
    for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4))
      if (file.readUInt32LE(at) === 6) written++;
    expect(written).toBe(7);
    expect(readFileSync(join(folder, "ended"), "utf8")).toBe("");
  });

  it("says what was lost there, with exit code 6", async () => {
    there("holes", `cat ${folder}/holes.begin; cat >/dev/null; cat ${folder}/holes.end; exit 6`);
    const { stderr, exit } = await capture("--duration", "300ms");
    expect(exit).toBe(6);
    expect(stderr).toContain("eth0: 9 frames, 3 lost");
  });

  it("that breaks off is an error, after what was taken", async () => {
    there("broken", `cat ${folder}/whole.begin; echo "connection reset" >&2; exit 255`);
    const { stdout, stderr, exit } = await capture();
    expect(exit).toBe(5);
    expect(stdout.trimEnd().split("\n")).toHaveLength(frames.length);
    expect(stderr).toMatch(/the capture on ssh:root@h1 broke off\n.*connection reset/);
  });

  it("that says something else is an error", async () => {
    there("rubbish", "echo Welcome to h1; cat >/dev/null");
    const { stderr, exit } = await capture("--json");
    expect(exit).toBe(5);
    expect(JSON.parse(stderr).error).toMatchObject({
      ...{ code: "REMOTE_LOST", why: expect.stringContaining("begins with something else") },
    });
  });

  it("that cannot begin says why, as Proteus there says it", async () => {
    there(
      "refused",
      "printf 'proteus: there is no interface eth0\\n  next:      name another\\n' >&2; exit 3",
    );
    const { stderr, exit } = await capture("--json");
    expect(exit).toBe(3);
    expect(JSON.parse(stderr).error).toMatchObject({
      ...{ code: "REMOTE_FAILED", why: "there is no interface eth0", hint: "name another" },
    });
  });
});
