// Carries a schedule of faults out in a world, and counts what happened, by kind.
//
// - Faults of frames and links are counted in frames, those of machines in times.
// - `stop` ends all of them: links whole, machines up, awake and fast. Clocks stay where they
//   jumped to, as those of real machines do.

import type { Faults } from "../../drivers/fault/faults.js";
import { HASH_FAULT } from "../engine/hash.js";
import type { Lan } from "../engine/lan.js";
import type { Machine } from "../engine/machine.js";
import type { World } from "../engine/world.js";
import { type FaultEntry, type FaultKind, faultKinds, type Schedule } from "./kinds.js";

/** Called for every entry when it begins, for the timeline. */
export type FaultSeen = (entry: FaultEntry) => void;

export class FaultDirector {
  readonly #world: World;
  readonly #schedule: Schedule;
  readonly #active = new Map<Lan, Set<FaultEntry>>();
  readonly #times: Partial<Record<FaultKind, number>> = {};
  readonly #move: (choice: number) => boolean;
  readonly #seen: FaultSeen;
  #stopped = false;

  /** `move` carries out what the workload has for it; false: nothing. */
  constructor(world: World, schedule: Schedule, move: (choice: number) => boolean, seen: FaultSeen) {
    this.#world = world;
    this.#schedule = schedule;
    this.#move = move;
    this.#seen = seen;
  }

  /** Begins; entries are read one after the other, so that a long schedule is no long queue. */
  start(): void {
    this.#arm(0);
  }

  #arm(index: number): void {
    const entry = this.#schedule[index];
    if (entry === undefined) return;
    this.#world.at(entry.at, () => {
      if (this.#stopped) return;
      this.#begin(entry, index);
      this.#arm(index + 1);
    });
  }

  #begin(entry: FaultEntry, index: number): void {
    const world = this.#world;
    world.hash.event(HASH_FAULT, world.now, index, faultKinds.indexOf(entry.kind));
    this.#seen(entry);
    switch (entry.kind) {
      case "loss":
      case "duplication":
      case "reordering":
      case "bitFlips":
      case "delay":
        this.#weather(entry, entry.lan, entry.for);
        return;
      case "partition":
        this.#partition(entry.lan, entry.part, entry.for, true);
        return;
      case "oneWayPartition":
        this.#partition(entry.lan, entry.part, entry.for, false);
        return;
      case "clog":
        world.lans[entry.lan]?.clog(entry.from, entry.to, world.now + entry.for);
        return;
      case "flap":
        this.#flap(entry.lan, entry.machine, entry.period, world.now + entry.for);
        return;
      case "move":
        if (this.#move(entry.choice)) this.#count("move");
        return;
      default:
        this.#machine(entry);
    }
  }

  #count(kind: FaultKind): void {
    this.#times[kind] = (this.#times[kind] ?? 0) + 1;
  }

  // ---- the wire --------------------------------------------------------------------

  #weather(entry: FaultEntry, index: number, lasting: number): void {
    const lan = this.#world.lans[index];
    if (lan === undefined) return;
    const active = this.#active.get(lan) ?? new Set();
    this.#active.set(lan, active);
    active.add(entry);
    lan.setFaults(combined(active));
    this.#world.after(lasting, () => {
      if (!active.delete(entry) || this.#stopped) return;
      lan.setFaults(combined(active));
    });
  }

  #partition(index: number, part: readonly string[], lasting: number, bothWays: boolean): void {
    const lan = this.#world.lans[index];
    if (lan === undefined) return;
    const until = this.#world.now + lasting;
    const kind = bothWays ? "partition" : "oneWay";
    for (const { name: inside } of lan.sockets) {
      if (!part.includes(inside)) continue;
      for (const { name: outside } of lan.sockets) {
        if (part.includes(outside)) continue;
        lan.cut(inside, outside, until, kind);
        if (bothWays) lan.cut(outside, inside, until, kind);
      }
    }
  }

  /** The link of a machine goes down for half of every period. */
  #flap(index: number, name: string, period: number, until: number): void {
    const lan = this.#world.lans[index];
    if (lan === undefined || this.#stopped || this.#world.now >= until) return;
    for (const { name: other } of lan.sockets) {
      if (other === name) continue;
      lan.cut(name, other, this.#world.now + (period >> 1), "flap");
      lan.cut(other, name, this.#world.now + (period >> 1), "flap");
    }
    this.#world.after(period, () => this.#flap(index, name, period, until));
  }

  // ---- machines --------------------------------------------------------------------

  #machine(entry: Extract<FaultEntry, { readonly machine: string }>): void {
    const machine = this.#world.machines.find(({ name }) => name === entry.machine);
    if (machine === undefined || machine.kernel === null) return;
    switch (entry.kind) {
      case "crash":
      case "routerDeath":
        machine.crash();
        this.#world.after(entry.for, () => revive(machine));
        break;
      case "pause":
        machine.pause(this.#world.now + entry.for, entry.busy);
        break;
      case "slow": {
        const { boots } = machine;
        machine.slowMicroseconds = entry.turn;
        this.#world.after(entry.for, () => {
          if (machine.boots === boots) machine.slowMicroseconds = 0;
        });
        break;
      }
      case "clockJump":
        machine.jump(entry.by);
        break;
      case "flap":
        return;
    }
    this.#count(entry.kind);
  }

  /** Peace. */
  stop(): void {
    this.#stopped = true;
    for (const lan of this.#world.lans) {
      lan.setFaults({});
      lan.heal();
    }
    for (const machine of this.#world.machines) {
      revive(machine);
      machine.recover();
    }
  }

  /** How often each kind happened. */
  counts(): Partial<Record<FaultKind, number>> {
    const counts: Partial<Record<FaultKind, number>> = { ...this.#times };
    const add = (kind: FaultKind, count: number): void => {
      if (count > 0) counts[kind] = (counts[kind] ?? 0) + count;
    };
    for (const { counts: seen } of this.#world.lans) {
      add("loss", seen.lost);
      add("duplication", seen.duplicated);
      add("reordering", seen.reordered);
      add("delay", seen.delayed);
      add("bitFlips", seen.corrupted);
      add("partition", seen.partition);
      add("oneWayPartition", seen.oneWay);
      add("clog", seen.clogged);
      add("flap", seen.flap);
    }
    return counts;
  }
}

function revive(machine: Machine): void {
  if (machine.kernel === null) machine.boot();
}

/** The faults of frames while all these entries last. */
function combined(entries: ReadonlySet<FaultEntry>): Partial<Faults> {
  const faults: { -readonly [Name in keyof Faults]?: Faults[Name] } = {};
  for (const entry of entries) {
    if (entry.kind === "loss") faults.loss = Math.max(entry.share, faults.loss ?? 0);
    if (entry.kind === "duplication") faults.duplicate = Math.max(entry.share, faults.duplicate ?? 0);
    if (entry.kind === "reordering") faults.reorder = Math.max(entry.share, faults.reorder ?? 0);
    if (entry.kind === "bitFlips") faults.corrupt = Math.max(entry.share, faults.corrupt ?? 0);
    if (entry.kind === "delay") {
      const { min, max, tail } = entry;
      faults.delayMicroseconds = { min, max, tail };
    }
  }
  return faults;
}
