// A membership with state: a member that has what the group had when it joined, keeps it for
// those that join later, and gives itself up when the rest of a broken group goes on without it.
//
// - Join: messages are held back while the snapshot of the join is fetched, then those that
//   came after it are handed over. At most `bufferedBytesMax` wait here, more in the kernel.
// - Part of a broken group: after a reset with at most half of the members, those that are
//   missing are asked whether they are a group without us, before anything is delivered: also
//   what stands before the reset and became final by it, which only we may have.
// - What the messages mean is replica.ts's.

import { BC_FAIL } from "../../core-wasm/status.js";
import { GROUP_JOIN, type GroupDocument, memberPort } from "../interface/group.js";
import { ProteusError, statusError } from "../kernel/errors.js";
import type { GroupInfo, GroupParameters } from "../kernel/groups.js";
import type { Kernel } from "../kernel/kernel.js";
import { describeGroup } from "../stub/group.js";
import { decodeSnapshot, encodeSnapshot, type GroupConfiguration, type Snapshot } from "./configuration.js";
import { describe, yieldsTo } from "./document.js";
import type { GroupMessage, TakeMessage } from "./inbox.js";
import { GroupMember, type MemberEnd } from "./member.js";
import { MemberServer, type MemberServerOptions } from "./member-server.js";
import { sessionBytes } from "./sessions.js";
import { fetchSnapshot, isKeeper, KeptSnapshots } from "./snapshots.js";
import type { After } from "./timer.js";
import { isMinority, membersOf } from "./view.js";

export interface MembershipOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  readonly port: Uint8Array;
  /** Ours until the snapshot brings the group's. */
  readonly configuration: GroupConfiguration;
  /** Takes what follows the state that we began with. */
  readonly take: TakeMessage;
  /** The state as it is after all that `take` was given. */
  readonly state: () => Omit<Snapshot, "seqno" | "configuration">;
  /** Takes the group's state; throws when it does not want to join this group. */
  readonly restore: (snapshot: Snapshot, group: GroupInfo) => void;
  readonly submit: MemberServerOptions["submit"];
  readonly recovering: (on: boolean) => void;
  /** Called once after create or join succeeded. */
  readonly ended: (end: MemberEnd) => void;
}

const bufferedBytesMax = 8 * 1024 * 1024;
const lostOptions = { locateTimeoutMs: 250, deadMs: 500, pollMs: 200 };
const leftBehind: MemberEnd = { kind: "cutOff", status: BC_FAIL };

export class Membership {
  readonly #options: MembershipOptions;
  #configuration: GroupConfiguration;
  #member: GroupMember | null = null;
  #server: MemberServer | null = null;
  readonly #snapshots = new KeptSnapshots();
  #view = 0n; // after the last message
  #incarnation = 0; // whose beginning was handed over
  /** Told with a later incarnation: they wait for the reset that began it. */
  #early: GroupMessage[] = [];
  #givers = 0n; // members that were there when we joined
  #phase: "entering" | "entered" | "over" = "entering";
  #end: MemberEnd | null = null;
  #buffered: GroupMessage[] = [];
  #bufferedBytes = 0;
  #entered: (() => void)[] = [];

  private constructor(options: MembershipOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
  }

  /** Creates the group. Throws ProteusError. */
  static create(options: MembershipOptions, parameters: GroupParameters): Membership {
    const membership = new Membership(options);
    const member = GroupMember.create(membership.#memberOptions(), parameters);
    membership.#phase = "entered";
    membership.#begin(member);
    membership.#server?.entered();
    return membership;
  }

  /** Joins the group and fetches its state. Rejects with ProteusError. */
  static async join(options: MembershipOptions): Promise<Membership> {
    const membership = new Membership(options);
    const joiner = options.random(sessionBytes);
    const header = { command: GROUP_JOIN, private: joiner };
    const member = await GroupMember.join(membership.#memberOptions(), header);
    try {
      await membership.#fetch(member, joiner);
    } catch (error) {
      membership.#phase = "over";
      membership.#server?.close();
      await member.leave();
      throw error;
    }
    return membership;
  }

  #memberOptions() {
    const { kernel, after, port } = this.#options;
    return {
      kernel,
      after,
      port,
      minimum: this.#configuration.minimum,
      take: (message: GroupMessage) => this.#take(message),
      recovering: this.#options.recovering,
      ended: (end: MemberEnd) => this.#ended(end),
    };
  }

  /** Serves the other members from now on. */
  #begin(member: GroupMember): GroupInfo {
    const { kernel, port } = this.#options;
    const info = member.info();
    if (info === null) throw statusError(BC_FAIL, "joining the group");
    this.#member = member;
    this.#view = info.view;
    this.#incarnation = info.incarnation;
    this.#server = new MemberServer({
      ...{ kernel, port, id: member.id, messageBytesMax: member.messageBytesMax },
      snapshots: this.#snapshots,
      submit: this.#options.submit,
      describe: () => (this.#phase === "entered" ? this.describe() : null),
      failed: (error) => this.#fail({ kind: "failed", error }),
    });
    member.configure(this.#configuration.minimum, this.#configuration.detectMs);
    return info;
  }

