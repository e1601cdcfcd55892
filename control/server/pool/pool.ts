// A control daemon of a pool: takes announcements, watches the machines, and answers what
// PoolService offers. All daemons of a pool are alike, and any of them can go.
//
// - What they agree on is the registry (registry.ts), ordered by their group (daemons.ts) and
//   kept in each one's store (ledger.ts). Every daemon asks all machines; only the one with the
//   lowest member id, the watching one, says in the group who does not answer.
// - A machine is taken in when its sys server has answered as the machine that was announced:
//   who only claims to be one is never in the list.
// - Reads never wait. A daemon in no group answers from what it last knew, and faults() says so.
// - No clock and no I/O of its own: the simulator runs it.

import type { ReplicaEvent } from "../../group/replica.js";
import { type After, pause } from "../../group/timer.js";
import type { GroupDocument } from "../../interface/group.js";
import { judgeNodes, type NodeFault, type Seen } from "../../interface/node-faults.js";
import {
  type Announced,
  type BootReport,
  type PoolDaemon,
  type PoolEvent,
  type PoolNode,
  type PoolService,
  poolGroupPort,
  poolMeetingPort,
  poolPort,
} from "../../interface/pool.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import type { Store } from "../../store/store.js";
import { serveAnnouncements } from "./announcements.js";
import { Daemons } from "./daemons.js";
import { nameShared, nodeInUse, nodeUnknown, notStored, poolClosed } from "./errors.js";
import { Ledger } from "./ledger.js";
import { Meeting } from "./meeting.js";
import { daemonFaults, findNode, nodesOf } from "./nodes.js";
import {
  type Command,
  type Facts,
  factsText,
  keyOf,
  mergeBatches,
  type PoolRecord,
  supersedes,
} from "./records.js";
import { Registry } from "./registry.js";
import { Watch, type WatchTiming } from "./watch.js";

export interface PoolOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  /** This host's calendar: milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds since anything: they only grow. */
  readonly elapsed: () => number;
  /** The pool's name. */
  readonly pool: string;
  /** As this host is called. */
  readonly name: string;
  readonly store: Store;
  /** Told of what a server or the store did not do; the daemon goes on. */
  readonly failed: (error: unknown) => void;
  /** When it wants to hear of a machine again; default 2,000 ms. */
  readonly intervalMs?: number;
  readonly timing?: Partial<WatchTiming>;
}

/** Documents are judged that are not older. */
const freshMs = 10_000;
const leavingMs = 1000;
const verifyingMax = 16;
const flushMs = 2000;

export class Pool implements PoolService {
  readonly pool: string;
  readonly #options: PoolOptions;
  readonly #registry: Registry;
  readonly #ledger: Ledger;
  readonly #listeners = new Set<(event: PoolEvent) => void>();
  readonly #daemons: Daemons;
  #watch: Watch | null = null;
  #meeting: Meeting | null = null;
  #server: { close(): void } | null = null;
  #told = 0; // the order of the last event
  #closed = false;
  /** Machines about which something is under way to the group. */
  readonly #saying = new Set<string>();

