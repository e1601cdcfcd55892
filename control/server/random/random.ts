// The random server; control/interface/random.ts says what it answers. The source of the bytes
// comes in as an argument: the system's own on a machine, a seeded one in the simulator.

import { STD_ARGBAD } from "../../../core-wasm/status.js";
import type { ServerIdentity } from "../../capability/secrets.js";
import { RANDOM_BYTES_MAX, randomTable } from "../../interface/random.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Objects } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";

export interface RandomServerOptions extends ServerIdentity {
  readonly kernel: Kernel;
  readonly random: (bytes: number) => Uint8Array;
  readonly failed: (error: unknown) => void;
}

/** Begins to serve random bytes. Throws ProteusError when a table of the kernel is full. */
export function serveRandom({ kernel, getPort, key, own, random, failed }: RandomServerOptions) {
  let given = 0;
  return new Server({
    ...{ kernel, getPort, key, failed, table: randomTable, threads: 2 },
    objects: new Objects<never>({ random, own }),
    info: () => "random server",
    status: () => `bytes given ${given}`,
    handlers: {
      get(_asked, { count }) {
        if (count < 1 || count > RANDOM_BYTES_MAX) refuse(STD_ARGBAD);
        given += count;
        return { data: random(count) };
      },
    },
  });
}
