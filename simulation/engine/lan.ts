// A LAN in virtual time: every frame gets its own fate on the way to every receiver.
//
// - A frame that was flushed is in the air: its sender may crash, its receiver may crash
//   and boot again; it arrives all the same, at whoever has the MAC address then.
// - Faults of frames are those of drivers/fault, thrown with the LAN's own seeded dice; a
//   flipped bit is delivered to the kernel, not dropped.
// - Faults of links are per pair of machines and direction, until a time: a cut loses every
//   frame, a clog holds them back until its end.
// - `filter` drops chosen frames, `tap` sees every frame that was sent.

import { decide, type Faults, mergeFaults, NO_FAULTS, noCounts } from "../../drivers/fault/faults.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { Card } from "./card.js";
import type { EventQueue, Receiver } from "./events.js";
import { type Frame, FramePool } from "./frames.js";
import { type EventHash, HASH_DELIVERED, HASH_FAULT, HASH_SENT } from "./hash.js";

const headerBytes = 14;
const overtakenMicroseconds = 1000;
/** All headers of a frame, its check over the rest, and some data: what goes into the event hash. */
const hashedWords = 32;

export interface LanOptions {
  readonly name?: string;
  /** Default 1500. */
  readonly mtu?: number;
  /** How long a frame is on its way; default 100. */
  readonly latencyMicroseconds?: number;
  /** Receive buffers of each machine; default 64. */
  readonly receiveFrames?: number;
  /** Line rate of a sender; default: none. */
  readonly bytesPerMicrosecond?: number;
}

/** What a LAN needs of the world around it. */
export interface Air {
  readonly now: number;
  readonly dice: SeededRandom;
  readonly events: EventQueue;
  readonly hash: EventHash;
  readonly onSend: ((frame: Uint8Array) => void) | null;
}

/** True: this frame is lost on its way from one machine to another. */
export type Filter = (frame: Uint8Array, from: string, to: string) => boolean;

/** Why a link lets nothing through; each is counted by itself. */
export type CutKind = "cut" | "partition" | "oneWay" | "flap";

interface Cut {
  readonly kind: CutKind;
  readonly until: number;
}

function counters() {
  return { ...noCounts(), filtered: 0, overrun: 0, partition: 0, oneWay: 0, flap: 0, clogged: 0 };
}

export class Lan {
  readonly name: string;
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly latencyMicroseconds: number;
  readonly frames: FramePool;
  readonly counts = counters();
  filter: Filter | null = null;
  tap: ((frame: Uint8Array, from: string) => void) | null = null;
  readonly #air: Air;
  readonly #bytesPerMicrosecond: number;
  readonly #sockets: Socket[] = [];
  readonly #byMac = new Map<number, Socket>();
  readonly #cuts = new Map<number, Cut>();
  readonly #clogs = new Map<number, number>();
  readonly #everyone: Receiver = { arrive: (frame) => this.#broadcast(frame) };
  #faults: Faults = NO_FAULTS;

  constructor(air: Air, options: LanOptions = {}) {
    this.#air = air;
    this.name = options.name ?? "lan";
    this.mtu = options.mtu ?? 1500;
    this.frames = new FramePool(this.mtu + headerBytes);
    this.receiveFrames = options.receiveFrames ?? 64;
    this.latencyMicroseconds = options.latencyMicroseconds ?? 100;
    this.#bytesPerMicrosecond = options.bytesPerMicrosecond ?? Number.POSITIVE_INFINITY;
  }

  /** Who is on it, in the order in which they came. */
  get sockets(): readonly Socket[] {
    return this.#sockets;
  }

  /** A place on the wire: a machine's MAC address, whatever kernel runs behind it. */
  socket(name: string, mac: Uint8Array, wake: () => void, mtu = this.mtu): Socket {
    const socket = new Socket(this, this.#sockets.length, name, mac, wake, mtu);
    this.#sockets.push(socket);
    this.#byMac.set(numberOf(mac), socket);
    return socket;
  }

  // ---- faults ----------------------------------------------------------------------

  /** Faults of every frame from now on; those left out are as without faults. */
  setFaults(faults: Partial<Faults>): void {
    this.#faults = Object.keys(faults).length === 0 ? NO_FAULTS : mergeFaults(NO_FAULTS, faults);
  }

  /** Nothing passes from one machine to another until then; the other direction stays. */
  cut(from: string, to: string, until = Number.POSITIVE_INFINITY, kind: CutKind = "cut"): void {
    const link = this.#link(from, to);
    const before = this.#cuts.get(link);
    if (before === undefined || before.until < until) this.#cuts.set(link, { kind, until });
  }

  /** Frames from one machine to another wait until then, and come all at once. */
  clog(from: string, to: string, until: number): void {
    const link = this.#link(from, to);
    this.#clogs.set(link, Math.max(until, this.#clogs.get(link) ?? 0));
  }

  /** Every link is whole again. */
  heal(): void {
    this.#cuts.clear();
    this.#clogs.clear();
  }

  #link(from: string, to: string): number {
    const index = (name: string): number => this.#sockets.findIndex((socket) => socket.name === name);
    return linkOf(index(from), index(to));
  }

  // ---- frames ----------------------------------------------------------------------

