// Bundles: the commands that wait while a message of the group is on its way go out together in
// the next one. So many writers at once cost each member one message, and one flush, and not one each.
//
// - Commands of a bundle are executed in their order, each for itself; one outcome each.
// - One bundle of a member is being executed at a time, and one more becomes certain meanwhile; a
//   full one does not wait for that. None is longer than the group's messages: a command that does
//   not fit into one goes alone, and is refused alone.
// - Writers that were answered together come back one after the other. A bundle waits for half of
//   those that there are, while they keep coming, for half as long as the last one took at most:
//   else the first goes alone, and all others wait for it. One writer never waits.
// - Bytes that are no bundle do not decode: they change nothing.

import type { After } from "../../group/timer.js";
import { Cursor, list, Malformed, raw, uint16 } from "../../interface/types.js";
import { decodeOutcome, encodeOutcome, OUTCOME_BYTES, type Outcome } from "./commands.js";

/** Commands of one bundle. */
export const BUNDLE_COMMANDS_MAX = 64;
const countBytes = 2;
const lengthBytes = 2;

export function encodeBundle(commands: readonly Uint8Array[]): Uint8Array {
  const size = commands.reduce((sum, { length }) => sum + lengthBytes + length, countBytes);
  const bytes = new Uint8Array(size);
  const cursor = new Cursor(bytes);
  uint16.write(cursor, commands.length);
  for (const command of commands) {
    uint16.write(cursor, command.length);
    bytes.set(command, cursor.take(command.length));
  }
  return bytes;
}

/** The commands of a bundle, or none of bytes that are no bundle. */
export function decodeBundle(bytes: Uint8Array): readonly Uint8Array[] {
  try {
    const cursor = new Cursor(bytes);
    const commands = Array.from({ length: Math.min(uint16.read(cursor), BUNDLE_COMMANDS_MAX) }, () => {
      const length = uint16.read(cursor);
      const at = cursor.take(length);
      return bytes.subarray(at, at + length);
    });
    return cursor.at === cursor.end ? commands : [];
  } catch (error) {
    if (error instanceof Malformed) return [];
    throw error;
  }
}

const outcomesType = list(raw(OUTCOME_BYTES), BUNDLE_COMMANDS_MAX);

export function encodeOutcomes(outcomes: readonly Outcome[]): Uint8Array {
  const encoded = outcomes.map(encodeOutcome);
  const bytes = new Uint8Array(outcomesType.size(encoded));
  outcomesType.write(new Cursor(bytes), encoded);
  return bytes;
}

const decodeOutcomes = (bytes: Uint8Array): Outcome[] =>
  outcomesType.read(new Cursor(bytes)).map(decodeOutcome);

/** Nobody came for so long: nobody does. */
const comingMs = 1;
/** Bundles that are not certain yet, unless they are full. */
const openMax = 2;

interface Waiting {
  readonly command: Uint8Array;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

export interface BundlesOptions {
  /** Has a bundle executed; resolves with its outcomes (encodeOutcomes). */
  readonly send: (bundle: Uint8Array) => Promise<Uint8Array>;
  /** Ends when a version is certain, or when that is not known. */
  readonly certain: (version: number) => undefined | Promise<void>;
  /** Of a bundle. */
  readonly bytesMax: () => number;
  readonly after: After;
  readonly now: () => number;
}

/** Sends the commands of one member. */
export class Bundles {
  readonly #options: BundlesOptions;
  #waiting: Waiting[] = [];
  #sending = false;
  /** Bundles that are not certain yet. */
  readonly #open = new Set<readonly Waiting[]>();
  /** Commands that are worth a bundle: half of those there were when the last one ended. */
  #expected = 1;
  #tookMs = 0;
  /** Waits for those that come. */
  #gather: { readonly until: number; seen: number } | null = null;

  constructor(options: BundlesOptions) {
    this.#options = options;
  }

  /** Resolves with what the command came to. Rejects as `send` does. */
  submit(command: Uint8Array): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#next();
    });
  }

  /** Sends, or waits for those that come, or does nothing while a bundle is on its way. */
  #next(): void {
    const count = this.#waiting.length;
    if (this.#sending || count === 0) return;
    const fitting = this.#fitting();
    const isFull = fitting < count || fitting >= BUNDLE_COMMANDS_MAX;
    if (isFull || (count >= this.#expected && this.#open.size < openMax)) {
      this.#gather = null;
      void this.#sendSome(this.#waiting.splice(0, fitting));
    } else if (this.#gather === null && this.#open.size === 0) {
      const gather = { until: this.#options.now() + this.#tookMs / 2, seen: 0 };
      this.#gather = gather;
      this.#look(gather);
    }
  }

  #look(gather: { readonly until: number; seen: number }): void {
    gather.seen = this.#waiting.length;
    this.#options.after(comingMs, () => {
      if (this.#gather !== gather) return;
      if (this.#waiting.length > gather.seen && this.#options.now() < gather.until) this.#look(gather);
      else {
        this.#expected = 1;
        this.#gather = null;
        this.#next();
      }
    });
  }

  async #sendSome(some: readonly Waiting[]): Promise<void> {
    const { send, certain, now } = this.#options;
    const began = now();
    this.#sending = true;
    this.#open.add(some);
    let newest = 0;
    try {
      const outcomes = decodeOutcomes(await send(encodeBundle(some.map(({ command }) => command))));
      for (const [index, { resolve, reject }] of some.entries()) {
        const outcome = outcomes[index];
        if (outcome === undefined) reject(new Error("a command of a bundle has no outcome"));
        else resolve(outcome);
        newest = Math.max(newest, outcome?.version ?? 0);
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
    this.#sending = false;
    const settles = newest === 0 ? undefined : certain(newest);
    if (settles !== undefined) {
      this.#next();
      await settles.catch(() => undefined);
    }
    this.#open.delete(some);
    this.#tookMs = now() - began;
    let all = some.length + this.#waiting.length;
    for (const { length } of this.#open) all += length;
    this.#expected = Math.min(Math.ceil(all / 2), BUNDLE_COMMANDS_MAX);
    this.#next();
  }

  /** How many of those that wait go into one bundle: one at least. */
  #fitting(): number {
    let [count, bytes] = [0, countBytes];
    const bytesMax = this.#options.bytesMax();
    for (const { command } of this.#waiting) {
      bytes += lengthBytes + command.length;
      if (count > 0 && (bytes > bytesMax || count >= BUNDLE_COMMANDS_MAX)) break;
      count++;
    }
    return count;
  }
}
