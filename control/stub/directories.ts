// Names for programs: directories by path, on whichever directory servers there are.
//
// - A path is followed with one call for each server on it. Errors (names.ts) say which component
//   failed.
// - Every call is tried at each capability of a directory's set, and again after a pause while the
//   patience lasts: a directory server that is gone, or just joining, costs time and no more.
//   Updates say who they are, so that one that was done and not answered is not done twice.
// - Nothing is remembered between calls.

import { SP_UNREACH } from "../../core-wasm/status.js";
import type { Capability } from "../capability/capability.js";
import { type CapabilitySet, inOrder, setOf } from "../capability/set.js";
import { directoryTable, PATH_BYTES_MAX, standardColumns } from "../interface/directory.js";
import { textBytes } from "../interface/utf8.js";
import { toHex } from "../kernel/bytes.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";
import { type DirectoryStub, type Listed, listAll, listEntries, type Row } from "./listing.js";
import { failureOf, type NameFailure, nameError } from "./names.js";
import { components, pathOf } from "./paths.js";

export type { Row } from "./listing.js";

export interface DirectoriesOptions {
  /** Waits so many milliseconds; without it nothing is tried again after a pause. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** How long a call is tried again; default 15,000 ms. */
  readonly patienceMs?: number;
  readonly call?: CallOptions;
  /** Where relative paths begin; default the root. */
  readonly work?: string;
  /** Random bytes: needed without a kernel, which has its own. */
  readonly random?: (count: number) => Uint8Array;
  /** Microseconds, for the patience: without a kernel only pauses count otherwise. */
  readonly now?: () => number;
}