  async #fetch(member: GroupMember, joiner: Uint8Array): Promise<void> {
    const { kernel, after, port, restore } = this.#options;
    const info = this.#begin(member);
    this.#givers = info.view & ~(1n << BigInt(member.id));
    const members = membersOf(this.#givers);
    const wanted = () => this.#end === null;
    const snapshot = decodeSnapshot(await fetchSnapshot({ kernel, after, port, joiner, members, wanted }));
    if (this.#end !== null) throw statusError(BC_FAIL, "joining the group");
    restore(snapshot, info);
    this.#configuration = snapshot.configuration;
    member.configure(snapshot.configuration.minimum, snapshot.configuration.detectMs);
    const later = this.#buffered.filter(({ seqno }) => seqno > snapshot.seqno);
    this.#buffered = [];
    for (const message of later) await this.#handOver(message);
    // What came while those were handed over has been buffered again.
    for (let next = this.#buffered.shift(); next !== undefined; next = this.#buffered.shift())
      await this.#handOver(next);
    if (this.#end !== null) throw statusError(BC_FAIL, "joining the group");
    this.#server?.entered();
    this.#phase = "entered";
    for (const go of this.#entered.splice(0)) go();
  }

  /** True when it has ended. */
  get over(): boolean {
    return this.#phase === "over";
  }

  get id(): number {
    return this.#member?.id ?? -1;
  }

  get messageBytesMax(): number {
    return this.#member?.messageBytesMax ?? 0;
  }

  /** The group as this member sees it; null when it is no member any more. */
  describe(): GroupDocument | null {
    const { kernel } = this.#options;
    if (this.#member === null || this.#phase === "over") return null;
    return describe(kernel, this.#member.gid, this.#configuration);
  }

  /** GroupMember.send. */
  send: GroupMember["send"] = (header, data, done) => {
    if (this.#member === null) done(BC_FAIL, 0, 0);
    else this.#member.send(header, data, done);
  };

  #take(message: GroupMessage): undefined | Promise<void> {
    if (this.#phase === "entered") return this.#handOver(message);
    // Nobody is left who could give us the state.
    if (this.#givers !== 0n && (this.#givers & message.view) === 0n) this.#end ??= leftBehind;
    this.#buffered.push(message);
    this.#bufferedBytes += message.data.length;
    if (this.#phase === "over" || this.#bufferedBytes <= bufferedBytesMax) return undefined;
    return new Promise((resolve) => {
      this.#entered.push(resolve);
    });
  }

  #handOver(message: GroupMessage): undefined | Promise<void> {
    if (this.#phase === "over") return undefined;
    if (message.kind !== "reset") {
      if (message.incarnation === this.#incarnation) return this.#give(message);
      this.#early.push(message); // as many as the kernel's history held
      return undefined;
    }
    const before = this.#early.reduce((_, { view }) => view, this.#view);
    if (isMinority(before, message.view)) return this.#whenAlone(before, message);
    return this.#giveAll(message);
  }

  /** Hands over a reset and what waited for it. */
  #giveAll(reset: GroupMessage): undefined | Promise<void> {
    this.#incarnation = reset.incarnation;
    let last: undefined | Promise<void>;
    for (const message of [...this.#early.splice(0), reset]) {
      last = last === undefined ? this.#give(message) : last.then(() => this.#give(message));
    }
    return last;
  }

  #give(message: GroupMessage): undefined | Promise<void> {
    if (this.#phase === "over") return undefined;
    this.#view = message.view;
    this.#keep(message);
    return this.#options.take(message);
  }

  /** Keeps the state for a joiner, when that is on us. */
  #keep({ kind, header, seqno, view, member }: GroupMessage): void {
    if (kind !== "join" || header.command !== GROUP_JOIN || member === this.id) return;
    if (!isKeeper(view, member, this.id)) return;
    const snapshot = { seqno, configuration: this.#configuration, ...this.#options.state() };
    this.#snapshots.keep(header.private, encodeSnapshot(snapshot));
  }

  /** Hands over the reset unless those that it left out are a group that goes on without us. */
  async #whenAlone(before: bigint, message: GroupMessage): Promise<void> {
    const lost = membersOf(before & ~message.view);
    const documents = await Promise.all(lost.map((id) => this.#ask(id)));
    const own = this.describe();
    if (own === null) return;
    if (documents.some((other) => other !== null && yieldsTo(own, other))) {
      this.#fail(leftBehind);
      return;
    }
    await this.#giveAll(message);
  }

  async #ask(id: number): Promise<GroupDocument | null> {
    const { kernel, port } = this.#options;
    try {
      return await describeGroup(kernel, memberPort(kernel, port, id), lostOptions);
    } catch (error) {
      if (error instanceof ProteusError) return null;
      throw error;
    }
  }

  // ---- the end -------------------------------------------------------------------

  /** Ends it for a reason of our own. */
  #fail(end: MemberEnd): void {
    this.#end ??= end;
    if (this.#member === null) this.#ended(end);
    else this.#member.close();
  }

  #ended(end: MemberEnd): void {
    this.#end ??= end;
    const entered = this.#phase === "entered";
    if (this.#phase === "over") return;
    if (entered) this.#phase = "over";
    this.#server?.close();
    for (const go of this.#entered.splice(0)) go();
    if (entered) this.#options.ended(this.#end);
  }

  /** Leaves the group. */
  async leave(): Promise<void> {
    await this.#member?.leave();
  }

  /** Ends at once; the others notice. */
  close(): void {
    this.#member?.close();
  }
}
