// The transmission phase of one connection: requests in, replies out, as many at a time as its
// limits allow.
//
// - Replies come in the order in which the disk ends the requests. A request that may not be is
//   refused at once, its data read and forgotten; what is no request at all is nonsense.
// - While too much is under way or unsent, nothing is taken from what came: `pause` and `resume`
//   of the transport follow.
// - Of requests that one turn ends the replies go out together; one that was alone goes at once.
// - Bytes given to `receive` belong to this connection from then on: a write takes its data from
//   there when it lies in one piece.
// - `finish` takes no more requests and ends the connection when those under way are answered.

import { BLOCK_BYTES, TRANSFER_BYTES } from "../disk.js";
import type { Buffers } from "./buffers.js";
import { ByteDisk } from "./byte-disk.js";
import { runsOf } from "./contexts.js";
import { isReadOnly } from "./exports.js";
import { faultOf } from "./faults.js";
import * as limits from "./limits.js";
import type { Agreed } from "./options.js";
import type { Outbox } from "./outbox.js";
import * as nbd from "./protocol.js";
import { Replies } from "./replies.js";
import { EXTENDED_REQUEST_BYTES, REQUEST_BYTES, Request, refusal, type Terms } from "./request.js";

export interface TransmissionHost {
  readonly outbox: Outbox;
  readonly buffers: Buffers;
  pause(): void;
  resume(): void;
  /** Runs an action once this turn is over. */
  later(action: () => void): void;
  /** A disk's call failed, or what is no DiskError was thrown. */
  failed(error: unknown): void;
  /** The client has to go: nonsense, or the disk is not ours any more. */
  drop(why: string): void;
  /** All that was taken is answered, and nothing more is taken. */
  finished(): void;
}

const none: Buffer = Buffer.alloc(0);

