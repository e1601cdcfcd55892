// Calls that may be made again: TOUCH, INFO and AGES change nothing when they come twice.
//
// - AGE is none of them: whoever sends it does that once, without `patiently`.

import type { Capability } from "../capability/capability.js";
import { defineServer } from "../interface/table.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "../stub/client.js";

/** The standard operations of any server. */
const anyTable = defineServer({
  ...{ name: "std", summary: "any server", object: "any object", rights: {}, operations: {} },
  replyBytesMax: 32768,
});

export interface AskingOptions {
  /** A kernel, or another way to make calls: through a control daemon. */
  readonly via: Kernel | Transact;
  /** Waits so many milliseconds; without it nothing is asked again. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** Pauses at most so long, all in all, for one question; default 15,000 ms. */
  readonly patienceMs?: number;
  readonly call?: CallOptions;
}

const passing = new Set([
  ...["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "STD_NOTNOW"],
  ...["CONTROL_BUSY", "CONTROL_SILENT"],
]);
const pauseMs = 200;
const pauseMsMax = 2000;
const callDefaults: CallOptions = { locateTimeoutMs: 1500, pollMs: 250, deadMs: 2000 };

/** The code of an error that a caller can understand. Throws what is a bug. */
export function codeOf(error: unknown): string {
  if (error instanceof ProteusError) return error.code;
  throw error;
}

export class Asking {
  readonly #options: AskingOptions;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /** The object's standard operations. */
  std(capability: Capability) {
    return stub(this.#options.via, anyTable, capability, { ...callDefaults, ...this.#options.call });
  }

  /** Asks, and again while what answered may pass and the patience lasts. */
  async patiently<Reply>(question: () => Promise<Reply>): Promise<Reply> {
    const { pause, patienceMs = 15_000 } = this.#options;
    for (let waited = 0, wait = pauseMs; ; wait = Math.min(wait * 2, pauseMsMax)) {
      try {
        return await question();
      } catch (error) {
        waited += wait;
        if (!passing.has(codeOf(error)) || pause === undefined || waited > patienceMs) throw error;
        await pause(wait);
      }
    }
  }
}
