// Files of any length on Bullet servers, through calls of at most 1 MiB: streams in (file-writing.ts),
// streams out (here).
//
// - readFile reads ahead by a few pieces, and hands them out in order. Memory does not grow with
//   the file. Pieces are copies, or lent: then each is given back before the next is handed out.
// - Options and who watches a transfer: transfers.ts.

import type { Capability } from "../capability/capability.js";
import { BULLET_TRANSFER_BYTES, bulletTable } from "../interface/bullet.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";
import { callOptions, isCode, longFrom, pieceOf, readWindow, type TransferOptions } from "./transfers.js";

export { type CreateOptions, createFile } from "./file-writing.js";
export type { Content, TransferWatch } from "./transfers.js";

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
