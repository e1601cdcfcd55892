// Files of any length on Bullet servers, through calls of at most 1 MiB: streams in, streams out.
//
// - createFile: one call for what fits into one. Longer content goes in pieces, a few of them
//   under way at a time; the last is sent when all others are there, with the flags. When it
//   fails, or `content` does, what was sent is destroyed: no file is made.
// - readFile: reads ahead by a few pieces, and hands them out in order. Memory does not grow with
//   the file, neither way.
// - Pieces of one file are calls of their own: one overtakes another when frames are lost, or no
//   thread of the server was free for it. A server holds it back for a moment; one that refuses
//   its position gets it once more when its forerunner has arrived.
// - `watch` sees every piece in order, and the end: what it throws ends the transfer. It is for
//   checksums and for progress. Before a file is committed its end can still say no.
// - pieceBytes of at most BULLET_TRANSFER_BYTES: only what the original's servers understand.

import type { Capability } from "../capability/capability.js";
import {
  BULLET_COMMIT,
  BULLET_PIECE_BYTES,
  BULLET_SAFETY,
  BULLET_TRANSFER_BYTES,
  bulletTable,
} from "../interface/bullet.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";

/** Bytes in one piece, or in chunks of any length, at once or as they come. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Who looks at a transfer. What it throws ends it. */
export interface TransferWatch {
  /** Called with every piece, in order; the bytes are the transfer's own afterwards. */
  piece?(data: Uint8Array, position: number): void;
  /** Called when all have come, before a new file is committed. */
  end?(bytes: number): void | Promise<void>;
}

interface TransferOptions extends CallOptions {
  /** Most bytes of one call; default 1 MiB. */
  readonly pieceBytes?: number;
  /** Calls under way at a time; default 2 for writing, 4 for reading. */
  readonly window?: number;
  readonly watch?: TransferWatch;
}

export interface CreateOptions extends TransferOptions {
  /** The answer comes when it is on the medium; default true. */
  readonly durable?: boolean;
  /** Default true; otherwise the capability is of a file that can still be changed. */
  readonly commit?: boolean;
}

export interface FileReadOptions extends TransferOptions {
  /** First byte; default 0. */
  readonly position?: number;
  /** Default: to the end. */
  readonly length?: number;
  /**
   * Pieces are lent: each counts until the next one is asked for, or the reading ends. Nothing is
   * copied or allocated for them, when the calls are made by a kernel of this program.
   */
  readonly lent?: boolean;
}

/**
 * Measured with 64 MiB over a bridge, 1, 2, 4, 8 and 16 pieces: reading is quickest with 4 (one takes a
 * fifth longer, 16 more than twice as long); writing with 2 to 4, and a third slower with 8 and more.
 */
const writeWindow = 2;
const readWindow = 4;
/** Positions that the original's operations cannot say. */
const longFrom = 2 ** 31;

/** Only what a call takes: a control daemon refuses what it does not know. */
function callOptions({ locateTimeoutMs, pollMs, deadMs, replyBytesMax }: CallOptions): CallOptions {
  return {
    ...(locateTimeoutMs === undefined ? {} : { locateTimeoutMs }),
    ...(pollMs === undefined ? {} : { pollMs }),
    ...(deadMs === undefined ? {} : { deadMs }),
    ...(replyBytesMax === undefined ? {} : { replyBytesMax }),
  };
}

function pieceOf({ pieceBytes = BULLET_PIECE_BYTES }: TransferOptions): number {
  if (Number.isInteger(pieceBytes) && pieceBytes > 0 && pieceBytes <= BULLET_PIECE_BYTES) return pieceBytes;
  throw new RangeError(`pieces of ${pieceBytes} bytes`);
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof ProteusError && error.code === code;

// ---- writing -----------------------------------------------------------------------

interface SentPiece {
  readonly data: Uint8Array;
  readonly last: boolean;
}

/** Cuts content into pieces of so many bytes; the last may be shorter, and empty when all is. */
async function* piecesOf(content: Content, pieceBytes: number): AsyncGenerator<SentPiece, void, void> {
  if (content instanceof Uint8Array) {
    let at = 0;
    for (; at + pieceBytes < content.length; at += pieceBytes)
      yield { data: content.subarray(at, at + pieceBytes), last: false };
    yield { data: content.subarray(at), last: true };
    return;
  }
  // Copied: a piece may have to be sent again when its source has used the chunk for the next.
  let held = new Uint8Array(pieceBytes);
  let used = 0;
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; ) {
      if (used === pieceBytes) {
        yield { data: held, last: false };
        held = new Uint8Array(pieceBytes);
        used = 0;
      }
      const part = chunk.subarray(at, at + pieceBytes - used);
      held.set(part, used);
      at += part.length;
      used += part.length;
    }
  }
  yield { data: held.subarray(0, used), last: true };
}

