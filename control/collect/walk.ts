// The walk over everything that has a name: from the roots through all directories, each once.
//
// - A directory that several names lead to is listed once; again when another name gives columns
//   that the first did not. So cycles end, and nothing is missed for want of a right.
// - What could not be seen is told: a directory that was not listed whole, a row without its set, a
//   server of which nobody knows whether it keeps directories. Then the walk is not complete, and
//   who would age objects must not.
// - A directory that is gone, or whose capability was revoked, leads to nothing: that is told by who
//   touches it, and the walk is complete without it.
// - Bounds: directories and rows under way; a walk that meets more is not complete.

import { type Capability, capabilityHex } from "../capability/capability.js";
import { claims } from "../capability/private-part.js";
import { type CapabilitySet, inOrder, setOf } from "../capability/set.js";
import { below } from "../files/places.js";
import { COLUMN_RIGHTS } from "../interface/directory.js";
import { toHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError, statusName } from "../kernel/errors.js";
import type { Directories } from "../stub/directories.js";
import type { Row } from "../stub/listing.js";
import { type Asking, codeOf } from "./asking.js";

/** What can be listed by its capability. */
export type Listing = Pick<Directories, "entriesOf" | "root">;

/** What has a name, and one of its names. */
export interface Named {
  readonly path: string;
  readonly set: CapabilitySet;
}

/** What could not be seen, and why. */
export interface Unseen {
  readonly path: string;
  readonly code: string;
  readonly why: string;
}

export interface WalkReport {
  readonly directories: number;
  readonly names: number;
  /** Nothing that has a name was missed. */
  readonly complete: boolean;
  readonly unseenCount: number;
  /** At most a hundred of them. */
  readonly unseen: readonly Unseen[];
}

export interface WalkOptions {
  readonly names: Listing;
  readonly asking: Asking;
  /** Told of everything that has a name, the roots too, before the walk ends. It may wait. */
  readonly found: (named: Named) => Promise<void>;
  /** Directories listed at a time; default 4. */
  readonly concurrency?: number;
  /** Default 1,000,000. */
  readonly directoriesMost?: number;
}

const toldMost = 100;
const directoriesMostDefault = 1_000_000;
const concurrencyDefault = 4;
/** A directory says what it is as the original's does. */
const directoryInfo = "/";

/** A directory that was, or is being, listed. */
interface Known {
  /** Columns by which it was listed. */
  columns: number;
  /** Names of rows that no listing has shown, with why; null: it was never listed whole. */
  hidden: Map<string, Unseen> | null;
  failure: Unseen | undefined;
}

/** The server of a directory does not answer, or has no majority. */
const awayCodes = /^(RPC_|CONTROL_|STD_NOTNOW$|SP_UNAVAIL$)/;
const away = (path: string): ProteusError =>
  new ProteusError({
    ...{ code: "RPC_NOTFOUND", exit: exitCodes.unreachable },
    message: `${path} is of a server that did not answer before`,
  });

