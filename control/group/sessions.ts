// Which commands of which client were applied: so that one that is submitted again, because a
// crash left its fate open, is not applied twice.
//
// - A session is 8 random bytes of one program; it numbers its commands from 1. A number that
//   is not above the last applied one was applied before; its result is kept until a later
//   command says that the client has it.
// - Part of the replicated state: equal at every member after the same message, and part of
//   the snapshot. The sessions used longest ago are forgotten beyond `sessionsMax`.
// - Source: client sessions, D. Ongaro, Consensus (2014), section 6.3.

import { toHex } from "../kernel/bytes.js";
import { Reader, Writer } from "./encoding.js";

/** Bytes that name a session. */
export const sessionBytes = 8;
const sessionsMax = 1024;

/** What a command came to. */
export interface Applied {
  readonly seqno: number;
  readonly result: Uint8Array;
}

interface Session {
  last: number;
  /** Of numbers that the client may still ask for. */
  readonly results: Map<number, Applied>;
  readonly name: Uint8Array;
}

const keyOf = (session: Uint8Array): string => toHex(session.subarray(0, sessionBytes));

export class Sessions {
  #sessions = new Map<string, Session>(); // in the order of their last use

  /** True when this command of the session was applied before. */
  applied(session: Uint8Array, number: number): boolean {
    return number <= (this.#sessions.get(keyOf(session))?.last ?? 0);
  }

  /** What a command that was applied came to; undefined when it is not kept any more. */
  result(session: Uint8Array, number: number): Applied | undefined {
    return this.#sessions.get(keyOf(session))?.results.get(number);
  }

  /** A command was applied. The client has the results of all before `oldestOpen`. */
  record(session: Uint8Array, number: number, oldestOpen: number, applied: Applied): void {
    const key = keyOf(session);
    const entry = this.#sessions.get(key) ?? {
      last: 0,
      results: new Map(),
      name: session.slice(0, sessionBytes),
    };
    for (const old of entry.results.keys()) if (old < oldestOpen) entry.results.delete(old);
    entry.last = number;
    entry.results.set(number, applied);
    this.#sessions.delete(key);
    this.#sessions.set(key, entry);
    if (this.#sessions.size <= sessionsMax) return;
    const oldest = this.#sessions.keys().next();
    if (!oldest.done) this.#sessions.delete(oldest.value);
  }

  snapshot(): Uint8Array {
    const writer = new Writer();
    writer.number(this.#sessions.size);
    for (const { name, last, results } of this.#sessions.values()) {
      writer.bytes(name);
      writer.number(last);
      writer.number(results.size);
      for (const [number, { seqno, result }] of results) {
        writer.number(number);
        writer.number(seqno);
        writer.bytes(result);
      }
    }
    return writer.all();
  }

  /** Takes the place of what was known. Throws RangeError when the bytes are no snapshot. */
  restore(bytes: Uint8Array): void {
    const reader = new Reader(bytes);
    const sessions = new Map<string, Session>();
    for (let left = reader.number(); left > 0; left--) {
      const name = reader.bytes();
      const last = reader.number();
      const results = new Map<number, Applied>();
      for (let kept = reader.number(); kept > 0; kept--) {
        const number = reader.number();
        results.set(number, { seqno: reader.number(), result: reader.bytes() });
      }
      sessions.set(keyOf(name), { name, last, results });
    }
    this.#sessions = sessions;
  }
}
