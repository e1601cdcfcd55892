// The server loop of every server that has a table: takes a request apart, verifies the
// capability, calls the handler, puts the reply together.
//
// - A handler gets the arguments of its operation and answers its reply, at once or by a
//   promise; it says no with refuse(status). What else it throws is a bug: STD_SYSERR, and
//   `failed` hears of it. So does it of a status that the table does not list.
// - Bytes in arguments are views of the request's buffer: they count until the handler's answer.
// - In this order: operation (STD_COMBAD), capability (STD_CAPBAD; STD_NOTNOW after too many that
//   were not genuine: admission.ts), rights (STD_DENIED), what it is done to (STD_COMBAD),
//   arguments (STD_ARGBAD).
// - The standard operations are answered by standard.ts, for all servers alike.

import * as statuses from "../../core-wasm/status.js";
import type { Capability } from "../capability/capability.js";
import type { GuessRates } from "../capability/guesses.js";
import { claims } from "../capability/private-part.js";
import { type CapabilityScheme, keyedScheme, originalScheme } from "../capability/scheme.js";
import {
  commonErrors,
  type Given,
  type Operation,
  type Operations,
  type Taken,
} from "../interface/operation.js";
import { allOperations, rightsMask, type ServerTable } from "../interface/table.js";
import { Malformed } from "../interface/types.js";
import { readHeader, writeHeader } from "../kernel/calls.js";
import { statusName } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { type GiveReply, type Request, Service } from "../kernel/service.js";
import { Admission, ownSource } from "./admission.js";
import { measure, put, take } from "./messages.js";
import type { ObjectTable } from "./objects.js";
import { Refused } from "./refused.js";
import { type StandardBehaviour, standardHandlers } from "./standard.js";

/** What a handler knows of a request besides its arguments. */
export interface Asked<Value> {
  /** The object's number; 0 is the server itself. */
  readonly object: number;
  /** The object; undefined for the server itself. */
  readonly value: Value;
  /** Rights that the capability gives, as bits. */
  readonly rights: number;
  /** The capability's private part. */
  readonly private: Uint8Array;
  /** FLIP address of the caller's kernel, until the handler has answered. */
  readonly source: bigint;
}

type ValueFor<O, Value> = O extends { readonly subject: "object" }
  ? Value
  : O extends { readonly subject: "server" }
    ? undefined
    : Value | undefined;
/** What a handler gets and gives: arguments that have a default are always there. */
type Arguments<O> = O extends Operation<infer A> ? Taken<A> : never;
type ReplyValues<O> = O extends Operation<infer _, infer R> ? Given<R> : never;
/** One function for each operation of a table. */
export type Handlers<Ops extends Operations, Value> = {
  readonly [Name in keyof Ops]: (
    asked: Asked<ValueFor<Ops[Name], Value>>,
    given: Arguments<Ops[Name]>,
  ) => ReplyValues<Ops[Name]> | Promise<ReplyValues<Ops[Name]>>;
};

export interface ServerOptions<Ops extends Operations, Value> extends StandardBehaviour<Value> {
  readonly kernel: Kernel;
  readonly table: ServerTable<Ops>;
  /** Its secret; clients call the one-way image. */
  readonly getPort: Uint8Array;
  readonly objects: ObjectTable<Value>;
  readonly handlers: Handlers<Ops, Value>;
  /** 32 secret bytes: the keyed scheme with them. */
  readonly key?: Uint8Array | undefined;
  /** How its capabilities are made; default: the keyed scheme with a key, the original's without. */
  readonly scheme?: CapabilityScheme;
  /** Milliseconds that never go back; default: the kernel's clock. */
  readonly now?: () => number;
  /** How many capabilities that are not genuine are looked at. */
  readonly guessRates?: GuessRates;
  /** Requests served at the same time; default 4. */
  readonly threads?: number;
  /**
   * What has to be over before anybody may hear that a capability is not good: else one is told of
   * an object's end that may not have happened. Rejects with Refused. Default: nothing.
   */
  readonly certain?: () => undefined | Promise<void>;
  /** Told of what should not happen. */
  readonly failed: (error: unknown) => void;
}

