// Volumes with a bug planted: the volume's sources with one piece changed (test/mutants/volume.json),
// below build/mutants while they are loaded.
//
// - `foundBy` says which test must notice it: that of the order of writes, or that of power cuts.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FileVolume } from "../../control/server/bullet/volume/volume.js";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const sources = at("control/server/bullet/volume");

export interface Mutant {
  readonly name: string;
  readonly foundBy: "order" | "cuts";
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly why: string;
}

const mutants: readonly Mutant[] = JSON.parse(readFileSync(at("test/mutants/volume.json"), "utf8"));

export const mutantsFoundBy = (test: Mutant["foundBy"]): Mutant[] =>
  mutants.filter(({ foundBy }) => foundBy === test);

/** The class of a volume with a bug planted. */
export async function planted({
  name,
  file,
  find,
  replace,
}: Mutant): Promise<Pick<typeof FileVolume, "open">> {
  const folder = at(`build/mutants/volume/${process.pid}-${name}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const source of readdirSync(sources)) {
      const text = readFileSync(join(sources, source), "utf8");
      if (source === file && text.split(find).length !== 2)
        throw new Error(`${name}: ${file} does not have what it replaces once`);
      const changed = source === file ? text.replace(find, () => replace) : text;
      // What lies outside of the folder stays the original's.
      const outside = changed.replaceAll(
        /from "(\.\.\/[^"]+)"/g,
        (_, path) => `from "${join(sources, path)}"`,
      );
      writeFileSync(join(folder, source), outside);
    }
    return (await import(join(folder, "volume.ts"))).FileVolume;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
