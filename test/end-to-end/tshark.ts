// Runs tshark with the dissector of this version on frames, and gives what it saw: the fields
// of each frame by their names, as tshark writes them.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dissectorText } from "../../control/cli/dissector.js";
import { pcapHead, pcapRecord } from "../../drivers/capture/pcap.js";

const deadlineMs = 60_000;
const outputBytesMax = 256 << 20;

/** Whether there is a tshark; where tests must be real its absence is an error. */
export function hasTshark(): boolean {
  try {
    execFileSync("tshark", ["--version"], { stdio: "ignore", timeout: deadlineMs });
    return true;
  } catch (error) {
    if (process.env.CI === "true") throw error;
    console.warn("skipped: tshark is not installed (npm run setup)");
    return false;
  }
}

/** The fields of a frame; one that the frame does not have is an empty string. */
export type Seen = Readonly<Record<string, string>>;

/** Dissects a capture file with the preferences, and gives the first value of each field. */
export function dissectFile(path: string, fields: readonly string[], ...preferences: string[]): Seen[] {
  return dissectFileWith(dissectorText(), path, fields, ...preferences);
}

/** The same with a dissector of one's own. */
function dissectFileWith(
  text: string,
  path: string,
  fields: readonly string[],
  ...preferences: string[]
): Seen[] {
  const folder = mkdtempSync(join(tmpdir(), "tshark-"));
  try {
    const script = join(folder, "proteus.lua");
    writeFileSync(script, text);
    const words = [
      "-n",
      "-X",
      `lua_script:${script}`,
      "-r",
      path,
      "-2",
      "-T",
      "fields",
      "-E",
      "occurrence=a",
    ];
    words.push("-E", "separator=/t", "-E", "aggregator=;");
    for (const preference of preferences) words.push("-o", preference);
    const asked = [...fields, "_ws.lua.error", "_ws.malformed"];
    for (const field of asked) words.push("-e", field);
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const output = execFileSync("tshark", words, {
      encoding: "utf8",
      maxBuffer: outputBytesMax,
      timeout: deadlineMs,
      stdio: [...stdio],
    });
    return output
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const values = line.split("\t");
        const seen = Object.fromEntries(asked.map((name, index) => [name, values[index] ?? ""]));
        if (seen["_ws.lua.error"]) throw new Error(`the dissector failed: ${seen["_ws.lua.error"]}`);
        return seen;
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The same for frames that are not in a file. */
export function dissectFrames(
  frames: readonly Uint8Array[],
  fields: readonly string[],
  ...preferences: string[]
): Seen[] {
  return dissectFramesWith(dissectorText(), frames, fields, ...preferences);
}

/** The same with a dissector of one's own. */
export function dissectFramesWith(
  text: string,
  frames: readonly Uint8Array[],
  fields: readonly string[],
  ...preferences: string[]
): Seen[] {
  const folder = mkdtempSync(join(tmpdir(), "frames-"));
  try {
    const path = join(folder, "frames.pcap");
    writeFileSync(
      path,
      Buffer.concat([pcapHead(), ...frames.map((frame, at) => pcapRecord(at * 1000, frame))]),
    );
    return dissectFileWith(text, path, fields, ...preferences);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
