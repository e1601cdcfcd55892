// Compares a cache with what it should be: contents with their rows, files with rows, and, with vice, what
// it has promised with what it says.
//
// - In steps of a few pieces, so that programs are served between them; what changes meanwhile is left out.
// - Repairs only what vice has: a bad copy is dropped and fetched again, while there is a connection. What
//   was not shipped is never touched.
// - What vice says of things that it has not promised is no problem: the cache is behind, and asks.

import { Findings, lookAt } from "../interface/file-check.js";
import type { FileStatus } from "../interface/file-status.js";
import { entriesSchema, STATUS_MAX, statusesSchema } from "../interface/vice.js";
import type { Cache } from "./cache.js";
import type { NewDigest } from "./contents.js";
import { isDirectory, isFile } from "./effect.js";
import type { Came, Link, Values } from "./link.js";
import { type CachedObject, nameChange } from "./state.js";

export interface VerificationOptions {
  readonly cache: Cache;
  readonly link: Link;
  readonly newDigest: NewDigest;
  /** The kernel is to forget objects. */
  readonly forget: (ids: readonly number[]) => void;
  readonly isRepair: boolean;
}

/** Pieces of a step. */
const stepPieces = 4;
const encoder = new TextEncoder();

type Question = { readonly operation: string; readonly given: Values };

export class Verification {
  readonly findings: Findings;
  readonly #options: VerificationOptions;
  readonly #work: Generator<Question | undefined, void, Came | null | undefined>;
  readonly #nameOf = new Map<number, string>();
  #isWaiting = false;
  #came: Came | null | undefined;

  constructor(options: VerificationOptions) {
    this.#options = options;
    this.findings = new Findings(options.isRepair);
    for (const own of options.cache.state.names.values())
      for (const [name, id] of own) this.#nameOf.set(id, name);
    this.#work = this.#all();
  }

  /** A step can be taken. */
  get isReady(): boolean {
    return this.findings.isRunning && !this.#isWaiting;
  }

  step(): void {
    try {
      for (let piece = 0; piece < stepPieces && this.isReady; piece++) {
        const { done, value } = this.#work.next(this.#came);
        this.#came = undefined;
        if (done === true) this.findings.isRunning = false;
        else if (value !== undefined) this.#ask(value);
      }
    } catch (error) {
      this.findings.failed = (error as Error).message;
      this.findings.isRunning = false;
    }
  }

