// A secure link between two ends that know each other's public keys, over anything that carries
// packets: it may lose, repeat, reorder, change and invent them.
//
// - send and receive are messages; `transmit` and `arrived` are packets. No timer and no clock of
//   its own: `tick` is called when `deadline` has come.
// - A handshake (noise.ts) begins with the first message, and again: when a session ages, when
//   nothing comes back for a while, when the other end uses a session that is not known here (this
//   end has started anew). It is repeated with growing pauses until it is answered or given up.
// - What the responder agreed to counts only when the initiator has used it: a first message that
//   somebody repeats changes nothing that is in use.
//
//     first    | 1 | 0 0 0 | sender's index 4 | Noise …
//     answer   | 2 | 0 0 0 | sender's index 4 | receiver's index 4 | Noise …
//
// - Limits: messages that wait for a session, first messages a second, answers not yet used.

import { timingSafeEqual } from "node:crypto";
import { firstMessageBytes, Initiator, type KeyPair, Responder, secondMessageBytes } from "./noise.js";
import { dataType, indexOf, Session } from "./session.js";

const firstType = 1;
const answerType = 2;
const firstHeader = 8;
const answerHeader = 12;
const nothing = new Uint8Array(0);
const prologue = Buffer.from("proteus secure link 1");

const waitingMax = 32;
const firstsMax = 10;
const firstsMs = 1000;
const unusedMax = 16;
const triesMax = 40;
const retryMs = 500;
const retryMsMax = 2000;
/** Whoever got messages and had none to send says so after this, by an empty one. */
const owedMs = 1000;
/** Something was sent and nothing came back for so long: the other end may have started anew. */
const unansweredMs = 3000;

export interface SecureLinkOptions {
  readonly own: KeyPair;
  /** Public key of the other end, 32 bytes. */
  readonly peer: Uint8Array;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** 0 to 2^32 - 1, not to be guessed. */
  readonly randomIndex: () => number;
  readonly transmit: (packet: Buffer) => boolean;
  readonly received: (message: Buffer) => void;
  /** For tests: the key of one handshake. */
  readonly ephemeral?: () => KeyPair;
}

interface Attempt {
  readonly handshake: Initiator;
  readonly index: number;
  readonly packet: Buffer;
  tries: number;
  at: number;
}

/** See the head of this file. */
export class SecureLink {
  readonly #options: SecureLinkOptions;
  #current: Session | null = null;
  #previous: Session | null = null;
  /** Agreed to as a responder and not used by the initiator yet; the oldest first. */
  #unused: Session[] = [];
  #attempt: Attempt | null = null;
  #waiting: Uint8Array[] = [];
  #firstsFrom = 0;
  #firsts = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #unansweredSince: number | null = null;
  /** Since when the other end waits to hear that it is heard. */
  #owedSince: number | null = null;
  #refused = 0;
  #handshakes = 0;

  constructor(options: SecureLinkOptions) {
    this.#options = options;
  }

  /** Packets that were not authentic, came before, or were for nobody. */
  get refused(): number {
    return this.#refused;
  }

  /** Sessions that were agreed on and used. */
  get handshakes(): number {
    return this.#handshakes;
  }

