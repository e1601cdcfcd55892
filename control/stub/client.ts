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
import { type CallOptions, type Transact, trans } from "../kernel/calls.js";
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

  constructor(via: Kernel | Transact, capability: Capability, options: CallOptions) {
    this.#via = via;
    this.#capability = capability;
    this.#options = options;
  }

  /** The method of an operation: made when it is asked for, and not all of them for each stub. */
  static method(stub: Called, table: ServerTable, name: string): (...given: Values[]) => Promise<Values> {
    const [via, capability, options] = [stub.#via, stub.#capability, stub.#options];
    return (given = {}, more) =>
      callOperation(via, table, name, capability, given, more ? { ...options, ...more } : options);
  }
}

const classes = new WeakMap<ServerTable, typeof Called>();

function classOf(table: ServerTable): typeof Called {
  const known = classes.get(table);
  if (known !== undefined) return known;
  const made = class extends Called {};
  for (const name of allOperations(table).keys())
    Object.defineProperty(made.prototype, name, {
      get(this: Called) {
        return Called.method(this, table, name);
      },
    });
  classes.set(table, made);
  return made;
}

/** Calls an operation by its name, with values that nobody has typed: for the command line. */
export async function callOperation(
  via: Kernel | Transact,
  table: ServerTable,
  name: string,
  capability: Capability,
  given: Values,
  options: CallOptions = {},
): Promise<Values> {
  const operation = allOperations(table).get(name);
  if (operation === undefined) throw new Error(`${table.name} has no operation ${name}`);
  const what = `${table.name} ${name}`;
  const data = encode(operation, given, what);
  const header = {
    ...{ port: capability.port, private: capability.private, command: operation.number },
    ...{ offset: data.header.offset ?? 0, size: data.header.size ?? 0, extra: data.header.extra ?? 0 },
  };
  const how = { replyBytesMax: hasData(operation.reply) ? table.replyBytesMax : 0, ...options };
  const reply = await (typeof via === "function"
    ? via(header, data.bytes, how)
    : trans(via, header, data.bytes, how));
  if (reply.header.status < 0) throw refusal(operation, reply.header.status, what);
  try {
    return take(operation.reply, reply.header, reply.data, capability.port);
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw new ProteusError({
      code: "ANSWER_WRONG",
      exit: exitCodes.failed,
      message: `${what} got an answer that cannot be read`,
      why: cause.message,
      unchanged: "the server has executed it",
      hint: `check that the port belongs to a ${table.name} server of this version`,
      cause,
    });
  }
}

function encode(operation: Operation, given: Values, what: string) {
  try {
    const bytes = new Uint8Array(measure(operation.arguments, given));
    return { bytes, header: put(operation.arguments, given, bytes) };
  } catch (cause) {
    if (!(cause instanceof Unfit)) throw cause;
    throw new ProteusError({
      code: "ARGUMENT_INVALID",
      exit: exitCodes.usage,
      message: `${what} cannot be called with this`,
      why: cause.message,
      unchanged: "nothing was sent",
      hint: `proteus ${what} --help shows its arguments`,
      cause,
    });
  }
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
