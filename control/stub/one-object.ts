// The table of a server that has one object, and will always have it.
//
// - Its generation vouches for the server's own capabilities too. It follows from a secret of the
//   object's, so it is the same after every start, and ends with the object.
// - Nothing can be made, renewed or removed: STD_COMBAD. It does not age.

import { STD_COMBAD } from "../../core-wasm/status.js";
import type { ObjectTable } from "./objects.js";
import { refuse } from "./refused.js";

export class OneObject<Value> implements ObjectTable<Value> {
  lifetime = 24;
  readonly count = 1;

  /** `highest` is the object's number; `own` eight bytes that nobody can guess. */
  constructor(
    readonly highest: number,
    readonly value: Value,
    readonly own: Uint8Array,
  ) {}

  get(object: number): Value | undefined {
    return object === this.highest ? this.value : undefined;
  }

  generation(object: number): Uint8Array | undefined {
    return object === this.highest || object === 0 ? this.own : undefined;
  }

  renew(): never {
    return refuse(STD_COMBAD);
  }

  touch(): void {}

  age(): undefined {}

  grow(): number[] {
    return [];
  }

  remove(): never {
    return refuse(STD_COMBAD);
  }
}