/** Pieces of one file on their way to its server. */
class Sending {
  readonly #kernel: Kernel | Transact;
  readonly #options: CreateOptions;
  readonly #call: CallOptions;
  readonly #under = new Set<Promise<void>>();
  #newest: Promise<void> = Promise.resolve();
  /** The piece of which the server last said that it is there. */
  #arrived: Promise<void> = this.#newest;
  #file: Capability | null = null;
  #failure: unknown;

  constructor(kernel: Kernel | Transact, options: CreateOptions) {
    this.#kernel = kernel;
    this.#options = options;
    this.#call = callOptions(options);
  }

  async send(server: Capability, content: Content): Promise<Capability> {
    const { durable = true, commit = true, watch } = this.#options;
    const flags = commit ? BULLET_COMMIT | (durable ? BULLET_SAFETY : 0) : 0;
    let position = 0;
    try {
      for await (const { data, last } of piecesOf(content, pieceOf(this.#options))) {
        watch?.piece?.(data, position);
        if (last) {
          await this.#settle(0);
          await watch?.end?.(position + data.length);
        }
        if (this.#file === null) {
          const asked = { flags: last ? flags : 0, data };
          this.#file = (await stub(this.#kernel, bulletTable, server, this.#call).create(asked)).file;
        } else if (last) this.#file = await this.#modify(this.#file, position, data, flags);
        else {
          this.#begin(this.#file, position, data);
          await this.#settle((this.#options.window ?? writeWindow) - 1);
        }
        position += data.length;
      }
    } catch (error) {
      await Promise.allSettled(this.#under);
      await this.#discard();
      throw error;
    }
    if (this.#file === null) throw new Error("content has no last piece");
    return this.#file;
  }

  /** Sends a piece while those before it may still be on their way. */
  #begin(file: Capability, position: number, data: Uint8Array): void {
    const before = this.#newest;
    // What counts is when it is sent: the answers may overtake each other as well.
    const hadArrived = this.#arrived === before;
    const overtook = async (error: unknown) => {
      if (hadArrived || !isCode(error, "STD_ARGBAD")) throw error;
      await before;
      await this.#modify(file, position, data, 0);
    };
    const sent: Promise<void> = this.#modify(file, position, data, 0)
      .then(() => undefined, overtook)
      .then(() => {
        this.#arrived = sent;
      })
      .catch((error: unknown) => {
        this.#failure ??= error;
        throw error;
      })
      .finally(() => this.#under.delete(sent));
    sent.catch(() => undefined); // #settle says it
    this.#under.add(sent);
    this.#newest = sent;
  }

  /** Waits until at most so many pieces are under way. */
  async #settle(most: number): Promise<void> {
    while (this.#under.size > most && this.#failure === undefined)
      await Promise.race(this.#under).catch(() => undefined);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #modify(file: Capability, position: number, data: Uint8Array, flags: number): Promise<Capability> {
    const calls = stub(this.#kernel, bulletTable, file, this.#call);
    const reply =
      position < longFrom
        ? await calls.modify({ position, data, flags })
        : await calls.modify64({ position: BigInt(position), data, flags });
    return reply.file;
  }

  /** What was sent is of no use; a server that does not hear it forgets it by itself. */
  async #discard(): Promise<void> {
    if (this.#file === null) return;
    const short = { ...this.#call, locateTimeoutMs: Math.min(this.#call.locateTimeoutMs ?? 500, 500) };
    await stub(this.#kernel, bulletTable, this.#file, short)
      .destroy()
      .catch(() => undefined);
  }
}

/**
 * Makes a file of `content` on a Bullet server; answers its capability, with all rights. `server`
 * may be a file there too: when the content is the same, the answer is that file.
 *
 * @example const file = await createFile(kernel, bullet, createReadStream("thesis.pdf"));
 */
export function createFile(
  kernel: Kernel | Transact,
  server: Capability,
  content: Content,
  options: CreateOptions = {},
): Promise<Capability> {
  return new Sending(kernel, options).send(server, content);
}

// ---- reading -----------------------------------------------------------------------

/** How long a committed file is. */
export async function fileBytes(
  kernel: Kernel | Transact,
  file: Capability,
  options: CallOptions = {},
): Promise<number> {
  const calls = stub(kernel, bulletTable, file, options);
  try {
    return Number((await calls.size64()).bytes);
  } catch (error) {
    if (!isCode(error, "STD_COMBAD")) throw error;
    return (await calls.size()).bytes; // a server of the original
  }
}

/** A piece of a file, and what says that it is not looked at any more. */
interface Piece {
  readonly data: Uint8Array;
  readonly giveBack: () => void;
}

const nothing = (): void => undefined;

/**
 * The bytes of a committed file from `position` on, piece by piece: `length` of them, or to the
 * end; fewer when the file ends before. Rejects as a stub does; STD_ARGBAD for a position behind
 * the end.
 *
 * @example for await (const piece of readFile(kernel, file)) output.write(piece);
 */
export async function* readFile(
  kernel: Kernel | Transact,
  file: Capability,
  options: FileReadOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const { position = 0, length = Number.POSITIVE_INFINITY, window = readWindow, watch } = options;
  const pieceBytes = pieceOf(options);
  const call = reader(kernel, file, pieceBytes, callOptions(options));
  const isLent = options.lent === true && typeof kernel !== "function";
  const read = async (from: number, wanted: number): Promise<Piece> => {
    let giveBack = nothing;
    const lend = (back: () => void) => {
      giveBack = back;
    };
    const { data } = await call(from, wanted, isLent ? { lend } : undefined);
    return { data, giveBack };
  };
  let at = position;
  const seen = (data: Uint8Array): Uint8Array => {
    watch?.piece?.(data, at - position);
    at += data.length;
    return data;
  };
  const first = Math.min(pieceBytes, length);
  const begin = await read(at, first);
  try {
    if (begin.data.length > 0) yield seen(begin.data);
  } finally {
    begin.giveBack();
  }
  if (begin.data.length === first && length > first) {
    const end = Math.min(position + length, await fileBytes(kernel, file, callOptions(options)));
    const ahead: Promise<Piece>[] = [];
    try {
      for (let next = at; at < end; ) {
        for (; next < end && ahead.length < window; next += pieceBytes) {
          const piece = exactly(read, next, Math.min(pieceBytes, end - next));
          piece.catch(nothing); // the one before it may fail first
          ahead.push(piece);
        }
        const piece = await ahead.shift();
        if (piece === undefined) break;
        try {
          yield seen(piece.data);
        } finally {
          piece.giveBack();
        }
      }
    } finally {
      for (const piece of ahead) piece.then(({ giveBack }) => giveBack(), nothing);
    }
  }
  await watch?.end?.(at - position);
}

/** A piece of so many bytes, no fewer. */
async function exactly(
  read: (from: number, wanted: number) => Promise<Piece>,
  from: number,
  wanted: number,
): Promise<Piece> {
  const piece = await read(from, wanted);
  if (piece.data.length === wanted) return piece;
  piece.giveBack();
  return short(from, wanted);
}

/** Reads bytes at a position, by the operation that can say it. */
function reader(kernel: Kernel | Transact, file: Capability, pieceBytes: number, options: CallOptions) {
  const calls = stub(kernel, bulletTable, file, options);
  const original = pieceBytes <= BULLET_TRANSFER_BYTES;
  return (position: number, wanted: number, more?: CallOptions): Promise<{ readonly data: Uint8Array }> => {
    const how = original ? { count: wanted } : { length: wanted };
    return position < longFrom
      ? calls.read({ position, ...how }, more)
      : calls.read64({ position: BigInt(position), ...how }, more);
  };
}

function short(position: number, wanted: number): never {
  throw new ProteusError({
    code: "FILE_SHORT",
    exit: exitCodes.failed,
    message: `a file gave fewer than the ${wanted} bytes that it has from byte ${position} on`,
    why: "its server does not keep to its own size",
    hint: "check the server's medium: proteus bullet check",
  });
}

type WholeOptions = TransferOptions & { readonly bytesMax?: number };

/**
 * A whole file of moderate size in one piece of memory.
 *
 * @param bytesMax more is refused with FILE_TOO_LARGE, before it is read; default 64 MiB
 */
export function wholeFile(
  kernel: Kernel | Transact,
  file: Capability,
  { bytesMax = 64 * 1024 * 1024, ...options }: WholeOptions = {},
): Promise<Uint8Array> {
  if (options.watch !== undefined) return gathered(kernel, file, options, bytesMax);
  const pieceBytes = pieceOf(options);
  const wanted = Math.min(pieceBytes, bytesMax + 1);
  // What one call brings needs no stream, and no promises besides the call's.
  return reader(
    kernel,
    file,
    pieceBytes,
    callOptions(options),
  )(0, wanted).then(({ data }) =>
    data.length < wanted ? data : gathered(kernel, file, options, bytesMax, data),
  );
}

/** A whole file of which the beginning was read already. */
async function gathered(
  kernel: Kernel | Transact,
  file: Capability,
  options: TransferOptions,
  bytesMax: number,
  begin: Uint8Array = new Uint8Array(0),
): Promise<Uint8Array> {
  const pieces = [begin];
  let bytes = begin.length;
  if (bytes > bytesMax) throw tooLarge(bytesMax);
  const rest = { ...options, position: bytes, length: bytesMax + 1 - bytes };
  for await (const piece of readFile(kernel, file, rest)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function tooLarge(bytesMax: number): ProteusError {
  return new ProteusError({
    code: "FILE_TOO_LARGE",
    exit: exitCodes.failed,
    message: `the file is longer than ${bytesMax} bytes`,
    why: "it was to be held in memory at once",
    unchanged: "the file",
    hint: "read it as a stream, or allow more",
  });
}