  #ask({ operation, given }: Question): void {
    this.#isWaiting = true;
    this.#options.link.call(operation, given, (came) => {
      this.#isWaiting = false;
      this.#came = came;
    });
  }

  *#all(): Generator<Question | undefined, void, Came | null | undefined> {
    const { cache, link } = this.#options;
    for (const id of [...cache.state.objects.keys()]) yield* this.#object(id);
    yield* this.#leftovers();
    if (!link.isConnected) return;
    const promised = [...cache.state.objects.keys()].filter((id) => link.isPromised(id));
    for (let first = 0; first < promised.length && link.isConnected; first += STATUS_MAX)
      yield* this.#statuses(promised.slice(first, first + STATUS_MAX));
    for (const id of promised) if (link.isConnected) yield* this.#names(id);
    this.findings.isCompared = link.isConnected;
  }

  #problem(what: string, id: number, why: string, mend: (() => void) | null, hint?: string): void {
    const { isRepair, link } = this.#options;
    const can = mend !== null && (link.isConnected || what === "leftover");
    if (can && isRepair) mend();
    const more = mend !== null && !can ? "connect first: the server has it" : hint;
    this.findings.add({
      ...{ what, id, name: this.#nameOf.get(id) ?? "", why },
      repair: can ? (isRepair ? "done" : "possible") : "none",
      ...(more === undefined ? {} : { hint: more }),
    });
  }

  // ---- contents --------------------------------------------------------------------------

  /** What a content should be; null: it has none that could be told of. */
  #wanted(id: number, { status, content, own }: CachedObject): { size: number; hash: string } | null {
    const { state } = this.#options.cache;
    if (!isFile(status) || state.open.has(id)) return null;
    if (own > 0) {
      const record = state.log.get(own)?.record;
      return record?.op === "store" && record.size > 0 ? { size: record.size, hash: record.hash } : null;
    }
    if (status.size === 0 || content === 0 || content !== status.version) return null;
    return status.hash === undefined ? null : { size: status.size, hash: status.hash };
  }

  *#object(id: number): Generator<undefined, void> {
    const { cache, newDigest, forget } = this.#options;
    this.findings.objects++;
    const row = cache.state.objects.get(id);
    const wanted = row === undefined ? null : this.#wanted(id, row);
    if (row === undefined || wanted === null) {
      if (this.findings.objects % 1000 === 0) yield;
      return;
    }
    const file = cache.contents.look(id);
    let why: string | null = "there is no file with it";
    if (file !== null) {
      try {
        why = yield* lookAt(file, wanted, newDigest, (bytes) => {
          this.findings.bytes += bytes;
        });
      } finally {
        file.close();
      }
    }
    if (cache.state.objects.get(id) !== row || cache.state.open.has(id)) return; // it was changed meanwhile
    this.findings.files++;
    if (why === null) return;
    if (row.own > 0)
      this.#problem(
        ...(["unshipped", id, why, null] as const),
        "the server gets it as it is in the cache: look at it there",
      );
    else
      this.#problem("content", id, why, () => {
        cache.drop(id);
        forget([id]);
      });
  }

  /** Files of the cache that no row has. */
  *#leftovers(): Generator<undefined, void> {
    const { cache } = this.#options;
    for (const { id, isIncoming, path } of cache.contents.files()) {
      const row = cache.state.objects.get(id);
      const isBusy = cache.isPending(id) || cache.state.open.has(id) || cache.contents.get(id) !== undefined;
      const isHad = isIncoming ? cache.isFetching(id) : isBusy || (row !== undefined && hasOne(row));
      if (!isHad) this.#problem("leftover", id, `${path} is of nothing`, () => cache.contents.clear(path));
      yield;
    }
  }

  // ---- with vice ---------------------------------------------------------------------------

  /** A row is not as vice has promised: vice is asked when somebody wants it. */
  #forgetRow(id: number): void {
    const { cache, link, forget } = this.#options;
    const row = cache.state.objects.get(id);
    link.doubt(id);
    if (row !== undefined && isDirectory(row.status) && row.whole)
      cache.tables.commit([["object", id, { ...row, whole: false }]]);
    forget([id]);
  }

  *#statuses(ids: readonly number[]): Generator<Question, void, Came | null | undefined> {
    const { cache, link } = this.#options;
    const rows = new Map(ids.map((id) => [id, cache.state.objects.get(id)]));
    const came = yield { operation: "getstatus", given: { ids: { ids } } };
    const parsed = came != null && "reply" in came ? statusesSchema.safeParse(came.reply.statuses) : null;
    if (parsed?.success !== true) return;
    const isSettled = (id: number): boolean =>
      link.isPromised(id) && !cache.isPending(id) && cache.state.objects.get(id) === rows.get(id);
    for (const status of parsed.data.statuses) {
      const row = rows.get(status.id);
      if (row === undefined || row.own > 0 || !isSettled(status.id)) continue;
      const why = differs(row.status, status);
      if (why !== null) this.#problem("status", status.id, why, () => this.#forgetRow(status.id));
    }
    for (const id of parsed.data.gone)
      if (rows.get(id) !== undefined && rows.get(id)?.status.links !== 0 && isSettled(id))
        this.#problem("status", id, "the server does not have it", () => this.#forgetRow(id));
  }

  *#names(id: number): Generator<Question, void, Came | null | undefined> {
    const { cache, link } = this.#options;
    const row = cache.state.objects.get(id);
    if (row === undefined || !isDirectory(row.status) || !row.whole || cache.isPending(id)) return;
    const told = new Map<string, number>();
    for (let after = ""; ; ) {
      const came = yield { operation: "entries", given: { directory: id, after: encoder.encode(after) } };
      const parsed = came != null && "reply" in came ? entriesSchema.safeParse(came.reply.entries) : null;
      if (parsed?.success !== true) return;
      for (const [name, status] of parsed.data.names) told.set(name, status.id);
      const last = parsed.data.names.at(-1)?.[0];
      if (!parsed.data.more || last === undefined) break;
      after = last;
    }
    if (!link.isPromised(id) || cache.isPending(id) || cache.state.objects.get(id) !== row) return;
    const here = cache.state.names.get(id) ?? new Map<string, number>();
    const wrong = [...new Set([...told.keys(), ...here.keys()])].filter(
      (name) => told.get(name) !== here.get(name),
    );
    if (wrong.length === 0) return;
    this.#problem("name", id, `${wrong.length} names are not the server's: ${wrong[0] ?? ""}`, () => {
      cache.tables.commit(wrong.map((name) => nameChange(id, name, 0)));
      this.#forgetRow(id);
    });
  }
}

const hasOne = ({ content, own }: CachedObject): boolean => content > 0 || own > 0;

/** In what two statuses of an object differ; null: in nothing that counts. */
function differs(here: FileStatus, there: FileStatus): string | null {
  for (const fact of ["version", "changed", "mode", "size", "hash", "uid", "gid", "links"] as const)
    if (here[fact] !== there[fact])
      return `its ${fact} is ${here[fact] ?? "none"} here, ${there[fact] ?? "none"} at the server`;
  return null;
}
