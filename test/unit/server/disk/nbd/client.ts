// An NBD client without a socket, for tests of the server's side: it says what it is told to, right
// or wrong, and reads what comes back.
//
// - The bytes of its messages are made here, not by the code under test.
// - `settle` runs what the server has put off and what its disk has begun, until nothing happens.

import { type ConnectionOptions, NbdConnection } from "../../../../../control/server/disk/nbd/connection.js";
import type { NbdExport } from "../../../../../control/server/disk/nbd/exports.js";
import { NbdExports } from "../../../../../control/server/disk/nbd/exports.js";
import * as nbd from "../../../../../control/server/disk/nbd/protocol.js";

/** Numbers of so many bits, one after the other. */
export function words(
  ...parts: readonly (readonly [bits: 16 | 32 | 64, value: number | bigint] | string | Buffer)[]
): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(part);
      if (Buffer.isBuffer(part)) return part;
      const [bits, value] = part;
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(value));
      return bytes.subarray(8 - bits / 8);
    }),
  );
}

export const option = (type: number, data: Buffer = Buffer.alloc(0)): Buffer =>
  words("IHAVEOPT", [32, type], [32, data.length], data);

const text = (value: string): Buffer => words([32, Buffer.byteLength(value)], value);

/** Of INFO and GO. */
export const infoData = (name: string, ...infos: readonly number[]): Buffer =>
  words(text(name), [16, infos.length], ...infos.map((info) => [16, info] as const));

/** Of LIST_META_CONTEXT and SET_META_CONTEXT. */
export const contextData = (name: string, ...queries: readonly string[]): Buffer =>
  words(text(name), [32, queries.length], ...queries.map(text));

export interface Ask {
  readonly type: number;
  readonly flags?: number;
  readonly cookie?: number;
  readonly offset?: number | bigint;
  readonly length?: number | bigint;
  readonly data?: Buffer;
}

/** A request with ordinary or extended headers. */
export function request(
  { type, flags = 0, cookie = 0, offset = 0, length, data }: Ask,
  isExtended = false,
): Buffer {
  const long = length ?? data?.length ?? 0;
  const payload = isExtended && type === nbd.CMD_WRITE ? nbd.CMD_FLAG_PAYLOAD_LEN : 0;
  return words(
    [32, isExtended ? 0x21e41c71 : 0x25609513],
    [16, flags | payload],
    [16, type],
    [64, cookie],
    [64, offset],
    [isExtended ? 64 : 32, long],
    data ?? "",
  );
}

export interface OptionReply {
  readonly option: number;
  readonly type: number;
  readonly data: Buffer;
}

/** A simple reply, or one chunk of another. */
export interface Reply {
  readonly cookie: number;
  readonly error: number;
  readonly isLast: boolean;
  /** Of a chunk; null: a simple reply. */
  readonly type: number | null;
  readonly data: Buffer;
}

export class MemoryClient {
  readonly exports = new NbdExports();
  readonly connection: NbdConnection;
  /** What the server has sent and nobody has read. */
  received: Buffer = Buffer.alloc(0);
  isPaused = false;
  /** How the server has ended it. */
  end: "open" | "ended" | "destroyed" = "open";
  isOver = false;
  readonly dropped: string[] = [];
  readonly failures: unknown[] = [];
  sends = 0;
  wantsTls = false;
  /** While true nothing that is sent leaves. */
  isStuck = false;
  #stuck: (() => void)[] = [];
  #later: (() => void)[] = [];

  constructor(exports: readonly NbdExport[], options: Partial<ConnectionOptions> = {}) {
    for (const entry of exports) this.exports.add(entry);
    this.connection = new NbdConnection({
      exports: this.exports,
      tls: "none",
      transport: {
        send: (chunks, sent) => {
          this.sends++;
          this.received = Buffer.concat([this.received, ...chunks]);
          this.#stuck.push(sent);
        },
        pause: () => {
          this.isPaused = true;
        },
        resume: () => {
          this.isPaused = false;
        },
        startTls: () => {
          this.wantsTls = true;
        },
        end: () => {
          this.end = "ended";
        },
        destroy: () => {
          this.end = "destroyed";
          this.connection.gone();
        },
      },
      later: (action) => this.#later.push(action),
      dropped: (why) => this.dropped.push(why),
      failed: (error) => this.failures.push(error),
      ended: () => {
        this.isOver = true;
      },
      ...options,
    });
    this.connection.begin();
  }

