// The group of the control daemons, as one of them keeps it: opened, opened again when it was
// lost or dissolved, and a way to submit that outlasts both.
//
// - The group goes on with a single member: a pool with one daemon left still answers every
//   command. Parts that a partition made go on each by itself and are put together afterwards
//   (meeting.ts, records.ts): majorities would stop both daemons of two when one dies.
// - Resilience 2: what was ordered is at two more daemons, or at all when there are fewer, so
//   that two may die in the moment of ordering. Not more: each order waits for those, and
//   what outlives all daemons is what their stores hold.
// - A command may be applied twice when the group ends in the middle; all of records.ts bear that.

import { Replica, type ReplicaEvent, type StateMachine } from "../../group/replica.js";
import { type After, pause } from "../../group/timer.js";
import type { GroupDocument } from "../../interface/group.js";
import { ProteusError } from "../../kernel/errors.js";
import type { GroupParameters } from "../../kernel/groups.js";
import type { Kernel } from "../../kernel/kernel.js";
import { poolAlone, poolClosed } from "./errors.js";
import { type Command, decode, encode, type Outcome, outcomeSchema } from "./records.js";

export const daemonParameters: GroupParameters = {
  resilience: 2,
  membersMax: 16,
  logHistory: 8,
  logMessage: 13,
};

const againMs = 300;
const againMsMax = 5000;
const patienceMs = 10_000;

export interface DaemonsOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  readonly pool: string;
  /** Of the group, 6 bytes. */
  readonly port: Uint8Array;
  readonly machine: StateMachine;
  readonly event: (event: ReplicaEvent) => void;
  readonly failed: (error: unknown) => void;
}

export class Daemons {
  readonly #options: DaemonsOptions;
  #replica: Replica | null = null;
  #over = false;
  #waiting: (() => void)[] = [];
  #troubles = 0; // openings in a row that came to nothing

  constructor(options: DaemonsOptions) {
    this.#options = options;
  }

  /** Joins the group, or founds it. Rejects with ProteusError when that does not work. */
  open(): Promise<void> {
    return this.#enter();
  }

  async #enter(): Promise<void> {
    const { kernel, after, random, pool, port, machine, event } = this.#options;
    let own: Replica | null = null;
    let ended = false;
    const replica = await Replica.open({
      ...{ kernel, after, random, port, machine, name: `control-${pool}` },
      create: true,
      parameters: daemonParameters,
      event: (each) => {
        if (!this.#over) event(each);
      },
      ended: (why) => {
        ended = true;
        if (own !== null && own === this.#replica && why !== null) this.#again();
      },
    });
    own = replica;
    if (this.#over) return replica.close();
    this.#replica = replica;
    if (ended) return this.#again();
    this.#troubles = 0;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Opens the group anew, after a pause that grows, until that works or all is over. */
  #again(): void {
    this.#replica = null;
    if (this.#over) return;
    const { after, random, failed } = this.#options;
    const most = Math.min(againMs * 2 ** Math.min(this.#troubles++, 8), againMsMax);
    const wait = most / 2 + ((random(1)[0] ?? 0) / 256) * (most / 2);
    after(Math.ceil(wait), () => {
      if (this.#over) return;
      this.#enter().catch((error: unknown) => {
        if (!(error instanceof ProteusError)) failed(error);
        this.#again();
      });
    });
  }

  /** Ends our membership, to open it anew: another part of the pool goes on. */
  dissolve(): void {
    const replica = this.#replica;
    if (replica === null || this.#over) return;
    this.#replica = null;
    // Not from within the delivery that told us.
    this.#options.after(0, () => {
      replica.close();
      this.#again();
    });
  }

  /** The id of this member; -1 while it is in no group. */
  get id(): number {
    return this.#replica?.id ?? -1;
  }

  describe(): GroupDocument | null {
    return this.#replica?.describe() ?? null;
  }

  /** Has a command ordered and applied. Rejects with POOL_ALONE when no group takes it in ten seconds. */
  async submit(command: Command): Promise<Outcome> {
    const { after, pool } = this.#options;
    let late = false;
    let forget: () => void = () => undefined;
    const patience = new Promise<null>((resolve) => {
      forget = after(patienceMs, () => {
        late = true;
        resolve(null);
      });
    });
    let cause: unknown;
    try {
      while (!late && !this.#over) {
        const replica = this.#replica;
        if (replica === null) {
          await Promise.race([patience, new Promise<void>((resolve) => this.#waiting.push(resolve))]);
          continue;
        }
        try {
          const applied = await Promise.race([patience, replica.submit(encode(command))]);
          if (applied === null) break;
          const outcome = decode(outcomeSchema, applied.result);
          if (outcome !== null) return outcome;
          throw new Error("the daemons' state machine answered something else");
        } catch (error) {
          if (!(error instanceof ProteusError) || error.code === "BC_TOOBIG") throw error;
          cause = error; // the group ended: the next one gets it
          await Promise.race([patience, pause(after, againMs)]);
        }
      }
    } finally {
      forget();
    }
    throw this.#over ? poolClosed(pool) : poolAlone(pool, patienceMs / 1000, cause);
  }

  /** Leaves the group with a word. */
  async leave(): Promise<void> {
    this.#over = true;
    for (const go of this.#waiting.splice(0)) go();
    await this.#replica?.leave();
  }

  /** Ends at once. */
  close(): void {
    this.#over = true;
    for (const go of this.#waiting.splice(0)) go();
    this.#replica?.close();
  }
}
