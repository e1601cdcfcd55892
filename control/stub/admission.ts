// How a server judges the capabilities that requests come with: by its scheme, and only as often
// as Guesses allows.
//
// - While a source, an object or the server has had too many failed checks, what is not known
//   to be genuine is not looked at: STD_NOTNOW, whether it is genuine or not.
// - The source is the FLIP address of the caller's kernel; programs that share one share their
//   tries. What this program checks for itself comes from `ownSource`.

import { STD_NOTNOW } from "../../core-wasm/status.js";
import { Guesses, type GuessRates } from "../capability/guesses.js";
import { objectOf } from "../capability/private-part.js";
import type { CapabilityScheme } from "../capability/scheme.js";

/** Who asks when the server's own program does. */
export const ownSource = 0n;

export class Admission {
  readonly #guesses: Guesses<bigint>;
  readonly #verify: CapabilityScheme["verify"];

  /** @param now milliseconds that never go back */
  constructor({ verify }: CapabilityScheme, now: () => number, rates?: GuessRates) {
    this.#verify = verify;
    this.#guesses = new Guesses(now, rates);
  }

  /** The rights that a private part gives, or a status: STD_CAPBAD, STD_NOTNOW. @param who shows it */
  rights(privatePart: Uint8Array, who: { readonly source: bigint }): number {
    return this.#guesses.check(who, objectOf(privatePart), privatePart, this.#verify) ?? STD_NOTNOW;
  }
}
