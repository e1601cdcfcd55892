// What is below a path: how much, and which names.
//
// - Nothing is changed. What cannot be listed or asked is noted, and the rest goes on.

import { forEach } from "./each.js";
import type { Failures } from "./failures.js";
import type { Details, Entry, Files } from "./files.js";
import { patternOf } from "./pattern.js";
import { objectKey } from "./places.js";

export interface Usage {
  readonly path: string;
  /** Of all files below it, each counted once, at its first name. */
  readonly bytes: number;
  readonly files: number;
}

/** How much each directory from a path on holds, deeper ones first; of a file how long it is. */
export async function usageOf(files: Files, path: string, failures: Failures): Promise<readonly Usage[]> {
  const sums = new Map<string, { bytes: number; files: number }>();
  const seen = new Set<string>();
  const order: string[] = [];
  const top = files.absolute(path);
  await failures.until(() =>
    forEach(detailsBelow(files, top, failures, order), files.concurrency, async (entry) => {
      const { kind, bytes = 0, set, why } = await files.examine(entry);
      if (kind === "lost") return failures.skip(entry.path, why ?? "its server does not answer");
      const key = set === undefined ? entry.path : objectKey(set);
      if (kind !== "file" || seen.has(key)) return;
      seen.add(key);
      for (let above = entry.path; above.length >= top.length; above = parentOf(above)) {
        const sum = sums.get(above);
        sums.set(above, { bytes: (sum?.bytes ?? 0) + bytes, files: (sum?.files ?? 0) + 1 });
        if (above === top || above === "/") break;
      }
    }),
  );
  const shown = order.length === 0 ? [top] : order.reverse();
  return shown.map((each) => ({ path: each, ...(sums.get(each) ?? { bytes: 0, files: 0 }) }));
}

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")));

/** The entries below a path that are no directories; `directories` gets those. */
async function* detailsBelow(
  files: Files,
  path: string,
  failures: Failures,
  directories: string[],
): AsyncGenerator<Entry> {
  for await (const entry of files.walk(path, { failures }))
    if (entry.isDirectory) directories.push(entry.path);
    else yield entry;
}

export interface Wanted {
  /** A pattern for the last name: `*`, `?`, `[a-z]`. */
  readonly name?: string;
  readonly kind?: Details["kind"];
}

/** What is below a path and itself, as `wanted`. */
export async function* findBelow(
  files: Files,
  path: string,
  { name, kind }: Wanted,
  failures: Failures,
): AsyncGenerator<Details | Entry, void, void> {
  const fits = name === undefined ? () => true : patternOf(name);
  for await (const entry of files.walk(path, { failures })) {
    if (!fits(entry.name)) continue;
    if (kind === undefined || (kind === "directory" && entry.isDirectory)) yield entry;
    else if (kind !== "directory" && !entry.isDirectory) {
      const details = await files.examine(entry);
      if (details.kind === kind) yield details;
    }
  }
}
