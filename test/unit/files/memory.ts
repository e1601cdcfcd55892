// Names and contents in memory, with the errors of the real ones: a pool for tests of files.

import type { Capability } from "../../../control/capability/capability.js";
import { type CapabilitySet, sameCapability, setOf } from "../../../control/capability/set.js";
import type { Contents, Names, Opened, ReadRange } from "../../../control/files/places.js";
import type { Source, SourceEntry, Target } from "../../../control/files/trees.js";
import { exitCodes, ProteusError } from "../../../control/kernel/errors.js";
import type { Row } from "../../../control/stub/directories.js";
import type { TransferWatch } from "../../../control/stub/files.js";
import { nameError } from "../../../control/stub/names.js";
import { components } from "../../../control/stub/paths.js";

const [directoryPort, filePort, otherPort] = [1, 2, 3].map((byte) => new Uint8Array(6).fill(byte));

function capability(port: Uint8Array | undefined, object: number): Capability {
  const privatePart = new Uint8Array(10).fill(0xff, 3);
  privatePart.set([object & 0xff, (object >> 8) & 0xff, object >> 16]);
  return { port: port ?? new Uint8Array(6), private: privatePart };
}

const objectOf = ({ private: bytes }: Capability): number =>
  (bytes[0] ?? 0) + (bytes[1] ?? 0) * 256 + (bytes[2] ?? 0) * 65536;

type Rows = Map<string, { set: CapabilitySet; masks: readonly number[]; time: number }>;

/** What the next call of a kind is to end with, instead of what it should. */
export type Fault = { readonly before?: ProteusError; readonly after?: ProteusError };

export const status = (code: string, exit: ProteusError["exit"] = exitCodes.failed): ProteusError =>
  new ProteusError({ code, exit, message: `the call ended with ${code}` });

/** Directories, files, and things of other kinds. */
export class MemoryPool {
  readonly directories = new Map<number, Rows>([[1, new Map()]]);
  readonly stored = new Map<number, Uint8Array>();
  readonly root = setOf(capability(directoryPort, 1));
  /** Faults by call: `append`, `create` …, taken one by one. */
  readonly faults = new Map<string, Fault[]>();
  /** Every call by name. */
  readonly calls: string[] = [];
  /** Called before each call, with its name and path. */
  meanwhile: (call: string, path: string) => void = () => undefined;
  busy = 0;
  busiest = 0;
  #objects = 1;
  #time = 1_700_000_000;

  /** Something that is no file and no directory. */
  object(): CapabilitySet {
    return setOf(capability(otherPort, ++this.#objects));
  }

  /** Rows of a directory, to be spoiled by hand. */
  rows(path: string): Rows {
    return this.#rows(components(path), components(path));
  }

  row(set: CapabilitySet): { set: CapabilitySet; masks: readonly number[]; time: number } {
    return { set, masks: [0xff, 0x02], time: this.#time++ };
  }

  /** Every path with its bytes; a directory ends in /. */
  all(path = "/"): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [name, { set }] of this.rows(path)) {
      const below = path === "/" ? `/${name}` : `${path}/${name}`;
      if (this.names.isDirectory(set)) Object.assign(found, { [`${below}/`]: "" }, this.all(below));
      else found[below] = Buffer.from(this.bytesOf(set) ?? "?").toString("latin1");
    }
    return found;
  }

  bytesOf(set: CapabilitySet): Uint8Array | undefined {
    const [member] = set.members;
    return member === undefined ? undefined : this.stored.get(objectOf(member.capability));
  }

