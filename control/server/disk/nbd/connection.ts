// One client from its first byte to its last, without a socket: bytes in by `receive`, bytes out by a
// transport, which is a socket in control/node/nbd.ts and an array in the tests.
//
// - Greeting, flags, options (options.ts), perhaps TLS in between, then requests (transmission.ts).
// - A client that says what the protocol does not have is dropped; nothing that it sends throws here.
// - Bytes behind STARTTLS, sent before TLS was on, are nobody's: that client is dropped.
// - However it ends, requests that the disk was given go on to their end: `ended` is called after.

import { Buffers } from "./buffers.js";
import type { NbdExport, NbdExports } from "./exports.js";
import { OPTION_BYTES_MAX, OPTIONS_MAX } from "./limits.js";
import { type Agreed, Options, type Outcome, type TlsPolicy } from "./options.js";
import { Outbox } from "./outbox.js";
import * as nbd from "./protocol.js";
import { Transmission } from "./transmission.js";

/** The way to a client. */
export interface NbdTransport {
  /** Sends chunks in order; `sent` is called when they have left. */
  send(chunks: readonly Buffer[], sent: () => void): void;
  /** Nothing is to be received until `resume`. */
  pause(): void;
  resume(): void;
  /** What was sent goes out as it is; everything after it, both ways, by TLS. */
  startTls(): void;
  /** Sends what was given, then ends. */
  end(): void;
  /** Ends at once. */
  destroy(): void;
}

export interface ConnectionOptions {
  readonly exports: NbdExports;
  readonly tls: TlsPolicy;
  readonly transport: NbdTransport;
  /** Runs an action once this turn is over. */
  readonly later: (action: () => void) => void;
  /** Shared by the connections of a server. */
  readonly buffers?: Buffers;
  /** An export was chosen: the handshake is over. */
  readonly chosen?: (entry: NbdExport) => void;
  /** A disk's call failed. */
  readonly failed?: (error: unknown) => void;
  /** The client was dropped, and why. */
  readonly dropped?: (why: string) => void;
  /** It is over: no request is under way, and nothing more is sent. */
  readonly ended?: () => void;
}

type Phase = "flags" | "options" | "tls" | "transmission" | "over";

const optionHeaderBytes = 16;
const none: Buffer = Buffer.alloc(0);