  private constructor(options: PoolOptions, ledger: Ledger) {
    this.pool = options.pool;
    this.#options = options;
    this.#ledger = ledger;
    this.#registry = new Registry({
      event: (event) => this.#tell(event),
      changed: (record, dropped) => (dropped ? ledger.drop(record) : ledger.put(record)),
      dissolved: () => this.#daemons.dissolve(),
    });
    this.#registry.load(ledger.records());
    const { kernel, after, random, pool, failed } = options;
    this.#daemons = new Daemons({
      ...{ kernel, after, random, pool, failed },
      port: poolGroupPort(kernel, pool),
      machine: this.#registry,
      event: (event) => this.#groupEvent(event),
    });
  }

  /**
   * Reads the store, joins the other daemons or is the first, and begins to watch. Rejects with
   * the store's error, or the group's (RPC_TRYAGAIN, BC_TOOMANY ...).
   */
  static async open(options: PoolOptions): Promise<Pool> {
    const { store, after, pool, failed } = options;
    const opened = new Pool(options, await Ledger.open({ store, after, pool, failed }));
    try {
      await opened.#begin();
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  }

  async #begin(): Promise<void> {
    const { kernel, after, random, pool, failed, now, elapsed, timing = {} } = this.#options;
    await this.#daemons.open();
    if (this.#closed) throw poolClosed(pool);
    this.#server = serveAnnouncements({
      ...{ kernel, random, pool, failed },
      getPort: poolPort(kernel, pool),
      status: () =>
        JSON.stringify({ pool, daemons: this.daemons(), machines: this.#registry.machines().length }),
      announced: (facts, leaving) => this.#announced(facts, leaving),
    });
    this.#watch = new Watch({
      ...{ kernel, after, now, elapsed, failed, timing },
      machines: () =>
        this.#registry
          .machines()
          .filter(({ state }) => state !== "down")
          .map(({ address, servers }) => ({ address, port: servers.sys })),
      asked: (address, answers) => this.#asked(address, answers),
    });
    this.#meeting = new Meeting({
      ...{ kernel, after, random, failed },
      port: poolMeetingPort(kernel, pool),
      own: () => this.#spokenFor(),
      yields: () => this.#say("dissolve", { do: "dissolve" }),
    });
  }

  // ---- the group -----------------------------------------------------------------

  #groupEvent(event: ReplicaEvent): void {
    const { name, failed } = this.#options;
    if (event.kind === "joined") {
      if (event.created) this.#registry.founded(event.member, name);
      this.#introduce().catch((error: unknown) => {
        if (!(error instanceof ProteusError)) failed(error); // the group ended: the next one hears it
      });
    } else if (event.kind === "join" || event.kind === "leave" || event.kind === "reset")
      this.#registry.reformed(event.members, event.kind === "reset");
  }

  /** Says who we are, and what our store knows that the group does not; takes what it does not know. */
  async #introduce(): Promise<void> {
    const { name } = this.#options;
    for (const record of this.#registry.records()) this.#ledger.put(record);
    const isNewer = (record: PoolRecord) => supersedes(record, this.#registry.record(keyOf(record)));
    for (const records of mergeBatches(this.#ledger.records().filter(isNewer)))
      await this.#submit({ do: "merge", records });
    // Last: whoever sees our name has what we knew.
    await this.#submit({ do: "daemon", name, clock: Math.max(this.#told, this.#registry.clock) });
  }

  async #submit(command: Command) {
    if (this.#closed) throw poolClosed(this.pool);
    return this.#daemons.submit(command);
  }

  /** Submits what nobody waits for; once at a time for each subject. */
  #say(subject: string, command: Command): void {
    if (this.#saying.has(subject)) return;
    this.#saying.add(subject);
    this.#submit(command)
      .catch((error: unknown) => {
        if (!(error instanceof ProteusError)) this.#options.failed(error);
      })
      .finally(() => this.#saying.delete(subject));
  }

  get #time(): number {
    return Math.max(0, Math.floor(this.#options.now()));
  }

  get #inGroup(): boolean {
    return !this.#closed && this.#daemons.id >= 0;
  }

  get #watching(): boolean {
    return this.#inGroup && this.#daemons.id === this.#registry.members[0];
  }

  #spokenFor(): GroupDocument | null {
    if (!this.#watching) return null;
    const document = this.#daemons.describe();
    return document?.state === "normal" ? document : null;
  }

  #tell(event: PoolEvent): void {
    // After joining another group it may be a while behind: what it repeats was told.
    if (event.order <= this.#told) return;
    this.#told = event.order;
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.#options.failed(error);
      }
    }
  }

  // ---- machines ------------------------------------------------------------------

  async #announced(facts: Facts, leaving: boolean): Promise<Announced> {
    const known = this.#registry.machine(facts.address);
    const { intervalMs = 2000, after } = this.#options;
    const answer = (): Announced => ({ draining: this.#registry.isDraining(facts.name), intervalMs });
    if (leaving) {
      if (known !== undefined && known.state !== "down") {
        const ordered = this.#submit({ do: "announce", time: this.#time, facts, leaving }).catch(
          () => undefined,
        );
        await Promise.race([ordered, pause(after, leavingMs)]);
      }
      return answer();
    }
    if (known === undefined || known.state === "down" || factsText(known) !== factsText(facts))
      this.#verify(facts).catch(this.#options.failed);
    else if (known.state === "unreachable") this.#watch?.hint(facts.address);
    return answer();
  }

  /** Takes in a machine that answers as the one that was announced. */
  async #verify(facts: Facts): Promise<void> {
    const { address, servers } = facts;
    const subject = `announce ${address}`;
    if (this.#saying.has(subject) || this.#saying.size >= verifyingMax || servers.sys === undefined) return;
    this.#saying.add(subject);
    try {
      const said = await this.#watch?.verify(address, servers.sys);
      if (said === null || said === undefined || said.document.name !== facts.name) return;
      await this.#submit({ do: "announce", time: this.#time, facts, leaving: false });
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error; // it announces itself again
    } finally {
      this.#saying.delete(subject);
    }
  }

  #asked(address: string, answers: boolean): void {
    const state = this.#registry.machine(address)?.state;
    if (!this.#watching || state !== (answers ? "unreachable" : "up")) return;
    this.#say(`observe ${address}`, { do: "observe", time: this.#time, address, answers });
  }

  // ---- what it is asked ----------------------------------------------------------

  nodes(): readonly PoolNode[] {
    const draining = (name: string): boolean => this.#registry.isDraining(name);
    const boots = this.#registry
      .boots()
      .map((boot) => ({ ...boot, sinceMs: Math.max(0, this.#time - boot.time) }));
    const lastOf = (address: string) => this.#watch?.last(address) ?? null;
    return nodesOf(this.#registry.machines(), draining, lastOf, boots);
  }

  node(name: string): PoolNode {
    return findNode(this.nodes(), name);
  }

  faults(): readonly NodeFault[] {
    const seen = this.#registry.machines().flatMap(({ address, state }): Seen[] => {
      const last = this.#watch?.last(address);
      return state === "up" && last?.last != null && last.silentMs <= freshMs ? [last.last] : [];
    });
    const daemons = { name: this.#options.name, inGroup: this.#inGroup, lost: this.#registry.lostDaemons };
    return [...judgeNodes(seen), ...daemonFaults(daemons)];
  }

  daemons(): readonly PoolDaemon[] {
    const { name } = this.#options;
    const own = this.#daemons.id;
    if (!this.#inGroup) return [{ member: 0, name, self: true, watching: false }];
    const [watching] = this.#registry.members;
    return this.#registry.members.map((member) => ({
      member,
      name: member === own ? name : (this.#registry.daemonName(member) ?? `member ${member}`),
      self: member === own,
      watching: member === watching,
    }));
  }

  drain(name: string): Promise<PoolNode> {
    return this.#decided(name, true);
  }

  undrain(name: string): Promise<PoolNode> {
    return this.#decided(name, false);
  }

  /** Decides; the machine as it is then, or as it was when it has been struck from the list since. */
  async #decided(name: string, draining: boolean): Promise<PoolNode> {
    const before = this.node(name);
    await this.decide(name, draining);
    return this.nodes().find((node) => node.address === before.address) ?? before;
  }

  /** What drain and undrain do; answers the version of the record that it made. */
  async decide(asked: string, draining: boolean): Promise<number> {
    const before = this.node(asked);
    const own = this.#registry.machine(before.address)?.name ?? before.name;
    const sharing = this.nodes().filter(({ address }) => this.#registry.machine(address)?.name === own);
    if (sharing.length > 1)
      throw nameShared(
        asked,
        sharing.map((node) => node.name),
      );
    const { version = 0 } = await this.#submit({ do: "drain", time: this.#time, name: own, draining });
    await this.#stored(
      keyOf({ kind: "drain", key: own }),
      version,
      `the ${draining ? "" : "un"}draining of ${own}`,
    );
    return version;
  }

  async forget(name: string): Promise<void> {
    if (this.#registry.lostDaemons.includes(name) && !this.nodes().some((node) => node.name === name)) {
      await this.#submit({ do: "forgetDaemon", name });
      return;
    }
    const node = this.node(name);
    const { address, boot, kind } = node;
    if (boot !== undefined) await this.booting({ ...{ mac: boot.mac, name: node.name, kind }, step: null });
    if (address === "") return;
    const outcome = await this.#submit({ do: "forget", time: this.#time, address });
    if (outcome.refused === "inUse") throw nodeInUse(node);
    if (outcome.refused === "unknown") throw nodeUnknown(name, []);
    await this.#stored(keyOf({ kind: "machine", key: address }), outcome.version ?? 0, `striking ${name}`);
  }

  async booting(report: BootReport): Promise<void> {
    await this.#submit({ do: "boot", time: this.#time, report });
  }

  async #stored(key: string, version: number, what: string): Promise<void> {
    try {
      await this.#ledger.stored(key, version);
    } catch (error) {
      throw notStored(what, error);
    }
  }

  watch(listener: (event: PoolEvent) => void): () => void {
    const own = (event: PoolEvent): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** The records as this daemon has them, with versions: for tests. */
  records(): readonly PoolRecord[] {
    return this.#registry.records();
  }

  // ---- the end -------------------------------------------------------------------

  /** Leaves the other daemons with a word, and waits a moment for what is to be stored. */
  async leave(): Promise<void> {
    const { after } = this.#options;
    for (let waited = 0; !this.#ledger.idle && waited < flushMs && !this.#closed; waited += 20)
      await pause(after, 20);
    await this.#daemons.leave();
    this.close();
  }

  /** Ends at once: the others notice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const part of [this.#server, this.#watch, this.#meeting, this.#daemons]) part?.close();
    this.#ledger.close(poolClosed(this.pool));
  }
}
