// The files of a pool as a tree: directories with names, and files that never change.
//
// - Paths are Unix's, from the root: `/a/b`. Errors about names say which component of a path
//   failed (NAME_*); those of this file begin with FILES_.
// - A file is written whole and gets its name when all of it is there: nobody sees half of one.
//   Another file under a name takes its place in one step. What a name stood for is not destroyed
//   with it: other names may stand for the same; ageing takes what has none.
// - Directories may stand in several directories, even in themselves: `walk` goes into none twice
//   on one way down, and says so.
// - Trees to and from elsewhere: trees.ts.

import { type CapabilitySet, inOrder } from "../capability/set.js";
import { ProteusError } from "../kernel/errors.js";
import type { Row } from "../stub/directories.js";
import type { Content, TransferWatch } from "../stub/files.js";
import { normalPath } from "../stub/paths.js";
import { forEach } from "./each.js";
import { about, isDirectory, lost, nameUnsafe, notDirectory, notFile, same } from "./errors.js";
import type { Failures } from "./failures.js";
import {
  below,
  type Contents,
  lastOf,
  type Names,
  nameFault,
  type Opened,
  objectKey,
  type ReadRange,
  sameObject,
} from "./places.js";

/** object: something of a server that keeps no files. lost: its server does not answer, or it is gone. */
export type Kind = "directory" | "file" | "object" | "lost";

/** A name, and what it stands for as far as the directory tells. */
export interface Entry {
  readonly path: string;
  readonly name: string;
  readonly isDirectory: boolean;
  /** Missing when its server could not be asked for fewer rights. */
  readonly set?: CapabilitySet;
  readonly masks: readonly number[];
  /** Seconds since 1970 when it got its name; missing for the root. */
  readonly time?: number;
}

/** With what its server says. */
export interface Details extends Entry {
  readonly kind: Kind;
  /** Of a file. */
  readonly bytes?: number;
  /** Of what is lost: why. */
  readonly why?: string;
}

export interface FilesOptions {
  /** Files under way at a time; default 8. */
  readonly concurrency?: number;
  /** Where relative paths begin; default the root. */
  readonly work?: string;
}

export interface WriteOptions {
  /** A file of that name is replaced; default true. */
  readonly replace?: boolean;
  readonly watch?: TransferWatch;
}

export interface WalkOptions {
  /** What cannot be listed is noted here; without it, it is thrown. */
  readonly failures?: Failures;
  /** Directories so far below the path are listed; default: all. */
  readonly depth?: number;
}

const replaceTries = 8;
const codeOf = (error: unknown): string => (error instanceof ProteusError ? error.code : "");

/** Bytes that are there already, or come from somewhere; only the former can be sent again. */
export function openedOf(content: Content): Opened {
  return { open: () => content, again: content instanceof Uint8Array };
}

export class Files {
  readonly names: Names;
  readonly contents: Contents;
  readonly concurrency: number;
  readonly #work: string;

  constructor(names: Names, contents: Contents, { concurrency = 8, work = "/" }: FilesOptions = {}) {
    this.names = names;
    this.contents = contents;
    this.concurrency = concurrency;
    this.#work = work;
  }

