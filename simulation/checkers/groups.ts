// The judge of a group: is it one order, is nothing lost, doubled or overtaken?
//
// - It is told what members were sent, what completed, and what each was delivered. A member
//   is one membership: a machine that joins again is another member.
// - Histories are logs: one begins when the group is made, another with every reset that some
//   member was delivered. A log goes on where its parent was left; in it a seqno is one message.
// - A member that joins is delivered its own join first, perhaps before anyone else. Its log is
//   open until somebody whose log is known is delivered one of its messages, or the same reset.
// - What was delivered in a log after the place where its child left it, is lost. That is
//   allowed only when more members are gone than the resilience degree covers.
// - The workload resets with a fixed majority, so two parts never go on side by side.
// - Source: M. F. Kaashoek, Group Communication in Distributed Computer Systems, 1992; spec 5.

import type { Verdict } from "./calls.js";

/** What a member was delivered, as far as the judge wants it. */
export interface Delivered {
  readonly kind: "data" | "join" | "leave" | "reset";
  /** The number that the workload gave this message, join, leave or reset. */
  readonly id: number;
  readonly seqno: number;
  readonly view: bigint;
}

interface Log {
  parent: Log | null;
  /** The seqno of its first message: a reset, or the first of all. */
  from: number;
  readonly entries: Map<number, number>;
  readonly children: Log[];
  /** The last seqno delivered to anybody. */
  last: number;
  /** So many members were gone when it began that messages may be lost. */
  readonly lossy: boolean;
  hasData: boolean;
}

/** One membership. */
export interface MemberRecord {
  readonly name: string;
  log: Log | null;
  /** The last seqno that it was delivered; -1 before the first. */
  last: number;
  view: bigint;
  /** By sender: the number of its last message. */
  readonly heard: Map<MemberRecord, number>;
  /** Its own completed sends, by seqno, that it was not delivered yet. */
  readonly promised: Map<number, number>;
  sent: number;
}

interface Message {
  readonly sender: MemberRecord;
  readonly number: number;
}

function members(view: bigint): number {
  let count = 0;
  for (let left = view; left > 0n; left >>= 1n) if ((left & 1n) === 1n) count++;
  return count;
}

export class GroupJudge {
  readonly #name: string;
  readonly #resilience: number;
  readonly #fail: Verdict;
  readonly #members: MemberRecord[] = [];
  readonly #logs: Log[] = [];
  /** Those of joiners, of which it is not known yet what they are the end of. */
  readonly #open = new Set<Log>();
  readonly #byReset = new Map<number, Log>();
  readonly #messages = new Map<number, Message>();
  readonly #completed = new Set<number>();
  readonly #delivered = new Set<number>();
  #lossy = false;

  /** `name`: of the group, for people. */
  constructor(name: string, resilience: number, fail: Verdict) {
    this.#name = name;
    this.#resilience = resilience;
    this.#fail = fail;
  }

