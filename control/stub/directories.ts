// Names for programs: directories by path, on whichever directory servers there are.
//
// - A path is followed with one call for each server on it. Errors (names.ts) say which component
//   failed.
// - Every call is tried at each capability of a directory's set, and again after a pause
//   (directory-calls.ts). Updates say who they are, so that one that was done and not answered is
//   not done twice.
// - Nothing is remembered between calls.

import { SP_UNREACH } from "../../core-wasm/status.js";
import { type CapabilitySet, inOrder, setOf } from "../capability/set.js";
import { PATH_BYTES_MAX, standardColumns } from "../interface/directory.js";
import { textBytes } from "../interface/utf8.js";
import { toHex } from "../kernel/bytes.js";
import type { Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { type DirectoryCallOptions, DirectoryCalls, isOpen, named } from "./directory-calls.js";
import { type DirectoryStub, type Listed, listAll, listEntries, type Row } from "./listing.js";
import { failureOf, nameError } from "./names.js";
import { components, pathOf } from "./paths.js";

export type { Row } from "./listing.js";

export interface DirectoriesOptions extends DirectoryCallOptions {
  /** Where relative paths begin; default the root. */
  readonly work?: string;
  /** Random bytes: needed without a kernel, which has its own. */
  readonly random?: (count: number) => Uint8Array;
}

const hopsMax = 64;

/** A parent directory, and a name in it. */
interface Place {
  readonly names: readonly string[];
  readonly parent: CapabilitySet;
  readonly name: string;
}

export class Directories {
  readonly root: CapabilitySet;
  readonly #via: Kernel | Transact;
  readonly #options: DirectoriesOptions;
  readonly #calls: DirectoryCalls;

  /**
   * @param via a kernel, or another way to make calls: through a control daemon
   * @param root what paths begin at: a set with a capability of a directory
   */
  constructor(via: Kernel | Transact, root: CapabilitySet, options: DirectoriesOptions = {}) {
    this.root = root;
    this.#via = via;
    this.#options = options;
    this.#calls = new DirectoryCalls(via, options);
  }

  // ---- reading ----------------------------------------------------------------------

  /** What a path leads to. */
  lookup(path: string): Promise<CapabilitySet> {
    try {
      const names = this.#components(path);
      return this.#follow(names, names);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The rows of a directory, without what they stand for. */
  async list(path: string): Promise<readonly Row[]> {
    const names = this.#components(path);
    const directory = await this.#follow(names, names);
    return (await this.#asking(names, names.length, () => this.#calls.ask(directory, listAll))).rows;
  }

  /** The rows of a directory with what they stand for; a row whose server does not answer has no set. */
  async entries(path: string): Promise<readonly Row[]> {
    const names = this.#components(path);
    const directory = await this.#follow(names, names);
    return (await this.#asking(names, names.length, () => this.entriesOf(directory))).rows;
  }

  /** The same of a directory that is not known by a path: errors are those of its server. */
  entriesOf(directory: CapabilitySet): Promise<Listed> {
    return listEntries(directory, (call) => this.#calls.ask(directory, call));
  }

  /** A row with what it stands for; of the root its set alone. */
  async stat(path: string): Promise<Row & { readonly set: CapabilitySet }> {
    const names = this.#components(path);
    if (names.length === 0) return { name: "/", masks: [], set: this.root };
    const { parent, name } = await this.#place(names);
    const at = names.length - 1;
    const { masks } = await this.#asking(names, at, () =>
      this.#calls.ask(parent, (each) => each.getmasks({ name })),
    );
    const { found } = await this.#asking(names, at, () =>
      this.#calls.ask(parent, (each) => each.setlookup({ names: [{ directory: parent, name }] })),
    );
    const [is] = found;
    if (is?.row !== undefined) return { name, masks, set: is.row.set, time: is.row.time };
    throw nameError(is?.status === SP_UNREACH ? "unreachable" : "notFound", names, at);
  }

  /** Whether a set is of a directory, of the servers that serve the root. */
  isDirectory({ members }: CapabilitySet): boolean {
    const ports = this.root.members.map(({ capability }) => toHex(capability.port));
    return members.some(({ capability }) => ports.includes(toHex(capability.port)));
  }

  // ---- changing ---------------------------------------------------------------------

  /** Adds a name. @param masks one for each column; default: what the server gives */
  async append(path: string, set: CapabilitySet, masks: readonly number[] = []): Promise<void> {
    await this.#changeAt(path, (each, name, identity) => each.append({ name, set, masks, ...identity }));
  }

  /** Puts another set under a name; with `expected` only while its first capability is in the set there. */
  async replace(path: string, set: CapabilitySet, expected?: CapabilitySet): Promise<void> {
    const [former] = expected === undefined ? [] : inOrder(expected);
    await this.#changeAt(path, (each, name, identity, directory) =>
      former === undefined
        ? each.replace({ name, set, ...identity })
        : each.install({ rows: [{ directory, name, set, expected: former }], ...identity }),
    );
  }

  /** Takes a name away; what it stands for stays. */
  async remove(path: string): Promise<void> {
    await this.#changeAt(path, (each, name, identity) => each.delete({ name, ...identity }));
  }

  /** Sets the masks of a name, one for each column. */
  async chmod(path: string, masks: readonly number[]): Promise<void> {
    await this.#changeAt(path, (each, name, identity) => each.chmod({ name, masks, ...identity }));
  }

  /** Gives a name another place, in one step. */
  async rename(from: string, to: string): Promise<void> {
    const source = await this.#place(this.#components(from));
    const target = await this.#place(this.#components(to));
    const at = target.names.length - 1;
    const [directory] = inOrder(target.parent);
    if (directory === undefined) throw nameError("gone", target.names, at - 1);
    const identity = this.#identity();
    try {
      await this.#calls.ask(
        source.parent,
        (each) => each.rename({ name: source.name, directory, to: target.name, ...identity }),
        true,
      );
    } catch (error) {
      const isSource = error instanceof ProteusError && error.code === "STD_NOTFOUND";
      throw isSource ? named(error, source.names, source.names.length - 1) : named(error, target.names, at);
    }
  }

  /** Makes a directory, beside the one that it stands in. Resolves with its set, all rights. */
  async makeDirectory(path: string, columns: readonly string[] = standardColumns): Promise<CapabilitySet> {
    const { names, parent, name } = await this.#place(this.#components(path));
    const at = names.length - 1;
    const [making, appending] = [this.#identity(), this.#identity()];
    const { directory } = await this.#asking(names, at, () =>
      this.#calls.ask(parent, (each) => each.create({ columns, ...making }), true),
    );
    const set = setOf(directory);
    try {
      await this.#calls.ask(parent, (each) => each.append({ name, set, masks: [], ...appending }), true);
    } catch (error) {
      const mayBeDone = isOpen(error);
      // Without a name it is nobody's; ageing would take it, too.
      if (!mayBeDone)
        await this.#calls.ask(set, (each) => each.discard({ ...this.#identity() })).catch(() => undefined);
      throw named(error, names, at);
    }
    return set;
  }

  /** Removes an empty directory and its name. */
  async discard(path: string): Promise<void> {
    const names = this.#components(path);
    if (names.length === 0) throw nameError("refused", names, -1);
    const set = await this.#follow(names, names);
    if (!this.isDirectory(set)) throw nameError("notDirectory", names, names.length - 1);
    const identity = this.#identity();
    try {
      await this.#calls.ask(set, (each) => each.discard(identity), true);
    } catch (error) {
      // One that is gone leaves only its name to be removed.
      if (!(error instanceof ProteusError && error.code === "STD_CAPBAD"))
        throw named(error, names, names.length);
    }
    await this.remove(pathOf(names));
  }

  // ---- how -----------------------------------------------------------------------------

  #components(path: string): string[] {
    return components(path, this.#options.work);
  }

  async #place(names: readonly string[]): Promise<Place> {
    const name = names.at(-1);
    if (name === undefined) throw nameError("refused", names, -1);
    return { names, name, parent: await this.#follow(names.slice(0, -1), names) };
  }

  async #changeAt(
    path: string,
    change: (
      each: DirectoryStub,
      name: string,
      identity: Identity,
      parent: CapabilitySet,
    ) => Promise<unknown>,
  ): Promise<void> {
    const { names, parent, name } = await this.#place(this.#components(path));
    const identity = this.#identity();
    await this.#asking(names, names.length - 1, () =>
      this.#calls.ask(parent, (each) => change(each, name, identity, parent), true),
    );
  }

  #identity(): Identity {
    const random = typeof this.#via === "function" ? this.#options.random : this.#via.random.bind(this.#via);
    if (random === undefined) throw new TypeError("updates need random bytes");
    const view = new DataView(random(6).slice().buffer);
    return { request: view.getInt32(0, true), requestMore: view.getUint16(4, true) };
  }

  /** Runs a call about a component of a path; its error says so. */
  async #asking<Reply>(names: readonly string[], at: number, call: () => Promise<Reply>): Promise<Reply> {
    try {
      return await call();
    } catch (error) {
      throw named(error, names, at);
    }
  }

  /** The set at the end of `names`, which is the beginning of `all`. */
  #follow(names: readonly string[], all: readonly string[]): Promise<CapabilitySet> {
    return names.length === 0 ? Promise.resolve(this.root) : this.#hop(this.root, names, 0, all, 1);
  }

  // Promises by hand, and no more than these: a look-up takes as long as a call.
  /** The set at the end of `names`, from the component `at` on, for which `from` stands. */
  #hop(
    from: CapabilitySet,
    names: readonly string[],
    at: number,
    all: readonly string[],
    hop: number,
  ): Promise<CapabilitySet> {
    const some = portion(at === 0 ? names : names.slice(at));
    const path = some.join("/");
    const found = ({ set, rest }: { readonly set: CapabilitySet; readonly rest: string }) => {
      const left = rest === "" ? 0 : rest.split("/").filter((name) => name !== "").length;
      if (left >= some.length) throw nameError("notDirectory", all, at);
      const next = at + some.length - left;
      const isThere = next >= names.length || hop >= hopsMax;
      return isThere ? set : this.#hop(set, names, next, all, hop + 1);
    };
    const failed = async (error: unknown): Promise<never> => {
      throw await this.#blame(error, from, at, some, all);
    };
    return this.#calls.askThen(from, (each) => each.lookup({ path }), found, failed);
  }

  /** Finds the component that a failed look-up failed at: one at a time. */
  async #blame(
    error: unknown,
    from: CapabilitySet,
    at: number,
    some: readonly string[],
    all: readonly string[],
  ): Promise<unknown> {
    const code = error instanceof ProteusError ? error.code : "";
    if (failureOf[code] === undefined) return named(error, all, at);
    for (let count = 1; count < some.length; count++) {
      try {
        await this.#calls.ask(from, (each) => each.lookup({ path: some.slice(0, count).join("/") }));
      } catch (earlier) {
        return named(earlier, all, at + count - 1);
      }
    }
    return named(error, all, at + some.length - 1);
  }
}

interface Identity {
  readonly request: number;
  readonly requestMore: number;
}

/** As many names as one look-up takes. */
function portion(names: readonly string[]): readonly string[] {
  let bytes = 0;
  for (let count = 0; count < names.length; count++) {
    bytes += textBytes(names[count] as string) + 1;
    if (bytes > PATH_BYTES_MAX) return names.slice(0, count);
  }
  return names;
}