  /** A path from the root, without `.` and `..`. */
  absolute(path: string): string {
    return normalPath(path, this.#work);
  }

  // ---- looking ------------------------------------------------------------------------

  async stat(path: string): Promise<Details> {
    return this.examine(await this.#entry(this.absolute(path)));
  }

  /** What a path stands for; null when nothing has that name. Throws for what is before it. */
  async find(path: string): Promise<Entry | null> {
    try {
      return await this.#entry(this.absolute(path));
    } catch (error) {
      if (codeOf(error) === "NAME_NOT_FOUND") return null;
      throw error;
    }
  }

  /** The entries of a directory, in the order of their names. NAME_NOT_DIRECTORY for others. */
  async list(path: string): Promise<readonly Entry[]> {
    const directory = this.absolute(path);
    const rows = await this.names.entries(directory);
    return rows.map((row) => this.#entryOf(directory, row)).sort(byName);
  }

  /** What its server says of an entry. */
  async examine(entry: Entry): Promise<Details> {
    if (entry.isDirectory) return { ...entry, kind: "directory" };
    if (entry.set === undefined) return { ...entry, kind: "lost", why: "its server does not answer" };
    if (inOrder(entry.set).length === 0) return { ...entry, kind: "lost", why: "it stands for nothing" };
    try {
      return { ...entry, kind: "file", bytes: await this.contents.bytes(entry.set) };
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      if (error.code === "STD_COMBAD") return { ...entry, kind: "object" };
      return { ...entry, kind: "lost", why: error.why ?? error.message };
    }
  }

  /** The details of many, some at a time, in their order. */
  async examineAll(entries: readonly Entry[]): Promise<readonly Details[]> {
    const all: Details[] = [];
    await forEach(entries.entries(), this.concurrency, async ([index, entry]) => {
      all[index] = await this.examine(entry);
    });
    return all;
  }

  /** What a path stands for, then everything below it; a directory before its entries. */
  async *walk(path: string, options: WalkOptions = {}): AsyncGenerator<Entry, void, void> {
    const top = await this.#entry(this.absolute(path));
    yield top;
    if (top.isDirectory) yield* this.#below(top, options, options.depth ?? Number.POSITIVE_INFINITY, []);
  }

  async *#below(
    directory: Entry,
    options: WalkOptions,
    depth: number,
    above: readonly string[],
  ): AsyncGenerator<Entry, void, void> {
    if (depth <= 0) return;
    const { failures } = options;
    const key = directory.set === undefined ? "" : objectKey(directory.set);
    if (above.includes(key)) {
      failures?.skip(directory.path, "it is a directory that it stands in itself");
      return;
    }
    let entries: readonly Entry[];
    try {
      entries = await this.list(directory.path);
    } catch (error) {
      if (failures === undefined) throw error;
      failures.add(directory.path, error);
      return;
    }
    for (const entry of entries) {
      const fault = nameFault(entry.name);
      if (fault !== null) {
        const error = nameUnsafe(directory.path, entry.name, fault);
        if (failures === undefined) throw error;
        failures.add(error.path, error);
        continue;
      }
      yield entry;
      if (entry.isDirectory) yield* this.#below(entry, options, depth - 1, [...above, key]);
    }
  }

  // ---- reading and writing ------------------------------------------------------------

  /** The bytes of a file. FILES_IS_DIRECTORY, or FILES_NOT_FILE, for what is none. */
  async *read(path: string, range: ReadRange = {}): AsyncGenerator<Uint8Array, void, void> {
    const entry = await this.#entry(this.absolute(path));
    if (entry.isDirectory) throw isDirectory(entry.path);
    yield* this.readEntry(entry, range);
  }

  /** The bytes of an entry that is no directory. */
  async *readEntry({ path, set }: Entry, range: ReadRange = {}): AsyncGenerator<Uint8Array, void, void> {
    if (set === undefined) throw lost(path);
    try {
      yield* this.contents.read(set, range);
    } catch (error) {
      throw codeOf(error) === "STD_COMBAD" ? notFile(path, error) : about(path, error);
    }
  }

  /** Stores a file under a name. @returns its capabilities, and whether it took another's place */
  async write(
    path: string,
    content: Opened,
    { replace = true, watch }: WriteOptions = {},
  ): Promise<{ readonly set: CapabilitySet; readonly replaced: boolean }> {
    const place = this.absolute(path);
    const set = await this.contents.create(content, watch);
    try {
      return { set, replaced: await this.#name(place, set, replace) };
    } catch (error) {
      // It has no name. Ageing would take it too.
      if (codeOf(error) !== "NAME_UNCERTAIN") await this.contents.destroy(set).catch(() => undefined);
      throw error;
    }
  }

  /** Gives something a name; false when the name is new. FILES_IS_DIRECTORY: a directory is never replaced. */
  async #name(path: string, set: CapabilitySet, replace: boolean): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        await this.names.append(path, set);
        return false;
      } catch (error) {
        if (await this.#isDone(error, path, set)) return false;
        if (codeOf(error) !== "NAME_EXISTS" || !replace) throw error;
      }
      const former = await this.find(path);
      if (former === null) continue; // gone meanwhile
      if (former.isDirectory) throw isDirectory(path);
      try {
        await this.names.replace(path, set, former.set);
        return true;
      } catch (error) {
        if (await this.#isDone(error, path, set)) return true;
        const again = new Set(["NAME_CHANGED", "NAME_NOT_FOUND"]).has(codeOf(error));
        if (!again || tries >= replaceTries) throw error;
      }
    }
  }

  /** After a change of which nobody said what became of it: is the name what it should be? */
  async #isDone(error: unknown, path: string, set: CapabilitySet): Promise<boolean> {
    if (codeOf(error) !== "NAME_UNCERTAIN") return false;
    const found = await this.find(path).catch(() => null);
    return found?.set !== undefined && sameObject(found.set, set);
  }

  // ---- directories and names ----------------------------------------------------------

  /**
   * Makes a directory. @returns false when it was there, which is an error without `parents`.
   * @param parents makes those on the way to it too
   */
  async makeDirectory(path: string, { parents = false } = {}): Promise<boolean> {
    const place = this.absolute(path);
    if (!parents) {
      await this.names.makeDirectory(place);
      return true;
    }
    if (place === "/") return false;
    try {
      await this.names.makeDirectory(place);
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === "NAME_EXISTS") {
        if ((await this.find(place))?.isDirectory === true) return false;
        throw error;
      }
      const parent = place.slice(0, place.lastIndexOf("/"));
      if (code !== "NAME_NOT_FOUND" || parent === "") throw error;
      await this.makeDirectory(parent, { parents });
      return this.makeDirectory(place, { parents });
    }
  }