type Values = Readonly<Record<string, unknown>>;
type AnyHandler = (asked: Asked<unknown>, given: Values) => unknown;
interface Known {
  readonly name: string;
  readonly operation: Operation;
  readonly mask: number;
  readonly handler: AnyHandler;
  /** The reply may be written where the request lies: one value at most is a view of it. */
  readonly direct: boolean;
}

/** A request that was admitted. Who asks is looked up when it matters: for few operations it does. */
class Admitted implements Asked<unknown> {
  readonly private: Uint8Array;
  readonly #request: Request;

  constructor(
    readonly object: number,
    readonly value: unknown,
    readonly rights: number,
    part: Uint8Array,
    request: Request,
  ) {
    this.private = part;
    this.#request = request;
  }

  get source(): bigint {
    return this.#request.source;
  }
}

const commonStatuses = new Set(Object.keys(commonErrors));

/** The scheme of a server that names none. */
function schemeFor<Ops extends Operations, Value>(options: ServerOptions<Ops, Value>): CapabilityScheme {
  const { kernel, key, objects, table } = options;
  if (key !== undefined) return keyedScheme(kernel.privates, key, (object) => objects.generation(object));
  if (objects.secret === undefined) throw new Error(`${table.name}: its objects need a key or a scheme`);
  return originalScheme(kernel.privates, (object) => objects.secret?.(object));
}

export class Server<Ops extends Operations, Value> {
  readonly #scheme: CapabilityScheme;
  readonly #admission: Admission;
  readonly #objects: ObjectTable<Value>;
  readonly #known = new Map<number, Known>();
  readonly #service: Service;
  readonly #certain: () => undefined | Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #replyBytesMax: number;
  readonly #name: string;