  /** Sends a message, or keeps it until there is a session; false: it is lost. */
  send(message: Uint8Array): boolean {
    const now = this.#options.now();
    const session = this.#current;
    if (session === null || !session.lives(now)) {
      this.#begin(now);
      if (this.#waiting.length >= waitingMax) return false;
      this.#waiting.push(message);
      return true;
    }
    const silent = this.#unansweredSince !== null && now - this.#unansweredSince > unansweredMs;
    if (session.ages(now) || silent) this.#begin(now);
    this.#unansweredSince ??= now;
    this.#owedSince = null;
    return this.#options.transmit(session.seal(message));
  }

  /** A packet that is said to be from the other end. */
  arrived(packet: Buffer): void {
    const now = this.#options.now();
    const taken =
      packet[0] === dataType
        ? this.#data(packet, now)
        : packet[0] === firstType
          ? this.#first(packet, now)
          : packet[0] === answerType && this.#answer(packet, now);
    if (!taken) this.#refused++;
  }

  #data(packet: Buffer, now: number): boolean {
    const index = indexOf(packet);
    const known = [this.#current, this.#previous, ...this.#unused];
    const session = known.find((each) => each?.ownIndex === index);
    if (index === null) return false;
    if (session === null || session === undefined) {
      this.#begin(now);
      return false;
    }
    const message = session.lives(now) ? session.open(packet) : null;
    if (message === null) return false;
    this.#unansweredSince = null;
    if (this.#unused.includes(session)) {
      this.#unused = [];
      this.#use(session);
    }
    if (message.length === 0) return true;
    this.#owedSince ??= now;
    this.#options.received(message);
    return true;
  }

  #first(packet: Buffer, now: number): boolean {
    if (packet.length !== firstHeader + firstMessageBytes || !this.#mayAnswer(now)) return false;
    const handshake = new Responder({ own: this.#options.own, prologue, ...this.#ephemeral() });
    try {
      handshake.read(packet.subarray(firstHeader));
      if (!timingSafeEqual(handshake.remoteStatic, this.#options.peer)) return false;
      const ownIndex = this.#newIndex();
      const header = Buffer.alloc(answerHeader);
      header[0] = answerType;
      header.writeUInt32LE(ownIndex, 4);
      packet.copy(header, 8, 4, firstHeader);
      const answer = Buffer.concat([header, handshake.write(nothing)]);
      const peerIndex = packet.readUInt32LE(4);
      const session = new Session({
        ...{ keys: handshake.keys(), ownIndex, peerIndex, initiator: false, madeAt: now },
      });
      this.#unused = [...this.#unused.slice(1 - unusedMax), session];
      this.#options.transmit(answer);
      return true;
    } catch {
      return false;
    }
  }

  #mayAnswer(now: number): boolean {
    if (now - this.#firstsFrom >= firstsMs) {
      this.#firstsFrom = now;
      this.#firsts = 0;
    }
    return this.#firsts++ < firstsMax;
  }

  #answer(packet: Buffer, now: number): boolean {
    const attempt = this.#attempt;
    if (packet.length !== answerHeader + secondMessageBytes || attempt === null) return false;
    if (packet.readUInt32LE(8) !== attempt.index) return false;
    try {
      attempt.handshake.read(packet.subarray(answerHeader));
    } catch {
      return false;
    }
    this.#attempt = null;
    this.#unansweredSince = null;
    const session = new Session({
      ...{ keys: attempt.handshake.keys(), ownIndex: attempt.index, initiator: true, madeAt: now },
      peerIndex: packet.readUInt32LE(4),
    });
    this.#use(session);
    this.#options.transmit(session.seal(nothing)); // so that the other end may use it too
    return true;
  }

  #use(session: Session): void {
    this.#previous = this.#current;
    this.#current = session;
    this.#handshakes++;
    for (const message of this.#waiting.splice(0)) this.#options.transmit(session.seal(message));
  }

  #ephemeral(): { ephemeral?: KeyPair } {
    return this.#options.ephemeral === undefined ? {} : { ephemeral: this.#options.ephemeral() };
  }

  #newIndex(): number {
    const taken = [this.#current, this.#previous, ...this.#unused].map((each) => each?.ownIndex);
    for (;;) {
      const index = this.#options.randomIndex();
      if (!taken.includes(index) && index !== this.#attempt?.index) return index;
    }
  }

  #begin(now: number): void {
    if (this.#attempt !== null || now - this.#askedAt < retryMs) return;
    this.#askedAt = now;
    const { own, peer } = this.#options;
    const handshake = new Initiator({ own, prologue, ...this.#ephemeral() }, peer);
    const index = this.#newIndex();
    const header = Buffer.alloc(firstHeader);
    header[0] = firstType;
    header.writeUInt32LE(index, 4);
    const packet = Buffer.concat([header, handshake.write(nothing)]);
    this.#attempt = { handshake, index, packet, tries: 0, at: now };
    this.#try(this.#attempt, now);
  }

  #try(attempt: Attempt, now: number): void {
    attempt.tries++;
    attempt.at = now + Math.min(retryMsMax, retryMs * 2 ** (attempt.tries - 1));
    this.#options.transmit(attempt.packet);
  }

  /** When `tick` is wanted, by `now`; null: not before something else happens. */
  get deadline(): number | null {
    const owed = this.#owedSince === null ? Number.POSITIVE_INFINITY : this.#owedSince + owedMs;
    const next = Math.min(owed, this.#attempt?.at ?? Number.POSITIVE_INFINITY);
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  /** Does what is due: says that this end hears, repeats the first message, or gives it up. */
  tick(): void {
    const now = this.#options.now();
    if (this.#owedSince !== null && now >= this.#owedSince + owedMs) {
      this.#owedSince = null;
      if (this.#current?.lives(now)) this.#options.transmit(this.#current.seal(nothing));
    }
    const attempt = this.#attempt;
    if (attempt === null || now < attempt.at) return;
    if (attempt.tries < triesMax) {
      this.#try(attempt, now);
      return;
    }
    this.#attempt = null;
    this.#waiting = [];
  }
}
