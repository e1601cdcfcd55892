// What programs do with groups: create, join, send, receive, leave, reset, and all that makes
// no sense: calls of groups that are not there, in states that do not allow them.
//
// - Every answer and every end must be one that core-wasm/group/calls.ts documents for it.
// - Receives wait most of the time. Buffers go back when their operation has ended.
// - `deliveries` and `requests` are what the kernel's own counters must say.

import * as layout from "../../core-wasm/layout.js";
import * as status from "../../core-wasm/status.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { extreme, pick } from "./frames.js";
import { type Machine, refusals } from "./machine.js";
import type { World } from "./world.js";

const headerBytes = 32;
const dataMax = 20_000;

const set = (...statuses: readonly number[]): ReadonlySet<number> => new Set(statuses);
const { BC_ABORT, BC_BADPORT, BC_FAIL, BC_ILLRESET, BC_NOEXIST, BC_TOOBIG, BC_TOOMANY } = status;
const { RPC_BADADDRESS, STD_ARGBAD, STD_EXISTS, STD_NOMEM, STD_OK, KERNEL_BADHANDLE } = status;

/** What each call may answer at once. */
const answers = {
  create: set(RPC_BADADDRESS, BC_BADPORT, STD_EXISTS, STD_ARGBAD, STD_NOMEM, BC_TOOMANY),
  join: set(RPC_BADADDRESS, BC_BADPORT, STD_EXISTS, STD_NOMEM, BC_TOOMANY),
  leave: set(RPC_BADADDRESS, BC_NOEXIST, BC_ABORT, BC_TOOMANY),
  send: set(RPC_BADADDRESS, BC_NOEXIST, BC_ABORT, BC_TOOBIG, BC_TOOMANY),
  receive: set(RPC_BADADDRESS, BC_NOEXIST, BC_ABORT, BC_TOOMANY),
  reset: set(RPC_BADADDRESS, BC_NOEXIST, BC_ILLRESET, BC_TOOMANY),
  signal: set(KERNEL_BADHANDLE),
  end: set(BC_NOEXIST),
  info: set(BC_NOEXIST, RPC_BADADDRESS),
  member: set(BC_NOEXIST, RPC_BADADDRESS, STD_ARGBAD),
  setting: set(BC_NOEXIST, STD_ARGBAD),
  forward: set(BC_NOEXIST, BC_ABORT, STD_ARGBAD, ...refusals),
} as const;

/** What each operation may end with. */
const ends = {
  join: set(STD_OK, BC_NOEXIST, BC_FAIL, BC_ABORT, BC_TOOMANY, STD_NOMEM),
  leave: set(STD_OK, BC_FAIL),
  send: set(STD_OK, BC_FAIL),
  receive: set(STD_OK, BC_ABORT, BC_NOEXIST),
  reset: set(STD_OK, BC_FAIL, BC_ABORT, BC_ILLRESET),
} as const;

export type Operation = keyof typeof ends;

export class GroupPrograms {
  readonly #random: SeededRandom;
  readonly #old: number[] = [];
  readonly #open = new Map<number, Operation>();
  running = true;
  /** Receives that ended with a message. */
  deliveries = 0;
  /** Sends and leaves that were taken. */
  requests = 0;
  joined = 0;
  resets = 0;

  constructor(
    readonly world: World,
    readonly machine: Machine,
    readonly ports: readonly Uint8Array[],
    readonly groups: number,
  ) {
    this.#random = world.options.random;
  }

