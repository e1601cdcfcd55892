// What can go wrong with a store: one function a code, so that every store says it alike.
//
// - The codes are stable. Only outcomeUnknown leaves open whether a change has happened.

import { exitCodes, ProteusError } from "../kernel/errors.js";

const nothingChanged = "the store is as it was";

/** STORE_ARGUMENT: a key, value, batch, limit or revision that no store takes. */
export function badArgument(why: string, hint = "this is a bug in the calling program"): ProteusError {
  const message = "the store does not take this request";
  return new ProteusError({
    ...{ code: "STORE_ARGUMENT", exit: exitCodes.usage, message, why, unchanged: nothingChanged, hint },
  });
}

/** STORE_ARGUMENT, for a compaction that looks ahead. */
export function afterLatest(revision: number): ProteusError {
  return badArgument(
    `revision ${revision} has not been reached yet`,
    "compact up to a revision that was seen",
  );
}

/** STORE_TOO_LARGE: over one of limits.ts. */
export function tooLarge(why: string): ProteusError {
  const message = "the store does not take so much at once";
  const hint = "keep large data in files and their names in the store, or use several batches";
  return new ProteusError({
    ...{ code: "STORE_TOO_LARGE", exit: exitCodes.usage, message, why, unchanged: nothingChanged, hint },
  });
}

/** STORE_COMPACTED: changes that a watch should report are not kept any more. */
export function compacted(after: number, kept: number): ProteusError {
  return new ProteusError({
    code: "STORE_COMPACTED",
    exit: exitCodes.failed,
    message: `the changes after revision ${after} are not all kept any more`,
    why: `the store keeps those after revision ${kept}`,
    unchanged: "all entries are there",
    hint: "read the range, then watch after the revision that it was read at",
  });
}

/** STORE_CLOSED: used after `close`. */
export function closed(): ProteusError {
  const hint = "open it again";
  return new ProteusError({
    ...{ code: "STORE_CLOSED", exit: exitCodes.failed, message: "the store is closed", hint },
    unchanged: nothingChanged,
  });
}

/** STORE_OVERLOADED: more changes wait than a store holds back. */
export function overloaded(pending: number): ProteusError {
  return new ProteusError({
    code: "STORE_OVERLOADED",
    exit: exitCodes.failed,
    message: "the store cannot keep up",
    why: `${pending} changes wait to be written`,
    unchanged: nothingChanged,
    hint: "try again when they are done",
  });
}

/** STORE_FULL: no room for the change. */
export function full(where: string, cause?: unknown): ProteusError {
  const hint = "delete what is not needed, or give it more room";
  return new ProteusError({
    ...{ code: "STORE_FULL", exit: exitCodes.failed, message: `the store in ${where} is full`, hint, cause },
    unchanged: nothingChanged,
  });
}

/** STORE_LOCKED: another process has it open. */
export function locked(where: string, owner: string): ProteusError {
  return new ProteusError({
    code: "STORE_LOCKED",
    exit: exitCodes.failed,
    message: `the store in ${where} is in use`,
    why: owner === "" ? "another process has it open" : `process ${owner} has it open`,
    unchanged: nothingChanged,
    hint: "stop that process, or use another folder",
  });
}

/** STORE_DAMAGED: what is kept there cannot be what was written. */
export function damaged(where: string, why: string, cause?: unknown): ProteusError {
  const hint = "restore it from a copy, or start with an empty one";
  return new ProteusError({
    ...{ code: "STORE_DAMAGED", exit: exitCodes.failed, message: `the store in ${where} is damaged`, why },
    ...{ unchanged: "nothing was written to it", hint, cause },
  });
}

/** STORE_FORMAT: not a store of ours, or one of another version. */
export function unknownFormat(where: string, why: string): ProteusError {
  return new ProteusError({
    code: "STORE_FORMAT",
    exit: exitCodes.failed,
    message: `${where} does not hold a store that this version reads`,
    why,
    unchanged: "nothing was written to it",
    hint: "use the version of Proteus that wrote it, or another place",
  });
}

/** STORE_FAILED: reading, or opening, did not work; nothing was to change. */
export function failed(where: string, cause: unknown): ProteusError {
  return new ProteusError({
    code: "STORE_FAILED",
    exit: exitCodes.failed,
    message: `the store in ${where} cannot be used`,
    why: cause instanceof Error ? cause.message : String(cause),
    unchanged: "what was acknowledged before",
    hint: "look at the medium and its permissions, then open the store again",
    cause,
  });
}

/** STORE_UNREACHABLE: no server of it answers; a change has certainly not happened. */
export function unreachable(where: string, why: string, cause?: unknown): ProteusError {
  const message = `the store at ${where} does not answer`;
  const hint = "see that most of its servers run and can be reached";
  return new ProteusError({
    ...{ code: "STORE_UNREACHABLE", exit: exitCodes.unreachable, message, why, hint, cause },
    unchanged: nothingChanged,
  });
}

/** STORE_DENIED: its servers want other credentials. */
export function denied(where: string, why: string, cause?: unknown): ProteusError {
  const message = `the store at ${where} does not let us in`;
  const hint = "check the certificate and the rights that its administrator gave";
  return new ProteusError({
    ...{ code: "STORE_DENIED", exit: exitCodes.denied, message, why, hint, cause },
    unchanged: nothingChanged,
  });
}

/** STORE_OUTCOME_UNKNOWN: the change may have happened. */
export function outcomeUnknown(where: string, cause: unknown): ProteusError {
  return new ProteusError({
    code: "STORE_OUTCOME_UNKNOWN",
    exit: exitCodes.unreachable,
    message: `a change to the store in ${where} may or may not have happened`,
    why: cause instanceof Error ? cause.message : String(cause),
    hint: "read what it should have changed before you repeat it",
    cause,
  });
}
