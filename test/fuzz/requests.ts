// Requests at random for servers that have a table, and what came of them.
//
// - Half of the requests are made from the tables: an operation's own arguments with values of
//   their types, right or at the edge, then sometimes bent in a byte, cut or made longer. So
//   what lies behind the checks is reached; the other half are headers and bytes at random.
// - The same seed and targets give the same requests.

import type { Capability } from "../../control/capability/capability.js";
import { claims } from "../../control/capability/private-part.js";
import { setOf } from "../../control/capability/set.js";
import type { Field, Operation } from "../../control/interface/operation.js";
import { allOperations, type ServerTable } from "../../control/interface/table.js";
import { knownOperations } from "../../control/interface/tables.js";
import { Unfit } from "../../control/interface/types.js";
import type { Header } from "../../control/kernel/calls.js";
import { measure, put } from "../../control/stub/messages.js";
import * as statuses from "../../core-wasm/status.js";
import { SeededRandom } from "../../drivers/fault/random.js";

const dataBytesMax = 3000;

/** Statuses with such a prefix, and 0. */
export const statusesOf = (prefix: string): number[] =>
  Object.entries(statuses).flatMap(([name, value]) => (name.startsWith(prefix) ? [value] : []));
const numbers = [...new Set(knownOperations().map(({ number }) => number))];

/** Requests that come near to what a server takes. */
export class Requests {
  readonly #random: SeededRandom;
  readonly #targets: readonly Capability[];
  /** The table of each. */
  readonly #tables: ReadonlyMap<Capability, ServerTable>;

  constructor(seed: number, targets: ReadonlyMap<Capability, ServerTable>) {
    this.#random = new SeededRandom(seed);
    this.#tables = targets;
    this.#targets = [...targets.keys()];
  }