  /** Operations that have not ended. */
  get open(): readonly Operation[] {
    return [...this.#open.values()];
  }

  header(port: Uint8Array): number {
    const at = this.machine.take(headerBytes);
    this.machine.bytes.fill(0, at, at + headerBytes);
    this.machine.bytes.set(port, at);
    return at;
  }

  /** Begins an operation; `then` hears of its end. What it answers: a handle or a status. */
  begin(
    kind: Operation,
    buffers: readonly number[],
    entry: () => number,
    then: (outcome: number, length: number) => void = () => {},
  ): number {
    const { machine, world } = this;
    const free = (): void => {
      for (const buffer of buffers) machine.give(buffer);
    };
    const handle = machine.enter(entry, answers[kind]);
    if (handle < 0) free();
    else {
      this.#open.set(handle, kind);
      if (kind === "send" || kind === "leave") this.requests++;
      machine.waiting.set(handle, (outcome, length) => {
        if (!ends[kind].has(outcome)) throw new Error(`a ${kind} ended with ${outcome}`);
        this.#open.delete(handle);
        this.#old.push(handle);
        if (this.#old.length > 16) this.#old.shift();
        if (kind === "receive" && outcome === STD_OK) this.deliveries++;
        then(outcome, length);
        free();
      });
    }
    world.settle(machine);
    return handle;
  }

  #gid(): number {
    const random = this.#random;
    return random.chance(0.95) ? random.below(this.groups) : extreme(random) | 0;
  }

  create(port = pick(this.#random, this.ports)): number {
    const { machine, world } = this;
    const random = this.#random;
    const at = this.header(port);
    const good = random.chance(0.9);
    const numbers = good
      ? [random.below(3), 8, 5 + random.below(3), 13]
      : [extreme(random), extreme(random) % 70, extreme(random) % 20, extreme(random) % 30];
    const gid = machine.enter(
      () => machine.call.grp_create(at, ...numbers.map((number) => number | 0), world.now),
      answers.create,
    );
    machine.give(at);
    world.settle(machine);
    return gid;
  }

  join(port = pick(this.#random, this.ports), then?: (outcome: number, gid: number) => void): number {
    const { machine, world } = this;
    const header = this.header(port);
    return this.begin(
      "join",
      [header],
      () => machine.call.grp_join(header, world.now),
      (outcome, gid) => {
        if (outcome === STD_OK) this.joined++;
        then?.(outcome, gid);
      },
    );
  }

  send(gid = this.#gid(), size = this.#size(), then?: (outcome: number) => void): number {
    const { machine, world } = this;
    const header = this.header(new Uint8Array(6));
    const data = machine.take(size);
    machine.bytes.fill(size, data, data + size);
    return this.begin(
      "send",
      [header, data],
      () => machine.call.grp_send(gid, header, data, size, world.now),
      then,
    );
  }

  #size(): number {
    const random = this.#random;
    return random.below(pick(random, [1, 100, 1400, 1500, 5000, 8193, dataMax]));
  }

  receive(gid = this.#gid(), then?: (at: number, length: number) => void): number {
    const { machine, world } = this;
    const capacity = this.#size();
    const delivery = machine.take(layout.DELIVERY_BYTES);
    const buffer = machine.take(capacity);
    return this.begin(
      "receive",
      [delivery, buffer],
      () => machine.call.grp_receive(gid, delivery, buffer, capacity, world.now),
      (outcome, length) => {
        if (outcome !== STD_OK) return;
        if (length > capacity) throw new Error(`a receive of ${capacity} bytes got ${length}`);
        then?.(delivery, length);
      },
    );
  }

  leave(gid = this.#gid()): number {
    const { machine, world } = this;
    const header = this.header(new Uint8Array(6));
    return this.begin("leave", [header], () => machine.call.grp_leave(gid, header, world.now));
  }

  reset(gid = this.#gid()): number {
    const { machine, world } = this;
    const random = this.#random;
    const header = this.header(new Uint8Array(6));
    const minimum = random.chance(0.9) ? random.below(4) : extreme(random) | 0;
    return this.begin(
      "reset",
      [header],
      () => machine.call.grp_reset(gid, header, minimum, world.now),
      (outcome, total) => {
        if (outcome !== STD_OK) return;
        this.resets++;
        if (total < minimum) throw new Error(`a reset for ${minimum} members ended with ${total}`);
      },
    );
  }

  signal(): void {
    const { machine, world } = this;
    const random = this.#random;
    const open = [...this.#open.keys()];
    const old = this.#old.length > 0 && random.chance(0.5) ? pick(random, this.#old) : extreme(random) | 0;
    const handle = open.length > 0 && random.chance(0.6) ? pick(random, open) : old;
    machine.enter(() => machine.call.grp_signal(handle, world.now), answers.signal);
    world.settle(machine);
  }

  end(gid = this.#gid()): void {
    const { machine, world } = this;
    machine.enter(() => machine.call.grp_end(gid, world.now), answers.end);
    world.settle(machine);
  }

  /** Questions, settings, and addresses that are none. */
  #ask(): void {
    const { machine, world } = this;
    const random = this.#random;
    const { call } = machine;
    const gid = this.#gid();
    const size = machine.bytes.length;
    const bad = pick(random, [size - 16, size, 0x7fffffff, 0xffffffff, 0xfffffff0]);
    const good = machine.take(128);
    const number = random.chance(0.7) ? random.below(9) : extreme(random) | 0;
    const entries: readonly [() => number, ReadonlySet<number>][] = [
      [() => call.grp_info(gid, good), answers.info],
      [() => call.grp_info(gid, bad), answers.info],
      [() => call.grp_member(gid, number, good, world.now), answers.member],
      [() => call.grp_member(gid, number, bad, world.now), answers.member],
      [
        () => call.grp_set(gid, number, pick(random, [0, 1, 5, 100, 3000, extreme(random) | 0]), world.now),
        answers.setting,
      ],
      [() => call.grp_forward(gid, extreme(random) | 0, number, world.now), answers.forward],
      [() => call.grp_send(gid, bad, good, 1, world.now), answers.send],
      [() => call.grp_send(gid, good, bad, pick(random, [17, 33, -1, 0x7fffffff]), world.now), answers.send],
      [() => call.grp_join(bad, world.now), answers.join],
      [() => call.grp_leave(gid, bad, world.now), answers.leave],
      [() => call.grp_reset(gid, bad, number, world.now), answers.reset],
      [() => call.grp_receive(gid, bad, good, 8, world.now), answers.receive],
      [() => call.grp_receive(gid, good, bad, -1, world.now), answers.receive],
      [() => call.grp_create(bad, 0, 8, 6, 13, world.now), answers.create],
    ];
    const [entry, allowed] = pick(random, entries);
    const answer = machine.enter(entry, allowed);
    if (answer > 0) throw new Error(`a mistake was answered with handle ${answer}`);
    machine.give(good);
    world.settle(machine);
  }

  /** Something, sensible or not. */
  act(): void {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 38) this.receive();
    else if (kind < 66) this.send();
    else if (kind < 74) this.join();
    else if (kind < 77) this.create();
    else if (kind < 86) this.reset();
    else if (kind < 88) this.leave();
    else if (kind < 91) this.signal();
    else if (kind < 92) this.end();
    else this.#ask();
  }
}
