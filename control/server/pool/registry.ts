// The replicated state of the control daemons: machines, drains, and which daemons there are.
// A StateMachine for control/group/replica.ts; all daemons apply the same in the same order.
//
// - A machine is known by its kernel's address, which is new at every start. One that comes
//   back with the same name takes the place of an older one that does not answer; two that
//   both answer are kept apart.
// - A machine that boots over the network is known by its MAC address until one of its name is there.
// - A drain belongs to a name, so that it outlives the machine's restart.
// - What was changed is told as records (for the store) and events (for people); what comes in
//   and is no command changes nothing.
// - Everything is bounded: records.ts.

import { z } from "zod";
import type { BootReport, PoolEvent } from "../../interface/pool.js";
import { type Change, changesBetween, type Picture } from "./pictures.js";
import {
  type Boot,
  bootSchema,
  bootsMax,
  type Command,
  commandSchema,
  decode,
  drainsMax,
  encode,
  type Facts,
  factsText,
  goneMax,
  keyOf,
  type Machine,
  machinesMax,
  type Outcome,
  type PoolRecord,
  recordSchema,
  supersedes,
  versionMax,
} from "./records.js";

const lostMax = 64;
const snapshotSchema = z.object({
  clock: z.number().int().min(0),
  records: z.array(recordSchema),
  members: z.array(z.number().int()),
  daemons: z.array(z.tuple([z.number().int(), z.string()])),
  lost: z.array(z.string()),
  /** An older daemon has none. */
  boots: z.array(bootSchema).default([]),
});

export interface RegistryHooks {
  readonly event: (event: PoolEvent) => void;
  /** A record that is new, or dropped for good. */
  readonly changed: (record: PoolRecord, dropped: boolean) => void;
  /** The group is to end: another part of the pool goes on (meeting.ts). */
  readonly dissolved: () => void;
}

export class Registry {
  readonly #hooks: RegistryHooks;
  #clock = 0;
  /** In the order in which they last changed. */
  #records = new Map<string, PoolRecord>();
  #members: number[] = [];
  #daemons = new Map<number, string>();
  #lost: string[] = [];
  /** By MAC address, in the order in which they were heard of last. */
  #boots = new Map<string, Boot>();

  constructor(hooks: RegistryHooks) {
    this.#hooks = hooks;
  }

  // ---- what it knows -------------------------------------------------------------

  machines(): Machine[] {
    return [...this.#records.values()].flatMap((record) =>
      record.kind === "machine" && record.value !== null ? [record.value] : [],
    );
  }

  machine(address: string): Machine | undefined {
    const record = this.#records.get(keyOf({ kind: "machine", key: address }));
    return record?.kind === "machine" ? (record.value ?? undefined) : undefined;
  }

  isDraining(name: string): boolean {
    return this.#drain(name)?.value === true;
  }

  /** True when somebody has ever decided about that name. */
  isDecided(name: string): boolean {
    return this.#drain(name) !== undefined;
  }

