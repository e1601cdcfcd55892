// Open files of a cache: handles, contents that are being written, and what a close comes to.
//
// - Before a content is first changed there is a row that says how its file was (InterMezzo's local log);
//   what is not so any more has been changed. So it is found after a crash too.
// - FLUSH compares, hashes, and has a STORE record made; the same content again is no change.
// - A time that a program sets is kept to the nanosecond, though the file's own may be rounded.

import type { FileFacts } from "../../drivers/folder.js";
import type { FileTime } from "../interface/file-status.js";
import { EMPTY_HASH } from "../interface/file-status.js";
import type { Cache } from "./cache.js";
import { timeOf } from "./contents.js";
import type { Became, Shipper } from "./shipping.js";
import type { OpenRow } from "./state.js";

export interface Handle {
  readonly id: number;
  readonly forWriting: boolean;
}

const isSameTime = (one: FileTime, other: FileTime): boolean => one[0] === other[0] && one[1] === other[1];
const isLater = (one: FileTime, other: FileTime): boolean =>
  one[0] === other[0] ? one[1] > other[1] : one[0] > other[0];
/** When an object was last changed: as its status has it, or by a write since. */
export const laterOf = (status: FileTime, written: FileTime | undefined): FileTime =>
  written !== undefined && isLater(written, status) ? written : status;

export class OpenFiles {
  readonly #cache: Cache;
  readonly #shipper: () => Shipper;
  readonly #handles = new Map<number, Handle>();
  #last = 0;

  constructor(cache: Cache, shipper: () => Shipper) {
    this.#cache = cache;
    this.#shipper = shipper;
  }

  get count(): number {
    return this.#handles.size;
  }

  isOpen(id: number): boolean {
    return this.#cache.contents.get(id) !== undefined;
  }

  handle(number: number): Handle | undefined {
    return this.#handles.get(number);
  }

  /** Opens a content that is here; answers a handle and the kernel's number of its file. */
  open(
    id: number,
    forWriting: boolean,
    truncated: boolean,
  ): { readonly handle: number; readonly backing: number } {
    const { contents, state } = this.#cache;
    const row = state.objects.get(id);
    // The kernel writes without a word: set-id bits would stay.
    const hasSetId = row !== undefined && (row.status.mode & 0o6000) !== 0;
    const content = contents.open(id, forWriting, !hasSetId);
    const isEmpty = row !== undefined && row.status.size === 0 && row.own === 0 && content.opens === 1;
    if (isEmpty && content.file.facts().size > 0) content.file.truncate(0); // of an older version
    if (forWriting) this.watch(id);
    if (truncated) content.file.truncate(0);
    this.#cache.used(id);
    this.#handles.set(++this.#last, { id, forWriting });
    return { handle: this.#last, backing: content.backing };
  }

  /** Before a content is changed: how it is now. */
  watch(id: number): void {
    const { tables, state, contents } = this.#cache;
    if (!state.open.has(id))
      tables.commit([["open", id, this.#rowOf(contents.with(id, (file) => file.facts()))]]);
  }

  #rowOf({ size, mtime }: FileFacts, touched?: OpenRow["touched"]): OpenRow {
    return { size, mtime: timeOf(mtime), ...(touched === undefined ? {} : { touched }) };
  }

  /** Size and times of a file that is being written; undefined when it is not. */
  facts(
    id: number,
  ): { readonly size: number; readonly mtime: FileTime; readonly written?: FileTime } | undefined {
    const open = this.#cache.state.open.get(id);
    if (open === undefined) return undefined;
    const { size, mtime } = this.#cache.contents.with(id, (file) => file.facts());
    const is = timeOf(mtime);
    if (size === open.size && isSameTime(is, open.mtime)) return undefined;
    const { touched } = open;
    const isTouched = touched !== undefined && isSameTime(touched.is, is);
    return isTouched ? { size, mtime: touched.wanted } : { size, mtime: is, written: is };
  }

  /** A program sets the time of a content that is being written. */
  touch(id: number, mtime: FileTime): void {
    const { state, tables, contents } = this.#cache;
    const open = state.open.get(id);
    if (open === undefined) return;
    const isChanged = this.facts(id) !== undefined;
    const is = contents.with(id, (file) => {
      file.touch({ seconds: mtime[0], nanoseconds: mtime[1] });
      return file.facts();
    });
    const touched = { wanted: mtime, is: timeOf(is.mtime) };
    tables.commit([["open", id, isChanged ? { ...open, touched } : this.#rowOf(is, touched)]]);
  }

  /** What was changed goes into the log; `done` gets an errno, 0: all is well. */
  flush(id: number, time: FileTime, done: (errno: number) => void): void {
    const { state, contents, tables } = this.#cache;
    const row = state.objects.get(id);
    const facts = this.facts(id);
    const open = state.open.get(id);
    if (row === undefined || row.status.links === 0 || facts === undefined || open === undefined) {
      done(0);
      return;
    }
    const before = contents.with(id, (file) => file.facts());
    const hash = contents.hash(id);
    const isSame = hash === (row.status.hash ?? EMPTY_HASH) && facts.size === row.status.size;
    const settled = (): void => {
      tables.commit([["open", id, this.#rowOf(before, open.touched)]]);
      this.#cache.used(id);
    };
    if (isSame && isSameTime(facts.mtime, row.status.mtime)) {
      settled();
      done(0);
      return;
    }
    const { version, hash: baseHash } = row.status;
    const content = { size: facts.size, hash, mtime: facts.mtime };
    const base = { id, base: version, ...(baseHash === undefined ? {} : { baseHash }) };
    // Closing moves no time: who looked before it, as git does, finds the same behind it.
    const changed = laterOf(row.status.ctime, facts.written);
    const when = isLater(changed, time) ? time : changed;
    this.#shipper().append({ op: "store", time: when, ...base, ...content }, (became: Became) => {
      if (became !== "applied" && became.became === "refused") done(became.errno ?? 5);
      else {
        if (state.open.has(id)) settled();
        done(0);
      }
    });
  }

  /** The last close of a handle; what a mapping changed after FLUSH goes into the log now. */
  release(number: number, time: FileTime): void {
    const handle = this.#handles.get(number);
    if (handle === undefined) return;
    this.#handles.delete(number);
    const { id, forWriting } = handle;
    const { contents, state, tables } = this.#cache;
    const end = (): void => {
      contents.release(id, forWriting);
      const open = contents.get(id);
      if ((open?.writers ?? 0) === 0 && state.open.has(id) && this.facts(id) === undefined)
        tables.commit([["open", id, null]]);
      const row = state.objects.get(id);
      if (open === undefined && (row === undefined || row.status.links === 0)) {
        if (row !== undefined || state.open.has(id))
          tables.commit([
            ["object", id, null],
            ["open", id, null],
          ]);
        contents.remove(id);
      }
    };
    if (forWriting && contents.get(id)?.writers === 1) this.flush(id, time, end);
    else end();
  }

  /** After a start: what was changed and never came into the log does so. */
  recover(time: FileTime): void {
    const { state, tables } = this.#cache;
    const ofLog = new Set(state.log.keys());
    for (const [id, row] of [...state.objects])
      if (row.own > 0 && !ofLog.has(row.own)) tables.commit([["object", id, { ...row, own: 0, content: 0 }]]);
    for (const id of [...state.open.keys()]) this.flush(id, time, () => tables.commit([["open", id, null]]));
  }
}
