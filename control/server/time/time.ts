// The time server; control/interface/time.ts says what it answers. The clock comes in as an
// argument and is never set: SET only changes how far this server's time is ahead of it.

import { STD_ARGBAD } from "../../../core-wasm/status.js";
import type { ServerIdentity } from "../../capability/secrets.js";
import { timeTable } from "../../interface/time.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Objects } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";

export interface TimeServerOptions extends ServerIdentity {
  readonly kernel: Kernel;
  readonly random: (bytes: number) => Uint8Array;
  /** Milliseconds since 1970, universal time. */
  readonly clock: () => number;
  readonly failed: (error: unknown) => void;
}

/** Begins to serve the time. Throws ProteusError when a table of the kernel is full. */
export function serveTime({ kernel, getPort, key, own, random, clock, failed }: TimeServerOptions) {
  let aheadMs = 0;
  return new Server({
    ...{ kernel, getPort, key, failed, table: timeTable, threads: 2 },
    objects: new Objects<never>({ random, own }),
    info: () => "time server",
    status: () => `ahead of the machine's clock by ${aheadMs} ms`,
    handlers: {
      get() {
        const now = Math.floor(clock()) + aheadMs;
        // Times that the original's field does not hold wrap, as they do there.
        return { seconds: Math.floor(now / 1000) % 2 ** 32, milliseconds: now % 1000, daylight: 0 };
      },
      set(_asked, { seconds, milliseconds }) {
        if (milliseconds > 999) refuse(STD_ARGBAD);
        aheadMs = seconds * 1000 + milliseconds - Math.floor(clock());
        return {};
      },
    },
  });
}
