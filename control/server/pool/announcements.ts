// The pool server, which every control daemon runs at the pool's port; control/interface/pool.ts
// says what it answers. Who announces what is checked here for its form; what it means is the
// caller's.
//
// - Its get-port follows from the pool's name, so it is no secret, and it gives out no capability.
//   Its key is of its own and of this run: a capability of one daemon counts at no other.

import { STD_ARGBAD } from "../../../core-wasm/status.js";
import { KEYED_KEY_BYTES } from "../../../core-wasm/wire/formats.js";
import { type Announced, type Announcement, announcementSchema, poolTable } from "../../interface/pool.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Objects } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";
import { type Facts, factsSchema } from "./records.js";

export interface AnnouncementServerOptions {
  readonly kernel: Kernel;
  readonly getPort: Uint8Array;
  readonly random: (bytes: number) => Uint8Array;
  readonly pool: string;
  readonly status: () => string;
  readonly announced: (facts: Facts, leaving: boolean) => Announced | Promise<Announced>;
  readonly failed: (error: unknown) => void;
}

function parse(text: string): { facts: Facts; leaving: boolean } | null {
  try {
    const announcement: Announcement = announcementSchema.parse(JSON.parse(text));
    const { version = null, leaving = false } = announcement;
    const facts = factsSchema.safeParse({ ...announcement, version });
    return facts.success ? { facts: facts.data, leaving } : null;
  } catch {
    return null; // whatever a stranger sent
  }
}

/** Begins to serve. Throws ProteusError when a table of the kernel is full. */
export function serveAnnouncements(options: AnnouncementServerOptions) {
  const { kernel, getPort, random, pool, status, announced, failed } = options;
  return new Server({
    ...{ kernel, getPort, failed, table: poolTable, threads: 4, key: random(KEYED_KEY_BYTES) },
    objects: new Objects<never>({ random }),
    info: () => `control daemon of ${pool}`,
    status,
    handlers: {
      async announce(_asked, { announcement }) {
        const parsed = parse(announcement);
        if (parsed === null) refuse(STD_ARGBAD);
        return { answer: JSON.stringify(await announced(parsed.facts, parsed.leaving)) };
      },
    },
  });
}
