// Calls of directories, at whichever of a set's capabilities answers.
//
// - Every call is tried at each capability of the set, and again after a pause while the patience
//   lasts: a directory server that is gone, or just joining, costs time and no more.
// - An update that may have been done, and of which nobody said so, ends with Uncertain; `named`
//   says errors in the words of a path.
// - A call that is answered at once costs one promise behind its own.

import type { Capability } from "../capability/capability.js";
import { type CapabilitySet, inOrder } from "../capability/set.js";
import { directoryTable } from "../interface/directory.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";
import type { DirectoryStub } from "./listing.js";
import { failureOf, type NameFailure, nameError } from "./names.js";

export interface DirectoryCallOptions {
  /** Waits so many milliseconds; without it nothing is tried again after a pause. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** How long a call is tried again; default 15,000 ms. */
  readonly patienceMs?: number;
  readonly call?: CallOptions;
  /** Microseconds, for the patience: without a kernel only pauses count otherwise. */
  readonly now?: () => number;
}

/** What another capability, or a later try, may answer better. */
const passing = new Set([
  ...["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "STD_NOTNOW", "SP_UNAVAIL"],
  ...["CONTROL_SILENT", "CONTROL_BUSY"],
]);
/** After these an update may have been done. */
const open = new Set(["RPC_FAILURE", "SP_UNAVAIL", "CONTROL_SILENT"]);
const callDefaults: CallOptions = { locateTimeoutMs: 1500, pollMs: 250, deadMs: 1500 };
const pauseMs = 100;
const pauseMsMax = 1000;

/** Whether an update that ended with this may have been done. */
export const isOpen = (error: unknown): boolean => error instanceof ProteusError && open.has(error.code);

/** What became of asking the first capability of a directory's set. */
interface FirstTry {
  readonly error: unknown;
  /** When it was asked. */
  readonly began: number;
  readonly capabilities: readonly Capability[];
}

const itself = <Reply>(reply: Reply): Reply => reply;
const thrown = (error: unknown): never => {
  throw error;
};

/** What makes the calls of one who knows directories. */
export class DirectoryCalls {
  readonly #via: Kernel | Transact;
  readonly #options: DirectoryCallOptions;
  readonly #call: CallOptions;
  /** Of capabilities that are in use: the root's nearly always. */
  readonly #stubs = new WeakMap<Capability, DirectoryStub>();

  constructor(via: Kernel | Transact, options: DirectoryCallOptions) {
    this.#via = via;
    this.#options = options;
    this.#call = { ...callDefaults, ...options.call };
  }

  /** Asks a directory. @param isUpdate it may be done though nobody says so */
  ask<Reply>(
    directory: CapabilitySet,
    call: (each: DirectoryStub) => Promise<Reply>,
    isUpdate = false,
  ): Promise<Reply> {
    return this.askThen(directory, call, itself, thrown, isUpdate);
  }

  /** As ask, and goes on with the answer, or with what it came to, without a promise more. */
  askThen<Reply, Result>(
    directory: CapabilitySet,
    call: (each: DirectoryStub) => Promise<Reply>,
    taken: (reply: Reply) => Result | Promise<Result>,
    failed: (error: unknown) => Result | Promise<Result>,
    isUpdate = false,
  ): Promise<Result> {
    const capabilities = inOrder(directory);
    const [first] = capabilities;
    if (first === undefined) return Promise.reject(new Error("the set of a directory is empty"));
    const began = this.#now();
    return call(this.#stub(first)).then(taken, (error: unknown) =>
      this.#askAgain({ error, began, capabilities }, call, isUpdate).then(taken, failed),
    );
  }

  /** Goes on where the first capability did not answer. */
  async #askAgain<Reply>(
    { error: first, began: from, capabilities }: FirstTry,
    call: (each: DirectoryStub) => Promise<Reply>,
    isUpdate: boolean,
  ): Promise<Reply> {
    const { pause, patienceMs = 15_000 } = this.#options;
    let last: unknown;
    let mayBeDone = false;
    const failed = (error: unknown): void => {
      const code = error instanceof ProteusError ? error.code : "";
      // A revoked or foreign member of the set does not speak for the others.
      // A refusal of this copy says nothing of an earlier one, which may still be executed.
      if (!passing.has(code) && !(code === "STD_CAPBAD" && capabilities.length > 1))
        throw mayBeDone ? new Uncertain(error) : error;
      mayBeDone ||= isUpdate && open.has(code);
      last = error;
    };
    failed(first);
    let began = from;
    let others: readonly Capability[] = capabilities.slice(1);
    let waited = 0;
    for (let round = 0; ; round++) {
      for (const capability of others) {
        try {
          return await call(this.#stub(capability));
        } catch (error) {
          failed(error);
        }
      }
      const wait = Math.min(pauseMs * 2 ** Math.min(round, 8), pauseMsMax);
      waited += (this.#now() - began) / 1000 + wait;
      if (pause === undefined || waited > patienceMs) throw mayBeDone ? new Uncertain(last) : last;
      await pause(wait);
      began = this.#now();
      others = capabilities;
    }
  }

  #now(): number {
    return typeof this.#via === "function" ? (this.#options.now?.() ?? 0) : this.#via.turnedAt;
  }

  #stub(capability: Capability): DirectoryStub {
    const known = this.#stubs.get(capability);
    if (known !== undefined) return known;
    const made = stub(this.#via, directoryTable, capability, this.#call);
    this.#stubs.set(capability, made);
    return made;
  }
}

/** An update of which nobody said what became of it. */
class Uncertain extends Error {
  constructor(cause: unknown) {
    super("the outcome is not known", { cause });
  }
}

/** Refusals that are about the directory that was asked, and not about a name in it. */
const ofDirectory = new Set(["STD_CAPBAD", "STD_DENIED", "STD_COMBAD", "SP_NOTEMPTY"]);

/** An error in the words of a path; other errors as they are. @param at the name that it was about */
export function named(error: unknown, names: readonly string[], at: number): unknown {
  if (error instanceof Uncertain)
    return nameError("uncertain", names, Math.min(at, names.length - 1), error.cause);
  if (!(error instanceof ProteusError) || error.code.startsWith("NAME_")) return error;
  const failure: NameFailure | undefined =
    error.code.startsWith("RPC_") || error.code === "SP_UNAVAIL" ? "unreachable" : failureOf[error.code];
  const component = Math.min(ofDirectory.has(error.code) ? at - 1 : at, names.length - 1);
  return failure === undefined ? error : nameError(failure, names, component, error);
}
