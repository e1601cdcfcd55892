// The log on its way to vice: records in order, contents before them, outcomes taken over.
//
// - With a connection and nothing done without vice (`isThrough`), a record is offered first: its change
//   is made here when vice has taken it, and the program is answered then. Otherwise, and under a permit
//   (permit.ts), the change is made in the step that has the record, and vice hears of it later.
// - A connection that ends while records are offered: they become records of disconnected work. Vice
//   knows by their numbers which of them it has received.
// - Numbers are given when records are offered; those that vice has not received are numbered anew.
// - One batch at a time. A content that is being changed while it is sent is refused by its hash; its
//   record is made to say what it is now, and goes again.

import type { FileRecord, Outcome } from "../interface/file-records.js";
import { INLINE_BYTES_MAX, RECORDS_CHARACTERS_MAX, reintegratedSchema } from "../interface/file-records.js";
import type { HelloDocument } from "../interface/vice.js";
import { VICE_PIECE_BYTES } from "../interface/vice.js";
import type { Change } from "../recoverable/tables.js";
import type { Cache } from "./cache.js";
import { compact } from "./compaction.js";
import { timeOf } from "./contents.js";
import { effectOf } from "./effect.js";
import type { Came, Link } from "./link.js";
import type { Permit } from "./permit.js";
import { idsOf, type LogRow, nameChange } from "./state.js";
import { errnoOf, hintOf, type Stuck } from "./stuck.js";

/** What became of a record: vice's outcome, or that it was done here and vice will hear of it. */
export type Became = Outcome | "applied";

export interface ShipperOptions {
  readonly cache: Cache;
  readonly link: Link;
  readonly permit: Permit;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Whether an object is open, or known to the kernel. */
  readonly isHeld: (id: number) => boolean;
  /** Objects are not as they were here: the kernel is to forget them. */
  readonly changed: (ids: readonly number[]) => void;
  /** The log has become empty. */
  readonly emptied: () => void;
}

type Fresh = FileRecord extends infer R ? (R extends FileRecord ? Omit<R, "n" | "checked"> : never) : never;
export type FreshRecord = Fresh;

