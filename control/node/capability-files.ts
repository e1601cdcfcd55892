// Capabilities that servers of this machine are given in files: one a line, or the ready file of
// another agent of this computer, which has those that it gave out.
//
// - `*` may stand for one folder of a path, or for its last name. Files are read each time: what is
//   there now counts, and what is missing is passed over.
// - A file that others may read is refused: whoever reads it has the rights that are in it.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Capability, capabilityOf } from "../capability/capability.js";
import { fromHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";

const fileBytesMax = 64 * 1024;
const capabilityBytes = 16;
const otherPeople = 0o077;

/** Paths that a pattern names now, in the order of their names. */
function pathsOf(pattern: string): string[] {
  const parts = pattern.split("/");
  const at = parts.indexOf("*");
  if (at < 0) return [pattern];
  const folder = parts.slice(0, at).join("/") || "/";
  try {
    const names = readdirSync(folder).sort();
    return names.map((name) => join(folder, name, ...parts.slice(at + 1)));
  } catch {
    return [];
  }
}

/**
 * The capabilities of a server in these files; none when there are no files.
 *
 * @param server its name in ready files
 */
export function capabilitiesIn(patterns: readonly string[], server: string): Capability[] {
  return patterns.flatMap(pathsOf).flatMap((path) => {
    let text: string;
    try {
      const { mode, size } = statSync(path);
      if ((mode & otherPeople) !== 0)
        throw refused(path, "others may read or change it", `chmod 600 ${path}`);
      if (size > fileBytesMax) throw refused(path, `it has ${size} bytes`, "name another file");
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (error instanceof ProteusError) throw error;
      return []; // not there yet, or not any more
    }
    return wordsOf(text, server).map((word) => {
      const bytes = fromHex(word);
      if (bytes?.length === capabilityBytes) return capabilityOf(bytes);
      throw refused(path, "a line is no capability", "write one capability a line, of 32 hex digits");
    });
  });
}

function wordsOf(text: string, server: string): string[] {
  if (!text.trimStart().startsWith("{")) {
    const lines = text.split("\n").map((line) => line.trim());
    return lines.filter((line) => line !== "");
  }
  try {
    const { capabilities } = JSON.parse(text) as { capabilities?: Readonly<Record<string, unknown>> };
    const word = capabilities?.[server];
    return typeof word === "string" ? [word] : [];
  } catch {
    return [];
  }
}

function refused(path: string, why: string, hint: string): ProteusError {
  return new ProteusError({
    code: "CAPABILITY_FILE_UNFIT",
    exit: exitCodes.failed,
    ...{ message: `no capability is taken from ${path}`, why, unchanged: "nothing was asked", hint },
  });
}
