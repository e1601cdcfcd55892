// Snapshots between members: kept for a joiner by those that were there, fetched by the joiner.
//
// - The snapshot belongs to the join message itself: every keeper takes it when it has
//   applied all before the join, so its seqno is definite and all keepers' are equal.
// - The joiner names itself by the 8 bytes that were in the header of its join. A member of
//   another part of a broken group never saw that join, and answers STD_NOTNOW.
// - Few are kept (`keptMax`); a joiner that finds none in time joins anew.

import { memberPort } from "../interface/group.js";
import { toHex } from "../kernel/bytes.js";
import type { CallOptions } from "../kernel/calls.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { snapshotDone, snapshotPiece } from "../stub/group.js";
import { sessionBytes } from "./sessions.js";
import { type After, pause } from "./timer.js";
import { membersOf } from "./view.js";

const keptMax = 8;
/** Members that keep the snapshot of a joiner: the lowest ids that were there before it. */
const keepers = 2;

/** True when the member of this id keeps the snapshot for a joiner; `view` includes the joiner. */
export function isKeeper(view: bigint, joiner: number, id: number): boolean {
  return membersOf(view)
    .filter((member) => member !== joiner)
    .slice(0, keepers)
    .includes(id);
}

/** The snapshots that a member keeps for joiners. */
export class KeptSnapshots {
  readonly #kept = new Map<string, Uint8Array>();

  keep(joiner: Uint8Array, snapshot: Uint8Array): void {
    this.#kept.set(toHex(joiner.subarray(0, sessionBytes)), snapshot);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > keptMax && !oldest.done) this.#kept.delete(oldest.value);
  }

  get(joiner: Uint8Array): Uint8Array | undefined {
    return this.#kept.get(toHex(joiner.subarray(0, sessionBytes)));
  }

  drop(joiner: Uint8Array): void {
    this.#kept.delete(toHex(joiner.subarray(0, sessionBytes)));
  }
}

export interface FetchOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly port: Uint8Array;
  readonly joiner: Uint8Array;
  /** Whom to ask, in this order. */
  readonly members: readonly number[];
  /** False: nobody wants it any more. */
  readonly wanted: () => boolean;
}

const rounds = 40;
const roundPauseMs = 50;
const callOptions: CallOptions = { locateTimeoutMs: 250, deadMs: 1000, pollMs: 250 };

/** Fetches the snapshot that belongs to our join. Rejects with ProteusError when no member gives it in time. */
export async function fetchSnapshot(options: FetchOptions): Promise<Uint8Array> {
  const { kernel, after, port, members, wanted } = options;
  let last: unknown;
  for (let round = 0; round < rounds && wanted(); round++) {
    for (const member of members) {
      if (!wanted()) break;
      try {
        return await fetchFrom(options, memberPort(kernel, port, member));
      } catch (error) {
        if (!(error instanceof ProteusError)) throw error;
        last = error;
      }
    }
    await pause(after, roundPauseMs);
  }
  throw new ProteusError({
    code: "SNAPSHOT_MISSING",
    exit: exitCodes.unreachable,
    message: "no member of the group gives its state to this one",
    why: last instanceof ProteusError ? (last.why ?? last.message) : "the membership ended meanwhile",
    unchanged: "nothing was sent or delivered",
    hint: "join again",
    cause: last,
  });
}

async function fetchFrom({ kernel, joiner }: FetchOptions, getPort: Uint8Array): Promise<Uint8Array> {
  let { piece, length } = await snapshotPiece(kernel, getPort, joiner, 0, callOptions);
  const whole = new Uint8Array(length);
  for (let at = 0; ; ) {
    whole.set(piece.subarray(0, length - at), at);
    at += piece.length;
    if (at >= length) break;
    if (piece.length === 0) throw new Error("a member sends a snapshot in empty pieces");
    ({ piece } = await snapshotPiece(kernel, getPort, joiner, at, callOptions));
  }
  snapshotDone(kernel, getPort, joiner, callOptions).catch(() => undefined); // it forgets in time anyway
  return whole;
}
