// What can go wrong, for programs and for people.
//
// - Every failure that reaches a user is a ProteusError: `code` is stable and for
//   programs, `message`, `why`, `unchanged` and `hint` are a short line each, `exit` is
//   the command's exit code.
// - statusError turns a status of the kernel or of a server into one. The message says
//   what failed, never how the kernel counts.
// - Bugs are not here: they throw plain Errors and keep their stack.

import * as status from "../../core-wasm/status.js";

/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unreachable: 5,
  degraded: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface ErrorFacts {
  /** Stable, upper case, for programs: `RPC_NOTFOUND`. */
  readonly code: string;
  readonly exit: ExitCode;
  /** What failed. */
  readonly message: string;
  /** Why it failed. */
  readonly why?: string | undefined;
  /** What is as it was. */
  readonly unchanged?: string | undefined;
  /** What to do next. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** A failure that a user can understand and act on. */
export class ProteusError extends Error {
  override readonly name = "ProteusError";
  readonly code: string;
  readonly exit: ExitCode;
  readonly why?: string;
  readonly unchanged?: string;
  readonly hint?: string;

  constructor(facts: ErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.exit = facts.exit;
    if (facts.why !== undefined) this.why = facts.why;
    if (facts.unchanged !== undefined) this.unchanged = facts.unchanged;
    if (facts.hint !== undefined) this.hint = facts.hint;
  }
}

/** The user asked for something that no command can do: exit 2. */
export function usageError(message: string, hint?: string, code = "USAGE"): ProteusError {
  return new ProteusError({ code, exit: exitCodes.usage, message, hint });
}

type StatusName = Exclude<keyof typeof status, "STD_OK" | "FRAME_TAKEN">;

interface StatusWords {
  readonly exit: ExitCode;
  readonly why: string;
  readonly unchanged?: string;
  readonly hint?: string;
}

const notExecuted = "the call was not executed";

const words: Readonly<Record<StatusName, StatusWords>> = {
  RPC_FAILURE: {
    exit: exitCodes.unreachable,
    why: "the server stopped answering while it had the call; it may or may not have executed it",
    hint: "look at what the call should have changed before you repeat it",
  },
  RPC_NOTFOUND: {
    exit: exitCodes.unreachable,
    why: "no server listens to that port on any network that can be reached",
    unchanged: notExecuted,
    hint: "check the port, that the server runs, and that it is on the same network",
  },
  RPC_BADADDRESS: {
    exit: exitCodes.failed,
    why: "a buffer was missing or out of range",
    unchanged: notExecuted,
    hint: "this is a bug in the calling program",
  },
  RPC_ABORTED: {
    exit: exitCodes.failed,
    why: "a signal ended it before it was sent",
    unchanged: notExecuted,
  },
  RPC_TRYAGAIN: {
    exit: exitCodes.failed,
    why: "a table of the kernel is full",
    unchanged: notExecuted,
    hint: "try again when fewer calls are in progress, or give the kernel higher limits",
  },
  RPC_BADPORT: {
    exit: exitCodes.usage,
    why: "the port is the null port, which no server can have",
    unchanged: "nothing was sent",
    hint: "give a port that is not all zeros",
  },
  RPC_UNSAFE: {
    exit: exitCodes.denied,
    why: "the only way to the server crosses an untrusted network",
    unchanged: notExecuted,
    hint: "mark the network as trusted, or call without the security flag",
  },
  BC_FAIL: {
    exit: exitCodes.unreachable,
    why: "the group began to recover while the call was under way: the message may or may not have been ordered",
    hint: "reset the group and see whether the message was delivered",
  },
  BC_ABORT: {
    exit: exitCodes.degraded,
    why: "a member of the group died or cannot be reached",
    unchanged: "nothing was sent",
    hint: "reset the group, then try again",
  },
  BC_TOOBIG: {
    exit: exitCodes.usage,
    why: "the message is longer than the group's largest",
    unchanged: "nothing was sent",
    hint: "send it in pieces, or create the group with a larger limit",
  },
  BC_BADPORT: {
    exit: exitCodes.usage,
    why: "the null port names no group",
    unchanged: "nothing was sent",
    hint: "give the group a name",
  },
  BC_NOEXIST: {
    exit: exitCodes.notFound,
    why: "no group of that name answers, or this program is not a member of it",
    unchanged: "nothing was sent",
    hint: "check the name, or create the group",
  },
  BC_TOOMANY: {
    exit: exitCodes.failed,
    why: "too many groups, members, or calls that wait",
    unchanged: "nothing was sent",
    hint: "try again when fewer are waiting, or create the group for more members",
  },
  BC_ILLRESET: {
    exit: exitCodes.degraded,
    why: "fewer members can be reached than the reset asked for",
    unchanged: "the group stays closed",
    hint: "wait until more members are back, or reset with a smaller minimum",
  },
  KERNEL_NOMEMORY: {
    exit: exitCodes.failed,
    why: "the kernel's limits do not fit its memory",
    hint: "give it more memory or lower limits",
  },
  KERNEL_BADLIMIT: {
    exit: exitCodes.usage,
    why: "a limit is out of its range",
    hint: "core-wasm/limits.ts lists the limits and their ranges",
  },
  KERNEL_BADNETWORK: {
    exit: exitCodes.failed,
    why: "the kernel has no such network",
    hint: "this is a bug in the calling program",
  },
  KERNEL_BADHANDLE: {
    exit: exitCodes.failed,
    why: "the handle is stale or belongs to another kind of call",
    hint: "this is a bug in the calling program",
  },
  KERNEL_FULL: {
    exit: exitCodes.failed,
    why: "a table that is sized at boot is full",
    unchanged: "nothing was added",
    hint: "remove something, or start with a higher limit",
  },
  FRAME_MALFORMED: {
    exit: exitCodes.failed,
    why: "the frame is malformed",
    hint: "`proteus decode` says which part of it",
  },
  FRAME_NOT_OURS: {
    exit: exitCodes.failed,
    why: "the frame is for someone else",
  },
  STD_CAPBAD: {
    exit: exitCodes.denied,
    why: "the server does not accept the capability: its object is gone, or its check field is wrong",
    hint: "look the object up again",
  },
  STD_COMBAD: {
    exit: exitCodes.failed,
    why: "the server does not know the command",
    hint: "check that the capability belongs to the kind of server you mean",
  },
  STD_ARGBAD: {
    exit: exitCodes.usage,
    why: "the server does not accept an argument",
  },
  STD_NOTNOW: {
    exit: exitCodes.failed,
    why: "the server cannot do it in its present state",
    hint: "try again later",
  },
  STD_NOSPACE: {
    exit: exitCodes.failed,
    why: "the server has no space left",
    hint: "free some, or use another server",
  },
  STD_DENIED: {
    exit: exitCodes.denied,
    why: "the capability lacks the right for it",
    hint: "use a capability with more rights",
  },
  STD_NOMEM: {
    exit: exitCodes.failed,
    why: "the server has no memory left",
    hint: "try again later",
  },
  STD_EXISTS: {
    exit: exitCodes.failed,
    why: "it exists already",
    hint: "choose another name, or remove the old one first",
  },
  STD_NOTFOUND: {
    exit: exitCodes.notFound,
    why: "there is no such thing",
    hint: "check the name",
  },
  STD_SYSERR: {
    exit: exitCodes.failed,
    why: "the server met an error of its own",
    hint: "its log says more",
  },
  STD_INTR: {
    exit: exitCodes.failed,
    why: "it was interrupted",
  },
  STD_OVERFLOW: {
    exit: exitCodes.failed,
    why: "the answer is larger than the room for it",
    hint: "ask with a larger buffer",
  },
  STD_WRITEPROT: {
    exit: exitCodes.denied,
    why: "the medium is write-protected",
  },
  STD_NOMEDIUM: {
    exit: exitCodes.notFound,
    why: "there is no medium in the drive",
  },
  SP_UNAVAIL: {
    exit: exitCodes.unreachable,
    why: "no directory server can do it: fewer than a majority of them are together",
    unchanged: "it may or may not have been done",
    hint: "`proteus directory members` says which are missing; look, then try again",
  },
  SP_NOTEMPTY: {
    exit: exitCodes.failed,
    why: "the directory has entries",
    unchanged: "nothing was removed",
    hint: "remove its entries first",
  },
  SP_UNREACH: {
    exit: exitCodes.unreachable,
    why: "the server of what the directory names cannot be asked for a capability with fewer rights",
    hint: "try again when that server answers, or use a capability that shows the column as it is",
  },
  SP_CLASH: {
    exit: exitCodes.failed,
    why: "somebody has changed the entry meanwhile",
    unchanged: "nothing was changed",
    hint: "look it up again",
  },
  DISK_ROT: {
    exit: exitCodes.failed,
    why: "stored bytes are not those that were written, and no good copy is left",
    hint: "proteus disk show NAME says which members there are; bring back one that has the bytes",
  },
  DISK_SHORT: {
    exit: exitCodes.failed,
    why: "the medium is smaller than the storage",
    unchanged: "nothing was written to it",
    hint: "give a larger medium",
  },
  DISK_FOREIGN: {
    exit: exitCodes.failed,
    why: "the medium is not of this storage, or of none",
    unchanged: "nothing was written to it",
    hint: "look at it alone, or give another medium",
  },
  DISK_FENCED: {
    exit: exitCodes.degraded,
    why: "another server has the storage, or had it a moment ago",
    unchanged: "nothing was written",
    hint: "ask again: the one that serves it now answers",
  },
  DISK_TRANSFER: {
    exit: exitCodes.failed,
    why: "bytes changed on their way",
    unchanged: "they were not stored",
    hint: "send them again",
  },
  DISK_SILENT: {
    exit: exitCodes.unreachable,
    why: "a member or storage does not answer in time; it may or may not have happened",
    hint: "proteus disk show NAME says which; it may be sent again as it was",
  },
  DISK_GONE: {
    exit: exitCodes.notFound,
    why: "it is closed, or was taken away",
    hint: "look it up again: proteus disk list",
  },
  DISK_NO_QUORUM: {
    exit: exitCodes.degraded,
    why: "too few members of the storage answer",
    unchanged: "nothing was written",
    hint: "switch their machines on; proteus disk show NAME says which are missing",
  },
  DISK_NO_COPY: {
    exit: exitCodes.degraded,
    why: "no member that answers has a valid copy: nothing is served rather than something wrong",
    unchanged: "nothing was written",
    hint: "switch the machines of the other members on",
  },
  DISK_SPLIT: {
    exit: exitCodes.degraded,
    why: "the storage has two histories, and a person has to decide",
    unchanged: "both are kept",
    hint: "proteus disk heal NAME says what there is to choose from",
  },
  DISK_LOOP: {
    exit: exitCodes.usage,
    why: "a storage would be a member of itself",
    unchanged: "nothing was changed",
    hint: "give a member that does not lie on this storage",
  },
  DISK_MEDIUM: {
    exit: exitCodes.failed,
    why: "the medium cannot be read or written, or a flush has failed",
    hint: "look at the machine's log and at its medium; proteus disk replace gives another one",
  },
};

/** What every status means, for the reference of error codes. */
export const statusMeanings: readonly {
  readonly code: string;
  readonly exit: ExitCode;
  readonly why: string;
}[] = Object.entries(words).map(([code, { exit, why }]) => ({ code, exit, why }));

const names = new Map(
  (Object.keys(words) as StatusName[]).map((name): readonly [number, StatusName] => [status[name], name]),
);

/** The name of a status, as in core-wasm/status.ts; `undefined` when it has none. */
export function statusName(value: number): string | undefined {
  return names.get(value);
}

/**
 * The error for a negative status.
 *
 * @param value a status of the kernel or of a server
 * @param what what failed, for people: `the call to port abcdef`
 */
export function statusError(value: number, what: string): ProteusError {
  const name = names.get(value);
  if (name === undefined) {
    return new ProteusError({
      code: `STATUS_${value}`,
      exit: exitCodes.failed,
      message: `${what} failed`,
      why: `the server answered with status ${value}, which has no meaning here`,
      hint: "the server's own documentation says what it means",
    });
  }
  return new ProteusError({ code: name, message: `${what} failed`, ...words[name] });
}
