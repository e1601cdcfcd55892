// The client stub of every server that has a table: one method an operation, typed by it.
//
// - stub(kernel, table, capability).read({ position: 0, count: 100 }) resolves with the reply's
//   values and rejects with ProteusError: a status of the server in the words of its table,
//   RPC_* when the call itself failed, ARGUMENT_INVALID for a value that does not fit (nothing
//   was sent), ANSWER_WRONG for a reply that is not what the table says.
// - For calls at a human pace and for bulk; the performance test has a client of its own
//   without promises (echo.ts).

import type { Capability } from "../capability/capability.js";
import {
  commonErrors,
  type Given,
  type Operation,
  type Operations,
  type StatusName,
  type Taken,
} from "../interface/operation.js";
import type { StandardOperations } from "../interface/standard.js";
import { allOperations, type ServerTable } from "../interface/table.js";
import { Malformed, Unfit } from "../interface/types.js";
import { type CallOptions, type Reply, type Transact, transTo } from "../kernel/calls.js";
import { exitCodes, ProteusError, statusError, statusName } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { hasData, measure, put, take } from "./messages.js";

type Values = Readonly<Record<string, unknown>>;
type ArgumentsOf<O> = O extends Operation<infer A> ? Given<A> : never;
type ReplyOf<O> = O extends Operation<infer _, infer R> ? Taken<R> : never;

/** How an operation is called: with nothing where nothing must be given. */
export type Method<O> =
  Partial<ArgumentsOf<O>> extends ArgumentsOf<O>
    ? (given?: ArgumentsOf<O>, options?: CallOptions) => Promise<ReplyOf<O>>
    : (given: ArgumentsOf<O>, options?: CallOptions) => Promise<ReplyOf<O>>;

/** One method for each operation of a server, the standard ones too. */
export type Stub<Ops extends Operations> = {
  readonly [Name in keyof Ops | keyof StandardOperations]: Method<
    Name extends keyof Ops
      ? Ops[Name]
      : Name extends keyof StandardOperations
        ? StandardOperations[Name]
        : never
  >;
};

/**
 * The client of an object: its methods call the server of `capability`.
 *
 * @param options for every call; a method's own options come on top
 * @example const { data } = await stub(kernel, randomTable, portOnly(port)).get({ count: 8 });
 */
export function stub<Ops extends Operations>(
  via: Kernel | Transact,
  table: ServerTable<Ops>,
  capability: Capability,
  options: CallOptions = {},
): Stub<Ops> {
  const Calls = classOf(table);
  return new Calls(via, capability, options) as unknown as Stub<Ops>;
}

/** What a stub knows; each table has a class of its own, with a method for each operation. */
class Called {
  readonly #via: Kernel | Transact;
  readonly #capability: Capability;
  readonly #options: CallOptions;
  /** The same for operations without data in their reply, and for those with some. */
  #without: CallOptions | null = null;
  #with: CallOptions | null = null;

  constructor(via: Kernel | Transact, capability: Capability, options: CallOptions) {
    this.#via = via;
    this.#capability = capability;
    this.#options = options;
  }

