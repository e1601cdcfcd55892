// What directory servers say to each other by RPC, besides the group's own messages: where they
// stand, promises of a term, what is stored, leases.
//
// - Each listens to a port of its own, a one-way image of the servers' secret get-port and its
//   name: nobody else can find it, or pose as one.
// - Everything is short; a member that does not answer within a second is away.

import { STD_ARGBAD, STD_COMBAD, STD_OK } from "../../../core-wasm/status.js";
import { PORT_BYTES } from "../../../core-wasm/wire/formats.js";
import {
  DIRECTORY_ASK,
  DIRECTORY_LEASE,
  DIRECTORY_PROMISE,
  DIRECTORY_STORED,
} from "../../interface/directory.js";
import { Malformed, raw, record, uint32 } from "../../interface/types.js";
import { type CallOptions, trans } from "../../kernel/calls.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Service } from "../../kernel/service.js";
import { type Answer, type Asked, answering } from "../../stub/answers.js";
import { decodeAs, encodeAs, long, type Position } from "./records.js";

/** The bytes of a name, mixed: FNV-1a, over and over. */
function mix(name: string): Uint8Array {
  let hash = 0x811c9dc5;
  const bytes = new TextEncoder().encode(name);
  return Uint8Array.from({ length: PORT_BYTES }, () => {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return hash >>> 24;
  });
}

/** A get-port that follows from the servers' own, for a purpose. */
export function purposePort(kernel: Kernel, getPort: Uint8Array, purpose: string): Uint8Array {
  const mixed = mix(purpose);
  return kernel.publicPort(getPort.map((byte, index) => byte ^ (mixed[index] ?? 0)));
}

const standing = record({
  ...{ term: uint32, view: uint32, version: long },
  ...{ promised: uint32, group: uint32 },
});
const campaign = record({ ask: uint32, term: uint32, view: uint32, version: long });
const position = record({ term: uint32, view: uint32, version: long });
const lease = record({ term: uint32, view: uint32, holder: raw(8) });

/** What a member says of itself. */
export interface PeerStanding extends Position {
  readonly promised: number;
  readonly group: number;
}

/** What a member answers; a promise that is refused, or not possible now, is a status. */
export interface PeerAnswers {
  readonly standing: () => PeerStanding;
  readonly promise: (term: number, founder: Position) => Promise<number>;
  /** STD_OK and the version that is stored, or a status. */
  readonly stored: (position: Position) => Promise<{ readonly status: number; readonly version: number }>;
  readonly lease: (term: number, view: number, holder: Uint8Array) => number;
}

const requestBytesMax = 64;

/** Serves one member's port. */
export function servePeer(
  kernel: Kernel,
  getPort: Uint8Array,
  { standing: stand, promise, stored, lease: grant }: PeerAnswers,
  failed: (error: unknown) => void,
): Service {
  const respond = async ({ command, data }: Asked): Promise<Answer> => {
    try {
      switch (command) {
        case DIRECTORY_ASK:
          return { status: STD_OK, data: encodeAs(standing, stand()) };
        case DIRECTORY_PROMISE: {
          const { ask, ...founder } = decodeAs(campaign, data);
          return { status: await promise(ask, founder) };
        }
        case DIRECTORY_STORED: {
          const { status, version } = await stored(decodeAs(position, data));
          return { status, data: encodeAs(long, version) };
        }
        case DIRECTORY_LEASE: {
          const { term, view, holder } = decodeAs(lease, data);
          return { status: grant(term, view, holder) };
        }
        default:
          return { status: STD_COMBAD };
      }
    } catch (error) {
      if (error instanceof Malformed) return { status: STD_ARGBAD };
      throw error;
    }
  };
  return new Service(kernel, getPort, answering(respond, failed), { threads: 8, requestBytesMax });
}

const shortly: CallOptions = { locateTimeoutMs: 400, pollMs: 200, deadMs: 800, replyBytesMax: 64 };

/** Another member, as one calls it. What it does not answer is null. */
export class Peer {
  readonly #kernel: Kernel;
  readonly #port: Uint8Array;

  constructor(
    kernel: Kernel,
    readonly name: string,
    getPort: Uint8Array,
  ) {
    this.#kernel = kernel;
    this.#port = kernel.publicPort(getPort);
  }

  async standing(): Promise<PeerStanding | null> {
    const reply = await this.#call(DIRECTORY_ASK, new Uint8Array(0));
    return reply?.status === STD_OK ? decodeAs(standing, reply.data) : null;
  }

  async promise(ask: number, founder: Position): Promise<boolean> {
    const reply = await this.#call(DIRECTORY_PROMISE, encodeAs(campaign, { ask, ...founder }));
    return reply?.status === STD_OK;
  }

  /** The version that is stored there, at least the one asked for; null: it is not. */
  async stored(at: Position): Promise<number | null> {
    const reply = await this.#call(DIRECTORY_STORED, encodeAs(position, at));
    return reply?.status === STD_OK ? decodeAs(long, reply.data) : null;
  }

  async lease(term: number, view: number, holder: Uint8Array): Promise<boolean> {
    const reply = await this.#call(DIRECTORY_LEASE, encodeAs(lease, { term, view, holder }));
    return reply?.status === STD_OK;
  }

  async #call(command: number, data: Uint8Array) {
    try {
      const reply = await trans(this.#kernel, { port: this.#port, command }, data, shortly);
      return { status: reply.header.status, data: reply.data };
    } catch (error) {
      if (error instanceof ProteusError) return null;
      throw error;
    }
  }
}
