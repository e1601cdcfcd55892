// A replicated state machine on a group: what directory, control and disks keep their state in.
//
// - Every member applies the same commands in the same order. `submit` resolves with what
//   `apply` answered here; a command is applied once, also when crashes make it go out again.
// - A joiner begins with the state of the group (membership.ts). After a crash the group is
//   reset with at least `minimum` members, by itself; a member that was cut off joins anew,
//   takes the group's state, and submits again what was open.
// - `apply`, `snapshot` and `restore` depend on nothing but their arguments and the state.
// - Source: F. Schneider, the state machine approach (1990); ResetGroup, Amoeba 5 grp(L).

import { BC_FAIL, BC_NOEXIST, BC_TOOBIG, STD_OK } from "../../core-wasm/status.js";
import { GROUP_COMMAND, type GroupDocument } from "../interface/group.js";
import { exitCodes, ProteusError, statusError } from "../kernel/errors.js";
import type { GroupParameters } from "../kernel/groups.js";
import type { Kernel } from "../kernel/kernel.js";
import type { Answer } from "../stub/answers.js";
import {
  checkWishes,
  type GroupConfiguration,
  type GroupWishes,
  groupFull,
  noGroup,
  standardParameters,
} from "./configuration.js";
import { findGroup, hasEntering, mayCreate } from "./founding.js";
import type { GroupMessage } from "./inbox.js";
import type { MemberEnd } from "./member.js";
import { Membership, type MembershipOptions } from "./membership.js";
import { type Applied, Sessions, sessionBytes } from "./sessions.js";
import { type After, pause } from "./timer.js";
import { membersOf } from "./view.js";

/** What is replicated. */
export interface StateMachine {
  /** Applies a command that was ordered; what it answers goes to whoever submitted it. */
  apply(command: Uint8Array, seqno: number, member: number): Uint8Array;
  snapshot(): Uint8Array;
  /** Takes the place of the state. */
  restore(snapshot: Uint8Array): void;
}

/** What happens to the group, and to this membership of it. */
export type ReplicaEvent =
  | {
      readonly kind: "join" | "leave" | "reset";
      readonly seqno: number;
      /** Who came or went; of a reset: the coordinator. */
      readonly member: number;
      readonly members: readonly number[];
    }
  /** We have the group's state. */
  | { readonly kind: "joined"; readonly member: number; readonly created: boolean }
  | { readonly kind: "recovering" | "recovered" | "cutOff" };

export interface ReplicaOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  /** The group's port, 6 bytes. */
  readonly port: Uint8Array;
  readonly name: string;
  readonly machine: StateMachine;
  /** Creates the group when it does not exist. */
  readonly create: boolean;
  /** With `create`: the caller knows that nobody else has created it, or will. Nobody is looked for. */
  readonly alone?: boolean;
  /** Of a group that we create; what is left out is standard. */
  readonly parameters?: Partial<GroupParameters>;
  /** Silence after which a member is dead, of a group that we create; default 0: the kernel's own. */
  readonly detectMs?: number;
  /** What the group must have when we join it; `minimum` also of one that we create, default 1. */
  readonly wishes?: GroupWishes;
  /** Non-members may submit commands through any member; default: only members may. */
  readonly open?: boolean;
  readonly event?: (event: ReplicaEvent) => void;
  /** Asked after every message: a promise holds the next ones back until it resolves. */
  readonly pace?: () => undefined | Promise<void>;
  /** The replica is over: null when it left, otherwise why. Called once. */
  readonly ended?: (why: unknown) => void;
}

interface Submitted {
  readonly number: number;
  readonly command: Uint8Array;
  readonly resolve: (applied: Applied) => void;
  readonly reject: (error: unknown) => void;
}

