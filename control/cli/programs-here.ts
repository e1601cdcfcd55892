// What programs of this machine say of themselves while they run: a file for each in one folder.
//
// - Readable by its user only, whole or not there. A file whose program is gone counts as none.

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { isAlive } from "../lab/processes.js";

/** The program, by what the system knows it by. */
export const programSchema = z.object({ pid: z.number(), started: z.number() });

interface OfProgram {
  readonly process: z.infer<typeof programSchema>;
}

/** Writes what a program says; the folder is made. */
export function writeProgram(path: string, document: OfProgram): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(document)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What the living programs say in a folder's files. */
export function programsHere<Document extends OfProgram>(
  folder: string,
  schema: z.ZodType<Document>,
): readonly Document[] {
  let files: string[];
  try {
    files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    try {
      const document = schema.parse(JSON.parse(readFileSync(join(folder, file), "utf8")));
      return isAlive(document.process) ? [document] : [];
    } catch {
      return []; // half of one, or somebody else's
    }
  });
}
