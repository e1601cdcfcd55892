// Which copy of a file is the nearest: that of the server which answers first.
//
// - Servers are asked for nothing at the same time (INFO), once for each combination of them; the
//   first answer begins the order, later ones continue it, whoever does not answer is last. The same
//   machine answers before any other, a LAN before what is behind routers, an idle one before
//   a busy one. No clock is needed, and one that is gone costs no wait.
// - Members of a set that are out of date come after all that are current.
// - An order counts until one of its servers fails, and for USES_MAX files.

import type { Capability } from "../capability/capability.js";
import { type CapabilitySet, inOrder } from "../capability/set.js";
import { bulletTable } from "../interface/bullet.js";
import { toHex } from "../kernel/bytes.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "../stub/client.js";

/** Files that are read in one order before the servers are asked again. */
const USES_MAX = 512;
const ordersMax = 256;
const probeLocateMs = 500;

interface Order {
  /** Ports in the order of their answers; grows. */
  readonly answered: string[];
  /** Ends with the first answer, or when all have failed. */
  readonly ready: Promise<void>;
  readonly ports: ReadonlySet<string>;
  uses: number;
}

const portOf = ({ port }: Capability): string => toHex(port);

export class Nearness {
  readonly #via: Kernel | Transact;
  readonly #call: CallOptions;
  readonly #orders = new Map<string, Order>();

  constructor(via: Kernel | Transact, call: CallOptions) {
    this.#via = via;
    this.#call = {
      ...call,
      locateTimeoutMs: Math.min(probeLocateMs, call.locateTimeoutMs ?? probeLocateMs),
      replyBytesMax: 256,
    };
  }

  /** The members of a set, the best to read first. */
  async order(set: CapabilitySet): Promise<readonly Capability[]> {
    const all = inOrder(set);
    if (new Set(all.map(portOf)).size < 2) return all;
    const { answered, ready } = this.#known(all);
    await ready;
    const place = (capability: Capability): number => {
      const at = answered.indexOf(portOf(capability));
      return at < 0 ? answered.length : at;
    };
    const near = (members: readonly Capability[]) => [...members].sort((a, b) => place(a) - place(b)); // stable
    const count = set.members.filter(({ current }) => current).length;
    return [...near(all.slice(0, count)), ...near(all.slice(count))];
  }

  /** A server has failed: what is known of it counts no more. */
  failed(capability: Capability): void {
    const port = portOf(capability);
    for (const [key, { ports }] of this.#orders) if (ports.has(port)) this.#orders.delete(key);
  }

  #known(all: readonly Capability[]): Order {
    const ports = new Set(all.map(portOf));
    const key = [...ports].sort().join();
    const known = this.#orders.get(key);
    if (known !== undefined && known.uses++ < USES_MAX) return known;
    const made = this.#ask(all, ports);
    this.#orders.delete(key);
    this.#orders.set(key, made);
    const [oldest] = this.#orders.keys();
    if (this.#orders.size > ordersMax && oldest !== undefined) this.#orders.delete(oldest);
    return made;
  }

  #ask(all: readonly Capability[], ports: ReadonlySet<string>): Order {
    const answered: string[] = [];
    const answers = [...ports].map(async (port) => {
      const one = all.find((each) => portOf(each) === port);
      if (one === undefined) return;
      try {
        await stub(this.#via, bulletTable, one, this.#call).info({ most: 32 });
      } catch (error) {
        // What a server refuses it has answered.
        if (!(error instanceof ProteusError) || !error.code.startsWith("STD_")) throw error;
      }
      answered.push(port);
    });
    const ready = Promise.any(answers).then(
      () => undefined,
      () => undefined, // nobody answers: whoever reads says why
    );
    return { answered, ready, ports, uses: 0 };
  }
}