  readonly names: Names = {
    isDirectory: ({ members }) => members.some((each) => each.capability.port[0] === 1),
    lookup: (path) => this.#do("lookup", path, () => this.#find(components(path))),
    entries: (path) =>
      this.#do("entries", path, () => {
        const names = components(path);
        return [...this.#rows(names, names)].map(([name, row]): Row => ({ name, ...row }));
      }),
    stat: (path) =>
      this.#do("stat", path, () => {
        const names = components(path);
        if (names.length === 0) return { name: "/", masks: [], set: this.root };
        const { rows, name } = this.#place(names);
        const row = rows.get(name);
        if (row === undefined) throw nameError("notFound", names, names.length - 1);
        return { name, ...row };
      }),
    append: (path, set, masks = [0xff, 0x02]) =>
      this.#do("append", path, () => {
        const names = components(path);
        const { rows, name } = this.#place(names);
        if (rows.has(name)) throw nameError("exists", names, names.length - 1);
        rows.set(name, { ...this.row(set), masks });
      }),
    replace: (path, set, expected) =>
      this.#do("replace", path, () => {
        const names = components(path);
        const { rows, name } = this.#place(names);
        const row = rows.get(name);
        if (row === undefined) throw nameError("notFound", names, names.length - 1);
        const [was, is] = [expected?.members[0], row.set.members[0]];
        if (was !== undefined && (is === undefined || !sameCapability(was.capability, is.capability)))
          throw nameError("changed", names, names.length - 1);
        rows.set(name, { ...this.row(set), masks: row.masks });
      }),
    remove: (path) =>
      this.#do("remove", path, () => {
        const names = components(path);
        const { rows, name } = this.#place(names);
        if (!rows.delete(name)) throw nameError("notFound", names, names.length - 1);
      }),
    rename: (from, to) =>
      this.#do("rename", from, () => {
        const [source, target] = [components(from), components(to)];
        const [old, place] = [this.#place(source), this.#place(target)];
        const row = old.rows.get(old.name);
        if (row === undefined) throw nameError("notFound", source, source.length - 1);
        if (place.rows.has(place.name)) throw nameError("exists", target, target.length - 1);
        if (target.length > source.length && source.every((each, at) => each === target[at]))
          throw nameError("refused", target, target.length - 1);
        old.rows.delete(old.name);
        place.rows.set(place.name, row);
      }),
    makeDirectory: (path) =>
      this.#do("makeDirectory", path, () => {
        const names = components(path);
        const { rows, name } = this.#place(names);
        if (rows.has(name)) throw nameError("exists", names, names.length - 1);
        const set = setOf(capability(directoryPort, ++this.#objects));
        this.directories.set(this.#objects, new Map());
        rows.set(name, this.row(set));
        return set;
      }),
    discard: (path) =>
      this.#do("discard", path, () => {
        const names = components(path);
        const { rows, name } = this.#place(names);
        if (this.#rows(names, names).size > 0) throw nameError("notEmpty", names, names.length - 1);
        rows.delete(name);
      }),
  };

  readonly contents: Contents = {
    create: async (content: Opened, watch?: TransferWatch) => {
      const pieces: Uint8Array[] = [];
      let at = 0;
      const opened = content.open();
      for await (const piece of opened instanceof Uint8Array ? [opened] : opened) {
        watch?.piece?.(piece, at);
        pieces.push(piece.slice());
        at += piece.length;
      }
      return this.#do("create", "", () => {
        this.stored.set(++this.#objects, Buffer.concat(pieces));
        return setOf(capability(filePort, this.#objects));
      });
    },
    read: (file, range) => this.#read(file, range),
    bytes: (file) => this.#do("bytes", "", () => this.#bytes(file).length),
    destroy: (file) =>
      this.#do("destroy", "", () => {
        for (const { capability: each } of file.members) this.stored.delete(objectOf(each));
      }),
  };

  async *#read(file: CapabilitySet, { position = 0, length }: ReadRange = {}): AsyncGenerator<Uint8Array> {
    const bytes = await this.#do("read", "", () => this.#bytes(file));
    const end = length === undefined ? bytes.length : position + length;
    for (let at = position; at < Math.min(end, bytes.length); at += 5)
      yield bytes.slice(at, Math.min(at + 5, end));
  }

  #bytes(file: CapabilitySet): Uint8Array {
    if (file.members[0]?.capability.port[0] !== 2) throw status("STD_COMBAD");
    const bytes = this.bytesOf(file);
    if (bytes === undefined) throw status("STD_CAPBAD", exitCodes.denied);
    return bytes;
  }

  async #do<Value>(call: string, path: string, work: () => Value): Promise<Value> {
    this.busiest = Math.max(this.busiest, ++this.busy);
    try {
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
      this.calls.push(call);
      this.meanwhile(call, path);
      const fault = this.faults.get(call)?.shift();
      if (fault?.before !== undefined) throw fault.before;
      const value = work();
      if (fault?.after !== undefined) throw fault.after;
      return value;
    } finally {
      this.busy--;
    }
  }

  #find(names: readonly string[], all = names): CapabilitySet {
    let set = this.root;
    for (const [at, name] of names.entries()) {
      const row = this.#rowsOf(set, all, at - 1).get(name);
      if (row === undefined) throw nameError("notFound", all, at);
      set = row.set;
    }
    return set;
  }

  #rows(names: readonly string[], all: readonly string[]): Rows {
    return this.#rowsOf(this.#find(names, all), all, names.length - 1);
  }

  #rowsOf(set: CapabilitySet, all: readonly string[], at: number): Rows {
    const [member] = set.members;
    const rows =
      member?.capability.port[0] === 1 ? this.directories.get(objectOf(member.capability)) : undefined;
    if (rows === undefined) throw nameError("notDirectory", all, at);
    return rows;
  }

  #place(names: readonly string[]): { readonly rows: Rows; readonly name: string } {
    const name = names.at(-1);
    if (name === undefined) throw nameError("refused", names, -1);
    return { rows: this.#rows(names.slice(0, -1), names), name };
  }
}

/** A tree: text is a file, null something that is skipped. */
export interface Tree {
  readonly [name: string]: string | null | Tree;
}

/** A tree in memory as a source. */
export class MemorySource implements Source {
  constructor(private readonly tree: Tree | string) {}

  #at(place: readonly string[]): Tree | string | null {
    return place.reduce<Tree | string | null>((at, name) => (at as Tree)[name] ?? null, this.tree);
  }

  #entry(name: string, at: Tree | string | null): SourceEntry {
    if (at === null) return { name, kind: "skipped", bytes: 0, why: "it is a symbolic link" };
    if (typeof at === "string") return { name, kind: "file", bytes: at.length };
    return { name, kind: "directory", bytes: 0 };
  }

  pathOf = (place: readonly string[]): string => ["top", ...place].join("/");
  top = async (): Promise<SourceEntry> => this.#entry("top", this.tree);
  list = async (place: readonly string[]): Promise<readonly SourceEntry[]> =>
    Object.entries(this.#at(place) as Tree).map(([name, at]) => this.#entry(name, at));

  async *open(place: readonly string[]): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(this.#at(place) as string, "latin1");
    for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
  }
}

/** Remembers what was written: paths with their bytes, directories with a / behind. */
export class MemoryTarget implements Target {
  readonly all: Record<string, string> = {};

  pathOf = (place: readonly string[]): string => ["top", ...place].join("/");

  async makeDirectory(place: readonly string[]): Promise<void> {
    this.all[`${place.join("/")}/`] = "";
  }

  async write(place: readonly string[], content: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(piece);
    this.all[place.join("/")] = Buffer.concat(pieces).toString("latin1");
  }
}
