// What a server would end: its objects with their ages, beside those that have names.
//
// - A server of another kind that does not tell ages answers STD_COMBAD: then nothing is known.

import type { Capability } from "../capability/capability.js";
import type { Asking } from "./asking.js";
import type { ObjectNumbers } from "./numbers.js";

/** An object without a name that the next AGE destroys. */
export interface Doomed {
  readonly object: number;
  readonly age: number;
}

export interface Ages {
  /** AGEs that an object survives. */
  readonly lifetime: number;
  /** Objects that age. */
  readonly objects: number;
  readonly unnamed: number;
  readonly doomedCount: number;
  /** At most a thousand of them. */
  readonly doomed: readonly Doomed[];
  /** Objects with names that the next AGE would destroy, though they were touched. */
  readonly endangered: number;
}

const toldMost = 1000;
/** Answers of one server: more than its numbers take. */
const callsMost = 65_536;

/** The ages of a server's objects. Throws ProteusError: STD_COMBAD when it does not tell them. */
export async function agesOf(asking: Asking, server: Capability, named: ObjectNumbers): Promise<Ages> {
  const doomed: Doomed[] = [];
  const sums = { objects: 0, unnamed: 0, doomedCount: 0, endangered: 0 };
  let lifetime = 0;
  let first = 1;
  for (let calls = 0; first !== 0 && calls < callsMost; calls++) {
    const from = first;
    const page = await asking.patiently(() => asking.std(server).ages({ first: from }));
    lifetime = page.lifetime;
    for (const { object, age } of page.objects) {
      sums.objects++;
      const isNamed = named.has(object);
      if (!isNamed) sums.unnamed++;
      if (age < lifetime) continue;
      if (isNamed) {
        sums.endangered++;
        continue;
      }
      sums.doomedCount++;
      if (doomed.length < toldMost) doomed.push({ object, age });
    }
    first = page.next > from ? page.next : 0;
  }
  return { lifetime, ...sums, doomed };
}