  #drain(name: string): PoolRecord | undefined {
    return this.#records.get(keyOf({ kind: "drain", key: name }));
  }

  /** Machines that boot over the network. */
  boots(): readonly Boot[] {
    return [...this.#boots.values()];
  }

  record(key: string): PoolRecord | undefined {
    return this.#records.get(key);
  }

  records(): PoolRecord[] {
    return [...this.#records.values()];
  }

  /** The version of what changed last. */
  get clock(): number {
    return this.#clock;
  }

  /** The group's members, ascending. */
  get members(): readonly number[] {
    return this.#members;
  }

  daemonName(member: number): string | undefined {
    return this.#daemons.get(member);
  }

  /** Names of daemons that went without a word and did not come back. */
  get lostDaemons(): readonly string[] {
    return this.#lost;
  }

  // ---- the state machine ---------------------------------------------------------

  apply(bytes: Uint8Array, _seqno: number, member: number): Uint8Array {
    const command = decode(commandSchema, bytes);
    return encode(command === null ? { refused: "malformed" } : this.#do(command, member));
  }

  #do(command: Command, member: number): Outcome {
    switch (command.do) {
      case "announce":
        return this.#announce(command.facts, command.leaving, command.time);
      case "observe":
        return this.#observe(command.address, command.answers, command.time);
      case "drain":
        return this.#decide(command.name, command.draining, command.time);
      case "forget":
        return this.#forget(command.address, command.time);
      case "merge":
        return this.#merge(command.records);
      case "daemon":
        return this.#daemon(member, command.name, command.clock);
      case "forgetDaemon":
        return this.#forgetDaemon(command.name);
      case "boot":
        return this.#boot(command.report, command.time);
      case "dissolve":
        this.#hooks.dissolved();
        return {};
    }
  }

  snapshot(): Uint8Array {
    return encode({
      clock: this.#clock,
      records: this.records(),
      members: this.#members,
      daemons: [...this.#daemons],
      lost: this.#lost,
      boots: this.boots(),
    });
  }

  restore(bytes: Uint8Array): void {
    const state = decode(snapshotSchema, bytes);
    if (state === null) throw new RangeError("the group's state is not that of a pool");
    this.#clock = state.clock;
    this.#records = new Map(state.records.map((record) => [keyOf(record), record]));
    this.#members = state.members;
    this.#daemons = new Map(state.daemons);
    this.#lost = state.lost;
    this.#boots = new Map(state.boots.map((boot) => [boot.report.mac, boot]));
  }

  /** Begins with what a store held. */
  load(records: readonly PoolRecord[]): void {
    for (const record of records) this.#put(record);
    for (const { name } of this.machines()) this.#dropReplaced(name);
    this.#bound();
  }

  // ---- machines ------------------------------------------------------------------

  #tick(time = 0): number {
    this.#clock = Math.min(Math.max(this.#clock + 1, time), versionMax);
    return this.#clock;
  }

  #put(record: PoolRecord): void {
    const key = keyOf(record);
    this.#records.delete(key); // the one that changed last stands last
    this.#records.set(key, record);
    this.#clock = Math.max(this.#clock, record.version);
    this.#hooks.changed(record, false);
  }

  #putMachine(address: string, value: Machine | null, version: number): void {
    this.#put({ kind: "machine", key: address, value, version });
  }

  #announce(facts: Facts, leaving: boolean, time: number): Outcome {
    const known = this.machine(facts.address);
    if (leaving) {
      if (known === undefined || known.state === "down") return {};
      return this.#changing([known.name], () => {
        const version = this.#tick(time);
        this.#putMachine(known.address, { ...known, state: "down" }, version);
        return { version };
      });
    }
    if (known !== undefined && known.state !== "down" && factsText(known) === factsText(facts)) return {};
    if (known === undefined && !this.#hasRoom()) return { refused: "full" };
    for (const { report } of this.boots()) if (report.name === facts.name) this.#boots.delete(report.mac);
    return this.#changing([facts.name, ...(known === undefined ? [] : [known.name])], () => {
      const version = this.#tick(time);
      const state = known === undefined || known.state === "down" ? "up" : known.state;
      const since = known?.name === facts.name && state === known.state ? known.since : version;
      this.#putMachine(facts.address, { ...facts, state, since }, version);
      return { version };
    });
  }

  #boot(report: BootReport, time: number): Outcome {
    const before = this.#boots.get(report.mac);
    if (before === undefined && report.step === null) return {};
    this.#boots.delete(report.mac); // the one that was heard of last stands last
    if (report.step !== null) this.#boots.set(report.mac, { report, time });
    for (const oldest of [...this.#boots.keys()].slice(0, Math.max(0, this.#boots.size - bootsMax)))
      this.#boots.delete(oldest);
    this.#tell({ kind: "booting", subject: report.name });
    return {};
  }

  /** Whether one more machine can be known; the one that is away longest makes room. */
  #hasRoom(): boolean {
    const machines = this.machines();
    return machines.length < machinesMax || machines.some(({ state }) => state !== "up");
  }

  #observe(address: string, answers: boolean, time: number): Outcome {
    const known = this.machine(address);
    // Who said that it stops is down until it announces itself, whatever is still answered.
    if (known === undefined || known.state !== (answers ? "unreachable" : "up")) return {};
    return this.#changing([known.name], () => {
      const version = this.#tick(time);
      this.#putMachine(address, { ...known, state: answers ? "up" : "unreachable" }, version);
      return { version };
    });
  }

  /** Of each name those that do not answer go when a later one does; true when any went. */
  #dropReplaced(name: string): boolean {
    const those = this.machines().filter((machine) => machine.name === name);
    const latest = Math.max(...those.filter(({ state }) => state === "up").map(({ since }) => since));
    const replaced = those.filter(({ state, since }) => state !== "up" && since < latest);
    for (const { address } of replaced) this.#putMachine(address, null, this.#tick());
    return replaced.length > 0;
  }

  #forget(address: string, time: number): Outcome {
    const known = this.machine(address);
    if (known === undefined) return { refused: "unknown" };
    if (known.state === "up") return { refused: "inUse" };
    return this.#changing([known.name], () => {
      const version = this.#tick(time);
      this.#putMachine(address, null, version);
      const { name } = known;
      const isLast = !this.machines().some((machine) => machine.name === name);
      if (isLast && this.isDecided(name)) this.#put({ kind: "drain", key: name, value: false, version });
      return { version };
    });
  }

  #decide(name: string, draining: boolean, time: number): Outcome {
    return this.#changing([name], () => {
      const version = this.#tick(time);
      this.#put({ kind: "drain", key: name, value: draining, version });
      return { version };
    });
  }

  #merge(records: readonly PoolRecord[]): Outcome {
    const newer = records.filter((record) => supersedes(record, this.#records.get(keyOf(record))));
    const names = newer.flatMap((record) =>
      record.kind === "drain"
        ? [record.key]
        : [record.value?.name, this.machine(record.key)?.name].flatMap((name) => name ?? []),
    );
    return this.#changing(names, () => {
      for (const record of newer) this.#put(record);
      return {};
    });
  }

  // ---- what people hear ----------------------------------------------------------

  /** Makes a change that concerns machines of these names, tidies up, and tells what came of it. */
  #changing(names: readonly string[], change: () => Outcome): Outcome {
    const concerned = [...new Set(names)];
    const before = concerned.map((name) => this.#picture(name));
    const outcome = change();
    concerned.forEach((name, index) => {
      const replaced = this.#dropReplaced(name);
      const was = before[index] ?? { draining: false, states: new Map() };
      for (const each of changesBetween(name, was, this.#picture(name), replaced)) this.#tell(each);
    });
    this.#bound();
    return outcome;
  }

  #picture(name: string): Picture {
    const those = this.machines().filter((machine) => machine.name === name);
    return {
      draining: this.isDraining(name),
      states: new Map(those.map(({ address, state }) => [address, state])),
    };
  }

  #tell({ kind, subject }: Change): void {
    this.#hooks.event({ order: this.#tick(), kind, subject });
  }

  /** Forgets the oldest of what is only kept for old stores, and machines beyond the limit. */
  #bound(): void {
    if (this.#records.size <= Math.min(goneMax, drainsMax, machinesMax)) return;
    const all = this.records();
    const gone = all.filter(({ kind, value }) => kind === "machine" && value === null);
    const drains = all.filter(({ kind, value }) => kind === "drain" && value === false);
    const away = all.filter((record) => record.kind === "machine" && isAway(record.value));
    const drainCount = all.filter(({ kind }) => kind === "drain").length;
    this.#drop(gone, gone.length - goneMax);
    this.#drop(drains, drainCount - drainsMax);
    this.#drop(away, all.length - drainCount - gone.length - machinesMax);
  }

  #drop(records: readonly PoolRecord[], count: number): void {
    for (const record of records.slice(0, Math.max(0, count))) {
      this.#records.delete(keyOf(record));
      this.#hooks.changed(record, true);
    }
  }

  // ---- daemons -------------------------------------------------------------------

  #daemon(member: number, name: string, clock: number): Outcome {
    this.#tick(clock); // so that the order of events grows for it too
    this.#daemons.set(member, name);
    this.#lost = this.#lost.filter((lost) => lost !== name);
    this.#tellDaemons();
    return {};
  }

  #forgetDaemon(name: string): Outcome {
    if (!this.#lost.includes(name)) return { refused: "unknown" };
    this.#lost = this.#lost.filter((lost) => lost !== name);
    this.#tellDaemons();
    return {};
  }

  /** We made the group, and are alone in it: those of an earlier one have not come along yet. */
  founded(member: number, name: string): void {
    for (const other of this.#daemons.values()) if (other !== name) this.#lose(other);
    this.#members = [member];
    this.#daemons = new Map();
  }

  #lose(name: string): void {
    if (!this.#lost.includes(name)) this.#lost = [...this.#lost, name].slice(-lostMax);
  }

  /** The group has these members now; `crashed`: who is missing went without a word. */
  reformed(members: readonly number[], crashed: boolean): void {
    const gone = this.#members.filter((member) => !members.includes(member));
    this.#members = [...members].sort((a, b) => a - b);
    for (const member of gone) {
      const name = this.#daemons.get(member);
      this.#daemons.delete(member);
      if (name !== undefined && crashed) this.#lose(name);
    }
    if (gone.length > 0) this.#tellDaemons();
  }

  #tellDaemons(): void {
    const names = this.#members.flatMap((member) => this.#daemons.get(member) ?? []);
    this.#tell({ kind: "daemons", subject: names.join(",") });
  }
}

const isAway = (machine: Machine | null): boolean => machine !== null && machine.state !== "up";
