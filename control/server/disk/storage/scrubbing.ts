// The scrub of a storage that goes on in the background: begun when it is due, or when somebody asks.
//
// - One at a time. How far it is lies in the records of the members, so that the next server goes on
//   with it; when one is under way already, whoever asks for one changes its rate and waits for it.
// - A fault on the way is told and tried again after a while: only the server's end ends it early.
// - When the next is due: upkeep.ts. Without a clock of the days (`wall`) none begins by itself.

import { DiskError } from "../errors.js";
import type { Core } from "./core.js";
import { type ScrubReport, scrub } from "./scrub.js";
import { begun, dueAt, ended, isUnderWay } from "./upkeep.js";

export interface ScrubRequest {
  readonly bytesPerSecond?: number;
  /** Told now and then how far it is, in blocks. */
  readonly progress?: (blocks: number) => void;
}

/** Between two looks whether one is due, and before one that failed is tried again. */
const lookMs = 60_000;

export class Scrubbing {
  readonly #core: Core;
  readonly #listeners = new Set<(blocks: number) => void>();
  #running: Promise<ScrubReport> | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Scrubs from the beginning, or goes on with the scrub that is under way; rejects when the server ends. */
  async run({ bytesPerSecond = 0, progress }: ScrubRequest = {}): Promise<ScrubReport> {
    const core = this.#core;
    await core.gate();
    if (!isUnderWay(core.upkeep)) core.upkeep = begun(core.upkeep, core.wall(), bytesPerSecond);
    else if (bytesPerSecond > 0)
      core.upkeep = { ...core.upkeep, scrub: { ...core.upkeep.scrub, bytesPerSecond } };
    if (progress !== undefined) this.#listeners.add(progress);
    try {
      return await this.goOn();
    } finally {
      if (progress !== undefined) this.#listeners.delete(progress);
    }
  }

  /** Goes on with the one that is under way. */
  goOn(): Promise<ScrubReport> {
    this.#running ??= this.#scrub().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #scrub(): Promise<ScrubReport> {
    const core = this.#core;
    const { mended } = core.upkeep.scrub;
    let savedAt = core.now();
    let past = mended; // of earlier tries
    void core.records.commit();
    for (;;) {
      try {
        const report = await scrub(core, {
          repairs: true,
          from: core.upkeep.scrub.block,
          bytesPerSecond: () => core.upkeep.scrub.bytesPerSecond || core.upkeep.scrubBytesPerSecond,
          progress: (so) => {
            const { scrub: state } = core.upkeep;
            core.upkeep = {
              ...core.upkeep,
              scrub: { ...state, block: so.blocks, mended: past + so.mended },
            };
            for (const listener of this.#listeners) listener(so.blocks);
            if (core.now() - savedAt <= core.policy.scrubSavedMs) return;
            savedAt = core.now();
            core.records.progress();
          },
        });
        const all = core.upkeep.scrub.mended;
        core.upkeep = ended(core.upkeep, core.wall());
        core.log(`scrubbed; ${all} blocks of members were bad and are mended`);
        core.changed.fire();
        await core.records.commit();
        return { ...report, mended: all };
      } catch (error) {
        if (core.ended !== null || !(error instanceof DiskError)) throw core.ended ?? error;
        core.log(`the scrub waits: ${error.message}`);
        past = core.upkeep.scrub.mended;
        await core.sleep(lookMs);
        if (core.ended !== null) throw core.ended;
      }
    }
  }
}

/** Scrubs whenever it is due, until the server ends. */
export async function keepScrubbed(core: Core): Promise<void> {
  const isByItself = core.options.wall !== undefined;
  while (core.ended === null) {
    const { upkeep } = core;
    const { dueAt: due } = upkeep.scrub;
    const isDue = isByItself && due !== 0 && core.wall() >= due;
    if (isUnderWay(upkeep) || isDue) {
      await core.scrubbing.run().catch((error: unknown) => {
        if (core.ended === null) throw error;
      });
      continue;
    }
    if (!isByItself) return;
    if (due === 0 && upkeep.scrubEveryMs > 0) {
      const scrubState = { ...upkeep.scrub, dueAt: dueAt(upkeep, core.wall()) };
      core.upkeep = { ...upkeep, scrub: scrubState };
      core.records.progress();
    }
    await core.sleep(lookMs);
  }
}
