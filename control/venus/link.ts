// Venus's connection to vice: the session, its lease, promises, and when vice is asked again.
//
// - States: `connecting` until HELLO is answered, `connected`, `disconnected` until the next try.
//   A call that fails because vice cannot be reached makes it disconnected; one that says that the
//   session is over, connecting.
// - The lease counts from when something was asked. When it is over, or the session, no promise holds.
// - A break that crosses a question: the answer's promise does not count.
// - STD_INTR: somebody else gives the volume's permit back; the question is asked again, a moment later.

import { type HelloDocument, helloSchema } from "../interface/vice.js";
import { fromHex } from "../kernel/bytes.js";

export type Values = Readonly<Record<string, unknown>>;
/** What a call came to: the reply's values, or a code (STD_*, RPC_*). */
export type Came = { readonly reply: Values } | { readonly code: string };
/** Makes a call of the vice table with the volume's capability. */
export type CallVice = (operation: string, given: Values, done: (came: Came) => void) => void;

export interface LinkOptions {
  readonly call: CallVice;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly uuid: Uint8Array;
  readonly port: Uint8Array;
  readonly machine: string;
  /** Told of every other state. */
  readonly changed: (state: LinkState) => void;
  /** What HELLO said is not what this cache is of: nothing goes on. */
  readonly accept: (hello: HelloDocument) => boolean;
}

export type LinkState = "connecting" | "connected" | "disconnected";

const retryMs = 1000;
const keepMs = 3000;
const againMs = 5;
const againMsMax = 100;

/** A question that is to be asked again. */
interface Waiting {
  readonly at: number;
  readonly ask: () => void;
}

export class Link {
  state: LinkState = "connecting";
  hello: HelloDocument | null = null;
  /** Why it is disconnected. */
  reason = "";
  /** On purpose: it does not try. */
  isHeld = false;
  readonly #options: LinkOptions;
  readonly #promised = new Set<number>();
  readonly #broken = new Map<number, number>();
  #breaks = 0;
  /** The last break of all promises. */
  #allBroken = 0;
  #waiting: Waiting[] = [];
  #session: Uint8Array = new Uint8Array(8);
  #generation = 0;
  #leaseUntil = 0;
  #askedAt = 0;
  #retryAt = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.state === "connected";
  }

  get promises(): number {
    return this.#promised.size;
  }

  isPromised(id: number): boolean {
    return this.#promised.has(id);
  }

  /** Whether the lease is not over, whatever `tick` has found. */
  get isLeased(): boolean {
    return this.isConnected && this.#options.now() < this.#leaseUntil;
  }

  /** Questions that are to be asked again. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Says HELLO. */
  begin(): void {
    const { call, uuid, port, machine, now, accept } = this.#options;
    const generation = ++this.#generation;
    const began = now();
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#become("connecting");
    call("hello", { uuid, port, machine }, (came) => {
      if (generation !== this.#generation) return;
      const parsed = "reply" in came ? helloSchema.safeParse(came.reply.hello) : null;
      const hello = parsed?.success === true ? parsed.data : null;
      if (hello === null || !accept(hello)) {
        this.lose("code" in came ? came.code : "ANSWER_WRONG");
        return;
      }
      this.hello = hello;
      this.#session = fromHex(hello.session) ?? new Uint8Array(8);
      this.#leaseUntil = began + hello.leaseMs;
      this.#askedAt = began;
      this.#become("connected");
    });
  }

  /** Vice cannot be reached. */
  lose(reason: string): void {
    this.#generation++;
    this.#promised.clear();
    this.reason = reason;
    this.#retryAt = this.#options.now() + retryMs;
    this.#become("disconnected");
  }

  /** On purpose, until `begin`. */
  hold(): void {
    this.isHeld = true;
    this.lose("on purpose");
  }

  #become(state: LinkState): void {
    if (state !== "connected") this.#promised.clear();
    if (this.state === state) return;
    this.state = state;
    this.#options.changed(state);
    this.#again(Number.POSITIVE_INFINITY);
  }

  /** Asks again what is due; without a connection those who wait are told. */
  #again(now: number): void {
    const due = this.#waiting.filter(({ at }) => at <= now);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ at }) => at > now);
    for (const { ask } of due) ask();
  }

  /**
   * One call of the session. `done` gets null when there is no connection any more: what was asked may
   * have been done. Codes that are answers of the server come as they are.
   */
  call(operation: string, given: Values, done: (came: Came | null) => void): void {
    if (this.state !== "connected") {
      done(null);
      return;
    }
    this.#call(operation, given, this.#generation, 0, done);
  }

  #call(
    operation: string,
    given: Values,
    generation: number,
    tries: number,
    done: (came: Came | null) => void,
  ): void {
    if (generation !== this.#generation) {
      done(null);
      return;
    }
    const began = this.#options.now();
    this.#askedAt = began;
    this.#options.call(operation, { session: this.#session, ...given }, (came) => {
      if (generation !== this.#generation) {
        done(null);
        return;
      }
      if ("code" in came) {
        if (came.code === "STD_NOTNOW") {
          done(null);
          if (generation === this.#generation) this.begin();
          return;
        }
        if (!came.code.startsWith("STD_")) {
          this.lose(came.code);
          done(null);
          return;
        }
      }
      if (this.hello !== null) this.#leaseUntil = Math.max(this.#leaseUntil, began + this.hello.leaseMs);
      if ("code" in came && came.code === "STD_INTR") {
        const at = this.#options.now() + Math.min(againMsMax, againMs * 2 ** Math.min(tries, 10));
        this.#waiting.push({ at, ask: () => this.#call(operation, given, generation, tries + 1, done) });
      } else done(came);
    });
  }

  /** To be asked before a question whose answer promises something. */
  mark(): number {
    return this.#breaks;
  }

  /** Takes a promise, unless it was broken since the question. */
  promise(id: number, mark: number): boolean {
    if (Math.max(this.#broken.get(id) ?? 0, this.#allBroken) > mark || this.state !== "connected")
      return false;
    this.#promised.add(id);
    return true;
  }

  /** Promises are broken; without ids all. */
  break(ids: readonly number[]): void {
    this.#breaks++;
    if (ids.length === 0) {
      this.#promised.clear();
      this.#broken.clear();
      this.#allBroken = this.#breaks;
    }
    for (const id of ids) {
      this.#promised.delete(id);
      this.#broken.set(id, this.#breaks);
    }
    if (this.#broken.size > 100_000) this.#broken.clear();
  }

  /** Gives a promise up here; vice may go on with it. */
  doubt(id: number): void {
    this.#promised.delete(id);
  }

  /** Milliseconds until `tick` is due. */
  nextMs(): number {
    const now = this.#options.now();
    const again = this.#waiting.reduce((next, { at }) => Math.min(next, at), Number.POSITIVE_INFINITY);
    if (this.state === "connected") return Math.min(again, this.#askedAt + keepMs, this.#leaseUntil) - now;
    return this.isHeld ? Number.POSITIVE_INFINITY : this.#retryAt - now;
  }

  tick(): void {
    const now = this.#options.now();
    this.#again(now);
    if (this.state === "connected") {
      if (now >= this.#leaseUntil) this.begin();
      else if (now - this.#askedAt >= keepMs) this.call("keep", {}, () => undefined);
    } else if (this.state === "disconnected" && !this.isHeld && now >= this.#retryAt) this.begin();
  }
}
