// What can go wrong with names: one function for all, one stable code a kind. Each says which
// component of the path it was.

import { type ExitCode, exitCodes, ProteusError } from "../kernel/errors.js";
import { pathOf } from "./paths.js";

interface Words {
  readonly code: string;
  readonly exit: ExitCode;
  /** Behind the path: what failed. */
  readonly failed: string;
  /** With the component that failed. */
  readonly why: (component: string) => string;
  readonly hint: string;
}

const unchanged = "nothing was changed";

const words = {
  notFound: {
    code: "NAME_NOT_FOUND",
    exit: exitCodes.notFound,
    failed: "was not found",
    why: (name) => `there is no ${name}`,
    hint: "`proteus ls` of the directory shows what there is",
  },
  exists: {
    code: "NAME_EXISTS",
    exit: exitCodes.failed,
    failed: "cannot be made",
    why: (name) => `there is a ${name} already`,
    hint: "choose another name, or remove that one first",
  },
  notDirectory: {
    code: "NAME_NOT_DIRECTORY",
    exit: exitCodes.failed,
    failed: "cannot be followed",
    why: (name) => `${name} is not a directory`,
    hint: "check the path",
  },
  denied: {
    code: "NAME_DENIED",
    exit: exitCodes.denied,
    failed: "is not allowed",
    why: (name) => `the capability of ${name} lacks a right for it`,
    hint: "use a capability with more rights: `proteus capability show` tells which one has",
  },
  gone: {
    code: "NAME_GONE",
    exit: exitCodes.denied,
    failed: "leads to nothing",
    why: (name) => `what ${name} stands for is gone, or its capability was revoked`,
    hint: "remove the name, or put a good capability into it",
  },
  changed: {
    code: "NAME_CHANGED",
    exit: exitCodes.failed,
    failed: "was not replaced",
    why: (name) => `somebody has changed ${name} meanwhile`,
    hint: "look it up again",
  },
  notEmpty: {
    code: "NAME_NOT_EMPTY",
    exit: exitCodes.failed,
    failed: "cannot be removed",
    why: (name) => `${name} has entries`,
    hint: "remove its entries first, or use -r",
  },
  full: {
    code: "NAME_NO_SPACE",
    exit: exitCodes.failed,
    failed: "cannot be made",
    why: (name) => `the directory of ${name}, or its server, holds as much as it may`,
    hint: "remove something, or use another directory",
  },
  refused: {
    code: "NAME_REFUSED",
    exit: exitCodes.failed,
    failed: "cannot be done",
    why: (name) => `the directory server does not allow it for ${name}`,
    hint: "the root cannot be removed, and no directory can be moved below itself",
  },
  argument: {
    code: "NAME_INVALID",
    exit: exitCodes.usage,
    failed: "cannot be used",
    why: (name) => `the directory server does not take ${name}, or what comes with it`,
    hint: "a mask is given for each column of the directory, or none at all",
  },
  unreachable: {
    code: "NAME_UNREACHABLE",
    exit: exitCodes.unreachable,
    failed: "cannot be reached",
    why: (name) => `no server answers for ${name}`,
    hint: "`proteus directory members` says which servers are missing",
  },
  uncertain: {
    code: "NAME_UNCERTAIN",
    exit: exitCodes.unreachable,
    failed: "may or may not have been changed",
    why: (name) => `no directory server said in time what became of ${name}`,
    hint: "look at it when the directory servers answer again",
  },
} as const satisfies Record<string, Words>;

export type NameFailure = keyof typeof words;

/** The failure that a status of a directory server means; undefined when it is another matter. */
export const failureOf: Readonly<Record<string, NameFailure>> = {
  STD_NOTFOUND: "notFound",
  STD_EXISTS: "exists",
  STD_COMBAD: "notDirectory",
  STD_DENIED: "denied",
  STD_CAPBAD: "gone",
  SP_CLASH: "changed",
  SP_NOTEMPTY: "notEmpty",
  STD_NOSPACE: "full",
  STD_ARGBAD: "argument",
  STD_NOTNOW: "refused",
  SP_UNREACH: "unreachable",
};

/** The error about one component of a path; `at` is its index, -1 for the root itself. */
export function nameError(
  failure: NameFailure,
  names: readonly string[],
  at: number,
  cause?: unknown,
): ProteusError {
  const { code, exit, failed, why, hint } = words[failure];
  const component = at < 0 ? "/" : (names[at] ?? "/");
  const where = at > 0 ? ` in ${pathOf(names.slice(0, at))}` : "";
  return new ProteusError({
    ...{ code, exit, hint, cause },
    message: `${pathOf(names)} ${failed}`,
    why: `${why(component)}${where}`,
    ...(failure === "uncertain" ? {} : { unchanged }),
  });
}