export class NbdConnection {
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  #phase: Phase = "flags";
  #held: Buffer = none;
  #haggling: Options | null = null;
  #optionsTaken = 0;
  #transmission: Transmission | null = null;
  #hasEnded = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { transport } = options;
    this.#outbox = new Outbox(
      (chunks, sent) => {
        if (this.#phase !== "over") transport.send(chunks, sent);
      },
      () => this.#transmission?.proceed(),
    );
  }

  get isChosen(): boolean {
    return this.#transmission !== null;
  }

  /** Greets the client. */
  begin(): void {
    const greeting = Buffer.alloc(18);
    for (const [index, word] of [...nbd.INIT_MAGIC, ...nbd.OPTION_MAGIC].entries())
      greeting.writeUInt32BE(word, 4 * index);
    greeting.writeUInt16BE(nbd.FLAG_FIXED_NEWSTYLE | nbd.FLAG_NO_ZEROES, 16);
    this.#outbox.add(greeting);
    this.#outbox.flush();
  }

  /** What the client has sent; the bytes are this connection's from now on. */
  receive(bytes: Buffer): void {
    if (this.#phase === "over") return;
    if (this.#transmission !== null) {
      this.#transmission.receive(bytes);
      return;
    }
    if (this.#phase === "tls") {
      this.#drop("it sent something between STARTTLS and TLS");
      return;
    }
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#isHaggling() && this.#takeOne());
    if (this.#isHaggling()) this.#outbox.flush();
  }

  /** The transport has TLS now. */
  secured(): void {
    if (this.#phase !== "tls") return;
    this.#phase = "options";
    this.#haggling?.secured();
  }

  /** The client sends nothing more: what it has asked for is answered. */
  clientEnded(): void {
    this.finish();
  }

  /** Takes nothing more, answers what is under way, and ends. */
  finish(): void {
    if (this.#transmission !== null) this.#transmission.finish();
    else if (this.#phase !== "over") this.#endOrderly();
  }

  /** The transport is gone. */
  gone(): void {
    this.#phase = "over";
    this.#held = none;
    if (this.#transmission !== null) this.#transmission.finish();
    else this.#end();
  }

  #isHaggling(): boolean {
    return this.#phase === "flags" || this.#phase === "options";
  }

  /** Takes the client's flags or one option. False: it is not all there yet. */
  #takeOne(): boolean {
    const held = this.#held;
    if (this.#phase === "flags") {
      if (held.length < 4) return false;
      this.#held = held.subarray(4);
      this.#flags(held.readUInt32BE(0));
      return true;
    }
    if (held.length < optionHeaderBytes) return false;
    if (held.readUInt32BE(0) !== nbd.OPTION_MAGIC[0] || held.readUInt32BE(4) !== nbd.OPTION_MAGIC[1]) {
      this.#drop("it sent what is no option");
      return false;
    }
    const bytes = held.readUInt32BE(12);
    if (bytes > OPTION_BYTES_MAX || this.#optionsTaken === OPTIONS_MAX) {
      this.#drop("its options are too many or too long");
      return false;
    }
    const end = optionHeaderBytes + bytes;
    if (held.length < end) return false;
    this.#optionsTaken++;
    this.#held = held.subarray(end);
    const outcome = this.#haggling?.option(held.readUInt32BE(8), held.subarray(optionHeaderBytes, end));
    if (outcome !== undefined) this.#follow(outcome);
    return true;
  }

  #flags(flags: number): void {
    const known = nbd.FLAG_FIXED_NEWSTYLE | nbd.FLAG_NO_ZEROES;
    if ((flags & ~known) !== 0) {
      this.#drop("it has flags that this server has not");
      return;
    }
    const { exports, tls } = this.#options;
    this.#haggling = new Options(exports, this.#outbox, tls, (flags & nbd.FLAG_NO_ZEROES) === 0);
    this.#phase = "options";
  }

  #follow(outcome: Outcome): void {
    switch (outcome.kind) {
      case "more":
        return;
      case "tls":
        this.#outbox.flush();
        this.#phase = "tls";
        if (this.#held.length > 0) this.#drop("it sent something between STARTTLS and TLS");
        else this.#options.transport.startTls();
        return;
      case "abort":
        this.#endOrderly();
        return;
      case "drop":
        this.#drop(outcome.why);
        return;
      case "go":
        this.#go(outcome.agreed);
    }
  }

  #go(agreed: Agreed): void {
    const { transport, later, failed, chosen, buffers } = this.#options;
    this.#phase = "transmission";
    this.#outbox.flush();
    const transmission = new Transmission(
      {
        outbox: this.#outbox,
        buffers: buffers ?? new Buffers(),
        pause: () => transport.pause(),
        resume: () => transport.resume(),
        later,
        failed: (error) => failed?.(error),
        drop: (why) => this.#drop(why),
        finished: () => this.#endOrderly(),
      },
      agreed,
    );
    this.#transmission = transmission;
    chosen?.(agreed.entry);
    const held = this.#held;
    this.#held = none;
    if (held.length > 0) transmission.receive(held);
  }

  #endOrderly(): void {
    if (this.#phase !== "over") {
      this.#outbox.flush();
      this.#phase = "over";
      this.#options.transport.end();
    }
    this.#end();
  }

  #drop(why: string): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#held = none;
    this.#options.dropped?.(why);
    this.#options.transport.destroy();
    if (this.#transmission === null) this.#end();
    else this.#transmission.finish();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.ended?.();
  }
}
