// The directory server's protocol: control/interface/directory.ts says what it answers.
//
// - Reading is done here (lookup.ts), on a state that contains everything that was acknowledged;
//   as long as what was read is not certain yet the answer waits. Changing is a command that all
//   directory servers execute (updates.ts).
// - A member that cannot know whether its state is current answers STD_NOTNOW to everything:
//   another one knows.
// - What a capability allows is checked here. The command carries the generation under which it
//   was good: when that is another one by the time it is executed, the capability is not.

import { STD_CAPBAD, STD_NOTNOW, STD_OK } from "../../../core-wasm/status.js";
import { PORT_BYTES, PRIVATE_BYTES, RIGHTS_ALL } from "../../../core-wasm/wire/formats.js";
import { type Capability, capabilityOf } from "../../capability/capability.js";
import { claims } from "../../capability/private-part.js";
import { type CapabilityScheme, keyedScheme } from "../../capability/scheme.js";
import { type CapabilitySet, inOrder } from "../../capability/set.js";
import { directoryTable, ROOT_OBJECT } from "../../interface/directory.js";
import { sameBytes } from "../../kernel/bytes.js";
import type { Kernel } from "../../kernel/kernel.js";
import type { ObjectTable } from "../../stub/objects.js";
import { Refused, refuse } from "../../stub/refused.js";
import { type Handlers, Server } from "../../stub/serving.js";
import { columnsOf, Lookup, selecting, type Walked } from "./lookup.js";
import { Narrowing } from "./narrow.js";
import { notNow, type Order } from "./order.js";
import { Pages } from "./pages.js";
import type { Directory, DirectoryState } from "./state.js";
import { sure, Updates } from "./updates.js";

export interface DirectoryServerOptions {
  readonly kernel: Kernel;
  readonly getPort: Uint8Array;
  /** 32 bytes: the same at all directory servers of the pool. */
  readonly key: Uint8Array;
  readonly state: DirectoryState;
  readonly order: Order;
  readonly random: (bytes: number) => Uint8Array;
  /** Seconds since 1970. */
  readonly time: () => number;
  readonly failed: (error: unknown) => void;
  readonly threads?: number;
}

type DirectoryHandlers = Handlers<typeof directoryTable.operations, Directory>;
const generationBytes = 8;
const threadsDefault = 32;

export class DirectoryServer {
  readonly #options: DirectoryServerOptions;
  readonly #state: DirectoryState;
  readonly #order: Order;
  readonly #scheme: CapabilityScheme;
  readonly #lookup: Lookup;
  readonly #pages = new Pages();
  readonly #narrowing: Narrowing;
  readonly #putPort: Uint8Array;
  #server: Server<typeof directoryTable.operations, Directory> | null = null;
  readonly #updates: Updates;
  #lookups = 0;

