// A machine announces itself to the control daemons of its pool, at once and again every few
// seconds: control/interface/pool.ts. It hears whether it is to be emptied.
//
// - Nobody configures where the daemons are: any of those that serve the pool's port answers.
//   When none is there it looks ever more rarely, at least every ten seconds: three broadcasts.
// - A call of its own each time, never on the way of others; one at a time.
// - What it last heard counts until it hears otherwise: a drain outlives all daemons.
// - Who stops says so, to daemons that were there; it waits little for that.

import { portOnly } from "../capability/capability.js";
import { type After, pause } from "../group/timer.js";
import {
  type Announced,
  type Announcement,
  announcedSchema,
  poolPort,
  poolTable,
} from "../interface/pool.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "../stub/client.js";

export interface AnnouncerOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  readonly pool: string;
  /** What to say. */
  readonly announcement: () => Omit<Announcement, "leaving">;
  readonly answered: (answer: Announced) => void;
  /** Told when daemons are found, and when they are there no more. */
  readonly found?: (found: boolean) => void;
  readonly failed: (error: unknown) => void;
}

const intervalLeastMs = 500;
const intervalMostMs = 60_000;
const againMs = 500;
const againMsMax = 10_000;
const callOptions = { locateTimeoutMs: 300, pollMs: 250, deadMs: 1000 };
const leaveMs = 1500;

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #pool: ReturnType<typeof daemonStub>;
  #closed = false;
  #found = false;
  #misses = 0; // in a row
  #forget: () => void = () => undefined;
  #saying: Promise<void> = Promise.resolve();

  /** Begins at once. */
  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#pool = daemonStub(options.kernel, options.pool);
    this.#say();
  }

  #say(): void {
    this.#saying = this.#once(false).then((wait) => {
      if (!this.#closed) this.#forget = this.#options.after(this.#spread(wait), () => this.#say());
    });
  }

  /** Announces; answers how long to wait until the next time. */
  async #once(leaving: boolean): Promise<number> {
    const { announcement, answered, failed, found } = this.#options;
    const was = this.#found;
    let wait = Math.min(againMs * 2 ** Math.min(this.#misses, 8), againMsMax);
    try {
      const document = { ...announcement(), ...(leaving ? { leaving } : {}) };
      const { answer } = await this.#pool.announce({ announcement: JSON.stringify(document) });
      const said = announcedSchema.parse(JSON.parse(answer));
      this.#misses = 0;
      this.#found = true;
      wait = Math.min(Math.max(said.intervalMs, intervalLeastMs), intervalMostMs);
      if (!this.#closed) answered(said);
    } catch (error) {
      this.#misses++;
      // One that died is not the last: the next time another one is found, if there is any.
      if (this.#misses > 1) this.#found = false;
      if (!(error instanceof ProteusError)) failed(error);
    }
    if (was !== this.#found && !this.#closed) found?.(this.#found);
    return wait;
  }

  /** Some earlier, some later: not all machines at once. */
  #spread(milliseconds: number): number {
    const [lot = 128] = this.#options.random(1);
    return Math.ceil(milliseconds * (0.875 + lot / 1024));
  }

  /** Says that the machine stops, if anybody listens; resolves after 1.5 s at the latest. */
  async leave(): Promise<void> {
    if (this.#closed) return;
    this.close();
    // The one that is under way may be what daemons know us by.
    const said = this.#saying.then(() => (this.#found ? this.#once(true) : undefined));
    await Promise.race([said, pause(this.#options.after, leaveMs)]);
  }

  /** Ends without a word. */
  close(): void {
    this.#closed = true;
    this.#forget();
  }
}

const daemonStub = (kernel: Kernel, pool: string) =>
  stub(kernel, poolTable, portOnly(kernel.publicPort(poolPort(kernel, pool))), callOptions);
