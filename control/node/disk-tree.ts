// Trees of files on this machine's disk, as control/files takes them in and gives them out.
//
// - DiskSource: what is neither file nor directory is skipped, and symbolic links are, unless they
//   are to be followed; the path that was named always is. A link back to a directory on the way
//   down is skipped. Permissions and times are not carried; unusual ones are marked.
// - DiskTarget: nothing is ever written outside of its top. Each directory is opened from the one
//   above by descriptor, without following links, so that neither a name nor a link that somebody
//   put there meanwhile leads out. A file appears when it is whole, in the place of what had its
//   name; a link is replaced, not followed.

import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { nameFault } from "../files/places.js";
import type { Source, SourceEntry, Target } from "../files/trees.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";

const readBytes = 256 * 1024;
const permissions = 0o7777;
/** Whether the group or others may write says little: it is the umask. */
const shared = 0o022;

const isSpecial = (stats: Stats): boolean =>
  (stats.mode & permissions & ~shared) !== (stats.isDirectory() ? 0o755 : 0o644);

export interface DiskSourceOptions {
  /** Symbolic links are what they lead to. */
  readonly follow?: boolean;
}

/** A file, or a directory with what is below it. */
export class DiskSource implements Source {
  readonly #path: string;
  readonly #follow: boolean;

  constructor(path: string, { follow = false }: DiskSourceOptions = {}) {
    this.#path = path;
    this.#follow = follow;
  }