  #wrong(checker: string, what: string): void {
    this.#fail(checker, `group ${this.#name}: ${what}`);
  }

  /** A machine is about to be a member. */
  member(name: string): MemberRecord {
    const member: MemberRecord = {
      ...{ name, log: null, last: -1, view: 0n, sent: 0 },
      ...{ heard: new Map(), promised: new Map() },
    };
    this.#members.push(member);
    return member;
  }

  /** A member sends the message with this number. */
  sent(sender: MemberRecord, id: number): void {
    this.#messages.set(id, { sender, number: sender.sent++ });
  }

  /** A send was completed with success. */
  completed(sender: MemberRecord, id: number, seqno: number): void {
    this.#completed.add(id);
    if (seqno > sender.last) sender.promised.set(seqno, id);
    else if (sender.log !== null && this.#at(sender.log, seqno) !== id)
      this.#wrong("completed-send", `${sender.name}'s message ${id} was to be ${seqno}, which is another`);
  }

  /** A member is delivered something. */
  delivered(member: MemberRecord, what: Delivered): void {
    if (member.last >= 0 && what.seqno !== member.last + 1)
      this.#wrong("total-order", `${member.name} was delivered ${what.seqno} after ${member.last}`);
    const log = what.kind === "reset" ? this.#reset(member, what) : (member.log ?? this.#found(what));
    member.log = log;
    this.#append(log, what, member.name);
    this.#close(log, what);
    member.last = what.seqno;
    member.view = what.view;
    if (what.kind === "data") this.#heard(member, what);
    this.#kept(member, what);
  }

  /** The log that this first delivery of a member belongs to. */
  #found({ seqno, id }: Delivered): Log {
    const known = this.#logs.findLast((log) => log.entries.get(seqno) === id);
    if (known !== undefined) return known;
    const first = this.#logs.length === 0;
    const log = this.#log(null, seqno, false);
    if (!first) this.#open.add(log);
    return log;
  }

  #log(parent: Log | null, from: number, lossy: boolean): Log {
    const log: Log = {
      ...{ parent, from, lossy, entries: new Map(), children: [] },
      ...{ last: from - 1, hasData: false },
    };
    this.#logs.push(log);
    parent?.children.push(log);
    return log;
  }

  #append(log: Log, { seqno, id, kind }: Omit<Delivered, "view">, who: string): void {
    const known = log.entries.get(seqno);
    if (known !== undefined) {
      if (known !== id) this.#wrong("total-order", `${seqno} is message ${id} at ${who}, ${known} elsewhere`);
      return;
    }
    log.entries.set(seqno, id);
    log.last = Math.max(log.last, seqno);
    log.hasData ||= kind === "data";
    this.#delivered.add(id);
    // Somebody who was left behind goes on in a log that others have left.
    for (const child of log.children) if (seqno >= child.from) this.#lost(child, seqno, id);
  }

  /** An open log that has this message is the same as the one where it was delivered now. */
  #close(log: Log, { seqno, id }: Delivered): void {
    if (this.#open.size === 0) return;
    const others = this.#open.has(log) ? this.#logs : [...this.#open];
    const same = others.find((other) => other !== log && other.entries.get(seqno) === id);
    if (same !== undefined) this.#same(log, same);
  }

  /** Two logs, at least one of them open, are one. */
  #same(one: Log, other: Log): void {
    const [gone, stays] = this.#open.has(one) ? [one, other] : [other, one];
    this.#open.delete(gone);
    this.#logs.splice(this.#logs.indexOf(gone), 1);
    for (const member of this.#members) if (member.log === gone) member.log = stays;
    if (stays.parent === null) stays.from = Math.min(stays.from, gone.from);
    for (const [seqno, id] of gone.entries)
      this.#append(stays, { seqno, id, kind: this.#messages.has(id) ? "data" : "join" }, "a joiner");
    for (const child of gone.children) this.#adopt(child, stays);
  }

  /** `parent` is what this log goes on from. */
  #adopt(log: Log, parent: Log): void {
    log.parent = parent;
    parent.children.push(log);
    if (log.lossy) return;
    for (const [at, lost] of parent.entries) if (at >= log.from) this.#lost(log, at, lost);
    for (const sibling of parent.children)
      if (sibling !== log && sibling.hasData)
        this.#lost(log, sibling.last, sibling.entries.get(sibling.last) ?? -1);
  }

  #lost(child: Log, seqno: number, id: number): void {
    if (child.lossy) return;
    this.#wrong(
      "durability",
      `message ${id}, delivered as ${seqno}, is lost since the reset at ${child.from}, ` +
        `though no more than ${this.#resilience} members were gone`,
    );
  }

  #reset(member: MemberRecord, { id, seqno, view }: Delivered): Log {
    const parent = member.log;
    const known = this.#byReset.get(id);
    if (known !== undefined) {
      const other = known.parent;
      if (parent !== null && parent !== other) {
        if (other === null) this.#adopt(known, parent);
        else if (this.#open.has(parent) || this.#open.has(other)) this.#same(parent, other);
      }
      return known;
    }
    const gone = members(member.view & ~view);
    const lossy = gone > this.#resilience;
    this.#lossy ||= lossy;
    const log = this.#log(null, seqno, lossy);
    this.#byReset.set(id, log);
    if (parent !== null) this.#adopt(log, parent);
    return log;
  }

  /** First in, first out for each sender, and nothing twice. */
  #heard(member: MemberRecord, { id, seqno }: Delivered): void {
    const message = this.#messages.get(id);
    if (message === undefined) {
      this.#wrong("total-order", `${member.name} was delivered message ${id} (${seqno}), which nobody sent`);
      return;
    }
    const before = member.heard.get(message.sender) ?? -1;
    if (message.number === before)
      this.#wrong("twice", `${member.name} was delivered message ${id} twice, now as ${seqno}`);
    else if (message.number < before)
      this.#wrong(
        "fifo",
        `${member.name} was delivered message ${id} (${seqno}) of ${message.sender.name} too late`,
      );
    member.heard.set(message.sender, Math.max(before, message.number));
  }

  /** What a member's send was promised at this seqno. */
  #kept(member: MemberRecord, { id, seqno }: Delivered): void {
    const promised = member.promised.get(seqno);
    if (promised === undefined) return;
    member.promised.delete(seqno);
    if (promised !== id)
      this.#wrong(
        "completed-send",
        `${member.name}'s message ${promised} was to be ${seqno}, which is ${id}`,
      );
  }

  /** The message at a seqno of a log or of those before it. */
  #at(log: Log, seqno: number): number | undefined {
    let at: Log | null = log;
    while (at !== null && seqno < at.from) at = at.parent;
    return at?.entries.get(seqno);
  }

  /** All is quiet, and these are the members: they must have been delivered the same. */
  settled(live: readonly MemberRecord[]): void {
    const first = live[0];
    if (first === undefined) return;
    for (const member of live) {
      if (member.last !== first.last || member.log !== first.log)
        this.#wrong(
          "liveness",
          `${member.name} was delivered up to ${member.last}, ${first.name} up to ${first.last}`,
        );
      for (const [seqno, id] of member.promised)
        this.#wrong("completed-send", `${member.name}'s message ${id} (${seqno}) was never delivered to it`);
    }
    if (this.#lossy) return;
    for (const id of this.#completed)
      if (!this.#delivered.has(id))
        this.#wrong("completed-send", `message ${id} was never delivered to anybody`);
  }

  get resets(): number {
    return this.#byReset.size;
  }

  get deliveries(): number {
    return this.#delivered.size;
  }
}