  /** Sends the bytes of a frame that no kernel made. */
  carry(sender: Socket, bytes: Uint8Array): void {
    const frame = this.frames.take(bytes.length);
    frame.bytes.set(bytes);
    this.send(sender, frame);
  }

  /** Sends one frame. */
  send(sender: Socket, frame: Frame): void {
    const { hash, now, events } = this.#air;
    frame.sender = sender.index;
    frame.holders++;
    hash.event(HASH_SENT, now, sender.id, frame.length);
    hash.words(frame.words, Math.min((frame.length + 3) >> 2, hashedWords));
    this.tap?.(frame.content.slice(), sender.name);
    this.#air.onSend?.(frame.content);
    const left = Math.max(now, sender.busyUntil) + frame.length / this.#bytesPerMicrosecond;
    sender.busyUntil = left;
    const toAll = ((frame.bytes[0] as number) & 1) === 1;
    const clear =
      this.#faults === NO_FAULTS && this.#cuts.size === 0 && this.#clogs.size === 0 && this.filter === null;
    if (toAll) {
      if (clear) events.deliver(Math.ceil(left + this.latencyMicroseconds), this.#everyone, frame);
      else
        for (const receiver of this.#sockets)
          if (receiver !== sender) this.#fate(sender, receiver, frame, left);
    } else {
      const receiver = this.#byMac.get(numberOf(frame.bytes));
      if (receiver !== undefined && receiver !== sender) {
        if (clear) events.deliver(Math.ceil(left + this.latencyMicroseconds), receiver, frame);
        else this.#fate(sender, receiver, frame, left);
      }
    }
    frame.release();
  }

  #broadcast(frame: Frame): void {
    for (const receiver of this.#sockets) if (receiver.index !== frame.sender) receiver.arrive(frame);
  }

  /** True when the link lets nothing through now. */
  #isCut(link: number): boolean {
    const cut = this.#cuts.get(link);
    if (cut === undefined) return false;
    if (cut.until <= this.#air.now) {
      this.#cuts.delete(link);
      return false;
    }
    this.counts[cut.kind]++;
    return true;
  }

  /** When a frame that would arrive at `at` gets through a clog. */
  #throughClog(link: number, at: number): number {
    const until = this.#clogs.get(link);
    if (until === undefined) return at;
    if (until <= this.#air.now) {
      this.#clogs.delete(link);
      return at;
    }
    this.counts.clogged++;
    return Math.max(at, until);
  }

  #fate(sender: Socket, receiver: Socket, frame: Frame, left: number): void {
    if (this.filter?.(frame.content, sender.name, receiver.name)) {
      this.counts.filtered++;
      return;
    }
    const link = linkOf(sender.index, receiver.index);
    if (this.#isCut(link)) return;
    const { dice, events, hash, now } = this.#air;
    const fate = decide(this.#faults, dice, frame.length, this.counts);
    if (fate.copies === 0) hash.event(HASH_FAULT, now, sender.id, receiver.id);
    for (let copy = 0; copy < fate.copies; copy++) {
      const delivered = fate.flip >= 0 && copy === 0 ? this.#flipped(frame, fate.flip) : frame;
      const late =
        fate.delayMicroseconds * (copy + 1) + (fate.holdBack ? dice.below(overtakenMicroseconds) : 0);
      const at = Math.ceil(left + this.latencyMicroseconds + late);
      events.deliver(this.#clogs.size === 0 ? at : this.#throughClog(link, at), receiver, delivered);
    }
  }

  #flipped(frame: Frame, bit: number): Frame {
    const copy = this.frames.take(frame.length);
    copy.bytes.set(frame.content);
    copy.sender = frame.sender;
    copy.bytes[bit >> 3] = (copy.bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    this.#air.hash.event(HASH_FAULT, this.#air.now, frame.sender, bit);
    return copy;
  }

  /** For sockets: a frame was taken. */
  delivered(socket: Socket, length: number): void {
    this.#air.hash.event(HASH_DELIVERED, this.#air.now, socket.id, length);
  }
}

const linkOf = (from: number, to: number): number => from * 4096 + to;

/** The 6 bytes of a MAC address as a number. */
function numberOf(bytes: Uint8Array): number {
  const high = ((bytes[0] as number) << 16) | ((bytes[1] as number) << 8) | (bytes[2] as number);
  const low = ((bytes[3] as number) << 16) | ((bytes[4] as number) << 8) | (bytes[5] as number);
  return high * 2 ** 24 + low;
}

/** A MAC address on a LAN. */
export class Socket implements Receiver {
  busyUntil = 0;
  device: Card | null = null;
  /** The MAC address as a number: who it is in the event hash. */
  readonly id: number;

  constructor(
    readonly lan: Lan,
    readonly index: number,
    readonly name: string,
    readonly mac: Uint8Array,
    readonly wake: () => void,
    readonly mtu: number,
  ) {
    this.id = numberOf(mac) | 0;
  }

  /** A network card for a kernel that boots here now. */
  open(clock: () => number): Card {
    this.device = new Card(this, clock);
    return this.device;
  }

  /** Its card is gone. */
  closed(card: Card): void {
    if (this.device === card) this.device = null;
  }

  arrive(frame: Frame): void {
    const device = this.device;
    if (device === null || !device.accept(frame)) return;
    this.lan.delivered(this, frame.length);
    this.wake();
  }
}
