// Operations: what a server can be asked to do. The words that tables are made of; a whole
// table is table.ts.
//
// - An operation has a number, what it is asked with and what it answers, the rights it takes
//   and the statuses that it may answer, each with the reason in this server's words.
// - A field travels in the buffer, in their order, or in a field of the 32-byte header: offset
//   (32 bits), size and extra (16 bits), private (a new capability of the same server).
//   When none has `size`, it is the length of the data modulo 65536, as the original sets it.
// - An operation that contradicts itself throws Error when it is made.
// - Source: AIL, the original's interface language.

import type * as statuses from "../../core-wasm/status.js";
import type { Kind, WireType } from "./types.js";

export type Place = "buffer" | "offset" | "size" | "extra" | "private";

/** One value of a request or reply. */
export interface Field<Value> {
  readonly place: Place;
  readonly summary: string;
  /** How it travels in the buffer; header fields have a range instead. */
  readonly type?: WireType<Value>;
  /** What the command line and the reference call it. */
  readonly typeName: string;
  /** What a value of it is. */
  readonly kind: Kind;
  /** It may be left out; then it is this. */
  readonly otherwise?: Value;
  /** Makes the value that travels in a header field, and back. */
  toHeader?(value: Value): number;
  fromHeader?(raw: number): Value;
}

/** A field that has a value when the caller leaves it out. */
export interface DefaultField<Value> extends Field<Value> {
  readonly otherwise: Value;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

type ValueOf<F> = F extends Field<infer Value> ? Value : never;
type LeftOut<F> = F extends DefaultField<unknown> ? true : undefined extends ValueOf<F> ? true : false;

/** What a caller gives for these fields. */
export type Given<F extends Fields> = {
  readonly [Name in keyof F as LeftOut<F[Name]> extends true ? never : Name]: ValueOf<F[Name]>;
} & { readonly [Name in keyof F as LeftOut<F[Name]> extends true ? Name : never]?: ValueOf<F[Name]> };

/** What comes out of these fields. */
export type Taken<F extends Fields> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

/** The name of a status, as in core-wasm/status.ts. */
export type StatusName = Exclude<keyof typeof statuses, "STD_OK" | "FRAME_TAKEN">;

/** What an operation is done to: the server itself (object 0), one of its objects, or either. */
export type Subject = "server" | "object" | "either";

export interface Operation<
  A extends Fields = Fields,
  R extends Fields = Fields,
  S extends Subject = Subject,
> {
  readonly number: number;
  readonly summary: string;
  readonly subject: S;
  /** Names of rights that the capability must have, all of them; "anyone": none is looked at. */
  readonly rights: readonly string[] | "anyone";
  readonly arguments: A;
  readonly reply: R;
  /** Statuses of its own, besides those that every operation may answer. */
  readonly errors: Readonly<Partial<Record<StatusName, string>>>;
  /** Its arguments on the command line, for the help: `n1:segment --bytes 64K`. */
  readonly example?: string;
}

export type Operations = Readonly<Record<string, Operation>>;

/** Statuses that every operation may answer. */
export const commonErrors = {
  STD_CAPBAD: "the object is gone, or the capability was never of this server",
  STD_NOTNOW:
    "too many capabilities that are not genuine came lately; those that were used before still count",
  STD_DENIED: "the capability lacks a right",
  STD_COMBAD: "the server, or this object, has no such operation",
  STD_ARGBAD: "an argument is out of range, or the request is not what the table says",
  STD_OVERFLOW: "the answer is larger than a reply may be",
  STD_NOMEM: "the server has no memory for it",
  STD_NOMEDIUM: "the medium that holds the objects is gone",
  STD_SYSERR: "the server met an error of its own",
} as const satisfies Partial<Record<StatusName, string>>;

const noErrors = {};

interface OperationFacts<A extends Fields, R extends Fields, S extends Subject> {
  readonly number: number;
  readonly summary: string;
  readonly subject?: S;
  readonly rights: readonly string[] | "anyone";
  readonly arguments?: A;
  readonly reply?: R;
  readonly errors?: Readonly<Partial<Record<StatusName, string>>>;
  readonly example?: string;
}

// biome-ignore lint/complexity/noBannedTypes: an operation without fields has none at all
type NoFields = {};

/** One operation; what is left out: done to an object, no arguments, an empty reply. */
export function operation<
  const A extends Fields = NoFields,
  const R extends Fields = NoFields,
  const S extends Subject = "object",
>(facts: OperationFacts<A, R, S>): Operation<NoInfer<A>, NoInfer<R>, NoInfer<S>> {
  const { subject = "object", errors = noErrors } = facts;
  const given: Fields = facts.arguments ?? {};
  const reply: Fields = facts.reply ?? {};
  checkFields(given, facts.summary);
  checkFields(reply, facts.summary);
  if (Object.values(given).some(({ place }) => place === "private"))
    throw new Error(`${facts.summary}: a request's private part says the object`);
  return { ...facts, subject, errors, arguments: given, reply } as Operation<A, R, S>;
}

function checkFields(fields: Fields, where: string): void {
  const entries = Object.entries(fields);
  const header = entries.filter(([, { place }]) => place !== "buffer").map(([, { place }]) => place);
  if (new Set(header).size !== header.length) throw new Error(`${where}: a header field is used twice`);
  const buffered = entries.filter(([, { place }]) => place === "buffer");
  const early = buffered.slice(0, -1).find(([, { type }]) => type?.greedy);
  if (early !== undefined) throw new Error(`${where}: nothing can follow ${early[0]}`);
}
