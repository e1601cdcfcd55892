// Machines on LANs in virtual time, and someone on the wire who changes what passes.
//
// - Events in order of time, then of making; a kernel is ticked when it wants to be.
// - The one on the wire drops, repeats, delays, changes, replays and misdelivers a share
//   of the frames, and slips in some of his own. After `calm()` he is gone.
// - Unless `forging`, no request or question reaches a kernel under a transaction id that
//   its client never used: a client whose ids were used up by another can never be
//   served there again (at most once), and no test could tell that from a fault.

import { offlineKernel } from "../../control/cli/package-files.js";
import { toHex, view } from "../../control/kernel/bytes.js";
import { dissect } from "../../control/kernel/wire.js";
import * as formats from "../../core-wasm/wire/formats.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { Dictionary, FrameMaker, flipAt, pick } from "./frames.js";
import type { Machine } from "./machine.js";
import { Mutator } from "./mutate.js";

const kernel = offlineKernel();
const tracing = process.env.PROTEUS_FUZZ_TRACE !== undefined;
const latency = 50;
const historyMax = 256;
const spinsMax = 20_000;

interface Happening {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
}

/** A binary heap of what is to happen. */
class Agenda {
  readonly #heap: Happening[] = [];
  #made = 0;

  at(time: number, action: () => void): void {
    const heap = this.#heap;
    const entry = { time, order: this.#made++, action };
    let index = heap.length;
    for (; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!before(entry, heap[parent] as Happening)) break;
      heap[index] = heap[parent] as Happening;
      index = parent;
    }
    heap[index] = entry;
  }

  get next(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  take(): Happening | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Happening, heap[child] as Happening)) child++;
      if (!before(heap[child] as Happening, last)) break;
      heap[index] = heap[child] as Happening;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

const before = (a: Happening, b: Happening): boolean =>
  a.time < b.time || (a.time === b.time && a.order < b.order);

const sameMac = (frame: Uint8Array, mac: Uint8Array): boolean => {
  for (let i = 0; i < 6; i++) if (frame[i] !== mac[i]) return false;
  return true;
};

interface Socket {
  readonly machine: Machine;
  readonly network: number;
  readonly lan: number;
  readonly mac: Uint8Array;
}

/** Who makes and changes frames. */
export interface Forger {
  /** Learns from a frame that a kernel sent. */
  learn(frame: Uint8Array): void;
  /** A changed copy. */
  mutate(frame: Uint8Array): Uint8Array;
  /** A frame for a machine with this MAC address. */
  frame(to: Uint8Array): Uint8Array;
}

export interface WorldOptions {
  readonly random: SeededRandom;
  /** Share of the frames that something happens to. */
  readonly malice: number;
  readonly forging: boolean;
  readonly frameMax: number;
  /** Instead of the one for RPC. */
  readonly forger?: (words: Dictionary) => Forger;
}

export class World {
  now = 1_000_000;
  /** Frames that reached a kernel otherwise than they were sent. */
  changed = 0;
  delivered = 0;
  readonly machines: Machine[] = [];
  readonly words = new Dictionary();
  readonly #sockets: Socket[] = [];
  readonly #agenda = new Agenda();
  readonly #forger: Forger;
  readonly #history: Uint8Array[] = [];
  readonly #genuine = new Set<string>();
  readonly #cutUntil = new Map<Machine, number>();
  #malice: number;

  constructor(readonly options: WorldOptions) {
    this.#malice = options.malice;
    this.#forger = options.forger?.(this.words) ?? this.#forgerOfCalls();
  }