const roundsMax = 12;
/** Rounds that a group may look full. */
const fullRounds = 4;
const retryMs = 150;

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #session: Uint8Array;
  readonly #sessions = new Sessions();
  #configuration: GroupConfiguration;
  #membership: Membership | null = null;
  #open: Submitted[] = []; // in the order of their numbers
  #numbers = 0;
  #over = false;
  #leaving = false;

  private constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#session = options.random(sessionBytes);
    const { name, wishes, detectMs = 0 } = options;
    this.#configuration = { name, minimum: wishes?.minimum ?? 1, detectMs };
  }

  /**
   * Joins the group, or creates it; resolves when this member has the state. Rejects with
   * ProteusError: BC_NOEXIST, GROUP_DIFFERS, BC_TOOMANY …
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options);
    await replica.#enter(options.create, options.create);
    return replica;
  }

  /**
   * Joins, or creates when that is wanted and nobody else does. Repeats what a recovery
   * disturbed; `patient`: also when there is no group at the moment.
   */
  async #enter(create: boolean, patient: boolean): Promise<void> {
    const { kernel, after, port, name, wishes = {} } = this.#options;
    if (create && this.#options.alone === true) return this.#create();
    let last: unknown = statusError(BC_FAIL, `joining group ${name}`);
    for (let round = 1; round <= roundsMax && !this.#over; round++) {
      const found = await findGroup(kernel, port);
      if (found !== null) checkWishes(name, wishes, found);
      try {
        if (found !== null && found.members.length >= found.membersMax)
          throw groupFull(name, found.membersMax);
        if (found !== null || !create) return await this.#join(found === null);
        if (await mayCreate(this.#options)) return this.#create();
      } catch (error) {
        if (!(error instanceof ProteusError) || !isPassing(error, patient))
          throw error instanceof ProteusError && error.code === "BC_NOEXIST" ? noGroup(name, error) : error;
        // A member that died a moment ago still has its place.
        if (error.code === "BC_TOOMANY" && round >= fullRounds) throw error;
        last = error.code === "BC_NOEXIST" ? noGroup(name, error) : error;
      }
      await pause(after, retryMs * round);
    }
    throw last;
  }

  #membershipOptions(): { options: MembershipOptions; own: (membership: Membership) => void } {
    const { kernel, after, random, port, name, machine, wishes = {} } = this.#options;
    let own: Membership | null = null;
    const options: MembershipOptions = {
      ...{ kernel, after, random, port, configuration: this.#configuration },
      take: (message) => this.#take(message),
      state: () => ({ sessions: this.#sessions.snapshot(), machine: machine.snapshot() }),
      restore: ({ seqno, configuration, sessions, machine: state }, { resilience, myId, view }) => {
        checkWishes(name, wishes, { resilience, minimum: configuration.minimum });
        this.#configuration = configuration;
        this.#sessions.restore(sessions);
        machine.restore(state);
        this.#options.event?.({ kind: "joined", member: myId, created: false });
        this.#options.event?.({ kind: "join", seqno, member: myId, members: membersOf(view) });
      },
      submit: this.#options.open === true ? (message) => this.#submitFor(message) : null,
      recovering: (on) => this.#options.event?.({ kind: on ? "recovering" : "recovered" }),
      ended: (end) => {
        if (own !== null && own === this.#membership) this.#ended(end);
      },
    };
    return {
      options,
      own: (membership) => {
        own = membership;
      },
    };
  }

  #create(): void {
    const { options, own } = this.#membershipOptions();
    const parameters = { ...standardParameters, ...this.#options.parameters };
    const membership = Membership.create(options, parameters);
    own(membership);
    this.#options.event?.({ kind: "joined", member: membership.id, created: true });
    this.#entered(membership);
  }

  /** Joins; `unseen`: no member with the state was found, so those that wait for it are not joined. */
  async #join(unseen: boolean): Promise<void> {
    const { kernel, port, name } = this.#options;
    if (unseen && (await hasEntering(kernel, port))) throw statusError(BC_FAIL, `joining group ${name}`);
    const { options, own } = this.#membershipOptions();
    const membership = await Membership.join(options);
    own(membership);
    if (membership.over) throw statusError(BC_FAIL, `joining group ${name}`);
    if (this.#over) membership.close();
    else this.#entered(membership);
  }

  #entered(membership: Membership): void {
    this.#membership = membership;
    // What was open and is in the state that we took was applied; the rest goes out again.
    for (const submitted of [...this.#open]) {
      if (this.#sessions.applied(this.#session, submitted.number)) this.#settle(submitted);
      else this.#send(submitted);
    }
  }

  // ---- commands ------------------------------------------------------------------

  /** The id of this member; -1 while it is none. */
  get id(): number {
    return this.#membership?.id ?? -1;
  }

  /** Commands that were submitted and not yet applied. */
  get pending(): number {
    return this.#open.length;
  }

  /** The longest command that the group takes; 0 while it is not known. */
  get commandBytesMax(): number {
    return this.#membership?.messageBytesMax ?? 0;
  }

  /** The group as this member sees it; null while it is no member. */
  describe(): GroupDocument | null {
    return this.#membership?.describe() ?? null;
  }

  /**
   * Submits a command; resolves when it was applied here, with what `apply` answered. Rejects
   * with BC_TOOBIG, or when this replica ends first: then it may or may not have been applied.
   */
  submit(command: Uint8Array): Promise<Applied> {
    if (this.#over || this.#leaving) return Promise.reject(statusError(BC_NOEXIST, "the message"));
    const most = this.commandBytesMax;
    if (most > 0 && command.length > most) return Promise.reject(tooBig(command.length, most));
    return new Promise((resolve, reject) => {
      const submitted = { number: ++this.#numbers, command, resolve, reject };
      this.#open.push(submitted);
      if (this.#membership !== null) this.#send(submitted);
    });
  }

  /** Submits what a non-member sent; the answer goes to it. */
  #submitFor(message: Uint8Array): Promise<Answer> {
    const bad = (error: unknown): Answer => ({
      status: error instanceof ProteusError && error.code === "BC_TOOBIG" ? BC_TOOBIG : BC_FAIL,
    });
    return this.submit(message).then(({ seqno, result }) => {
      return { status: STD_OK, offset: seqno | 0, data: result };
    }, bad);
  }

  #send(submitted: Submitted): void {
    const { number, command } = submitted;
    const oldest = this.#open[0]?.number ?? number;
    const header = {
      command: GROUP_COMMAND,
      private: this.#session,
      offset: number | 0,
      size: command.length & 0xffff,
      extra: Math.min(number - oldest, 0xffff),
    };
    this.#membership?.send(header, command, (status) => {
      // Any other end comes with that of the membership: then it goes out again.
      if (status !== BC_TOOBIG) return;
      this.#open = this.#open.filter((other) => other !== submitted);
      submitted.reject(tooBig(command.length, this.commandBytesMax));
    });
  }

  #take(message: GroupMessage): undefined | Promise<void> {
    const { kind, seqno, member, view } = message;
    if (kind === "data") this.#apply(message);
    else this.#options.event?.({ kind, seqno, member, members: membersOf(view) });
    return this.#options.pace?.();
  }

  #apply({ header, data, seqno, member }: GroupMessage): void {
    const { machine } = this.#options;
    if (header.command !== GROUP_COMMAND) {
      machine.apply(data, seqno, member); // of a member that knows nothing of sessions
      return;
    }
    const session = header.private.subarray(0, sessionBytes);
    const number = header.offset >>> 0;
    if (!this.#sessions.applied(session, number)) {
      const result = machine.apply(data, seqno, member);
      this.#sessions.record(session, number, number - header.extra, { seqno, result });
    }
    const first = this.#open[0];
    if (first?.number === number && session.every((byte, i) => byte === this.#session[i]))
      this.#settle(first);
  }

  /** One of our commands was applied. */
  #settle(submitted: Submitted): void {
    this.#open = this.#open.filter((other) => other !== submitted);
    const applied = this.#sessions.result(this.#session, submitted.number);
    if (applied === undefined) submitted.reject(statusError(BC_FAIL, "submitting a command"));
    else submitted.resolve(applied);
  }

  // ---- the end of a membership, and of all ---------------------------------------

  #ended(end: MemberEnd): void {
    this.#membership = null;
    if (this.#over) return;
    if (end.kind === "left") this.#finish(null);
    else if (end.kind === "failed") this.#finish(end.error);
    else if (!this.#leaving) {
      this.#options.event?.({ kind: "cutOff" });
      this.#enter(false, true).catch((error: unknown) => this.#finish(this.#lost(error)));
    }
  }

  #lost(cause: unknown): unknown {
    if (!(cause instanceof ProteusError)) return cause;
    const { name, minimum } = this.#configuration;
    return new ProteusError({
      code: "GROUP_LOST",
      exit: exitCodes.degraded,
      message: `the connection to group ${name} was lost`,
      why: `no part of it with at least ${minimum} members can be reached (${cause.code})`,
      unchanged: "what was delivered stays delivered; what was not acknowledged may have been ordered",
      hint: "join again when more members are back, or create the group anew",
      cause,
    });
  }

  #finish(why: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#membership?.close();
    this.#membership = null;
    const open = this.#open;
    this.#open = [];
    for (const { reject } of open) reject(why ?? statusError(BC_FAIL, "submitting a command"));
    this.#options.ended?.(why);
  }

  /** Leaves the group; what is still open is given up. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#membership?.leave();
    this.#finish(null);
  }

  /** Ends at once, without a word; the others notice. */
  close(): void {
    this.#finish(null);
  }
}

/** A failure that a recovery in progress explains: it is over soon. */
function isPassing({ code }: ProteusError, patient: boolean): boolean {
  if (code === "BC_NOEXIST") return patient;
  return ["BC_FAIL", "BC_ABORT", "BC_TOOMANY", "SNAPSHOT_MISSING", "RPC_TRYAGAIN"].includes(code);
}

function tooBig(length: number, most: number): ProteusError {
  return new ProteusError({
    code: "BC_TOOBIG",
    exit: exitCodes.usage,
    message: `a message of ${length} bytes is too long for the group`,
    why: `its largest message has ${most} bytes`,
    unchanged: "nothing was sent",
    hint: "send it in pieces, or create the group with a larger limit",
  });
}