  /** Gives an object another name. @param replace whether a file of that name loses it */
  async link(set: CapabilitySet, path: string, { replace = false } = {}): Promise<boolean> {
    return this.#name(this.absolute(path), set, replace);
  }

  /**
   * Moves a name; into `to` when that is a directory. A file there is replaced (not with `replace`
   * false): then the new name is right before the old one goes, so that nothing is ever without one.
   *
   * @returns the new path
   */
  async move(from: string, to: string, { replace = true } = {}): Promise<string> {
    const source = this.absolute(from);
    const target = await this.into(to, lastOf(source));
    if (source === target) throw same(source);
    try {
      await this.names.rename(source, target);
      return target;
    } catch (error) {
      const foreign = codeOf(error) === "NAME_GONE"; // the other directory is of other servers
      if (!foreign && (codeOf(error) !== "NAME_EXISTS" || !replace)) throw error;
    }
    const entry = await this.#entry(source);
    if (entry.set === undefined) throw lost(source);
    const there = await this.find(target);
    if (there !== null && entry.isDirectory) throw isDirectory(source, `${target} is there already`);
    await this.#name(target, entry.set, replace);
    await this.names.remove(source);
    return target;
  }

  /** Where something of that name goes when it is put to a path: into it, if that is a directory. */
  async into(path: string, name: string): Promise<string> {
    const place = this.absolute(path);
    if (place === "/") return below(place, name);
    const there = await this.find(place);
    if (there?.isDirectory === true) return below(place, name);
    if (path.endsWith("/")) throw notDirectory(place);
    return place;
  }

  // ---- how ----------------------------------------------------------------------------

  async #entry(path: string): Promise<Entry> {
    const { name: _, ...row } = await this.names.stat(path);
    return this.#made(path, path === "/" ? "/" : lastOf(path), row);
  }

  #entryOf(directory: string, { name, ...row }: Row): Entry {
    return this.#made(below(directory, name), name, row);
  }

  #made(path: string, name: string, { masks, set, time }: Omit<Row, "name">): Entry {
    return {
      ...{ path, name, masks, isDirectory: set !== undefined && this.names.isDirectory(set) },
      ...(set === undefined ? {} : { set }),
      ...(time === undefined ? {} : { time }),
    };
  }
}

const byName = (one: Entry, other: Entry): number =>
  one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
