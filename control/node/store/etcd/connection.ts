// Calls to the members of an etcd cluster: one after the other until one answers, bounded in time.
//
// - A call is an attempt at one member; `attempt` says of a failure whether the member refused,
//   was never reached, or may have done it. Repeating is left to those who know when it is safe.
// - Members are told to refuse what they could only serve without a leader.

import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { ProteusError } from "../../../kernel/errors.js";
import { badArgument, denied, failed, full, tooLarge, unreachable } from "../../../store/errors.js";

/** PEM texts; without them the connection is neither encrypted nor authenticated. */
export interface EtcdTls {
  readonly authority: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface ConnectionOptions {
  /** HOST:PORT of the members. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** How long a call may take with all its attempts, milliseconds. */
  readonly patienceMs: number;
}

const attemptMs = 2000;
const attemptsMax = 200;
const pauseMs = 50;
const keepaliveMs = 10_000; // etcd refuses less than 5 s

/** An attempt that did not work out. */
export class AttemptError extends Error {
  override readonly name = "AttemptError";

  constructor(
    /** refused: certainly not done, and would be refused again. unsent: certainly not done. open: it may be done. */
    readonly kind: "refused" | "unsent" | "open",
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const refusing = new Set<number>([
  ...[status.INVALID_ARGUMENT, status.NOT_FOUND, status.PERMISSION_DENIED, status.UNAUTHENTICATED],
  ...[status.OUT_OF_RANGE, status.UNIMPLEMENTED, status.FAILED_PRECONDITION],
]);

function attemptError({ code, details }: ServiceError): AttemptError {
  const isBusy = code === status.RESOURCE_EXHAUSTED && details.includes("too many requests");
  const isRefused = refusing.has(code) || (code === status.RESOURCE_EXHAUSTED && !isBusy);
  const isUnsent = isBusy || details.startsWith("No connection established");
  return new AttemptError(isRefused ? "refused" : isUnsent ? "unsent" : "open", code, details);
}

export class EtcdConnection {
  readonly name: string;
  readonly #clients: readonly Client[];
  readonly #metadata = new Metadata();
  readonly #patienceMs: number;
  #current = 0;

  constructor({ endpoints, tls, patienceMs }: ConnectionOptions) {
    if (endpoints.length === 0)
      throw badArgument("no member of the etcd cluster was named", "name one at least");
    this.name = endpoints.join(", ");
    this.#patienceMs = patienceMs;
    const bytes = (text: string | undefined): Buffer | null =>
      text === undefined ? null : Buffer.from(text);
    const channel =
      tls === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(bytes(tls.authority), bytes(tls.key), bytes(tls.certificate));
    this.#clients = endpoints.map(
      (endpoint) =>
        new Client(endpoint, channel, {
          "grpc.initial_reconnect_backoff_ms": 100,
          "grpc.max_reconnect_backoff_ms": 2000,
          "grpc.keepalive_time_ms": keepaliveMs,
          "grpc.keepalive_timeout_ms": keepaliveMs / 2,
          "grpc.max_receive_message_length": -1, // a range may have rangeLimitMax large values
        }),
    );
    this.#metadata.set("hasleader", "true");
  }

  #client(): Client {
    const client = this.#clients[this.#current];
    if (client === undefined) throw new Error("no such member");
    return client;
  }

  /** The next attempt goes to another member. */
  rotate(): void {
    this.#current = (this.#current + 1) % this.#clients.length;
  }

  /** One attempt at the present member. Rejects with AttemptError. */
  attempt<Request, Response>(
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
    request: Request,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client().makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata,
        { deadline: Date.now() + attemptMs },
        (error, response) => {
          if (error !== null) reject(attemptError(error));
          else if (response === undefined) reject(new AttemptError("open", status.UNKNOWN, "no response"));
          else resolve(response);
        },
      );
    });
  }

  /** A stream to the present member. */
  stream<Request, Response>({
    path,
    requestSerialize,
    responseDeserialize,
  }: MethodDefinition<Request, Response>): ClientDuplexStream<Request, Response> {
    return this.#client().makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata);
  }

  /**
   * Repeats `attempt` at member after member until it returns, throws something else than an
   * AttemptError, or is refused; then, or when time is up, rejects with the last AttemptError.
   */
  async persist<Result>(attempt: (number: number) => Promise<Result>): Promise<Result> {
    const end = performance.now() + this.#patienceMs;
    for (let number = 1; ; number++) {
      try {
        return await attempt(number);
      } catch (error) {
        if (!(error instanceof AttemptError) || error.kind === "refused") throw error;
        if (number === attemptsMax || performance.now() + pauseMs > end) throw error;
        this.rotate();
        await setTimeout(pauseMs);
      }
    }
  }

  /** A call that may be repeated: it changes nothing, or the second time does nothing more. */
  async call<Request, Response>(
    definition: MethodDefinition<Request, Response>,
    request: Request,
  ): Promise<Response> {
    try {
      return await this.persist(() => this.attempt(definition, request));
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** The words for people, of a failure after which certainly nothing has changed. */
  explain(error: unknown): ProteusError | Error {
    if (!(error instanceof AttemptError)) return error instanceof Error ? error : new Error(String(error));
    const { name } = this;
    const { message } = error;
    if (error.kind !== "refused") return unreachable(name, message, error);
    switch (error.status) {
      case status.PERMISSION_DENIED:
      case status.UNAUTHENTICATED:
        return denied(name, message, error);
      case status.RESOURCE_EXHAUSTED:
        return message.includes("space") ? full(name, error) : tooLarge(message);
      case status.INVALID_ARGUMENT:
        return message.includes("too large") ? tooLarge(message) : badArgument(message);
      default:
        return failed(name, error);
    }
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