  /** Begins to serve. Throws ProteusError when the port or thread table or the memory is full. */
  constructor(options: ServerOptions<Ops, Value>) {
    const { kernel, table, objects } = options;
    this.#objects = objects;
    this.#certain = options.certain ?? (() => undefined);
    this.#failed = options.failed;
    this.#name = table.name;
    this.#replyBytesMax = table.replyBytesMax;
    this.#scheme = options.scheme ?? schemeFor(options);
    const now = options.now ?? (() => kernel.turnedAt / 1000);
    this.#admission = new Admission(this.#scheme, now, options.guessRates);
    const { rights } = table.standard.touch;
    const touchMask = rights === "anyone" ? 0 : rightsMask(table, rights);
    const standard = standardHandlers({
      ...{ objects, touchMask, behaviour: options, scheme: this.#scheme, admission: this.#admission },
      own: this.#own,
    });
    const handlers = { ...standard, ...options.handlers } as unknown as Readonly<Record<string, AnyHandler>>;
    for (const [name, operation] of allOperations(table)) {
      const mask = operation.rights === "anyone" ? 0 : rightsMask(table, operation.rights);
      const handler = handlers[name];
      if (handler === undefined) throw new Error(`${table.name} has no handler for ${name}`);
      const buffered = Object.values(operation.reply).filter(({ place }) => place === "buffer");
      this.#known.set(operation.number, { name, operation, mask, handler, direct: buffered.length <= 1 });
    }
    this.#service = new Service(kernel, options.getPort, (request, reply) => this.#serve(request, reply), {
      threads: options.threads ?? 4,
      requestBytesMax: Math.max(table.requestBytesMax, table.replyBytesMax),
    });
  }

  get putPort(): Uint8Array {
    return this.#service.putPort;
  }

  readonly #own = (part: Uint8Array): Capability => ({ port: this.#service.putPort, private: part });

  /** A capability of this server: of the server itself unless an object is named. */
  capability(object = 0, rights = 0xff): Capability {
    const part = this.#scheme.make(object, rights);
    if (typeof part === "number") throw new Error(`${this.#name} has no object ${object}`);
    return this.#own(part);
  }

  /**
   * The object that a capability of this server names, when it has these rights; else Refused.
   *
   * @param source who gave it, when it came with a request
   */
  open(
    capability: Capability,
    mask: number,
    source = ownSource,
  ): { readonly object: number; readonly value: Value } {
    if (!capability.port.every((byte, index) => byte === this.putPort[index]))
      throw new Refused(statuses.STD_CAPBAD);
    const rights = this.#admission.rights(capability.private, { source });
    if (rights < 0) throw new Refused(rights);
    if ((rights & mask) !== mask) throw new Refused(statuses.STD_DENIED);
    const { object } = claims(capability.private);
    const value = this.#objects.get(object);
    if (value === undefined) throw new Refused(statuses.STD_COMBAD);
    return { object, value };
  }

  // Nothing here makes a promise or a function for an answer that comes at once: this is the path
  // of every call.
  #serve(request: Request, reply: GiveReply): void {
    const { kernel, header: at, data, length } = request;
    const header = readHeader(kernel, at);
    const known = this.#known.get(header.command);
    if (known === undefined) {
      writeHeader(kernel, at, { status: statuses.STD_COMBAD });
      reply(0);
      return;
    }
    try {
      const asked = this.#admit(known, header.private, request);
      const bytes = kernel.bytes.subarray(data, data + length);
      const given = take(known.operation.arguments, header, bytes, this.#service.putPort);
      const result = known.handler(asked, given);
      if (result instanceof Promise) this.#answerLater(result, known, request, reply);
      else this.#answer(result as Values, known, request, reply);
    } catch (error) {
      this.#refuse(error, known, request, reply);
    }
  }

  #answerLater(result: Promise<unknown>, known: Known, request: Request, reply: GiveReply): void {
    const refuse = (error: unknown) => this.#refuse(error, known, request, reply);
    result.then((values) => {
      try {
        this.#answer(values as Values, known, request, reply);
      } catch (error) {
        refuse(error);
      }
    }, refuse);
  }

  #refuse(error: unknown, known: Known, request: Request, reply: GiveReply): void {
    const isBad = error instanceof Refused && error.status === statuses.STD_CAPBAD;
    const certain = isBad ? this.#certain() : undefined;
    const give = (refused: unknown) => this.#giveStatus(refused, known, request, reply);
    if (certain === undefined) give(error);
    else certain.then(() => give(error), give);
  }

  #giveStatus(error: unknown, known: Known, { kernel, header }: Request, reply: GiveReply): void {
    const extra = error instanceof Refused ? error.extra : 0;
    writeHeader(kernel, header, { status: this.#statusOf(known, error), extra });
    reply(0);
  }

  /** Who asks for what, when the capability allows it; else Refused. */
  #admit({ operation, mask }: Known, privatePart: Uint8Array, request: Request): Asked<unknown> {
    const bare = operation.rights === "anyone" && privatePart.every((byte) => byte === 0);
    const rights = bare ? 0 : this.#admission.rights(privatePart, request);
    if (rights < 0) throw new Refused(rights);
    if ((rights & mask) !== mask) throw new Refused(statuses.STD_DENIED);
    const { object } = claims(privatePart);
    const { subject } = operation;
    if (subject !== "either" && (object === 0) !== (subject === "server"))
      throw new Refused(statuses.STD_COMBAD);
    return new Admitted(object, this.#objects.get(object), rights, privatePart, request);
  }

  #answer(values: Values, { operation, direct }: Known, request: Request, reply: GiveReply): void {
    const { kernel, header, data, capacity } = request;
    const fields = operation.reply;
    const size = measure(fields, values);
    if (size > Math.min(capacity, this.#replyBytesMax)) throw new Refused(statuses.STD_OVERFLOW);
    const room = kernel.bytes.subarray(data, data + size);
    const buffer = direct ? room : new Uint8Array(size);
    const inHeader = put(fields, values, buffer);
    if (!direct) room.set(buffer);
    writeHeader(kernel, header, inHeader);
    reply(size);
  }

  #statusOf({ name, operation }: Known, error: unknown): number {
    if (error instanceof Malformed) return statuses.STD_ARGBAD;
    if (!(error instanceof Refused)) {
      this.#failed(error);
      return statuses.STD_SYSERR;
    }
    const { status } = error;
    const code = statusName(status) ?? String(status);
    if (code in operation.errors || commonStatuses.has(code)) return status;
    this.#failed(new Error(`${this.#name} ${name} refuses with ${code}, which its table does not list`));
    return statuses.STD_SYSERR;
  }

  /** Stops serving; requests being served are given up. */
  close(): void {
    this.#service.close();
  }
}