  #forgerOfCalls(): Forger {
    const { random, frameMax } = this.options;
    const mutator = new Mutator(random, this.words, frameMax);
    const maker = new FrameMaker(random, this.words, frameMax);
    return {
      learn: (frame) => this.words.learn(frame),
      mutate: (frame) => mutator.mutate(frame),
      frame: (to) => maker.frame(to),
    };
  }

  add(machine: Machine): void {
    this.machines.push(machine);
    machine.interfaces.forEach(({ mac, lan }, network) => {
      this.#sockets.push({ machine, network, lan, mac });
      this.words.macs.push(mac);
    });
    this.words.addresses.push(machine.address);
    this.words.kernelIds.push(machine.kernelId);
  }

  /** The wire does what a wire should from now on. */
  calm(): void {
    this.#malice = 0;
    this.#cutUntil.clear();
  }

  /** Nothing comes from or to a machine for so long. */
  cut(machine: Machine, microseconds: number): void {
    this.#cutUntil.set(machine, this.now + microseconds);
  }

  #isCut(machine: Machine): boolean {
    return (this.#cutUntil.get(machine) ?? 0) > this.now;
  }

  at(delay: number, action: () => void): void {
    this.#agenda.at(this.now + delay, action);
  }

  /** What was sent last, by anyone. */
  get heard(): readonly Uint8Array[] {
    return this.#history;
  }

  /** Runs for so long, or until `enough`. */
  run(microseconds: number, enough: () => boolean = () => false): void {
    const end = this.now + microseconds;
    let spins = 0;
    while (!enough()) {
      let next = this.#agenda.next;
      let due: Machine | undefined;
      for (const machine of this.machines) {
        const deadline = machine.call.nextDeadline();
        if (deadline >= 0 && deadline < next) {
          next = deadline;
          due = machine;
        }
      }
      if (next > end) break;
      spins = next > this.now ? 0 : spins + 1;
      if (spins > spinsMax) throw new Error(`time stands still: ${spinsMax} entries in one microsecond`);
      this.now = Math.max(this.now, next);
      if (due !== undefined) this.turn(due, () => {});
      else this.#agenda.take()?.action();
    }
    if (this.now < end && !enough()) this.now = end;
  }

  /** One turn of a machine: its timers, then what came, then what that led to. */
  turn(machine: Machine, received: () => void): void {
    machine.tick(this.now);
    received();
    this.settle(machine);
  }

  /** Sends what a machine has queued and hands out what has ended there. */
  settle(machine: Machine): void {
    do {
      for (const { network, frame } of machine.sent.splice(0)) this.#carry(machine, network, frame);
    } while (machine.drain() > 0 || machine.sent.length > 0);
  }

  #carry(from: Machine, network: number, frame: Uint8Array): void {
    const lan = from.interfaces[network]?.lan ?? 0;
    if (this.#malice > 0 || this.machines.length === 1) this.#watch(frame);
    else if (tracing) this.#trace(from, frame);
    if (this.#isCut(from)) return;
    for (const socket of this.#sockets) {
      if (socket.lan !== lan || socket.machine === from || this.#isCut(socket.machine)) continue;
      if (((frame[0] ?? 0) & 1) === 0 && !sameMac(frame, socket.mac)) continue;
      if (this.#malice > 0 && this.options.random.chance(this.#malice)) this.#meddle(frame, socket);
      else this.#deliver(socket, frame, latency);
    }
  }

  /** With PROTEUS_FUZZ_TRACE set: what is sent once the wire is good again. */
  #trace(machine: Machine, frame: Uint8Array): void {
    const { fragment, flip, rpc } = dissect(kernel, frame);
    const who = this.machines.indexOf(machine);
    const to = `${toHex(frame.subarray(0, 6))} ${fragment?.type}+${fragment?.count}`;
    const packet =
      flip &&
      `${flip.type} ${flip.src.slice(0, 6)}>${flip.dst.slice(0, 6)} hops ${flip.act_hop}/${flip.max_hop}`;
    const part = flip && `${flip.offset}+${flip.length}/${flip.total}`;
    const call = rpc && `${rpc.type} ${rpc.flags} tid ${rpc.tid} ${rpc.from}>${rpc.dest} ${rpc.port}`;
    console.log(`${this.now} machine ${who} to ${to} ${packet ?? ""} ${part ?? ""} ${call ?? ""}`);
  }

  #watch(frame: Uint8Array): void {
    this.#forger.learn(frame);
    const key = transaction(frame);
    if (key !== undefined) this.#genuine.add(key);
    this.#history.push(frame);
    if (this.#history.length > historyMax) this.#history.shift();
  }

  #meddle(frame: Uint8Array, socket: Socket): void {
    const { random } = this.options;
    const kind = random.below(20);
    if (kind < 2) return; // lost
    if (kind < 4) this.#deliver(socket, frame, latency + random.below(20_000)); // and once more, below
    if (kind < 6) {
      this.#deliver(socket, frame, latency + random.below(50_000));
      return;
    }
    if (kind < 14) {
      this.#change(socket, this.#forger.mutate(frame));
      return;
    }
    this.#deliver(socket, frame, latency);
    if (kind < 16) {
      const old = pick(random, this.#history);
      this.#change(socket, random.chance(0.5) ? old : this.#forger.mutate(old));
    } else if (kind < 18) {
      const other = pick(random, this.#sockets);
      const copy = frame.slice();
      if (random.chance(0.7)) copy.set(other.mac);
      this.#change(other, copy);
    } else this.#change(socket, this.#forger.frame(socket.mac));
  }

  #change(socket: Socket, frame: Uint8Array): void {
    if (!this.options.forging && this.#isForged(frame)) return;
    this.changed++;
    this.#deliver(socket, frame, latency + this.options.random.below(2_000));
  }

  #isForged(frame: Uint8Array): boolean {
    const key = transaction(frame);
    return key !== undefined && !this.#genuine.has(key);
  }

  #deliver(socket: Socket, frame: Uint8Array, delay: number): void {
    this.at(delay, () => {
      this.delivered++;
      this.turn(socket.machine, () => socket.machine.receive(socket.network, frame, this.now));
    });
  }
}

/** Kernel id and transaction of a REQUEST or RECEIVED in a frame; others have none that lasts. */
function transaction(frame: Uint8Array): string | undefined {
  const at = flipAt(frame);
  const rpc = (at ?? 0) + formats.FLIP_HEADER;
  if (at === undefined || frame.length < rpc + formats.RPC_HEADER) return undefined;
  const type = frame[rpc + formats.RPC_TYPE_AT];
  if (type !== formats.RPC_REQUEST && type !== formats.RPC_RECEIVED) return undefined;
  const fields = view(frame);
  const foreign = (frame[rpc + formats.RPC_FLAGS_AT] ?? 0) & formats.RPC_BIGENDIAN;
  const tid = fields.getUint32(rpc + formats.RPC_TID_AT, foreign === 0);
  return `${fields.getBigUint64(rpc, true)} ${tid}`;
}
