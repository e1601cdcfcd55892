// A watch on etcd: one stream to one member, taken up again at another when that one dies.
//
// - Pulled: what the reader does not take is held back by the stream's own flow control.
// - It begins at the revision that was seen last, not after it: only so etcd refuses exactly
//   when changes after that one are compacted. What was seen is passed over.
// - While no member answers it tries again, for so long; then `next` rejects.

import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { type ClientDuplexStream, status } from "@grpc/grpc-js";
import { compacted, denied, unreachable } from "../../../store/errors.js";
import type { Change, Operation, Watch } from "../../../store/store.js";
import type { EtcdConnection } from "./connection.js";
import { deleteEvent, methods, type WatchRequest, type WatchResponse } from "./protocol.js";

const pauseMs = 100;
const attemptsMax = 1000;

export interface WatchedKeys {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  /** Bytes in front of each key that are not the store's. */
  readonly prefixBytes: number;
}

interface Stream {
  readonly calls: ClientDuplexStream<WatchRequest, WatchResponse>;
  readonly responses: AsyncIterator<WatchResponse>;
}

export class EtcdWatch implements Watch {
  readonly #connection: EtcdConnection;
  readonly #keys: WatchedKeys;
  readonly #patienceMs: number;
  readonly #forget: (watch: EtcdWatch) => void;
  #after: number;
  #stream: Stream | null = null;
  #ready: Change[] = [];
  #isReading = false;
  #isClosed = false;

  constructor(
    connection: EtcdConnection,
    keys: WatchedKeys,
    after: number,
    patienceMs: number,
    forget: (watch: EtcdWatch) => void,
  ) {
    this.#connection = connection;
    this.#keys = keys;
    this.#after = after;
    this.#patienceMs = patienceMs;
    this.#forget = forget;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  return(): Promise<IteratorResult<Change>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.calls.cancel();
    this.#stream = null;
    this.#forget(this);
  }

  async next(): Promise<IteratorResult<Change>> {
    if (this.#isReading) throw new Error("a watch has one next at a time");
    this.#isReading = true;
    try {
      return await this.#next();
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#isReading = false;
    }
  }

  async #next(): Promise<IteratorResult<Change>> {
    let failures = 0;
    let since = performance.now();
    while (!this.#isClosed) {
      const change = this.#ready.shift();
      if (change !== undefined) return { done: false, value: change };
      try {
        this.#take(await this.#response());
        failures = 0;
      } catch (error) {
        if (this.#isClosed) break;
        if (!(error instanceof StreamError)) throw error;
        this.#stream?.calls.cancel();
        this.#stream = null;
        if (failures++ === 0) since = performance.now();
        if (failures > attemptsMax || performance.now() - since > this.#patienceMs)
          throw unreachable(this.#connection.name, error.message, error);
        this.#connection.rotate();
        await setTimeout(pauseMs);
      }
    }
    return { done: true, value: undefined };
  }

  async #response(): Promise<WatchResponse> {
    this.#stream ??= this.#open();
    let result: IteratorResult<WatchResponse>;
    try {
      result = await this.#stream.responses.next();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      const message = error instanceof Error ? error.message : String(error);
      if (code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED)
        throw denied(this.#connection.name, message, error);
      throw new StreamError(message);
    }
    if (result.done === true) throw new StreamError("the member ended the watch");
    return result.value;
  }

  #open(): Stream {
    const calls = this.#connection.stream(methods.watch);
    const responses = calls[Symbol.asyncIterator]();
    calls.on("error", () => undefined); // `responses` tells it; without a listener it would be thrown as well
    const { key, rangeEnd } = this.#keys;
    const startRevision = Math.max(1, this.#after);
    calls.write({ createRequest: { key, rangeEnd, startRevision, progressNotify: true } });
    return { calls, responses };
  }

  #take({ header, created, canceled, compactRevision, cancelReason, events }: WatchResponse): void {
    if (Number(compactRevision) > 0) throw compacted(this.#after, Number(compactRevision));
    if (canceled) {
      if (cancelReason.includes("permission denied")) throw denied(this.#connection.name, cancelReason);
      throw new StreamError(cancelReason === "" ? "the member ended the watch" : cancelReason);
    }
    let [revision, operations]: [number, Operation[]] = [0, []];
    for (const { type, kv } of events) {
      const itsRevision = Number(kv.modRevision);
      if (itsRevision <= this.#after) continue;
      if (itsRevision !== revision) {
        [revision, operations] = [itsRevision, []];
        this.#ready.push({ revision, operations });
      }
      const key = Uint8Array.from(kv.key.subarray(this.#keys.prefixBytes));
      operations.push(
        type === deleteEvent
          ? { kind: "delete", key }
          : { kind: "put", key, value: Uint8Array.from(kv.value) },
      );
    }
    // A word without events says that there were none up to here.
    if (revision > 0) this.#after = revision;
    else if (!created && events.length === 0) this.#after = Math.max(this.#after, Number(header.revision));
  }
}

/** The stream broke; the next one may do. */
class StreamError extends Error {
  override readonly name = "StreamError";
}
