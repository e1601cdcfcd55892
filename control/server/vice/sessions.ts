// Who has which promises: the sessions of a volume's clients, in memory.
//
// - A session's promises hold under one lease, which every call goes on with. Here it is counted a tenth
//   longer than the client counts it, from the answer and not from the question.
// - `breaks` takes promises away before anybody is told: what is asked meanwhile is promised anew. One
//   that does not hear of it is struck off: its session is over, as it learns with its next call. With
//   `untilSure` the answer waits until its lease is over: nobody shows anything older then.
// - Bounded: promises of one session, and of all; the oldest go, and are broken.

import type { After } from "../../group/timer.js";

export interface Session {
  readonly key: string;
  readonly venus: number;
  /** Its put-port; null: it gets no promises. */
  readonly port: Uint8Array | null;
  /** Milliseconds. */
  leaseUntil: number;
  /** When it asked how something is, or changed it, last. */
  askedAt: number;
  readonly promises: Set<number>;
}

export interface SessionsOptions {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly after: After;
  readonly leaseMs: number;
  /** Tells a client that promises are broken, without ids all; false or rejected when it did not hear. */
  readonly tell: (port: Uint8Array, ids: readonly number[]) => Promise<boolean>;
  readonly promisesMax?: number;
}

const promisesDefault = 65_536;
/** So much longer than a client leases are counted here. */
export const LEASE_SLACK = 1.1;

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #holders = new Map<number, Set<Session>>();
  /** Until then a client that was struck off may still believe in promises. */
  unheardUntil = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Begins a session; the client's earlier ones are over. */
  begin(key: string, venus: number, port: Uint8Array | null): Session {
    for (const each of [...this.#sessions.values()]) if (each.venus === venus) this.end(each);
    const session: Session = {
      key,
      venus,
      port,
      leaseUntil: 0,
      askedAt: Number.NEGATIVE_INFINITY,
      promises: new Set(),
    };
    this.#sessions.set(key, session);
    this.renew(session);
    return session;
  }

  /** The session of that key, its lease renewed; undefined when it is over. */
  find(key: string): Session | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    if (session.leaseUntil < this.#options.now()) {
      this.end(session);
      return undefined;
    }
    this.renew(session);
    return session;
  }

  /** Whether it is not over. */
  has({ key }: Session): boolean {
    return this.#sessions.has(key);
  }

  /** Whether it is not over, nor its lease. */
  isLive(session: Session): boolean {
    return this.has(session) && session.leaseUntil >= this.#options.now();
  }

  /** The sessions of other clients. */
  others({ venus }: Session): readonly Session[] {
    return [...this.#sessions.values()].filter((each) => each.venus !== venus);
  }

  /** The lease counts from now; called with each answer. */
  renew(session: Session): void {
    session.leaseUntil = this.#options.now() + this.#options.leaseMs * LEASE_SLACK;
  }

  /** Over: it has no promises any more. */
  end(session: Session): void {
    for (const id of session.promises) this.#forget(id, session);
    session.promises.clear();
    this.#sessions.delete(session.key);
  }

  promise(session: Session, id: number): void {
    if (session.port === null || !this.#sessions.has(session.key)) return;
    session.promises.delete(id);
    session.promises.add(id);
    let holders = this.#holders.get(id);
    if (holders === undefined) {
      holders = new Set();
      this.#holders.set(id, holders);
    }
    holders.add(session);
    const [oldest] = session.promises;
    if (session.promises.size > (this.#options.promisesMax ?? promisesDefault) && oldest !== undefined) {
      this.giveUp(session, [oldest]);
      void this.#told(session, [oldest], false);
    }
  }

  giveUp(session: Session, ids: Iterable<number>): void {
    for (const id of ids) {
      session.promises.delete(id);
      this.#forget(id, session);
    }
  }

  #forget(id: number, session: Session): void {
    const holders = this.#holders.get(id);
    holders?.delete(session);
    if (holders?.size === 0) this.#holders.delete(id);
  }

  /** Breaks the promises of all but one; ends when they have heard, or are struck off. */
  async breaks(ids: Iterable<number>, except: Session | null, untilSure: boolean): Promise<void> {
    const broken = new Map<Session, number[]>();
    for (const id of ids) {
      for (const session of this.#holders.get(id) ?? []) {
        if (session === except) continue;
        broken.set(session, [...(broken.get(session) ?? []), id]);
      }
    }
    for (const [session, own] of broken) this.giveUp(session, own);
    await Promise.all([...broken].map(([session, own]) => this.#told(session, own, untilSure)));
  }

  /** Breaks all promises of the other clients; whether all have heard. */
  async breakAll(except: Session): Promise<boolean> {
    const holders = this.others(except).filter(({ promises }) => promises.size > 0);
    for (const session of holders) this.giveUp(session, [...session.promises]);
    const heard = await Promise.all(holders.map((session) => this.#told(session, [], false)));
    return heard.every((each) => each);
  }

  async #told(session: Session, ids: readonly number[], untilSure: boolean): Promise<boolean> {
    const { tell, now, after } = this.#options;
    const heard = session.port === null || (await tell(session.port, ids).catch(() => false));
    if (heard) return true;
    const left = session.leaseUntil - now();
    this.unheardUntil = Math.max(this.unheardUntil, session.leaseUntil);
    this.end(session);
    if (untilSure && left > 0)
      await new Promise<void>((resolve) => {
        after(left, resolve);
      });
    return false;
  }
}
