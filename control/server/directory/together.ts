// One of several directory servers: executes the same updates as the others, in a group
// (control/group), and knows when one of its answers may be given.
//
// - An update is certain when every member of the group that has the state has it in its store,
//   a majority of the configured ones at least (certainty.ts). Look-ups are answered from memory
//   while a lease lasts (leases.ts): without a message, on every member.
// - A member in no group asks the others where they stand: it joins a group that there is, or
//   founds one with the promises of a majority (election.ts). It takes the group's state whole,
//   also when its own store is only a little behind.
// - Members are known by name; each membership has a number of its own (its nonce), so that one
//   that was cut off and came back is not taken for its former self.
// - Assumed: clocks of two machines differ by less than a fifth in speed; stores do not lose what
//   they have acknowledged. Not assumed: anything about the time of day, or how long messages take.

import { STD_DENIED, STD_NOTNOW, STD_OK } from "../../../core-wasm/status.js";
import { Replica, type ReplicaEvent, type StateMachine } from "../../group/replica.js";
import { type After, pause } from "../../group/timer.js";
import { ROOT_OBJECT } from "../../interface/directory.js";
import { toHex } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import type { Service } from "../../kernel/service.js";
import { Refused } from "../../stub/refused.js";
import { Bundles, decodeBundle, encodeOutcomes } from "./bundles.js";
import { Certainties, type Certainty, patienceMs } from "./certainty.js";
import { type Command, decodeCommand, encodeCommand, foundation, type Outcome } from "./commands.js";
import { decodeContents, encodeContents } from "./contents.js";
import { CAMPAIGN_MS, type Candidate, decide, majorityOf, mayPromise } from "./election.js";
import type { Journal } from "./journal.js";
import { Grants, LEASE_MS, RENEW_MS } from "./leases.js";
import { type DirectoryMembers, membersAs, notNow, type Order, unavailable } from "./order.js";
import { Peer, purposePort, servePeer } from "./peers.js";
import { comparePositions, type Position } from "./records.js";
import type { DirectoryState } from "./state.js";
import { directoryParameters, nonceBytes, Stay } from "./stay.js";

export interface TogetherOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  /** Milliseconds that never go back; who slept has slept. */
  readonly now: () => number;
  /** Of this member: one of `members`. */
  readonly name: string;
  /** All that are configured, in the same order everywhere. */
  readonly members: readonly string[];
  /** The servers' secret. */
  readonly getPort: Uint8Array;
  readonly state: DirectoryState;
  readonly journal: Journal;
  /** How long a lease counts here; default LEASE_MS. For tests: more than was granted is wrong. */
  readonly leaseMs?: number;
  /** Serving begins or ends here. */
  readonly changed: (serving: boolean) => void;
  readonly failed: (error: unknown) => void;
}

const againMs = 120;
const askAgainMs = 60;

export class Together implements Order {
  readonly #options: TogetherOptions;
  readonly #index: number;
  readonly #peers: readonly Peer[];
  readonly #service: Service;
  readonly #grants = new Grants();
  readonly #certainties: Certainties;
  #promisedAt: number;
  #stay: Stay | null = null;
  /** What is certain in the stay. */
  #certainty: Certainty | null = null;
  #leaseUntil = Number.NEGATIVE_INFINITY;
  #serving = false;
  #closed = false;
  #missing = 0;