export class Transmission {
  readonly #host: TransmissionHost;
  readonly #agreed: Agreed;
  readonly #bytes: ByteDisk;
  readonly #replies: Replies;
  readonly #headerBytes: number;
  readonly #header: Buffer;
  readonly #free: Request[] = [];
  #headerAt = 0;
  #input: Buffer = none;
  #at = 0;
  /** Whose data is coming. */
  #filling: Request | null = null;
  #filled = 0;
  #refused = 0;
  #underWay = 0;
  #held = 0;
  #isParsing = false;
  #isPaused = false;
  #isFinishing = false;
  #isFlushing = false;
  #isFinished = false;
  readonly #terms: { -readonly [Fact in keyof Terms]: Terms[Fact] };
  readonly #flush = (): void => {
    this.#isFlushing = false;
    this.#host.outbox.flush();
  };

  constructor(host: TransmissionHost, agreed: Agreed) {
    this.#host = host;
    this.#agreed = agreed;
    this.#bytes = new ByteDisk(agreed.entry.disk);
    this.#replies = new Replies(host.outbox, agreed.isStructured, agreed.isExtended);
    this.#headerBytes = agreed.isExtended ? EXTENDED_REQUEST_BYTES : REQUEST_BYTES;
    this.#header = Buffer.alloc(this.#headerBytes);
    this.#terms = {
      isStructured: agreed.isStructured,
      isExtended: agreed.isExtended,
      isReadOnly: true,
      hasContexts: agreed.contexts.length > 0,
      bytes: 0,
      payloadBytesMax: limits.PAYLOAD_BYTES_MAX,
    };
  }

  get underWay(): number {
    return this.#underWay;
  }

  receive(chunk: Buffer): void {
    if (this.#isFinishing) return;
    this.#input =
      this.#at === this.#input.length ? chunk : Buffer.concat([this.#input.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#parse();
  }

  /** Something was sent: there may be room for more. */
  proceed(): void {
    if (this.#isPaused && !this.#isParsing && !this.#isFull()) this.#parse();
  }

  finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    this.#input = none;
    this.#at = 0;
    this.#dropFilling();
    this.#ifFinished();
  }

  #isFull(): boolean {
    const bytes = this.#held + this.#host.outbox.bytes;
    return this.#underWay >= limits.REQUESTS_MAX || bytes >= limits.UNDER_WAY_BYTES_MAX;
  }

  #parse(): void {
    if (this.#isParsing) return;
    this.#isParsing = true;
    while (!this.#isFinishing && this.#at < this.#input.length && this.#step());
    this.#isParsing = false;
    const isPaused = !this.#isFinishing && this.#at < this.#input.length;
    if (!isPaused) this.#input = none; // or a small rest would keep it all
    if (!isPaused) this.#at = 0;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#host.outbox.flush(); // what was refused waits for nobody else
      this.#host.pause();
    } else this.#host.resume();
  }

  /** Takes a header or some data from the input. False: it has to wait. */
  #step(): boolean {
    if (this.#filling !== null) return this.#fill(this.#filling);
    if (this.#headerAt === 0 && this.#isFull()) return false;
    const there = this.#input.length - this.#at;
    if (this.#headerAt === 0 && there >= this.#headerBytes) {
      this.#at += this.#headerBytes;
      return this.#begin(this.#input, this.#at - this.#headerBytes);
    }
    const taken = Math.min(there, this.#headerBytes - this.#headerAt);
    this.#input.copy(this.#header, this.#headerAt, this.#at, this.#at + taken);
    this.#at += taken;
    this.#headerAt += taken;
    if (this.#headerAt < this.#headerBytes) return true;
    this.#headerAt = 0;
    return this.#begin(this.#header, 0);
  }

  #begin(from: Buffer, at: number): boolean {
    const request = this.#free.pop() ?? new Request(this.#ended);
    if (!request.read(from, at, this.#agreed.isExtended)) {
      this.#host.drop("it sent what is no request");
      return false;
    }
    if (request.payload > limits.PAYLOAD_BYTES_MAX) {
      this.#host.drop("it sent more than a request may have");
      return false;
    }
    if (request.type === nbd.CMD_DISC) {
      this.finish();
      return false;
    }
    this.#underWay++;
    const refused = this.#refusal(request);
    if (request.payload === 0) {
      this.#start(request, refused);
      return true;
    }
    this.#take(request, request.payload);
    if (refused === 0 && this.#input.length - this.#at >= request.payload) {
      request.data = this.#input.subarray(this.#at, this.#at + request.payload);
      this.#at += request.payload;
      this.#start(request, 0);
      return true;
    }
    if (refused === 0) {
      request.data = this.#host.buffers.take(request.payload);
      request.isPooled = true;
    }
    this.#filling = request;
    this.#filled = 0;
    this.#refused = refused;
    return true;
  }

  #fill(request: Request): boolean {
    const taken = Math.min(request.payload - this.#filled, this.#input.length - this.#at);
    if (request.data !== null) this.#input.copy(request.data, this.#filled, this.#at, this.#at + taken);
    this.#at += taken;
    this.#filled += taken;
    if (this.#filled < request.payload) return true;
    this.#filling = null;
    this.#start(request, this.#refused);
    return true;
  }

  /** As it is now: a disk may grow, and may become read-only. */
  #refusal(request: Request): number {
    this.#terms.bytes = this.#bytes.bytes;
    this.#terms.isReadOnly = isReadOnly(this.#agreed.entry);
    return refusal(request, this.#terms);
  }

  #take(request: Request, bytes: number): void {
    request.held = bytes;
    this.#held += bytes;
  }

  #start(request: Request, refused: number): void {
    if (refused !== 0) {
      this.#replies.error(request, refused, "the request is not allowed here");
      this.#end(request, true);
      return;
    }
    const { type } = request;
    if (request.length === 0 && type !== nbd.CMD_FLUSH) {
      if (type === nbd.CMD_READ) this.#replies.data(request, none);
      else this.#replies.done(request);
      this.#end(request, true);
    } else if (type === nbd.CMD_BLOCK_STATUS) this.#status(request).then(() => {}, request.failed);
    else this.#run(request).then(request.succeeded, request.failed);
  }

  #run(request: Request): Promise<unknown> {
    const { offset, length } = request;
    const durable = request.has(nbd.CMD_FLAG_FUA);
    switch (request.type) {
      case nbd.CMD_READ: {
        this.#take(request, length);
        const data = this.#host.buffers.take(length);
        request.data = data;
        request.isPooled = true;
        return this.#bytes.read(offset, data);
      }
      case nbd.CMD_WRITE:
        return this.#bytes.write(offset, request.data ?? none, durable);
      case nbd.CMD_FLUSH:
        return this.#bytes.flush();
      case nbd.CMD_TRIM:
        return this.#bytes.trim(offset, length, durable);
      case nbd.CMD_WRITE_ZEROES:
        return this.#bytes.zero(offset, length, { durable, punch: !request.has(nbd.CMD_FLAG_NO_HOLE) });
      default:
        this.#take(request, Math.min(length, TRANSFER_BYTES));
        return this.#cache(offset, length);
    }
  }

  /** Reads, so that what is below has it at hand. */
  async #cache(offset: number, length: number): Promise<void> {
    const scratch = this.#host.buffers.take(Math.min(length, TRANSFER_BYTES));
    for (let done = 0; done < length; done += scratch.length)
      await this.#bytes.read(offset + done, scratch.subarray(0, Math.min(scratch.length, length - done)));
    this.#host.buffers.give(scratch);
  }

  async #status(request: Request): Promise<void> {
    const { disk } = this.#agreed.entry;
    const bytes = Math.min(request.length, limits.STATUS_BYTES_MAX);
    const first = Math.floor(request.offset / BLOCK_BYTES);
    const end = Math.ceil((request.offset + bytes) / BLOCK_BYTES);
    const extents = await disk.extents(first, end - first);
    const runsMax = request.has(nbd.CMD_FLAG_REQ_ONE) ? 1 : limits.STATUS_RUNS_MAX;
    const found = this.#agreed.contexts.map((context) => ({
      context: context.id,
      runs: runsOf(context, extents, request.offset % BLOCK_BYTES, bytes, runsMax),
    }));
    this.#replies.status(request, found);
    this.#end(request, true);
  }

  readonly #ended = (request: Request, error: unknown, isFailed: boolean): void => {
    if (!isFailed) {
      const { data, isPooled } = request;
      if (request.type !== nbd.CMD_READ || data === null) {
        this.#replies.done(request);
        this.#end(request, true);
        return;
      }
      request.data = null;
      this.#replies.data(request, data, isPooled ? () => this.#host.buffers.give(data) : undefined);
      this.#end(request, false);
      return;
    }
    this.#host.failed(error);
    const fault = faultOf(error);
    if (fault === "leave") this.#host.drop("the disk is not served here any more");
    else this.#replies.error(request, fault, error instanceof Error ? error.message : String(error));
    this.#end(request, false);
  };

  #end(request: Request, givesBack: boolean): void {
    if (givesBack && request.isPooled && request.data !== null) this.#host.buffers.give(request.data);
    request.data = null;
    request.isPooled = false;
    this.#held -= request.held;
    request.held = 0;
    this.#underWay--;
    this.#free.push(request);
    if (this.#underWay === 0) {
      if (!this.#isParsing) this.#host.outbox.flush();
      this.#ifFinished();
    }
    if (this.#host.outbox.isQueued && !this.#isFlushing) {
      this.#isFlushing = true;
      this.#host.later(this.#flush);
    }
    this.proceed();
  }

  #dropFilling(): void {
    const request = this.#filling;
    if (request === null) return;
    this.#filling = null;
    this.#end(request, true);
  }

  #ifFinished(): void {
    if (!this.#isFinishing || this.#underWay > 0 || this.#isFinished) return;
    this.#isFinished = true;
    this.#host.finished();
  }
}