  /** The method of an operation: made when it is asked for, and not all of them for each stub. */
  static method(
    stub: Called,
    table: ServerTable,
    name: string,
    operation: Operation,
  ): (...given: Values[]) => Promise<Values> {
    const target = { name, operation, capability: stub.#capability };
    const via = stub.#via;
    return (given = {}, more) => {
      const options = more
        ? roomFor(operation, table, { ...stub.#options, ...more })
        : stub.#room(operation, table);
      return call(via, table, target, given, options);
    };
  }

  #room(operation: Operation, table: ServerTable): CallOptions {
    if (hasData(operation.reply)) {
      this.#with ??= roomFor(operation, table, this.#options);
      return this.#with;
    }
    this.#without ??= roomFor(operation, table, this.#options);
    return this.#without;
  }
}

/** Options with the room that the reply takes. */
const roomFor = ({ reply }: Operation, { replyBytesMax }: ServerTable, options: CallOptions): CallOptions =>
  options.replyBytesMax === undefined
    ? { ...options, replyBytesMax: hasData(reply) ? replyBytesMax : 0 }
    : options;

const classes = new WeakMap<ServerTable, typeof Called>();

function classOf(table: ServerTable): typeof Called {
  const known = classes.get(table);
  if (known !== undefined) return known;
  const made = class extends Called {};
  for (const [name, operation] of allOperations(table))
    Object.defineProperty(made.prototype, name, {
      get(this: Called) {
        return Called.method(this, table, name, operation);
      },
    });
  classes.set(table, made);
  return made;
}

/** Calls an operation by its name, with values that nobody has typed: for the command line. */
export function callOperation(
  via: Kernel | Transact,
  table: ServerTable,
  name: string,
  capability: Capability,
  given: Values,
  options: CallOptions = {},
): Promise<Values> {
  const operation = allOperations(table).get(name);
  if (operation === undefined) throw new Error(`${table.name} has no operation ${name}`);
  return call(via, table, { name, operation, capability }, given, roomFor(operation, table, options));
}

/** What is called: an operation of an object. */
interface Target {
  readonly name: string;
  readonly operation: Operation;
  readonly capability: Capability;
}

// No promise behind the call's own: each would cost the kernel's loop a turn.
function call(
  via: Kernel | Transact,
  table: ServerTable,
  target: Target,
  given: Values,
  options: CallOptions,
): Promise<Values> {
  const { operation, capability } = target;
  const taken = ({ header, data }: Reply): Values => {
    if (header.status < 0) throw refusal(operation, header.status, whatIs(table, target));
    try {
      return take(operation.reply, header, data, capability.port);
    } catch (error) {
      throw error instanceof Malformed ? wrongAnswer(error, table, target) : error;
    }
  };
  try {
    const bytes = new Uint8Array(measure(operation.arguments, given));
    const { offset = 0, size = 0, extra = 0 } = put(operation.arguments, given, bytes);
    const { port, private: part } = capability;
    const header = { port, private: part, command: operation.number, status: 0, offset, size, extra };
    return typeof via === "function"
      ? via(header, bytes, options).then(taken)
      : transTo(via, header, bytes, options, taken);
  } catch (error) {
    return Promise.reject(error instanceof Unfit ? unfit(error, whatIs(table, target)) : error);
  }
}

const whatIs = (table: ServerTable, { name }: Target): string => `${table.name} ${name}`;

function wrongAnswer(cause: Malformed, table: ServerTable, target: Target): ProteusError {
  return new ProteusError({
    code: "ANSWER_WRONG",
    exit: exitCodes.failed,
    message: `${whatIs(table, target)} got an answer that cannot be read`,
    why: cause.message,
    unchanged: "the server has executed it",
    hint: `check that the port belongs to a ${table.name} server of this version`,
    cause,
  });
}

function unfit(cause: Unfit, what: string): ProteusError {
  return new ProteusError({
    code: "ARGUMENT_INVALID",
    exit: exitCodes.usage,
    message: `${what} cannot be called with this`,
    why: cause.message,
    unchanged: "nothing was sent",
    hint: `proteus ${what} --help shows its arguments`,
    cause,
  });
}

/** A server's refusal, in the words of its table. */
function refusal(operation: Operation, status: number, what: string): ProteusError {
  const error = statusError(status, what);
  const own = operation.errors[error.code as StatusName];
  const common = (commonErrors as Readonly<Record<string, string>>)[error.code];
  // Two reasons for one status: an operation's own, and what every operation may answer.
  const words = [own, common].filter((each) => each !== undefined);
  const why = statusName(status) === undefined || words.length === 0 ? undefined : words.join("; or ");
  if (why === undefined) return error;
  const { code, exit, message, unchanged, hint } = error;
  return new ProteusError({ code, exit, message, why, unchanged, hint });
}
