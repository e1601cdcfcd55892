// The permit of a volume: one client may change it without asking, as long as nobody else looks.
//
// - Granted when nobody else has asked for anything lately; first all promises of others are broken, so
//   that what the holder does without a word is not hidden by what they were promised.
// - Whoever else asks is told to ask again (STD_INTR) and the holder to hurry: it ships its log and gives
//   the permit back. No thread waits here. One that does not hear, or takes longer than a lease, loses its
//   session, and with its lease the permit: no answer goes to others before that, whatever it still believes.
// - The fence is the permit's number, in the volume's row, so a vice that was restarted knows that somebody
//   may have it. A holder that says HELLO again is told: it ships first, and gives it back.
// - After Gray and Cheriton's leases (SOSP 1989), with the volume as the datum.

import { STD_INTR } from "../../../core-wasm/status.js";
import type { Change } from "../../recoverable/tables.js";
import { refuse } from "../../stub/refused.js";
import { LEASE_SLACK, type Session, type Sessions } from "./sessions.js";
import type { VolumeRow } from "./state.js";

export interface PermitsOptions {
  readonly volume: () => VolumeRow;
  readonly sessions: Sessions;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly leaseMs: number;
  /** Has the holder ship its log and give the permit back; false or rejected when it did not hear. */
  readonly hurry: (port: Uint8Array, fence: number) => Promise<boolean>;
  /** A step; resolves when it is durable. */
  readonly step: (changes: readonly Change[]) => Promise<void>;
  /** Nobody has promises of before. */
  readonly isNew: boolean;
}

interface Holder {
  readonly venus: number;
  readonly fence: number;
  /** Null: it lost it, or has not said HELLO since the restart. */
  session: Session | null;
  /** Without a session: when its lease is over. */
  sureAt: number;
  /** When somebody asked first who had to wait. */
  pressedAt: number | null;
  hurriedAt: number;
}

/** So long nobody else may have asked. */
const quietMs = 5000;
const hurryAgainMs = 1000;

export class Permits {
  readonly #options: PermitsOptions;
  readonly #changing = new Map<Session, number>();
  #holder: Holder | null = null;
  #granting: { readonly venus: number; isCancelled: boolean } | null = null;
  /** Until then somebody may have promises that are not known here. */
  readonly #unknownUntil: number;

  constructor(options: PermitsOptions) {
    this.#options = options;
    const sureAt = options.now() + this.#lease;
    this.#unknownUntil = options.isNew ? 0 : sureAt;
    const { permit } = options.volume();
    if (permit !== undefined && permit.venus > 0)
      this.#holder = { ...permit, session: null, sureAt, pressedAt: null, hurriedAt: -hurryAgainMs };
  }

  get #lease(): number {
    return this.#options.leaseMs * LEASE_SLACK;
  }

  /** The client that has it; 0: none. */
  get holder(): number {
    return this.#holder?.venus ?? 0;
  }

  /** Somebody asks for what the holder may have changed. Refuses with STD_INTR: to be asked again. */
  ask(session: Session): void {
    session.askedAt = this.#options.now();
    if (this.#granting !== null && this.#granting.venus !== session.venus) this.#granting.isCancelled = true;
    if (this.#holder === null || this.#holder.venus === session.venus) return;
    if (!this.recall()) refuse(STD_INTR);
  }

  /** As `ask`; until the function that it answers is called, somebody is changing the volume. */
  change(session: Session): () => void {
    this.ask(session);
    this.#changing.set(session, (this.#changing.get(session) ?? 0) + 1);
    return () => {
      const left = (this.#changing.get(session) ?? 1) - 1;
      if (left > 0) this.#changing.set(session, left);
      else this.#changing.delete(session);
    };
  }

  /** Takes the permit back as far as that can be done now; whether nobody has it. */
  recall(): boolean {
    const holder = this.#holder;
    if (holder === null) return true;
    const { sessions, now } = this.#options;
    holder.pressedAt ??= now();
    const { session } = holder;
    if (session !== null && (!sessions.isLive(session) || now() >= holder.pressedAt + this.#lease))
      this.#strike(holder, session);
    if (holder.session === null) {
      if (now() < holder.sureAt) return false;
      this.#release();
      return true;
    }
    this.#hurry(holder, holder.session);
    return false;
  }

  #hurry(holder: Holder, session: Session): void {
    const { now, hurry } = this.#options;
    if (now() < holder.hurriedAt + hurryAgainMs || session.port === null) return;
    holder.hurriedAt = now();
    void hurry(session.port, holder.fence)
      .catch(() => false)
      .then((heard) => {
        if (!heard && this.#holder === holder && holder.session === session) this.#strike(holder, session);
      });
  }

  /** Its session is over, as it learns with its next call; what it believes ends with its lease. */
  #strike(holder: Holder, session: Session): void {
    holder.sureAt = Math.max(holder.sureAt, session.leaseUntil);
    holder.session = null;
    this.#options.sessions.end(session);
  }

  /** Nobody has it. Durable before anything that others change now, in the same journal. */
  #release(): void {
    const fence = this.#holder?.fence ?? 0;
    this.#holder = null;
    const row: Change = ["volume", 0, { ...this.#options.volume(), permit: { venus: 0, fence } }];
    this.#options.step([row]).catch(() => undefined); // a restart takes it for held, for a lease
  }

  /** A client begins a session: the fence of the permit that it has still; 0: none. */
  hello(session: Session): number {
    const holder = this.#holder;
    if (this.#granting?.venus === session.venus) this.#granting.isCancelled = true;
    if (holder?.venus !== session.venus) return 0;
    const { now } = this.#options;
    if (holder.pressedAt !== null && now() >= holder.pressedAt + this.#lease) {
      this.#release(); // it knows now that it has none
      return 0;
    }
    holder.session = session;
    return holder.fence;
  }

  /** The operation PERMIT: asked for, with fence 0, or given back. Refuses with STD_SYSERR. */
  async answer(session: Session, fence: number): Promise<number> {
    if (fence === 0) return this.#grant(session);
    if (this.#holder?.venus === session.venus && this.#holder.fence === fence) this.#release();
    return 0;
  }

  /** Its fence; 0: not now. */
  async #grant(session: Session): Promise<number> {
    const { volume, sessions, step } = this.#options;
    if (this.#holder?.session === session && this.#holder.pressedAt === null) return this.#holder.fence;
    if (!this.#isFree(session)) return 0;
    const granting = { venus: session.venus, isCancelled: false };
    this.#granting = granting;
    const heard = await sessions.breakAll(session).finally(() => {
      this.#granting = null;
    });
    if (!heard || granting.isCancelled || !sessions.has(session)) return 0;
    const { venus } = session;
    const fence = (volume().permit?.fence ?? 0) + 1;
    this.#holder = { venus, fence, session, sureAt: 0, pressedAt: null, hurriedAt: -hurryAgainMs };
    await step([["volume", 0, { ...volume(), permit: { venus, fence } }]]);
    return fence;
  }

  #isFree(session: Session): boolean {
    const { volume, sessions, now } = this.#options;
    const { semantics, quota } = volume();
    if (this.#holder !== null || this.#granting !== null || session.port === null) return false;
    if (semantics === "strict" || quota !== undefined) return false; // a full one is said by close
    if (now() < Math.max(this.#unknownUntil, sessions.unheardUntil)) return false;
    for (const other of this.#changing.keys()) if (other !== session) return false;
    return sessions.others(session).every(({ askedAt }) => askedAt <= now() - quietMs);
  }
}