  /** Begins at once; the state is that of the journal. Throws ProteusError when a table of the kernel is full. */
  constructor(options: TogetherOptions) {
    this.#options = options;
    const { kernel, getPort, name, members, now, journal, failed } = options;
    this.#index = members.indexOf(name);
    const port = (member: string) => purposePort(kernel, getPort, `member ${member}`);
    this.#peers = members.filter((each) => each !== name).map((each) => new Peer(kernel, each, port(each)));
    const [peers, grants, majority] = [this.#peers, this.#grants, this.#majority];
    this.#certainties = new Certainties({ ...options, peers, grants, majority });
    journal.progressed = () => this.#stay?.wake();
    this.#promisedAt = now();
    const answers = {
      standing: () => this.#shown(),
      promise: (term: number, founder: Position) => this.#promise(term, founder),
      stored: (position: Position) =>
        this.#certainty?.answer(position) ?? Promise.resolve({ status: STD_NOTNOW, version: 0 }),
      lease: (term: number, view: number, holder: Uint8Array) => this.#answerLease(term, view, holder),
    };
    this.#service = servePeer(kernel, port(name), answers, failed);
    this.#run().catch(failed);
    this.#renew();
  }

  get #majority(): number {
    return majorityOf(this.#options.members.length);
  }

  // ---- finding a group ------------------------------------------------------------------

  #candidate(): Candidate {
    const { journal } = this.#options;
    const { term, view, version } = journal.stored;
    const group = this.#stay !== null && !this.#stay.over ? this.#stay.term : 0;
    return { term, view, version, index: this.#index, promised: journal.promised, group };
  }

  /**
   * What others are told: one that has not got the group's state yet is nobody to join. Else those
   * that wait for the state of a founder that died would send each other there for ever.
   */
  #shown(): Candidate {
    const own = this.#candidate();
    return (this.#stay?.replica ?? null) === null ? { ...own, group: 0 } : own;
  }

  async #run(): Promise<void> {
    const { after, random, journal } = this.#options;
    for (let troubles = 0; !this.#closed && journal.failure === null; ) {
      try {
        if (await this.#enter()) troubles = 0;
      } catch (error) {
        if (!(error instanceof ProteusError) && !(error instanceof Refused)) throw error;
        troubles++;
      }
      const most = againMs * 2 ** Math.min(troubles, 4);
      await pause(after, Math.ceil(most * (0.5 + (random(1)[0] ?? 0) / 512)));
    }
    this.#setServing();
  }

  /** Joins a group or founds one, and stays in it to its end; false: neither could be done. */
  async #enter(): Promise<boolean> {
    const { journal, members, now, state } = this.#options;
    // What was executed in an earlier group is part of where we stand.
    if (comparePositions(journal.stored, state.standing) < 0) await journal.whenStored(state.standing);
    const asked = await Promise.all(this.#peers.map((peer) => peer.standing()));
    const others = asked.flatMap((standing, at) => {
      const index = members.indexOf(this.#peers[at]?.name ?? "");
      return standing === null ? [] : [{ ...standing, index }];
    });
    const own = this.#candidate();
    const isVoid = now() - this.#promisedAt > 2 * CAMPAIGN_MS;
    const bound = isVoid ? own.term : Math.max(own.promised, own.term);
    const decision = decide(own, others, members.length, bound);
    this.#missing = decision.kind === "wait" ? decision.missing : 0;
    if (this.#closed || decision.kind === "wait") return false;
    if (decision.kind === "found" && !(await this.#campaign(decision.term))) return false;
    return this.#remain(decision.term, decision.kind === "found");
  }

  /** Gathers promises of a majority for a term of ours. */
  async #campaign(term: number): Promise<boolean> {
    const { journal } = this.#options;
    await journal.promise(term);
    this.#promisedAt = this.#options.now();
    const founder = journal.stored;
    const promises = await Promise.all(this.#peers.map((peer) => peer.promise(term, founder)));
    return !this.#closed && 1 + promises.filter((each) => each).length >= this.#majority;
  }

  async #promise(term: number, founder: Position): Promise<number> {
    const { journal } = this.#options;
    if (!mayPromise(this.#candidate(), term, founder)) return STD_DENIED;
    await journal.promise(term);
    this.#promisedAt = this.#options.now();
    // Meanwhile we may have entered a group.
    return this.#stay === null ? STD_OK : STD_DENIED;
  }

  async #remain(term: number, isFounder: boolean): Promise<boolean> {
    const { kernel, after, now, random, getPort, state, journal } = this.#options;
    const stay = new Stay(term, random(nonceBytes), after);
    const certainty = this.#certainties.of(stay);
    [this.#stay, this.#certainty] = [stay, certainty];
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const over = () => {
      stay.end();
      end();
    };
    if (isFounder) journal.write(state.stand(term, 0));
    try {
      const replica = await Replica.open({
        ...{ kernel, after, random, create: isFounder, alone: isFounder, name: `directory-${term}` },
        port: purposePort(kernel, getPort, `group ${term}`),
        parameters: directoryParameters,
        wishes: { minimum: this.#majority },
        machine: this.#machine(stay),
        event: (event) => {
          if (event.kind === "cutOff") {
            over();
            stay.replica?.close();
          } else this.#happened(stay, event);
        },
        ended: over,
      });
      stay.replica = replica;
      stay.bundles = new Bundles({
        ...{ after, now },
        send: async (bundle) => (await replica.submit(bundle)).result,
        certain: (version) => certainty.until(version),
        bytesMax: () => replica.commandBytesMax,
      });
      if (this.#closed || stay.over) return false;
      if (isFounder)
        after(CAMPAIGN_MS, () => {
          if (stay.present.length < this.#majority) over();
        });
      await Promise.race([ended, this.#settle(stay, isFounder)]);
      await ended;
      return true;
    } finally {
      stay.end();
      stay.replica?.close();
      if (this.#stay === stay) [this.#stay, this.#certainty] = [null, null];
      this.#leaseUntil = Number.NEGATIVE_INFINITY;
      this.#setServing();
    }
  }

  /** Says who we are, makes the root where there is none. */
  async #settle(stay: Stay, isFounder: boolean): Promise<void> {
    const { name, state, journal } = this.#options;
    const submit = (command: object) =>
      stay.bundles?.submit(
        encodeCommand({ request: new Uint8Array(6), digest: 0, time: 0, ...command } as Command),
      );
    try {
      // A member that has said who it is has the state in its store: so what is counted is there.
      await journal.whenStored(state.standing);
      await submit({ kind: "member", name, nonce: stay.nonce });
      if (isFounder && state.get(ROOT_OBJECT) === undefined) await submit(foundation);
      await this.#lease(stay);
    } catch (error) {
      if (journal.failure === null && !(error instanceof ProteusError)) throw error;
    }
  }

  // ---- the group's messages --------------------------------------------------------------

  #machine(stay: Stay): StateMachine {
    const { state, journal } = this.#options;
    return {
      apply: (bundle, _seqno, member) => {
        const outcomes = decodeBundle(bundle).map((bytes) => {
          const command = decodeCommand(bytes);
          if (command?.kind === "member") stay.announce(member, command.name, command.nonce);
          const { outcome, written } = state.execute(bytes);
          if (written !== null) journal.write(written);
          return outcome;
        });
        return encodeOutcomes(outcomes);
      },
      snapshot: () => stay.snapshot(encodeContents(state.contents())),
      restore: (snapshot) => {
        const decoded = decodeContents(stay.restore(snapshot));
        state.load(decoded);
        journal.replace(decoded).catch(() => undefined); // `failed` has heard of it
      },
    };
  }

  #happened(stay: Stay, event: ReplicaEvent): void {
    if (event.kind !== "join" && event.kind !== "leave" && event.kind !== "reset") return;
    const { state, journal } = this.#options;
    if (event.kind !== "reset") {
      const gone = stay.forget(event.member);
      if (event.kind === "leave" && gone !== undefined) this.#grants.release(gone.nonce);
    }
    stay.keep(event.members);
    if (event.kind === "reset") journal.write(state.stand(stay.term, state.standing.view + 1));
    stay.wake();
  }

  // ---- what is certain -------------------------------------------------------------------

  async submit(command: Uint8Array): Promise<Outcome> {
    const { after, now } = this.#options;
    const until = now() + patienceMs;
    while (!this.#closed && now() < until) {
      const stay = this.#stay;
      if (stay === null || stay.bundles === null || stay.over) {
        await pause(after, askAgainMs);
        continue;
      }
      try {
        const outcome = await stay.within(stay.bundles.submit(command));
        await this.certain(outcome.version);
        return outcome;
      } catch (error) {
        if (!(error instanceof ProteusError) && !(error instanceof Refused)) throw error;
        if (error instanceof ProteusError && error.code === "BC_TOOBIG") throw error;
        await pause(after, askAgainMs); // it is known by its request: it is not executed twice
      }
    }
    throw unavailable();
  }

  isCurrent(): boolean {
    const { now, journal } = this.#options;
    return this.#stay !== null && !this.#stay.over && now() < this.#leaseUntil && journal.failure === null;
  }

  certain(version: number): undefined | Promise<void> {
    return this.#certainty === null ? Promise.reject(notNow()) : this.#certainty.until(version);
  }

  // ---- leases ------------------------------------------------------------------------------

  #answerLease(term: number, view: number, holder: Uint8Array): number {
    const stay = this.#stay;
    const { standing } = this.#options.state;
    const isOurs = stay !== null && !stay.over && stay.term === term && standing.view === view;
    const nonce = toHex(holder);
    if (!isOurs || !stay.present.some((each) => each.nonce === nonce)) return STD_NOTNOW;
    this.#grants.grant(nonce, this.#options.now());
    return STD_OK;
  }

  async #lease(stay: Stay): Promise<void> {
    const { now, state } = this.#options;
    const asked = now();
    const { term, view } = state.standing;
    const present = stay.present;
    if (!present.some(({ nonce }) => nonce === stay.nonceHex)) return;
    const names = present.map(({ name }) => name);
    const granters = this.#peers.filter(({ name }) => names.includes(name));
    const granted = await Promise.all(granters.map((peer) => peer.lease(term, view, stay.nonce)));
    if (stay.over || 1 + granted.filter((each) => each).length < this.#majority) return;
    this.#leaseUntil = Math.max(this.#leaseUntil, asked + (this.#options.leaseMs ?? LEASE_MS));
    this.#setServing();
  }

  /** Renews the lease for as long as we live, and notices when it is over. */
  #renew(): void {
    const { after, failed } = this.#options;
    after(RENEW_MS, () => {
      if (this.#closed) return;
      const stay = this.#stay;
      if (stay !== null && !stay.over && stay.replica !== null) this.#lease(stay).catch(failed);
      this.#setServing();
      this.#renew();
    });
  }

  #setServing(): void {
    const serving = !this.#closed && this.isCurrent();
    if (serving === this.#serving) return;
    this.#serving = serving;
    this.#options.changed(serving);
  }

  // ---- what people see, and the end ----------------------------------------------------------

  describe(): DirectoryMembers {
    const { name, members, state, journal } = this.#options;
    const stay = this.#stay;
    const present = stay === null ? [] : stay.present.map((each) => each.name);
    const without = stay === null ? "waiting" : "joining";
    const own = journal.failure !== null ? "failed" : this.isCurrent() ? "serving" : without;
    const { version } = state.standing;
    return membersAs({ name, state: own, majority: this.#majority, version, members, present });
  }

  /** How many more directory servers are needed before one may serve. */
  get missing(): number {
    return this.#missing;
  }

  /** Leaves the group with a word. */
  async leave(): Promise<void> {
    const { replica } = this.#stay ?? { replica: null };
    this.#leaseUntil = Number.NEGATIVE_INFINITY;
    this.#setServing();
    await replica?.leave();
    this.close();
  }

  /** Ends at once; the others notice. */
  close(): void {
    this.#closed = true;
    this.#service.close();
    const stay = this.#stay;
    stay?.end();
    stay?.replica?.close();
    this.#setServing();
  }
}