export class Walk {
  readonly #options: WalkOptions;
  readonly #waiting: Named[] = [];
  readonly #known = new Map<string, Known>();
  /** By port: whether its server keeps directories. */
  readonly #keeps = new Map<string, boolean>();
  /** Directories by capability that are, or were, listed. */
  readonly #tried = new Set<string>();
  /** Ports of directory servers that do not answer: they are not waited for again. */
  readonly #away = new Set<string>();
  readonly #unseen: Unseen[] = [];
  #names = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
    for (const { capability } of options.names.root.members) this.#keeps.set(toHex(capability.port), true);
  }

  /** Walks from these on. */
  async from(roots: readonly Named[]): Promise<WalkReport> {
    const { concurrency = concurrencyDefault } = this.#options;
    for (const root of roots) await this.#meet(root);
    const under = new Set<Promise<void>>();
    const failures: unknown[] = [];
    while ((this.#waiting.length > 0 || under.size > 0) && failures.length === 0) {
      const next = under.size < concurrency ? this.#waiting.pop() : undefined;
      if (next === undefined) {
        await Promise.race(under);
        continue;
      }
      const one: Promise<void> = this.#list(next)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => under.delete(one));
      under.add(one);
    }
    await Promise.all(under);
    if (failures.length > 0) throw failures[0];
    return this.#report();
  }

  #report(): WalkReport {
    const unseen = [...this.#unseen];
    let directories = 0;
    for (const { failure, hidden } of this.#known.values()) {
      if (hidden !== null) directories++;
      if (hidden === null && failure !== undefined) unseen.push(failure);
      unseen.push(...(hidden?.values() ?? []));
    }
    return {
      ...{ directories, names: this.#names, complete: unseen.length === 0 },
      ...{ unseenCount: unseen.length, unseen: unseen.slice(0, toldMost) },
    };
  }

  /** Something with a name: it is told of, and waits for its turn when it is a directory. */
  async #meet(named: Named): Promise<void> {
    await this.#options.found(named);
    if (await this.#isDirectory(named)) this.#waiting.push(named);
  }

  async #isDirectory({ path, set }: Named): Promise<boolean> {
    const capabilities = inOrder(set);
    for (const { port } of capabilities) {
      const keeps = this.#keeps.get(toHex(port));
      if (keeps !== undefined) return keeps;
    }
    let unknown: Unseen | undefined;
    for (const capability of capabilities) {
      try {
        const keeps = await this.#asks(capability);
        if (keeps !== undefined) return keeps;
      } catch (error) {
        unknown = { path, code: codeOf(error), why: "its server does not say whether it is a directory" };
      }
    }
    if (unknown !== undefined) this.#unseen.push(unknown);
    return false;
  }

  /** Whether a server keeps directories; undefined when this object of it is gone. */
  async #asks(capability: Capability): Promise<boolean | undefined> {
    const { asking } = this.#options;
    let keeps = false;
    try {
      const { text } = await asking.patiently(() => asking.std(capability).info({ most: 16 }));
      keeps = text.startsWith(directoryInfo);
    } catch (error) {
      const code = codeOf(error);
      if (code === "STD_CAPBAD") return undefined;
      // A server that lives and has no such operation, or an answer of its own, is no directory server.
      if (code !== "STD_COMBAD" && code !== "ANSWER_WRONG") throw error;
    }
    this.#keeps.set(toHex(capability.port), keeps);
    return keeps;
  }

  async #list({ path, set }: Named): Promise<void> {
    const { names, directoriesMost = directoriesMostDefault } = this.#options;
    for (const capability of inOrder(set)) {
      const port = toHex(capability.port);
      if (this.#keeps.get(port) === false) continue;
      const { object, rights } = claims(capability.private);
      const columns = rights & COLUMN_RIGHTS;
      const known = this.#known.get(`${port}/${object}`) ?? { columns: 0, hidden: null, failure: undefined };
      if (known.hidden !== null && (columns & ~known.columns) === 0) return;
      const exact = capabilityHex(capability);
      if (this.#tried.has(exact)) continue;
      this.#tried.add(exact);
      if (this.#tried.size > directoriesMost) {
        this.#unseen.push({
          path,
          code: "GC_MANY",
          why: `there are more than ${directoriesMost} directories`,
        });
        return;
      }
      try {
        if (this.#away.has(port)) throw away(path);
        const { rows, whole } = await names.entriesOf(setOf(capability));
        this.#known.set(`${port}/${object}`, known);
        await this.#rows(path, rows, known, whole);
        known.columns |= columns;
        return;
      } catch (error) {
        const code = codeOf(error);
        if (code === "STD_CAPBAD") continue; // gone, or revoked: another capability may lead to it
        if (awayCodes.test(code)) this.#away.add(port);
        known.failure ??= { path, code, why: "it could not be listed" };
        this.#known.set(`${port}/${object}`, known);
      }
    }
  }

  async #rows(path: string, rows: readonly Row[], known: Known, whole: boolean): Promise<void> {
    const hidden = new Map<string, Unseen>();
    if (!whole)
      hidden.set("", { path, code: "GC_UNSTEADY", why: "it was changed each time that it was listed" });
    if (known.hidden === null) this.#names += rows.length;
    for (const { name, set, status } of rows) {
      if (set !== undefined) {
        await this.#meet({ path: below(path, name), set });
        continue;
      }
      const code = statusName(status ?? 0) ?? "STD_NOTFOUND";
      hidden.set(name, { path: below(path, name), code, why: "what it stands for could not be seen" });
    }
    // What one listing has shown is seen, whatever another did not show.
    if (known.hidden === null) known.hidden = hidden;
    else for (const name of [...known.hidden.keys()]) if (!hidden.has(name)) known.hidden.delete(name);
  }
}