  /** Targets that are objects, once more: what asks for a capability mostly wants one of them. */
  get #objects(): readonly Capability[] {
    return this.#targets.filter(({ private: part }) => part.subarray(0, 3).some((byte) => byte !== 0));
  }

  #below = (most: number): number => this.#random.next() % most;
  #bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => this.#below(256));
  #pick = <Value>(values: readonly Value[]): Value => values[this.#below(values.length)] as Value;

  #data(): Uint8Array {
    const data = this.#bytes(this.#pick([0, 1, 4, 16, 20, this.#below(100), this.#below(dataBytesMax)]));
    const inside = this.#pick(this.#targets);
    // A capability of a server that is there: a copy of something real, or nearly.
    if (data.length >= 16 && this.#below(2) === 0) data.set(inside.port);
    if (data.length >= 16 && this.#below(2) === 0) data.set(inside.private, 6);
    if (data.length === 16 && this.#below(2) === 0) data.fill(0, 6);
    return data;
  }

  /** A value that a field may carry, mostly, or that just does not fit. */
  #value(name: string, { kind, otherwise }: Field<unknown>): unknown {
    if (otherwise !== undefined && this.#below(3) === 0) return otherwise;
    const edges = [
      0,
      1,
      16,
      255,
      3000,
      3001,
      65535,
      65536,
      1 << 20,
      (1 << 20) + 1,
      2 ** 31 - 1,
      2 ** 32 - 1,
      -1,
    ];
    switch (kind) {
      case "number":
        return this.#below(3) === 0 ? this.#pick(edges) : this.#below(4000);
      case "long":
        return BigInt(this.#random.next()) << BigInt(this.#below(33));
      case "boolean":
        return this.#below(2) === 0;
      case "text":
        return this.#pick(["a", "c", "t", "z", "lifetime", ""]);
      case "bytes":
        // Private parts, for what takes a row of them.
        if (this.#below(2) === 0)
          return Buffer.concat(
            Array.from({ length: this.#below(3) }, () => this.#pick(this.#objects).private),
          );
        return this.#bytes(this.#below(this.#below(4) === 0 ? dataBytesMax : 40));
      case "capability":
        return this.#below(3) === 0 ? undefined : this.#pick([...this.#targets, ...this.#objects]);
      case "compound": {
        if (name in this.#compounds) return this.#compounds[name]?.();
        const one = () => ({
          name: this.#pick(["lifetime", "lifetime", "weather", ""]),
          value: this.#pick(["7", "1", "255", "0", "256", "x", ""]),
        });
        return Array.from({ length: this.#below(3) }, one);
      }
    }
  }

  #few = <Value>(one: () => Value): Value[] => Array.from({ length: 1 + this.#below(3) }, one);
  #name = (): string => this.#pick(["a", "b", "c", "d", "..", "a/b", ""]);
  #set = () => setOf(...this.#few(() => this.#pick([...this.#targets, ...this.#objects])));
  /** What is made of parts, by the name of the argument. */
  readonly #compounds: Readonly<Record<string, () => unknown>> = {
    columns: () => this.#few(() => this.#pick(["owner", "reader", "guest", ""])),
    masks: () => this.#few(() => this.#below(256)),
    set: this.#set,
    names: () => this.#few(() => ({ directory: this.#set(), name: this.#name() })),
    rows: () =>
      this.#few(() => {
        const expected = this.#below(2) === 0 ? undefined : this.#pick(this.#targets);
        return { directory: this.#set(), name: this.#name(), set: this.#set(), expected };
      }),
  };

  /** A request as the table has it; undefined when a value did not fit. */
  #typed(operation: Operation): { header: Partial<Header>; data: Uint8Array } | undefined {
    const fields = Object.entries(operation.arguments);
    const given = Object.fromEntries(fields.map(([name, field]) => [name, this.#value(name, field)]));
    try {
      const data = new Uint8Array(measure(operation.arguments, given));
      return { header: put(operation.arguments, given, data), data };
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      return undefined;
    }
  }

  /** Bent in a byte, cut, or longer than it should be; mostly as it is. */
  #bent(data: Uint8Array): Uint8Array {
    switch (this.#below(8)) {
      case 0:
        return data.subarray(0, this.#below(data.length + 1));
      case 1:
        return Uint8Array.from([...data, ...this.#bytes(1 + this.#below(9))]);
      case 2: {
        const copy = data.slice();
        if (copy.length > 0) copy[this.#below(copy.length)] = this.#below(256);
        return copy;
      }
      default:
        return data;
    }
  }

  next(): { header: Partial<Header> & { readonly port: Uint8Array }; data: Uint8Array } {
    const target = this.#pick(this.#targets);
    const table = this.#tables.get(target);
    if (table === undefined || this.#below(2) === 0) return this.#wild(target);
    const isServer = target.private.subarray(0, 3).every((byte) => byte === 0);
    const fitting = [...allOperations(table).values()].filter(
      ({ subject }) => subject === "either" || (subject === "server") === isServer,
    );
    const operation = this.#pick(fitting);
    const typed = this.#typed(operation);
    if (typed === undefined) return this.#wild(target);
    const { port, private: part } = target;
    const header = { ...typed.header, port, private: part, command: operation.number };
    return { header, data: this.#bent(typed.data) };
  }

  /** Headers and bytes at random, near to what a server takes. */
  #wild(target: Capability) {
    const table = this.#tables.get(target);
    const own = table === undefined ? numbers : [...allOperations(table).values()].map((each) => each.number);
    const part = target.private.slice();
    if (this.#below(4) === 0) part[this.#below(part.length)] = this.#below(256);
    if (this.#below(8) === 0) part.fill(0);
    const command = this.#pick([this.#pick(own), this.#pick(own), this.#pick(numbers), this.#below(65536)]);
    const offset = this.#pick([0, 1, this.#below(5000), this.#random.next() | 0, -1, 2 ** 31 - 1]);
    const size = this.#pick([0, 16, this.#below(65536)]);
    const extra = this.#pick([0, 97 + this.#below(26), this.#below(65536)]);
    return { header: { port: target.port, private: part, command, offset, size, extra }, data: this.#data() };
  }
}

/** `segment read`, for a request that was done. */
export function nameOf(targets: ReadonlyMap<Capability, ServerTable>, header?: Partial<Header>): string {
  for (const [{ port }, table] of targets) {
    if (header?.port === undefined || Buffer.compare(port, header.port) !== 0) continue;
    for (const [name, { number }] of allOperations(table))
      if (number === header.command) return `${table.name} ${name}`;
  }
  return "?";
}

/** A capability was revoked: requests go on with the new one. */
export function renewed(targets: Iterable<Capability>, port: Uint8Array, part: Uint8Array): void {
  for (const target of targets)
    if (Buffer.compare(target.port, port) === 0 && claims(target.private).object === claims(part).object)
      target.private.set(part);
}
