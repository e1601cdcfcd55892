// Whole trees: into the pool, and out of it. Away: remove.ts.
//
// - One thing that fails does not end the rest: failures are gathered (failures.ts), except that
//   nothing more is tried once no server answers any more. Everything is bounded: so many files
//   and directories at a time; those deeper down come first. On the way out one directory at a
//   time is listed.
// - Where trees come from and go to is a Source and a Target: drivers of a disk (node/disk-tree.ts)
//   or a test's memory. A Target gets only names for which `nameFault` has no word, and must keep
//   everything below itself.
// - A directory that exists already is used; its other entries stay.

import { ProteusError } from "../kernel/errors.js";
import type { Content, TransferWatch } from "../stub/files.js";
import { forEach, forTree } from "./each.js";
import { notDirectory } from "./errors.js";
import { type FailureReport, Failures } from "./failures.js";
import type { Entry, Files } from "./files.js";
import { below, nameFault } from "./places.js";

/** One name in a Source. */
export interface SourceEntry {
  readonly name: string;
  /** skipped: `why` says why it is left out. */
  readonly kind: "directory" | "file" | "skipped";
  readonly bytes: number;
  readonly why?: string;
  /** It has permissions that are not everybody's: they are not kept. */
  readonly special?: boolean;
}

/** Where files come from. Places are the names on the way, from its top, which is []. */
export interface Source {
  /** What stands at the top. */
  top(): Promise<SourceEntry>;
  list(place: readonly string[]): Promise<readonly SourceEntry[]>;
  /** A file's bytes, anew at each call. */
  open(place: readonly string[]): Content;
  /** For people. */
  pathOf(place: readonly string[]): string;
}

/** Where files go. */
export interface Target {
  /** Makes a directory, or takes the one that is there. */
  makeDirectory(place: readonly string[]): Promise<void>;
  /** Writes a file whole, in the place of one that is there. A piece counts until the next is asked for. */
  write(place: readonly string[], content: AsyncIterable<Uint8Array>): Promise<void>;
  pathOf(place: readonly string[]): string;
}

/** How far it is. */
export interface TreeWatch {
  /** More of a file has gone, so many bytes. */
  moved?(bytes: number): void;
  /** A file is there. */
  file?(path: string): void;
}

export interface TreeReport extends FailureReport {
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
}

export const counting = () => ({ files: 0, directories: 0, bytes: 0 });

// ---- into the pool ---------------------------------------------------------------------

export interface PutOptions {
  readonly replace?: boolean;
  readonly watch?: TreeWatch;
  /** Goes on with a report that was begun; otherwise a new one. */
  readonly failures?: Failures;
}

export interface PutReport extends TreeReport {
  /** Files that took another's place. */
  readonly replaced: number;
  /** Files whose permissions said something, which the pool does not keep. */
  readonly special: number;
}

/** Copies a source to a path: a file, or a directory with everything below it. */
export async function putTree(
  files: Files,
  source: Source,
  path: string,
  { replace = true, watch = {}, failures = new Failures() }: PutOptions = {},
): Promise<PutReport> {
  const count = { ...counting(), replaced: 0, special: 0 };
  const top = files.absolute(path);
  interface Item {
    readonly place: readonly string[];
    readonly to: string;
    readonly entry: SourceEntry;
  }

  /** Makes the directory; answers what is in it. */
  const enter = async ({ place, to }: Item): Promise<readonly Item[]> => {
    let made = false;
    let entries: readonly SourceEntry[] = [];
    const isThere = await failures.around(source.pathOf(place), async () => {
      entries = await source.list(place);
      made = await useDirectory(files, to);
    });
    if (!isThere) return [];
    if (made) count.directories++;
    return entries.flatMap((each) => {
      const inside = [...place, each.name];
      const fault = nameFault(each.name);
      if (fault === null) return [{ place: inside, to: below(to, each.name), entry: each }];
      failures.skip(source.pathOf(inside), `its name cannot be used: ${fault}`);
      return [];
    });
  };

  const store = async ({ place, to }: Item): Promise<void> => {
    let bytes = 0;
    const counted: TransferWatch = {
      piece(data, position) {
        // A second try begins anew: what it sends again has been counted.
        const more = position + data.length - bytes;
        if (more <= 0) return;
        bytes += more;
        watch.moved?.(more);
      },
    };
    await failures.around(source.pathOf(place), async () => {
      const content = { open: () => source.open(place), again: true };
      const { replaced } = await files.write(to, content, { replace, watch: counted });
      if (replaced) count.replaced++;
      count.files++;
      count.bytes += bytes;
      watch.file?.(to);
    });
  };

  await failures.inOrder(async () => {
    const item: Item = { place: [], to: top, entry: await source.top() };
    await forTree(item, files.concurrency, async (each) => {
      const { place, entry } = each;
      if (entry.kind === "skipped") {
        failures.skip(source.pathOf(place), entry.why ?? "it is no file");
        return [];
      }
      if (entry.special === true) count.special++;
      if (entry.kind === "directory") return enter(each);
      await store(each);
      return [];
    });
  });
  return { ...count, ...failures.report };
}

