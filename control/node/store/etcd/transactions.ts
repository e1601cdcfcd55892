// A batch as an etcd transaction that is done once, and whose outcome is found out when a
// member dies in the middle of it.
//
//     if    the slot is at our revision, and the conditions hold
//     then  the operations; the slot says "done" and the batch's number
//     else  if    the slot is at our revision: a condition does not hold
//           then  what the conditions' keys have; from the second attempt on the slot
//                 says "refused", so that no late attempt is executed after our answer
//           else  what the slot says: an earlier attempt was executed
//
// slots.ts says why that is once.

import { status } from "@grpc/grpc-js";
import type { CheckedBatch } from "../../../store/check.js";
import { outcomeUnknown } from "../../../store/errors.js";
import type { BatchResult } from "../../../store/store.js";
import { AttemptError, type EtcdConnection } from "./connection.js";
import { type Compare, methods, type RequestOp, type TxnRequest, type TxnResponse } from "./protocol.js";
import type { Slot, Slots } from "./slots.js";

const freshSlotsMax = 3;

/** Where etcd keeps a key of the store. */
export type KeyMap = (key: Uint8Array) => Uint8Array;

/** What an attempt came to; `lost`: the slot is not as we left it, and nothing of the batch is done by this attempt. */
type Outcome = BatchResult | "lost" | "again";

const at = (key: Uint8Array, revision: number): Compare => ({ target: 2, key, modRevision: revision });
const sayingOf = (word: "done" | "refused", slot: Slot): string => `${word} ${slot.batch}`;

export class Transactions {
  readonly #connection: EtcdConnection;
  readonly #slots: Slots;
  readonly #keyOf: KeyMap;

  constructor(connection: EtcdConnection, slots: Slots, keyOf: KeyMap) {
    this.#connection = connection;
    this.#slots = slots;
    this.#keyOf = keyOf;
  }

  /** Does the batch once. Rejects with ProteusError; only STORE_OUTCOME_UNKNOWN leaves open whether it is done. */
  async commit(batch: CheckedBatch): Promise<BatchResult> {
    for (let fresh = 1; ; fresh++) {
      const slot = await this.#slots.take();
      slot.batch++;
      let known = false;
      try {
        const outcome = await this.#commitBy(slot, batch);
        known = outcome !== null;
        if (outcome !== null) return outcome;
      } finally {
        this.#slots.giveBack(slot, known);
      }
      if (fresh === freshSlotsMax)
        throw outcomeUnknown(this.#connection.name, new Error("our keys vanish from etcd"));
      this.#slots.lost(slot.lease);
    }
  }

  /** null: the slot was taken away before the first attempt, and nothing is done. */
  async #commitBy(slot: Slot, batch: CheckedBatch): Promise<BatchResult | null> {
    let isOpen = false; // an earlier attempt may have been executed
    try {
      return await this.#connection.persist(async () => {
        try {
          const request = this.#request(slot, batch, isOpen);
          const outcome = this.#read(
            slot,
            batch,
            await this.#connection.attempt(methods.txn, request),
            isOpen,
          );
          if (outcome === "again") throw new AttemptError("unsent", status.ABORTED, "an attempt came late");
          if (outcome !== "lost") return outcome;
          if (isOpen) throw outcomeUnknown(this.#connection.name, new Error("our keys vanished from etcd"));
          return null;
        } catch (error) {
          if (error instanceof AttemptError && error.kind === "open") isOpen = true;
          throw error;
        }
      });
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      if (isOpen) throw outcomeUnknown(this.#connection.name, error);
      if (error.status === status.NOT_FOUND) return null; // the lease is gone
      throw this.#connection.explain(error);
    }
  }

  #request(slot: Slot, { conditions, operations }: CheckedBatch, isOpen: boolean): TxnRequest {
    const isOurs = at(slot.key, slot.revision);
    const say = (word: "done" | "refused"): RequestOp => ({
      requestPut: { key: slot.key, value: Buffer.from(sayingOf(word, slot)), lease: slot.lease.id },
    });
    const looks = conditions.map(
      ({ key }): RequestOp => ({
        requestRange: { key: this.#keyOf(key), keysOnly: true },
      }),
    );
    const refused: TxnRequest = {
      compare: [isOurs],
      success: isOpen ? [...looks, say("refused")] : looks,
      failure: [{ requestRange: { key: slot.key } }],
    };
    return {
      compare: [isOurs, ...conditions.map(({ key, revision }) => at(this.#keyOf(key), revision))],
      success: [
        ...operations.map((operation): RequestOp => {
          const key = this.#keyOf(operation.key);
          return operation.kind === "put"
            ? { requestPut: { key, value: operation.value } }
            : { requestDeleteRange: { key } };
        }),
        say("done"),
      ],
      failure: [{ requestTxn: refused }],
    };
  }

  #read(slot: Slot, { conditions }: CheckedBatch, response: TxnResponse, isOpen: boolean): Outcome {
    const revision = Number(response.header?.revision ?? 0);
    if (response.succeeded) {
      slot.revision = revision;
      return { committed: true, revision };
    }
    const inner = response.responses[0]?.responseTxn;
    if (inner?.succeeded === true) {
      if (isOpen) slot.revision = revision;
      const found = conditions.map((_, index) =>
        Number(inner.responses[index]?.responseRange?.kvs[0]?.modRevision ?? 0),
      );
      return { committed: false, found };
    }
    const says = inner?.responses[0]?.responseRange?.kvs[0];
    if (says === undefined) return "lost";
    slot.revision = Number(says.modRevision);
    const saying = Buffer.from(says.value).toString();
    if (saying === sayingOf("done", slot)) return { committed: true, revision: slot.revision };
    // An earlier attempt found a condition not to hold; all of them are void now.
    return saying === sayingOf("refused", slot) ? "again" : "lost";
  }
}
