// The data of the options that have some: names, kinds of information, queries of contexts.
//
// - Every length is checked against what is there; what is left over is a mistake too. null: refused.
// - Names are UTF-8; what is not finds no export.

import { QUERIES_MAX, STRING_BYTES_MAX } from "./limits.js";

export interface InfoQuery {
  readonly name: string;
  readonly infos: readonly number[];
}

export interface ContextQuery {
  readonly name: string;
  readonly queries: readonly string[];
}

/** Reads from the front; null as soon as something is not there. */
class Front {
  #at = 0;

  constructor(readonly data: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at === this.data.length;
  }

  u16(): number | null {
    return this.#take(2) ? this.data.readUInt16BE(this.#at - 2) : null;
  }

  u32(): number | null {
    return this.#take(4) ? this.data.readUInt32BE(this.#at - 4) : null;
  }

  string(): string | null {
    const bytes = this.u32();
    if (bytes === null || bytes > STRING_BYTES_MAX || !this.#take(bytes)) return null;
    return this.data.toString("utf8", this.#at - bytes, this.#at);
  }

  #take(bytes: number): boolean {
    if (this.data.length - this.#at < bytes) return false;
    this.#at += bytes;
    return true;
  }
}

/** Of INFO and GO. */
export function infoQuery(data: Buffer): InfoQuery | null {
  const front = new Front(data);
  const name = front.string();
  const count = front.u16();
  if (name === null || count === null) return null;
  const infos: number[] = [];
  for (let index = 0; index < count; index++) {
    const info = front.u16();
    if (info === null) return null;
    infos.push(info);
  }
  return front.isAtEnd ? { name, infos } : null;
}

/** Of LIST_META_CONTEXT and SET_META_CONTEXT. */
export function contextQuery(data: Buffer): ContextQuery | "too many" | null {
  const front = new Front(data);
  const name = front.string();
  const count = front.u32();
  if (name === null || count === null) return null;
  if (count > QUERIES_MAX) return "too many";
  const queries: string[] = [];
  for (let index = 0; index < count; index++) {
    const query = front.string();
    if (query === null) return null;
    queries.push(query);
  }
  return front.isAtEnd ? { name, queries } : null;
}