  /** Sends bytes, in pieces of a size where one is given. */
  send(bytes: Buffer, pieceBytes = bytes.length): void {
    for (let at = 0; at < bytes.length; at += pieceBytes)
      this.connection.receive(Buffer.from(bytes.subarray(at, at + pieceBytes)));
  }

  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const actions = this.#later;
      this.#later = [];
      for (const action of actions) action();
      const left = this.isStuck ? [] : this.#stuck;
      if (!this.isStuck) this.#stuck = [];
      for (const sent of left) sent();
      quiet = actions.length + left.length === 0 ? quiet + 1 : 0;
    }
  }

  /** Reads so many bytes of what the server has sent. */
  take(bytes: number): Buffer {
    if (this.received.length < bytes) throw new Error(`${this.received.length} bytes instead of ${bytes}`);
    const taken = this.received.subarray(0, bytes);
    this.received = this.received.subarray(bytes);
    return taken;
  }

  optionReply(): OptionReply {
    const header = this.take(20);
    if (header.readBigUInt64BE(0) !== 0x3e889045565a9n) throw new Error("no reply to an option");
    return {
      option: header.readUInt32BE(8),
      type: header.readUInt32BE(12),
      data: this.take(header.readUInt32BE(16)),
    };
  }

  /** Sends an option and reads its replies up to the last one. */
  async ask(type: number, data?: Buffer): Promise<readonly OptionReply[]> {
    this.send(option(type, data));
    await this.settle();
    const replies: OptionReply[] = [];
    while (this.received.length > 0) replies.push(this.optionReply());
    return replies;
  }

  greet(flags = 3): void {
    this.take(18);
    this.send(words([32, flags]));
  }

  /** All of the handshake. */
  async go(
    name: string,
    how: "simple" | "structured" | "extended" = "simple",
    contexts: readonly string[] = [],
  ) {
    this.greet();
    if (how === "structured") await this.ask(nbd.OPT_STRUCTURED_REPLY);
    if (how === "extended") await this.ask(nbd.OPT_EXTENDED_HEADERS);
    if (contexts.length > 0) await this.ask(nbd.OPT_SET_META_CONTEXT, contextData(name, ...contexts));
    return this.ask(nbd.OPT_GO, infoData(name));
  }

  /** Reads a reply; `bytes`: of a simple reply to a read that succeeds. */
  reply(bytes = 0): Reply {
    const magic = this.take(4).readUInt32BE(0);
    if (magic === 0x67446698) {
      const error = this.take(4).readUInt32BE(0);
      const cookie = Number(this.take(8).readBigUInt64BE(0));
      return { cookie, error, isLast: true, type: null, data: this.take(error === 0 ? bytes : 0) };
    }
    const isExtended = magic === 0x6e8a278c;
    if (!isExtended && magic !== 0x668e33ef) throw new Error(`no reply: ${magic.toString(16)}`);
    const isLast = (this.take(2).readUInt16BE(0) & 1) !== 0;
    const type = this.take(2).readUInt16BE(0);
    const cookie = Number(this.take(8).readBigUInt64BE(0));
    if (isExtended) this.take(8);
    const data = this.take(
      isExtended ? Number(this.take(8).readBigUInt64BE(0)) : this.take(4).readUInt32BE(0),
    );
    return { cookie, error: type >= 0x8000 ? data.readUInt32BE(0) : 0, isLast, type, data };
  }

  /** Sends one request and reads its only reply. */
  async call(ask: Ask, isExtended = false): Promise<Reply> {
    this.send(request(ask, isExtended));
    await this.settle();
    return this.reply(ask.type === nbd.CMD_READ ? Number(ask.length ?? 0) : 0);
  }
}