/** What another capability, or a later try, may answer better. */
const passing = new Set([
  ...["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "STD_NOTNOW", "SP_UNAVAIL"],
  ...["CONTROL_SILENT", "CONTROL_BUSY"],
]);
/** After these an update may have been done. */
const open = new Set(["RPC_FAILURE", "SP_UNAVAIL", "CONTROL_SILENT"]);
const callDefaults: CallOptions = { locateTimeoutMs: 1500, pollMs: 250, deadMs: 1500 };
const pauseMs = 100;
const pauseMsMax = 1000;
const hopsMax = 64;

/** A parent directory, and a name in it. */
interface Place {
  readonly names: readonly string[];
  readonly parent: CapabilitySet;
  readonly name: string;
}

/** What became of asking the first capability of a directory's set. */
interface FirstTry {
  readonly error: unknown;
  /** When it was asked. */
  readonly began: number;
  readonly capabilities: readonly Capability[];
}

export class Directories {
  readonly root: CapabilitySet;
  readonly #via: Kernel | Transact;
  readonly #options: DirectoriesOptions;
  readonly #call: CallOptions;
  /** Of capabilities that are in use: the root's nearly always. */
  readonly #stubs = new WeakMap<Capability, DirectoryStub>();

  /**
   * @param via a kernel, or another way to make calls: through a control daemon
   * @param root what paths begin at: a set with a capability of a directory
   */
  constructor(via: Kernel | Transact, root: CapabilitySet, options: DirectoriesOptions = {}) {
    this.root = root;
    this.#via = via;
    this.#options = options;
    this.#call = { ...callDefaults, ...options.call };
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
    return (await this.#asking(names, names.length, () => this.#ask(directory, listAll))).rows;
  }

  /** The rows of a directory with what they stand for; a row whose server does not answer has no set. */
  async entries(path: string): Promise<readonly Row[]> {
    const names = this.#components(path);
    const directory = await this.#follow(names, names);
    return (await this.#asking(names, names.length, () => this.entriesOf(directory))).rows;
  }

  /** The same of a directory that is not known by a path: errors are those of its server. */
  entriesOf(directory: CapabilitySet): Promise<Listed> {
    return listEntries(directory, (call) => this.#ask(directory, call));
  }

  /** A row with what it stands for; of the root its set alone. */
  async stat(path: string): Promise<Row & { readonly set: CapabilitySet }> {
    const names = this.#components(path);
    if (names.length === 0) return { name: "/", masks: [], set: this.root };
    const { parent, name } = await this.#place(names);
    const at = names.length - 1;
    const { masks } = await this.#asking(names, at, () =>
      this.#ask(parent, (each) => each.getmasks({ name })),
    );
    const { found } = await this.#asking(names, at, () =>
      this.#ask(parent, (each) => each.setlookup({ names: [{ directory: parent, name }] })),
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
      await this.#ask(
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
      this.#ask(parent, (each) => each.create({ columns, ...making }), true),
    );
    const set = setOf(directory);
    try {
      await this.#ask(parent, (each) => each.append({ name, set, masks: [], ...appending }), true);
    } catch (error) {
      const isOpen = error instanceof ProteusError && open.has(error.code);
      // Without a name it is nobody's; ageing would take it, too.
      if (!isOpen)
        await this.#ask(set, (each) => each.discard({ ...this.#identity() })).catch(() => undefined);
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
      await this.#ask(set, (each) => each.discard(identity), true);
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
      this.#ask(parent, (each) => change(each, name, identity, parent), true),
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
    const capabilities = inOrder(from);
    const [first] = capabilities;
    if (first === undefined) return Promise.reject(new Error("the set of a directory is empty"));
    const found = ({ set, rest }: { readonly set: CapabilitySet; readonly rest: string }) => {
      const left = rest === "" ? 0 : rest.split("/").filter((name) => name !== "").length;
      if (left >= some.length) throw nameError("notDirectory", all, at);
      const next = at + some.length - left;
      const isThere = next >= names.length || hop >= hopsMax;
      return isThere ? set : this.#hop(set, names, next, all, hop + 1);
    };
    const began = this.#now();
    return this.#stub(first)
      .lookup({ path })
      .then(found, (error: unknown) => {
        const again = { error, began, capabilities };
        return this.#askAgain(again, (each) => each.lookup({ path }), false).then(
          found,
          async (last: unknown) => {
            throw await this.#blame(last, from, at, some, all);
          },
        );
      });
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
        await this.#ask(from, (each) => each.lookup({ path: some.slice(0, count).join("/") }));
      } catch (earlier) {
        return named(earlier, all, at + count - 1);
      }
    }
    return named(error, all, at + some.length - 1);
  }

  /** Asks the directory, at whichever of its capabilities answers. */
  #ask<Reply>(
    directory: CapabilitySet,
    call: (each: DirectoryStub) => Promise<Reply>,
    isUpdate = false,
  ): Promise<Reply> {
    const capabilities = inOrder(directory);
    const [first] = capabilities;
    if (first === undefined) return Promise.reject(new Error("the set of a directory is empty"));
    const began = this.#now();
    return call(this.#stub(first)).catch((error: unknown) =>
      this.#askAgain({ error, began, capabilities }, call, isUpdate),
    );
  }

  /** Goes on where the first capability did not answer. */
  async #askAgain<Reply>(
    { error: first, began: from, capabilities }: FirstTry,
    call: (each: DirectoryStub) => Promise<Reply>,
    isUpdate: boolean,
  ): Promise<Reply> {
    const { pause, patienceMs = 15_000 } = this.#options;
    let last: unknown;
    let isOpen = false;
    const failed = (error: unknown): void => {
      const code = error instanceof ProteusError ? error.code : "";
      // A revoked or foreign member of the set does not speak for the others.
      // A refusal of this copy says nothing of an earlier one, which may still be executed.
      if (!passing.has(code) && !(code === "STD_CAPBAD" && capabilities.length > 1))
        throw isOpen ? new Uncertain(error) : error;
      isOpen ||= isUpdate && open.has(code);
      last = error;
    };
    failed(first);
    let began = from;
    let others: readonly Capability[] = capabilities.slice(1);
    let waited = 0;
    for (let round = 0; ; round++) {
      for (const capability of others) {
        try {
          return await call(this.#stub(capability));
        } catch (error) {
          failed(error);
        }
      }
      const wait = Math.min(pauseMs * 2 ** Math.min(round, 8), pauseMsMax);
      waited += (this.#now() - began) / 1000 + wait;
      if (pause === undefined || waited > patienceMs) throw isOpen ? new Uncertain(last) : last;
      await pause(wait);
      began = this.#now();
      others = capabilities;
    }
  }

  #now(): number {
    return typeof this.#via === "function" ? (this.#options.now?.() ?? 0) : this.#via.turnedAt;
  }

  #stub(capability: Capability): DirectoryStub {
    const known = this.#stubs.get(capability);
    if (known !== undefined) return known;
    const made = stub(this.#via, directoryTable, capability, this.#call);
    this.#stubs.set(capability, made);
    return made;
  }
}

interface Identity {
  readonly request: number;
  readonly requestMore: number;
}

/** An update of which nobody said what became of it. */
class Uncertain extends Error {
  constructor(cause: unknown) {
    super("the outcome is not known", { cause });
  }
}

/** Refusals that are about the directory that was asked, and not about a name in it. */
const ofDirectory = new Set(["STD_CAPBAD", "STD_DENIED", "STD_COMBAD", "SP_NOTEMPTY"]);

/** An error in the words of a path; other errors as they are. @param at the name that it was about */
function named(error: unknown, names: readonly string[], at: number): unknown {
  if (error instanceof Uncertain)
    return nameError("uncertain", names, Math.min(at, names.length - 1), error.cause);
  if (!(error instanceof ProteusError) || error.code.startsWith("NAME_")) return error;
  const failure: NameFailure | undefined =
    error.code.startsWith("RPC_") || error.code === "SP_UNAVAIL" ? "unreachable" : failureOf[error.code];
  const component = Math.min(ofDirectory.has(error.code) ? at - 1 : at, names.length - 1);
  return failure === undefined ? error : nameError(failure, names, component, error);
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