const batchMax = 64;
const stuckMs = 250;
const stuckMsMax = 60_000;
export class Shipper {
  /** Records that vice has taken since the start. */
  taken = 0;
  /** Outcomes that were not simply done, for people. */
  readonly notes: string[] = [];
  readonly #options: ShipperOptions;
  readonly #waiting = new Map<number, (became: Became) => void>();
  #busy = false;
  #next = 0;
  /** Until when nothing is tried; 0: nothing is in the way. */
  #stuckUntil = 0;
  #refusals = 0;
  #code = "";

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  get #log(): Map<number, LogRow> {
    return this.#options.cache.state.log;
  }

  /** Changes go to vice first. */
  get isThrough(): boolean {
    if (!this.#options.link.isConnected) return false;
    for (const { applied } of this.#log.values()) if (applied) return false;
    return true;
  }

  /** Milliseconds until `kick` is worth while. */
  nextMs(): number {
    const waits = this.#stuckUntil > 0 && this.#log.size > 0;
    return waits ? this.#stuckUntil - this.#options.now() : Number.POSITIVE_INFINITY;
  }

  /** One record. Throws what a step throws that finds no room. */
  append(fresh: FreshRecord, done: (became: Became, sequence: number) => void): void {
    const { cache } = this.#options;
    const sequence = cache.row.sequence + 1;
    const own: Change = ["cache", 0, { ...cache.row, sequence }];
    const { permit } = this.#options;
    const made = { ...fresh, n: 0, checked: false } as FileRecord;
    const fence = permit.fenceFor(made);
    const isAsked = permit.isHeld || permit.isYielding ? fence === 0 : this.isThrough;
    const record = { ...made, checked: isAsked };
    if (isAsked) {
      cache.tables.commit([own, ["log", sequence, { record, applied: false } satisfies LogRow]]);
      this.#waiting.set(sequence, (became) => done(became, sequence));
    } else {
      const row: LogRow = { record, applied: true, ...(fence === 0 ? {} : { fence }) };
      const entry: Change = ["log", sequence, row];
      cache.tables.commit([own, entry, ...effectOf(cache.state, record, sequence, this.#options.isHeld)]);
      this.#compact(sequence);
      done("applied", sequence);
    }
    this.kick();
  }

  /** What an entry makes needless goes, and what nobody needs then. */
  #compact(sequence: number): void {
    const { cache } = this.#options;
    const lost = new Set<number>();
    compact(cache.state, sequence, (changes) => {
      const under = changes.map(([table, key, row]): Change => {
        const { fence, record } = cache.state.log.get(Number(key)) ?? {};
        lost.add(record?.id ?? 0);
        return [table, key, row === null || fence === undefined ? row : { ...row, fence }];
      });
      cache.tables.commit(under);
    });
    for (const id of lost) cache.tidy(id);
  }

  /** HELLO was answered: numbers are settled. */
  begin({ last }: HelloDocument): void {
    const { cache } = this.#options;
    const changes: Change[] = [];
    for (const [sequence, row] of this.#log) {
      if (row.record.n > 0 && row.record.n <= last) continue; // it asks what became of it
      if (!row.applied)
        changes.push(["log", sequence, null]); // no program was ever told of it
      else if (row.record.n !== 0)
        changes.push(["log", sequence, { ...row, record: { ...row.record, n: 0 } }]);
    }
    if (changes.length > 0) cache.tables.commit(changes);
    for (const sequence of [...this.#log.keys()]) this.#compact(sequence);
    this.#next = last + 1;
    this.#busy = false;
    this.#stuckUntil = 0;
    this.kick();
  }

  /** The connection has ended: what was offered is disconnected work now. */
  lost(): void {
    const { cache, isHeld } = this.#options;
    this.#busy = false;
    for (const [sequence, { record, applied }] of [...this.#log]) {
      const done = this.#waiting.get(sequence);
      if (applied || done === undefined) continue;
      const row: LogRow = { record: { ...record, checked: false }, applied: true };
      cache.tables.commit([["log", sequence, row], ...effectOf(cache.state, record, sequence, isHeld)]);
      this.#waiting.delete(sequence);
      done("applied");
    }
  }

  /** Ships what there is. */
  kick(): void {
    const { link, cache } = this.#options;
    if (this.#busy || !link.isConnected || this.#log.size === 0 || this.#stuckUntil > this.#options.now())
      return;
    this.#busy = true;
    this.#stuckUntil = 0;
    const batch = this.#batch();
    const changes: Change[] = [];
    const records = batch.map(([sequence, row]) => {
      const n = row.record.n === 0 ? this.#next++ : row.record.n;
      if (row.record.n === 0) changes.push(["log", sequence, { ...row, record: { ...row.record, n } }]);
      return { ...row.record, n };
    });
    if (changes.length > 0) cache.tables.commit(changes);
    const sequences = batch.map(([sequence]) => sequence);
    const ready = records.map((record) => this.#withContent(record));
    const failed = (came: Came): void => this.#refused(came, sequences);
    this.#send(ready, 0, failed, () => this.#reintegrate(ready, sequences));
  }

  /** The first records, as many as one call carries. */
  #batch(): readonly [sequence: number, row: LogRow][] {
    const batch: [number, LogRow][] = [];
    let characters = 0;
    for (const entry of this.#log) {
      const { record } = entry[1];
      characters += JSON.stringify(record).length;
      if (record.op === "store" && record.size <= INLINE_BYTES_MAX) characters += record.size * 1.4;
      if (batch.length > 0 && (characters > RECORDS_CHARACTERS_MAX || batch.length >= batchMax)) break;
      batch.push(entry);
    }
    return batch;
  }

  /** A small content goes in its record. */
  #withContent(record: FileRecord): FileRecord {
    if (record.op !== "store" || record.size === 0 || record.size > INLINE_BYTES_MAX) return record;
    const data = this.#options.cache.contents.read(record.id, 0, record.size);
    return { ...record, data: Buffer.from(data).toString("base64") };
  }

  /** Sends the contents of a batch, one after the other. */
  #send(records: readonly FileRecord[], index: number, failed: (came: Came) => void, done: () => void): void {
    const { link, cache } = this.#options;
    const record = records[index];
    if (record === undefined) {
      done();
      return;
    }
    const next = (): void => this.#send(records, index + 1, failed, done);
    const { last = 0 } = link.hello ?? {};
    if (record.op !== "store" || record.size === 0 || record.data !== undefined || record.n <= last) {
      next();
      return;
    }
    const piece = (position: number, tries: number): void => {
      if (position >= record.size) {
        next();
        return;
      }
      const data = cache.contents.read(
        record.id,
        position,
        Math.min(VICE_PIECE_BYTES, record.size - position),
      );
      if (data.length === 0) {
        next(); // it is shorter by now; vice will say that it is not what it should be
        return;
      }
      link.call("send", { record: record.n, position, data }, (came) => {
        if (came === null) return;
        if ("code" in came) failed(came);
        else {
          const there = Number(came.reply.next);
          if (there <= position && tries > 1) failed({ code: "ANSWER_WRONG" });
          else piece(there <= record.size ? there : 0, there <= position ? tries + 1 : 0);
        }
      });
    };
    piece(0, 0);
  }

  /** Nothing is tried for a while, each time twice as long. */
  #stuck(came: Came): void {
    this.#busy = false;
    this.#code = "code" in came ? came.code : "ANSWER_WRONG";
    this.#stuckUntil = this.#options.now() + Math.min(stuckMsMax, stuckMs * 2 ** this.#refusals++);
    const isFull = this.#code === "STD_NOSPACE";
    const why = isFull ? "the volume's quota or its server is full" : `vice says ${this.#code}`;
    this.#note(`${why}: the log waits`);
    this.#options.permit.yield();
    this.#options.permit.shipped();
  }

  /** Why nothing goes on, if vice refuses the log; null: it does not. */
  get stuck(): Stuck | null {
    if (this.#refusals === 0 || this.#log.size === 0) return null;
    const hint = hintOf(this.#code);
    const nextMs = Math.max(0, Math.ceil(this.#stuckUntil - this.#options.now()));
    return { code: this.#code, hint, times: this.#refusals, nextMs };
  }

  #note(line: string): void {
    if (this.notes.at(-1) !== line && this.notes.push(line) > 100) this.notes.shift();
  }

  #reintegrate(records: readonly FileRecord[], sequences: readonly number[]): void {
    const { link } = this.#options;
    const mark = link.mark();
    link.call("reintegrate", { records: { records } }, (came) => {
      if (came === null) return;
      const parsed = "reply" in came ? reintegratedSchema.safeParse(came.reply.reintegrated) : null;
      if (parsed?.success !== true) {
        this.#refused(came, sequences);
        return;
      }
      const { outcomes, statuses, gone } = parsed.data;
      this.#takeOver(outcomes, sequences, { statuses, gone, mark });
      this.#busy = false;
      if (outcomes.length > 0) this.#free();
      if (outcomes.length === 0) this.#restate(sequences[0]);
      else if (this.#log.size === 0) this.#options.emptied();
      else this.kick();
    });
  }

  /** Vice takes none of a batch: those who wait for one are told; what was done here stays in the log. */
  #refused(came: Came, sequences: readonly number[]): void {
    this.#stuck(came);
    const errno = errnoOf(this.#code);
    const answers: (() => void)[] = [];
    for (const sequence of sequences) {
      const done = this.#waiting.get(sequence);
      if (done === undefined) continue;
      const n = this.#log.get(sequence)?.record.n ?? 1;
      this.#options.cache.tables.commit([["log", sequence, null]]);
      this.#next = Math.min(this.#next, n);
      this.#waiting.delete(sequence);
      answers.push(() => done({ n: Math.max(1, n), became: "refused", errno }));
    }
    if (this.#log.size === 0) this.#free(); // who comes next is told by itself
    for (const answer of answers) answer();
  }

  #free(): void {
    this.#refusals = 0;
    this.#stuckUntil = 0;
  }

  #takeOver(
    outcomes: readonly Outcome[],
    sequences: readonly number[],
    told: {
      readonly statuses: readonly Parameters<Cache["taken"]>[0][];
      readonly gone: readonly number[];
      readonly mark: number;
    },
  ): void {
    const { cache, link, permit, isHeld, changed } = this.#options;
    const versions = new Map(told.statuses.map(({ id, version }) => [id, version]));
    const doubtful = new Set<number>();
    const answers: (() => void)[] = [];
    const named = new Set<number>();
    // What was done without vice may meet what others have done meanwhile.
    const isAlone = sequences.every((sequence) => {
      const row = this.#log.get(sequence);
      return row?.applied === false || permit.covers(row?.fence);
    });
    for (const [index, outcome] of outcomes.entries()) {
      const sequence = sequences[index];
      const row = sequence === undefined ? undefined : this.#log.get(sequence);
      if (sequence === undefined || row === undefined) continue;
      const { record, applied } = row;
      const isDone = outcome.became === "done" || (outcome.became === "same" && outcome.id === undefined);
      const effect = isDone && !applied ? effectOf(cache.state, record, sequence, isHeld) : [];
      cache.tables.commit([["log", sequence, null], ...effect]);
      cache.tables.commit(this.#settle(record, sequence, versions.get(record.id), isDone));
      this.taken++;
      for (const id of idsOf(record)) named.add(id);
      if (!isDone && outcome.became !== "refused") {
        const what = `${record.op} ${"name" in record ? record.name : record.id}`;
        this.#note(`${what}: ${outcome.became} ${outcome.why ?? outcome.name ?? ""}`);
        for (const id of idsOf(record)) doubtful.add(id);
      }
      if (isDone && !applied) permit.counted();
      const done = this.#waiting.get(sequence);
      this.#waiting.delete(sequence);
      if (done !== undefined) answers.push(() => done(outcome));
    }
    const changes = told.statuses.flatMap((status) =>
      cache.taken(status, told.mark, { isOwn: true, isAlone }),
    );
    if (changes.length > 0) cache.tables.commit(changes);
    for (const id of doubtful) this.#doubt(id);
    if (doubtful.size > 0) changed([...doubtful]);
    if (told.statuses.length === 0) for (const id of told.gone) link.doubt(id);
    for (const answer of answers) answer();
    for (const id of named) cache.tidy(id);
    permit.shipped();
  }

  /** A log entry is over: what was its own content is that of vice's version now. */
  #settle(record: FileRecord, sequence: number, version: number | undefined, isDone: boolean): Change[] {
    const { cache } = this.#options;
    const row = cache.state.objects.get(record.id);
    if (row?.own !== sequence) return [];
    const content = isDone && version !== undefined ? version : 0;
    return [["object", record.id, { ...row, own: 0, content, boot: cache.row.boots ?? 0 }]];
  }

  /** What is here of an object does not count: vice is asked when somebody wants it. */
  #doubt(id: number): void {
    const { cache, link } = this.#options;
    link.doubt(id);
    const row = cache.state.objects.get(id);
    if (row === undefined || cache.isPending(id)) return;
    const names = [...(cache.state.names.get(id)?.keys() ?? [])].map((name) => nameChange(id, name, 0));
    cache.tables.commit([["object", id, { ...row, own: 0, content: 0, whole: false }], ...names]);
  }

  /** The first record's content is not what the record says any more: it says what it is now. */
  #restate(sequence: number | undefined): void {
    const { cache } = this.#options;
    const row = sequence === undefined ? undefined : this.#log.get(sequence);
    this.#stuckUntil = this.#options.now() + stuckMs;
    if (row === undefined || sequence === undefined || row.record.op !== "store") return;
    const { id } = row.record;
    const facts = cache.contents.with(id, (file) => file.facts());
    const hash = cache.contents.hash(id);
    const record: FileRecord = { ...row.record, size: facts.size, hash, mtime: timeOf(facts.mtime) };
    cache.tables.commit([["log", sequence, { ...row, record }]]);
  }
}
