// Copies of files on Bullet servers: what became of one, how one is made, how one is mended.
//
// - A Bullet server reads its own medium (VERIFY), copies from another one (COPY), and heals: a
//   content that it found corrupt gets new blocks, for all files that have it, when the same is
//   written there once more. So a copy is mended under its own capability, wherever else that stands.
// - A server that does not answer is not asked again in the same round; since when it has been
//   away is kept from round to round.

import type { Capability } from "../../capability/capability.js";
import { BULLET_READ_ALL, bulletTable } from "../../interface/bullet.js";
import { toHex } from "../../kernel/bytes.js";
import type { CallOptions } from "../../kernel/calls.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { stub } from "../../stub/client.js";
import type { Finding, Found } from "./plan.js";

export interface CopiesOptions {
  readonly kernel: Kernel;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** A server that has been away for longer does not count any more. */
  readonly graceMs: number;
  readonly call?: CallOptions;
}

/** The server may answer another time. */
const away = new Set(["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "STD_NOTNOW", "STD_NOMEDIUM"]);
const callDefaults: CallOptions = { locateTimeoutMs: 1000, pollMs: 250, deadMs: 2000 };
const smallReply = 256;

export const codeOf = (error: unknown): string => (error instanceof ProteusError ? error.code : "");
const whyOf = (error: unknown): string =>
  error instanceof ProteusError ? (error.why ?? error.message) : String(error);
export const portOf = ({ port }: Capability): string => toHex(port);

export class Copies {
  readonly #options: CopiesOptions;
  readonly #call: CallOptions;
  /** Since when servers have been away, by port. */
  readonly #since = new Map<string, number>();
  /** Those that did not answer in this round, and why. */
  readonly #silent = new Map<string, string>();
  #servers: readonly Capability[] = [];

  constructor(options: CopiesOptions) {
    this.#options = options;
    this.#call = { ...callDefaults, ...options.call, replyBytesMax: smallReply };
  }

  /** A new round with these servers; asks which of them answer. */
  async begin(servers: readonly Capability[]): Promise<void> {
    this.#silent.clear();
    this.#servers = servers;
    await Promise.all(
      servers.map((server) => this.#asking(server, () => this.#calls(server).info({ most: 32 }))),
    );
  }

  /** Servers that answer. */
  get servers(): readonly Capability[] {
    return this.#servers.filter((server) => !this.#silent.has(portOf(server)));
  }

  /** What became of a copy. @param read all of it is read from its medium */
  async find(capability: Capability, read: boolean): Promise<Finding> {
    const port = portOf(capability);
    const silent = this.#silent.get(port);
    if (silent !== undefined) return { kind: "away", why: silent, lost: this.#isLost(port) };
    const asked = await this.#asking(capability, () =>
      this.#calls(capability).verify({ flags: read ? BULLET_READ_ALL : 0 }),
    );
    if ("reply" in asked) {
      const { good, bytes, hash } = asked.reply;
      return { kind: good ? "good" : "rotten", hash: toHex(hash), bytes: Number(bytes) };
    }
    const { error } = asked;
    const why = whyOf(error);
    const code = codeOf(error);
    if (code === "STD_CAPBAD") return { kind: "gone", why: "its server has no such file any more" };
    if (code === "STD_COMBAD" || code === "ANSWER_WRONG") return { kind: "foreign" };
    if (away.has(code)) return { kind: "away", why, lost: this.#isLost(port) };
    return { kind: "closed", why };
  }

  /** Makes a copy of a file on a server. Rejects as COPY does; STD_SYSERR when it is not the same. */
  async copy(server: Capability, { capability, finding }: Found): Promise<Capability> {
    const { copy } = await this.#calls(server).copy({ source: capability });
    const made = await this.find(copy, false);
    if (made.kind === "good" && "hash" in finding && made.hash === finding.hash) return copy;
    await this.destroy(copy);
    throw new ProteusError({
      code: "REPLICATION_COPY",
      exit: exitCodes.failed,
      message: "a copy that was just made is not the file",
      why: `it is ${made.kind}, and it was to have the content of the good one`,
      unchanged: "the file and its other copies",
      hint: "look at that server's medium: proteus bullet check",
    });
  }

  /** Mends a rotten copy from a good one; answers whether it is good now. */
  async mend(rotten: Found, good: Found): Promise<boolean> {
    const server = this.servers.find((each) => portOf(each) === portOf(rotten.capability));
    if (server === undefined) return false;
    await this.destroy(await this.copy(server, good));
    return (await this.find(rotten.capability, true)).kind === "good";
  }

  /** Takes a file away that this server has made. */
  async destroy(file: Capability): Promise<void> {
    // One that stays has no name: ageing takes it.
    await this.#asking(file, () => this.#calls(file).destroy());
  }

  #calls(capability: Capability) {
    return stub(this.#options.kernel, bulletTable, capability, this.#call);
  }

  async #asking<Reply>(
    capability: Capability,
    ask: () => Promise<Reply>,
  ): Promise<{ readonly reply: Reply } | { readonly error: unknown }> {
    const port = portOf(capability);
    try {
      const reply = await ask();
      this.#since.delete(port);
      return { reply };
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      if (!away.has(error.code)) this.#since.delete(port);
      else {
        if (!this.#since.has(port)) this.#since.set(port, this.#options.now());
        if (error.code.startsWith("RPC_")) this.#silent.set(port, whyOf(error));
      }
      return { error };
    }
  }

  #isLost(port: string): boolean {
    const since = this.#since.get(port);
    return since !== undefined && this.#options.now() - since >= this.#options.graceMs;
  }
}
