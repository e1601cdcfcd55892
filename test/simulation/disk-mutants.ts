// Storages and members with a bug planted: their sources with one piece changed (test/mutants/disk.json),
// below build/mutants while they are loaded. The product's code knows nothing of it.
//
// - `seeds` says which of CI's own seeds have to notice: those of disks.test.ts (`fake`, `real`), or of a
//   scene (disk-scenes.ts).

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Storage } from "../../control/server/disk/storage/storage.js";
import type { MemberKind } from "./disk-medium.js";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Mutant {
  readonly name: string;
  readonly part: "storage" | "member";
  readonly seeds: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly why: string;
  /** It takes a rare coincidence, and so many seeds: for the nightly tier. */
  readonly rare?: boolean;
}

export const mutants: readonly Mutant[] = JSON.parse(readFileSync(at("test/mutants/disk.json"), "utf8"));

const sourcesOf = ({ part }: Mutant): string => at(`control/server/disk/${part}`);

/** The changed file. Throws unless what is to be replaced stands there once. */
export function mutated(mutant: Mutant): string {
  const { name, file, find, replace } = mutant;
  const text = readFileSync(join(sourcesOf(mutant), file), "utf8");
  if (text.split(find).length !== 2) throw new Error(`${name}: ${file} does not have what it replaces once`);
  return text.replace(find, () => replace);
}

export interface Planted {
  readonly storage?: Pick<typeof Storage, "open">;
  readonly member?: MemberKind;
}

/** The class of storages, or of members, with a bug planted. */
export async function planted(mutant: Mutant): Promise<Planted> {
  const { name, part, file } = mutant;
  const sources = sourcesOf(mutant);
  const folder = at(`build/mutants/disk/${process.pid}-${name}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const source of readdirSync(sources)) {
      const text = source === file ? mutated(mutant) : readFileSync(join(sources, source), "utf8");
      // What lies outside of the folder stays the original's.
      const outside = text.replaceAll(/from "(\.\.\/[^"]+)"/g, (_, path) => `from "${join(sources, path)}"`);
      writeFileSync(join(folder, source), outside);
    }
    const module = await import(join(folder, `${part}.ts`));
    return part === "storage" ? { storage: module.Storage } : { member: module.Member };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
