// How often somebody may be wrong: bounds on failed checks, so that guessing a check field of
// 48 bits takes centuries.
//
// - Three buckets that fill with time: for each source, each object, and the whole server.
//   While one of them is empty, nothing is checked: no right guess can be made either.
// - A private part that was found genuine lately is known and needs no bucket, so whoever
//   guesses does not lock out those who use the object. It is checked all the same.
// - Sources are what the caller says, and on a raw LAN can be made up: the bounds on objects
//   and on the server are the ones that count. Tables are bounded; the oldest goes.
// - Time is an argument. yearsToGuess says what the rates come to.

import { Recent } from "./recent.js";

/** Failed checks a second that go on for ever, and how many may come at once. */
export interface GuessRate {
  readonly perSecond: number;
  readonly atOnce: number;
}

export interface GuessRates {
  readonly source: GuessRate;
  readonly object: GuessRate;
  readonly server: GuessRate;
}

/** Generous to people who mistype and to programs with a stale capability. */
export const standardGuessRates: GuessRates = {
  source: { perSecond: 20, atOnce: 100 },
  object: { perSecond: 100, atOnce: 200 },
  server: { perSecond: 1000, atOnce: 2000 },
};

const checkBits = 48;
const secondsPerYear = 365.25 * 24 * 3600;

/**
 * Years until a guesser who never stops has been right once, on average: 2^48 tries at that
 * many a second, whichever objects they are spread over.
 */
export function yearsToGuess({ perSecond }: GuessRate): number {
  return 2 ** checkBits / perSecond / secondsPerYear;
}

interface Bucket {
  left: number;
  atMs: number;
}

const entriesMost = 4096;

/** A private part as a key: five characters of sixteen bits. */
const keyOf = (part: Uint8Array): string =>
  String.fromCharCode(pair(part, 0), pair(part, 2), pair(part, 4), pair(part, 6), pair(part, 8));

const pair = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);

export class Guesses<Source> {
  readonly #rates: GuessRates;
  readonly #now: () => number;
  readonly #sources = new Recent<Source, Bucket>(entriesMost);
  readonly #objects = new Recent<number, Bucket>(entriesMost);
  readonly #server: Bucket;
  readonly #known = new Recent<string, true>(entriesMost);

  /** @param now milliseconds that never go back */
  constructor(now: () => number, rates: GuessRates = standardGuessRates) {
    this.#now = now;
    this.#rates = rates;
    this.#server = { left: rates.server.atOnce, atMs: now() };
  }

  /**
   * What `check` makes of a private part, or undefined when it may not be asked now.
   *
   * @param who shows it; looked at only when the private part is not known
   */
  check(
    who: { readonly source: Source },
    object: number,
    privatePart: Uint8Array,
    check: (privatePart: Uint8Array) => number,
  ): number | undefined {
    const key = keyOf(privatePart);
    const known = this.#known.get(key);
    if (known === undefined && !this.#mayGuess(who.source, object)) return undefined;
    const rights = check(privatePart);
    if (rights >= 0) {
      if (known === undefined) this.#known.set(key, true);
    } else {
      this.#known.delete(key);
      if (known === undefined) this.#failed(who.source, object);
    }
    return rights;
  }

  #mayGuess(source: Source, object: number): boolean {
    const { source: ofSource, object: ofObject, server } = this.#rates;
    const now = this.#now();
    return (
      this.#left(this.#server, server, now) >= 1 &&
      this.#left(this.#bucket(this.#objects, object, ofObject, now), ofObject, now) >= 1 &&
      this.#left(this.#bucket(this.#sources, source, ofSource, now), ofSource, now) >= 1
    );
  }

  #failed(source: Source, object: number): void {
    const now = this.#now();
    this.#server.left -= 1;
    this.#bucket(this.#objects, object, this.#rates.object, now).left -= 1;
    this.#bucket(this.#sources, source, this.#rates.source, now).left -= 1;
  }

  #bucket<Key>(table: Recent<Key, Bucket>, key: Key, rate: GuessRate, now: number): Bucket {
    const found = table.get(key);
    if (found !== undefined) return found;
    const made = { left: rate.atOnce, atMs: now };
    table.set(key, made);
    return made;
  }

  /** Fills a bucket for the time that has passed; what is in it then. */
  #left(bucket: Bucket, { perSecond, atOnce }: GuessRate, now: number): number {
    const passed = Math.max(0, now - bucket.atMs);
    bucket.left = Math.min(atOnce, bucket.left + (passed * perSecond) / 1000);
    bucket.atMs = Math.max(bucket.atMs, now);
    return bucket.left;
  }
}
