// New files on Bullet servers, of any length, through calls of at most 1 MiB.
//
// - One call for what fits into one. Longer content goes in pieces, a few of them under way at a
//   time; the last is sent when all others are there, with the flags. When it fails, or `content`
//   does, what was sent is destroyed: no file is made.
// - Pieces of one file are calls of their own: one overtakes another when frames are lost, or no
//   thread of the server was free for it. A server holds it back for a moment; one that refuses
//   its position gets it once more when its forerunner has arrived.

import type { Capability } from "../capability/capability.js";
import { BULLET_COMMIT, BULLET_SAFETY, bulletTable } from "../interface/bullet.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";
import {
  type Content,
  callOptions,
  isCode,
  longFrom,
  pieceOf,
  type TransferOptions,
  writeWindow,
} from "./transfers.js";

export interface CreateOptions extends TransferOptions {
  /** The answer comes when it is on the medium; default true. */
  readonly durable?: boolean;
  /** Default true; otherwise the capability is of a file that can still be changed. */
  readonly commit?: boolean;
}

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