  /** Serves nothing before `open`. */
  constructor(options: DirectoryServerOptions) {
    const { kernel, getPort, key, state, order, random, time } = options;
    this.#options = options;
    this.#state = state;
    this.#order = order;
    this.#putPort = kernel.publicPort(getPort);
    this.#scheme = current(
      order,
      keyedScheme(kernel.privates, key, (object) => state.generation(object)),
    );
    const isOwn = (port: Uint8Array) => sameBytes(port, this.#putPort);
    this.#lookup = new Lookup(state, this.#scheme, isOwn);
    this.#updates = new Updates({
      ...{ state, order, random, time, capability: (object) => this.capability(object) },
      open: (capabilities, mask, source) => this.#open(capabilities, mask, source),
    });
    this.#narrowing = new Narrowing(kernel, this.#scheme, isOwn);
  }

  get putPort(): Uint8Array {
    return this.#putPort;
  }

  /** Begins to listen, if it does not. Throws ProteusError when a table of the kernel is full. */
  open(): void {
    const { kernel, getPort, failed, threads = threadsDefault } = this.#options;
    this.#server ??= new Server({
      ...{ kernel, getPort, failed, threads, table: directoryTable, scheme: this.#scheme },
      objects: this.#objects(),
      info: (directory) => (directory === undefined ? "directory server" : infoOf(directory)),
      status: () => this.#status(),
      certain: () => {
        const certain = this.#order.certain(this.#state.standing.version);
        return certain === undefined ? undefined : sure(certain);
      },
      handlers: { ...this.#handlers(), ...this.#updates.standard() },
    });
  }

  /** Stops listening: clients find another member. Requests being served are given up. */
  close(): void {
    this.#server?.close();
    this.#server = null;
  }

  /** The capability of the pool's root with all rights: known before the group is, unless it was revoked. */
  root(): Capability {
    return this.#early(ROOT_OBJECT);
  }

  /** The capability of the servers themselves: as the root's. */
  itself(): Capability {
    return this.#early(0);
  }

  #early(known: number): Capability {
    const { kernel, key } = this.#options;
    const first = new Uint8Array(generationBytes);
    const scheme = keyedScheme(kernel.privates, key, (object) => this.#state.generation(object) ?? first);
    const part = scheme.make(known, RIGHTS_ALL);
    if (typeof part === "number") throw new Error(`object ${known} cannot be made`);
    return { port: this.#putPort, private: part };
  }

  /** A capability of the server or of one of its directories. Throws when there is no such directory. */
  capability(object: number, rights = RIGHTS_ALL): Capability {
    const part = this.#scheme.make(object, rights);
    if (typeof part === "number") throw new Error(`there is no directory ${object}`);
    return { port: this.#putPort, private: part };
  }

  #status(): string {
    const { state, majority, members, version } = this.#order.describe();
    const { directoryCount, rowCount } = this.#state;
    return [
      `${state}, version ${version}`,
      `directories ${directoryCount}, names ${rowCount}`,
      `look-ups ${this.#lookups}, updates ${this.#updates.count} here`,
      `members ${members.map((member) => `${member.name} ${member.state}`).join(", ")} (majority ${majority})`,
    ].join("\n");
  }

  // ---- objects, as the standard operations see them ---------------------------------

  #objects(): ObjectTable<Directory> {
    const server = this;
    const state = this.#state;
    return {
      get lifetime() {
        return state.standing.lifetime;
      },
      set lifetime(ages: number) {
        server.#updates.submit({ kind: "lifetime", ages }).catch(() => undefined); // GETPARAMS shows whether it was
      },
      get count() {
        return state.directoryCount;
      },
      get highest() {
        return state.highest;
      },
      get: (object) => state.get(object),
      generation: (object) => state.generation(object),
      renew: async (object) => {
        const fresh = server.#options.random(generationBytes);
        await sure(server.#updates.done({ kind: "renew", object, fresh }));
      },
      touch: (object) => sure(server.#updates.touch(object)),
      age: (object) => (object === ROOT_OBJECT ? undefined : state.age(object)),
      grow: () => [],
      remove: () => undefined,
    };
  }

  #handlers(): DirectoryHandlers {
    return {
      ...this.#updates.handlers(),
      lookup: ({ object, rights }, { path }) => {
        this.#lookups++;
        const names = path.includes("/") ? path.split("/").filter((name) => name !== "") : single(path);
        if (names.length === 0) return { rest: "", set: this.#itself(object, rights) };
        const walked = this.#lookup.walk(object, rights, names);
        const certain = this.#order.certain(walked.seen);
        return certain === undefined ? this.#found(walked) : certain.then(() => this.#found(walked));
      },
      setlookup: async ({ source }, { names }) => {
        const walked = names.map(({ directory, name }) => this.#lookOne(directory, name, source));
        await this.#order.certain(Math.max(0, ...walked.map(({ seen }) => seen)));
        const found = await Promise.all(walked.map((each) => this.#foundRow(each)));
        return { found };
      },
      list: ({ object, rights, value }, { first }) => {
        const directory = value ?? refuse(STD_CAPBAD);
        const answer = this.#pages.page(directory, columnsOf(directory, selecting(rights)), first);
        return this.#whenCertain(this.#state.get(object)?.changed ?? 0, answer);
      },
      getmasks: ({ object, rights }, { name }) => {
        const { status, row, seen } = this.#lookup.row(object, rights, name);
        return this.#whenCertain(seen, { masks: row?.masks ?? [] }, status);
      },
      getseqnr: ({ rights, value }) => {
        const { changed } = value ?? refuse(STD_CAPBAD);
        selecting(rights);
        return this.#whenCertain(changed, { high: Math.floor(changed / 2 ** 32), low: changed % 2 ** 32 });
      },
      members: () => ({ document: JSON.stringify(this.#order.describe()) }),
    };
  }

  /** The first of these capabilities that is a good one of this server, with such rights. */
  #open(
    capabilities: readonly Capability[],
    mask: number,
    source: bigint,
  ): { readonly object: number; readonly rights: number } {
    let status: number = STD_CAPBAD;
    for (const capability of capabilities) {
      try {
        const { object } = this.#served.open(capability, mask, source);
        const rights = claims(capability.private).rights; // genuine: open has verified it
        return { object, rights: selecting(rights) };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        status = error.status;
      }
    }
    return refuse(status);
  }

  get #served(): Server<typeof directoryTable.operations, Directory> {
    return this.#server ?? refuse(STD_NOTNOW);
  }

  // ---- answers ------------------------------------------------------------------------

  #whenCertain<Answer>(seen: number, answer: Answer, status: number = STD_OK): Answer | Promise<Answer> {
    const give = () => (status === STD_OK ? answer : refuse(status));
    const certain = this.#order.certain(seen);
    return certain === undefined ? give() : certain.then(give);
  }

  #itself(object: number, rights: number): CapabilitySet {
    const part = this.#scheme.make(object, rights);
    if (typeof part === "number") return refuse(STD_CAPBAD);
    const capability = { port: this.#putPort, private: part };
    return { initial: 1, final: 1, members: [{ capability, current: true }] };
  }

  #found({ status, set, allowed = 0, rest = "" }: Walked) {
    if (status !== STD_OK || set === undefined) return refuse(status);
    const narrowed = this.#narrowing.narrow(set, allowed);
    return narrowed instanceof Promise
      ? narrowed.then((less) => ({ rest, set: less }))
      : { rest, set: narrowed };
  }

  #lookOne(directory: CapabilitySet, name: string, source: bigint): Walked {
    try {
      const { object, rights } = this.#open(inOrder(directory), 0, source);
      return this.#lookup.row(object, rights, name);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { status: error.status, seen: this.#state.standing.version };
    }
  }

  async #foundRow({ status, row, set, allowed = 0 }: Walked) {
    if (status !== STD_OK || row === undefined || set === undefined) return { status };
    try {
      const narrowed = await this.#narrowing.narrow(set, allowed);
      const type = capabilityOf(row.type ?? new Uint8Array(PORT_BYTES + PRIVATE_BYTES));
      return { status: STD_OK, row: { type, time: row.time, set: narrowed } };
    } catch (error) {
      if (error instanceof Refused) return { status: error.status };
      throw error;
    }
  }
}

const single = (name: string): readonly string[] => (name === "" ? [] : [name]);

/** As in the original: a slash, then the columns. */
const infoOf = ({ columns, rows }: Directory): string => `/ ${columns.join(" ")} (${rows.size} names)`;

/** A scheme that knows nothing while the state here may be old. */
function current(order: Pick<Order, "isCurrent">, scheme: CapabilityScheme): CapabilityScheme {
  return {
    make: (object, rights) => scheme.make(object, rights),
    restrict: (part, mask) => scheme.restrict(part, mask),
    verify: (part) => {
      if (!order.isCurrent()) throw notNow();
      return scheme.verify(part);
    },
  };
}
