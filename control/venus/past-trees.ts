// What vice has said of how a volume was: directories as of moments, and versions of names.
//
// - Directories as of a moment never change: kept in memory, the least recently used go. Those of all that
//   ever was, and versions, are asked for each time.
// - `done` gets an errno where there is none: no connection, or vice has it no more.

import { errno } from "../../drivers/file-system.js";
import { EVER, pastSchema, type Versions, versionsSchema } from "../interface/file-history.js";
import type { FileStatus } from "../interface/file-status.js";
import type { Came, Link } from "./link.js";

export interface PastTree {
  readonly status: FileStatus;
  /** Of a directory. */
  readonly names: ReadonlyMap<string, FileStatus>;
}

/** What was asked for, or an errno. */
export type Found<Value> = (value: Value | number) => void;

const keptNamesMax = 50_000;
const pagesMax = 10_000;
const encoder = new TextEncoder();

/** What it means to a program that there is no answer. */
function errnoOf(came: Came | null): number {
  if (came === null) return errno.ETIMEDOUT;
  const isGone = "code" in came && (came.code === "STD_NOTFOUND" || came.code === "STD_ARGBAD");
  return isGone ? errno.ENOENT : errno.EIO;
}

export class PastTrees {
  readonly #link: Link;
  readonly #kept = new Map<string, PastTree>();
  readonly #waiting = new Map<string, Found<PastTree>[]>();
  #keptNames = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  /** An object as of a moment, a directory with all its names. */
  tree(moment: number, id: number, done: Found<PastTree>): void {
    const key = `${moment} ${id}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key); // the map is in the order of their use
      this.#kept.set(key, kept);
      done(kept);
      return;
    }
    const others = this.#waiting.get(key);
    if (others !== undefined) {
      others.push(done);
      return;
    }
    this.#waiting.set(key, [done]);
    this.#page(moment, id, "", new Map(), 0, (found) => {
      if (typeof found !== "number" && moment !== EVER) this.#keep(key, found);
      const all = this.#waiting.get(key) ?? [];
      this.#waiting.delete(key);
      for (const each of all) each(found);
    });
  }

  #page(
    moment: number,
    object: number,
    after: string,
    names: Map<string, FileStatus>,
    pages: number,
    done: Found<PastTree>,
  ): void {
    this.#link.call("past", { moment, object, after: encoder.encode(after) }, (came) => {
      const parsed = came !== null && "reply" in came ? pastSchema.safeParse(came.reply.past) : null;
      if (parsed?.success !== true) {
        done(errnoOf(came));
        return;
      }
      const { status, names: page, more } = parsed.data;
      for (const [name, child] of page) names.set(name, child);
      const last = page.at(-1)?.[0];
      if (!more || last === undefined) done({ status, names });
      else if (pages >= pagesMax) done(errno.EIO);
      else this.#page(moment, object, last, names, pages + 1, done);
    });
  }

  #keep(key: string, tree: PastTree): void {
    this.#kept.set(key, tree);
    this.#keptNames += 1 + tree.names.size;
    for (const [other, { names }] of this.#kept) {
      if (this.#keptNames <= keptNamesMax || other === key) return;
      this.#kept.delete(other);
      this.#keptNames -= 1 + names.size;
    }
  }

  /** What could be found under a name. */
  versions(directory: number, name: string, done: Found<Versions["versions"]>): void {
    const all: Versions["versions"] = [];
    const page = (after: number, pages: number): void => {
      this.#link.call("versions", { directory, name: encoder.encode(name), after }, (came) => {
        const parsed =
          came !== null && "reply" in came ? versionsSchema.safeParse(came.reply.versions) : null;
        if (parsed?.success !== true) {
          done(errnoOf(came));
          return;
        }
        const { versions, more } = parsed.data;
        all.push(...versions);
        const last = versions.at(-1)?.from ?? 0;
        if (!more || last <= after || pages >= pagesMax) done(all);
        else page(last, pages + 1);
      });
    };
    page(0, 0);
  }
}
