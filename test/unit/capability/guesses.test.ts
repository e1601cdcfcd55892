// The bounds on guessing: what they come to in years, and that they hold.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Guesses, standardGuessRates, yearsToGuess } from "../../../control/capability/guesses.js";

const bad = () => -1;
const good = () => 0xff;
const part = (number: number): Uint8Array => Uint8Array.of(number, number >> 8, 0, 255, 1, 2, 3, 4, 5, 6);

class Clock {
  ms = 0;
  readonly now = (): number => this.ms;
}

describe("guessing", () => {
  it("takes more than a century on average at the rate that a server allows", () => {
    expect(yearsToGuess(standardGuessRates.server)).toBeGreaterThan(100);
    expect(yearsToGuess({ perSecond: 2 ** 48, atOnce: 1 }) * 365.25 * 24 * 3600).toBeCloseTo(1);
  });

  it("never goes faster than the rates, whatever sources and objects are tried", () => {
    const guess = fc.record({
      source: fc.integer({ min: 0, max: 9 }),
      object: fc.integer({ min: 0, max: 9 }),
      wait: fc.integer({ min: 0, max: 40 }),
    });
    const rates = {
      source: { perSecond: 10, atOnce: 5 },
      object: { perSecond: 20, atOnce: 8 },
      server: { perSecond: 50, atOnce: 20 },
    };
    fc.assert(
      fc.property(fc.array(guess, { maxLength: 400 }), (tries) => {
        const clock = new Clock();
        const guesses = new Guesses<number>(clock.now, rates);
        const asked = { server: 0, source: new Map<number, number>(), object: new Map<number, number>() };
        const count = (map: Map<number, number>, key: number) => map.set(key, (map.get(key) ?? 0) + 1);
        tries.forEach(({ source, object, wait }, index) => {
          clock.ms += wait;
          if (guesses.check({ source }, object, part(index), bad) === undefined) return;
          asked.server++;
          count(asked.source, source);
          count(asked.object, object);
        });
        const most = ({ perSecond, atOnce }: { perSecond: number; atOnce: number }) =>
          atOnce + (perSecond * clock.ms) / 1000;
        expect(asked.server).toBeLessThanOrEqual(most(rates.server));
        for (const asks of asked.source.values()) expect(asks).toBeLessThanOrEqual(most(rates.source));
        for (const asks of asked.object.values()) expect(asks).toBeLessThanOrEqual(most(rates.object));
      }),
    );
  });

  it("locks out nobody whose capability was genuine lately", () => {
    const clock = new Clock();
    const guesses = new Guesses<string>(clock.now);
    expect(guesses.check({ source: "friend" }, 1, part(9), good)).toBe(0xff);
    const { atOnce } = standardGuessRates.object;
    for (let tries = 0; tries < 10 * atOnce; tries++)
      guesses.check({ source: `stranger ${tries}` }, 1, part(1000 + tries), bad);
    expect(guesses.check({ source: "stranger" }, 1, part(1), good)).toBeUndefined();
    expect(guesses.check({ source: "friend" }, 1, part(9), good)).toBe(0xff);
  });

  it("believes a known capability no longer than its check says so", () => {
    const guesses = new Guesses<string>(() => 0);
    expect(guesses.check({ source: "friend" }, 1, part(9), good)).toBe(0xff);
    expect(guesses.check({ source: "friend" }, 1, part(9), bad)).toBe(-1);
  });

  it("goes on when time has passed, and a clock that goes back gives nothing", () => {
    const clock = new Clock();
    const rates = {
      source: { perSecond: 1, atOnce: 2 },
      object: { perSecond: 1, atOnce: 2 },
      server: { perSecond: 1, atOnce: 2 },
    };
    const guesses = new Guesses<string>(clock.now, rates);
    const ask = (number: number) => guesses.check({ source: "one" }, 1, part(number), bad);
    expect([ask(1), ask(2), ask(3)]).toEqual([-1, -1, undefined]);
    clock.ms = -10_000;
    expect(ask(4)).toBeUndefined();
    clock.ms = 1000;
    expect([ask(5), ask(6)]).toEqual([-1, undefined]);
  });

  it("takes a right guess of a newcomer while there is room", () => {
    const guesses = new Guesses<string>(() => 0);
    expect(guesses.check({ source: "newcomer" }, 3, part(3), good)).toBe(0xff);
  });
});