/** Makes a directory or takes the one that is there. @returns whether it was made */
async function useDirectory(files: Files, path: string): Promise<boolean> {
  if (path === "/") return false;
  try {
    return await files.makeDirectory(path);
  } catch (error) {
    if (!(error instanceof ProteusError) || error.code !== "NAME_EXISTS") throw error;
    if ((await files.find(path))?.isDirectory !== true) throw notDirectory(path);
    return false;
  }
}

/** How much a source holds. What cannot be listed counts for nothing. */
export async function measureSource(source: Source): Promise<{ files: number; bytes: number }> {
  const sum = { files: 0, bytes: 0 };
  const add = async (entry: SourceEntry, place: readonly string[]): Promise<void> => {
    if (entry.kind === "file") {
      sum.files++;
      sum.bytes += entry.bytes;
    } else if (entry.kind === "directory") {
      const entries = await source.list(place).catch((): readonly SourceEntry[] => []);
      for (const each of entries) await add(each, [...place, each.name]);
    }
  };
  await add(await source.top(), []);
  return sum;
}

// ---- out of the pool -------------------------------------------------------------------

export interface GetOptions {
  readonly watch?: TreeWatch;
  readonly failures?: Failures;
}

/** Copies what stands under a path to a target: a file, or a directory with everything below it. */
export async function getTree(
  files: Files,
  path: string,
  target: Target,
  { watch = {}, failures = new Failures() }: GetOptions = {},
): Promise<TreeReport> {
  const count = counting();
  const top = files.absolute(path);
  const placeOf = (entry: Entry): readonly string[] =>
    entry.path === top ? [] : entry.path.slice(top === "/" ? 1 : top.length + 1).split("/");
  /** Directories that could not be made: what is below them is left. */
  const closed: string[] = [];

  async function* plan(): AsyncGenerator<Entry> {
    for await (const entry of files.walk(top, { failures })) {
      if (closed.some((directory) => entry.path.startsWith(`${directory}/`))) continue;
      if (!entry.isDirectory) yield entry;
      else if (await failures.around(entry.path, () => target.makeDirectory(placeOf(entry))))
        count.directories++;
      else closed.push(entry.path);
    }
  }

  await failures.until(() =>
    forEach(plan(), files.concurrency, async (entry) => {
      let bytes = 0;
      const counted = async function* (): AsyncGenerator<Uint8Array> {
        for await (const piece of files.readEntry(entry, { lent: true })) {
          bytes += piece.length;
          watch.moved?.(piece.length);
          yield piece;
        }
      };
      try {
        await target.write(placeOf(entry), counted());
        count.files++;
        count.bytes += bytes;
        watch.file?.(entry.path);
      } catch (error) {
        if (error instanceof ProteusError && error.code === "FILES_NOT_FILE")
          failures.skip(entry.path, error.why ?? error.message);
        else failures.add(entry.path, error);
      }
    }),
  );
  return { ...count, ...failures.report };
}