  pathOf(place: readonly string[]): string {
    return join(this.#path, ...place);
  }

  async top(): Promise<SourceEntry> {
    return entryOf(basename(this.#path), await stat(this.#path));
  }

  async list(place: readonly string[]): Promise<readonly SourceEntry[]> {
    const found = await readdir(this.pathOf(place), { encoding: "buffer" });
    const entries: SourceEntry[] = [];
    for (const bytes of found.sort(Buffer.compare)) {
      const name = nameOf(bytes);
      if (name === null) {
        const shown = bytes.toString("latin1").replace(/[^\x20-\x7e]/g, "?");
        entries.push({ name: shown, kind: "skipped", bytes: 0, why: "its name is not UTF-8" });
        continue;
      }
      const entry = await this.#entry(place, name);
      if (entry !== null) entries.push(entry);
    }
    return entries;
  }

  async *open(place: readonly string[]): AsyncGenerator<Uint8Array, void, void> {
    // Without O_NONBLOCK a pipe that took the file's place would be waited for forever.
    const handle = await open(this.pathOf(place), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.allocUnsafe(readBytes);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, readBytes, null);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }

  /** Null for what went away meanwhile. */
  async #entry(place: readonly string[], name: string): Promise<SourceEntry | null> {
    const path = this.pathOf([...place, name]);
    try {
      const stats = await lstat(path);
      if (!stats.isSymbolicLink()) return entryOf(name, stats);
      if (!this.#follow) return skipped(name, "it is a symbolic link");
      const followed = await stat(path).catch(() => null);
      if (followed === null) return skipped(name, "it is a symbolic link that leads to nothing");
      if (followed.isDirectory() && (await this.#leadsBack(place, path)))
        return skipped(name, "it is a symbolic link to a directory that it stands in");
      return entryOf(name, followed);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  async #leadsBack(place: readonly string[], path: string): Promise<boolean> {
    const target = await realpath(path);
    for (let depth = 0; depth <= place.length; depth++)
      if ((await realpath(this.pathOf(place.slice(0, depth)))) === target) return true;
    return false;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function nameOf(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

const skipped = (name: string, why: string): SourceEntry => ({ name, kind: "skipped", bytes: 0, why });

function entryOf(name: string, stats: Stats): SourceEntry {
  const special = isSpecial(stats) ? { special: true } : {};
  if (stats.isDirectory()) return { name, kind: "directory", bytes: 0, ...special };
  if (stats.isFile()) return { name, kind: "file", bytes: stats.size, ...special };
  return skipped(name, "it is no file: a pipe, a socket or a device");
}

// ---- out -------------------------------------------------------------------------------

const openDirectory = constants.O_RDONLY | constants.O_DIRECTORY;
const handlesMax = 32;

interface Held {
  readonly handle: Promise<FileHandle>;
  uses: number;
}

/** Where a file, or a directory with what is below it, is written. */
export class DiskTarget implements Target {
  readonly #path: string;
  /** Directories that are open, by their place; the one that was used last is the last. */
  readonly #held = new Map<string, Held>();
  #parts = 0;

  constructor(path: string) {
    this.#path = path;
  }

  pathOf(place: readonly string[]): string {
    return join(this.#path, ...place);
  }

  async makeDirectory(place: readonly string[]): Promise<void> {
    const name = place.at(-1);
    if (name === undefined) {
      await existing(mkdir(this.#path));
      if (!(await stat(this.#path)).isDirectory()) throw inTheWay(this.#path);
      return;
    }
    await this.#in(place.slice(0, -1), async (folder) => {
      await existing(mkdir(`${folder}/${checked(name)}`));
    });
    await this.#in(place, async () => undefined); // a link, or a file, is none
  }

  async write(place: readonly string[], content: AsyncIterable<Uint8Array>): Promise<void> {
    const name = place.at(-1);
    if (name !== undefined) {
      await this.#in(place.slice(0, -1), (folder) => this.#appear(folder, checked(name), place, content));
      return;
    }
    const there = await stat(this.#path).catch(() => null);
    if (there === null || there.isFile())
      await this.#appear(dirname(this.#path), basename(this.#path), [], content);
    else if (there.isDirectory()) throw inTheWay(this.#path);
    else await pour(content, this.#path, "w"); // a pipe, /dev/null
  }

  async close(): Promise<void> {
    const held = [...this.#held.values()];
    this.#held.clear();
    await Promise.allSettled(held.map(async ({ handle }) => (await handle).close()));
  }

  /** Writes it beside its place, and gives it the name when it is whole. */
  async #appear(
    folder: string,
    name: string,
    place: readonly string[],
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const part = `${folder}/.proteus-part-${process.pid}-${this.#parts++}`;
    try {
      await pour(content, part, "wx");
      await rename(part, `${folder}/${name}`);
    } catch (error) {
      await rm(part, { force: true });
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EISDIR" || code === "ENOTEMPTY") throw inTheWay(this.pathOf(place));
      throw error;
    }
  }

  /** Does something in a directory, which stays open for the next. `folder` is a path of its descriptor. */
  async #in<Value>(place: readonly string[], work: (folder: string) => Promise<Value>): Promise<Value> {
    const key = place.join("/");
    const held = this.#held.get(key) ?? { handle: this.#open(place), uses: 0 };
    this.#held.delete(key);
    this.#held.set(key, held);
    held.uses++;
    try {
      return await work(`/proc/self/fd/${(await held.handle).fd}`);
    } catch (error) {
      if (this.#held.get(key) === held && (await isRejected(held.handle))) this.#held.delete(key);
      throw error;
    } finally {
      held.uses--;
      this.#release();
    }
  }

  async #open(place: readonly string[]): Promise<FileHandle> {
    const name = place.at(-1);
    if (name === undefined) return open(this.#path, openDirectory);
    return this.#in(place.slice(0, -1), async (folder) => {
      try {
        return await open(`${folder}/${checked(name)}`, openDirectory | constants.O_NOFOLLOW);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw code === "ELOOP" || code === "ENOTDIR" ? inTheWay(this.pathOf(place)) : error;
      }
    });
  }

  #release(): void {
    for (const [key, { handle, uses }] of this.#held) {
      if (this.#held.size <= handlesMax) return;
      if (uses > 0) continue;
      this.#held.delete(key);
      handle.then((each) => each.close()).catch(() => undefined);
    }
  }
}

const isRejected = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => false,
    () => true,
  );

/** Something of that name is no failure: whoever goes on finds out what it is. */
async function existing(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

async function pour(content: AsyncIterable<Uint8Array>, path: string, flags: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    for await (const piece of content) {
      handle ??= await open(path, flags);
      for (let at = 0; at < piece.length; ) at += (await handle.write(piece, at)).bytesWritten;
    }
    handle ??= await open(path, flags);
  } finally {
    await handle?.close();
  }
}

/** The last door: whoever calls has looked at the names already. */
function checked(name: string): string {
  const fault = nameFault(name);
  if (fault !== null) throw new RangeError(`${JSON.stringify(name)} cannot be a file's name: ${fault}`);
  return name;
}

function inTheWay(path: string): ProteusError {
  return new ProteusError({
    code: "FILES_IN_THE_WAY",
    exit: exitCodes.failed,
    message: `${path} cannot be written`,
    why: "something of another kind has that name: a directory, a file, or a symbolic link",
    unchanged: "what is there",
    hint: "move it away, or give another place",
  });
}
