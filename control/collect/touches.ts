// Touching what has a name: many objects of a server in one call, each once.
//
// - An object counts as touched when its server said so under one of its capabilities. One whose
//   server says that it is gone, or that the capability is not genuine, is told: its name leads
//   to nothing.
// - A server that did not touch for another reason, or does not answer, is held: its objects may not
//   have been touched, and it must not be made to age them.

import type { Capability } from "../capability/capability.js";
import { claims } from "../capability/private-part.js";
import { inOrder } from "../capability/set.js";
import { toHex } from "../kernel/bytes.js";
import { type Asking, codeOf } from "./asking.js";
import { ObjectNumbers } from "./numbers.js";
import type { Named } from "./walk.js";

/** Private parts in one NTOUCH: all servers take so many bytes. */
const atOnce = 256;
const toldMost = 100;
const serversMost = 4096;

/** What became of the names of one server. */
export interface TouchedServer {
  readonly port: Uint8Array;
  readonly numbers: ObjectNumbers;
  /** Names that lead to nothing. */
  goneCount: number;
  /** At most a hundred of them. */
  readonly gone: string[];
  /** Why it must not age its objects. */
  held: string | null;
}

interface Waiting {
  readonly capability: Capability;
  readonly path: string;
}

interface Server extends TouchedServer {
  waiting: Map<string, Waiting>;
  /** Does not answer: what is left is not tried. */
  away: boolean;
  /** The last batch that was sent. */
  sending: Promise<void>;
}

export class Touches {
  readonly #asking: Asking;
  readonly #servers = new Map<string, Server>();

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  get servers(): readonly TouchedServer[] {
    return [...this.#servers.values()];
  }

  /** Touches what has that name, now or with others at the latest at `end`. */
  async add({ path, set }: Named): Promise<void> {
    for (const capability of inOrder(set)) {
      const server = this.#server(capability.port);
      if (server.away || server.numbers.has(claims(capability.private).object)) continue;
      const key = toHex(capability.private);
      if (!server.waiting.has(key)) server.waiting.set(key, { capability, path });
      if (server.waiting.size >= atOnce) await this.#send(server);
    }
  }

  /** Touches what is left. */
  async end(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => this.#send(server)));
  }

  #server(port: Uint8Array): Server {
    const key = toHex(port);
    let server = this.#servers.get(key);
    if (server === undefined) {
      if (this.#servers.size >= serversMost)
        throw new RangeError(`names of more than ${serversMost} servers`);
      server = {
        ...{ port: port.slice(), numbers: new ObjectNumbers(), goneCount: 0, gone: [], held: null },
        ...{ waiting: new Map(), away: false, sending: Promise.resolve() },
      };
      this.#servers.set(key, server);
    }
    return server;
  }

  /** One batch after the other. */
  #send(server: Server): Promise<void> {
    const batch = [...server.waiting.values()];
    server.waiting = new Map();
    server.sending = server.sending.then(() => this.#touch(server, batch));
    return server.sending;
  }

  async #touch(server: Server, batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (server.away || first === undefined) return;
    const objects = new Uint8Array(Buffer.concat(batch.map(({ capability }) => capability.private)));
    const count = batch.length;
    try {
      const touching = () =>
        this.#asking.std({ ...first.capability, private: bare }).ntouch({ count, objects });
      const { touched } = await this.#asking.patiently(touching);
      if (touched === count) {
        for (const { capability } of batch) server.numbers.add(claims(capability.private).object);
        return;
      }
    } catch (error) {
      if (this.#isAway(server, codeOf(error))) return;
    }
    // Some could not be touched: which?
    for (const each of batch) if (!server.away) await this.#touchOne(server, each);
  }

  async #touchOne(server: Server, { capability, path }: Waiting): Promise<void> {
    const { object } = claims(capability.private);
    if (server.numbers.has(object)) return;
    try {
      await this.#asking.patiently(() => this.#asking.std(capability).touch());
      server.numbers.add(object);
    } catch (error) {
      const code = codeOf(error);
      if (code === "STD_CAPBAD") {
        server.goneCount++;
        if (server.gone.length < toldMost) server.gone.push(path);
      } else if (!this.#isAway(server, code)) server.held ??= `${path} could not be touched (${code})`;
    }
  }

  /** Notes when the server is not there. */
  #isAway(server: Server, code: string): boolean {
    if (!code.startsWith("RPC_") && !code.startsWith("CONTROL_")) return false;
    server.away = true;
    server.held = `it does not answer (${code})`;
    return true;
  }
}

const bare = new Uint8Array(10);
