// What a control daemon says when it cannot do what it was asked: one function a code.
//
// - The codes are stable. Only POOL_ALONE leaves open whether it is still done later, and
//   POOL_NOT_STORED says that it is done.

import type { PoolNode } from "../../interface/pool.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";

const unchanged = "nothing was changed";

/** NODE_UNKNOWN. */
export function nodeUnknown(name: string, known: readonly string[]): ProteusError {
  const some = known.slice(0, 8).join(", ");
  return new ProteusError({
    code: "NODE_UNKNOWN",
    exit: exitCodes.notFound,
    message: `no machine of the pool is called ${name}`,
    why:
      known.length === 0
        ? "no machine has announced itself yet"
        : `the pool has ${some}${known.length > 8 ? ` and ${known.length - 8} more` : ""}`,
    unchanged,
    hint: "check the name; a machine announces itself a few seconds after `proteus node start`",
  });
}

/** NODE_AMBIGUOUS: several have the name. */
export function nodeAmbiguous(name: string, labels: readonly string[]): ProteusError {
  return new ProteusError({
    code: "NODE_AMBIGUOUS",
    exit: exitCodes.usage,
    message: `${labels.length} machines are called ${name}`,
    why: `they are ${labels.join(", ")}`,
    unchanged,
    hint: `say which: ${labels[0] ?? name}`,
  });
}

/** NODE_AMBIGUOUS, for what goes by the name and would concern all of them. */
export function nameShared(name: string, labels: readonly string[]): ProteusError {
  return new ProteusError({
    code: "NODE_AMBIGUOUS",
    exit: exitCodes.usage,
    message: `${name} cannot be drained by itself`,
    why: `a drain goes by the name, which ${labels.join(" and ")} have in common`,
    unchanged,
    hint: "give each machine a name of its own (node.name) and start it again",
  });
}

/** NODE_IN_USE: it answers. */
export function nodeInUse({ name }: Pick<PoolNode, "name">): ProteusError {
  return new ProteusError({
    code: "NODE_IN_USE",
    exit: exitCodes.failed,
    message: `${name} cannot be struck from the list`,
    why: "it answers, and would announce itself again",
    unchanged,
    hint: `stop it first, or drain it: proteus node drain ${name}`,
  });
}

/** POOL_ALONE: this daemon is in no group now. */
export function poolAlone(pool: string, seconds: number, cause?: unknown): ProteusError {
  return new ProteusError({
    code: "POOL_ALONE",
    exit: exitCodes.degraded,
    message: `the control daemons of ${pool} did not agree on it`,
    why: `this daemon found no working group of them for ${seconds} s`,
    unchanged: "it was not acknowledged; it may still be done when the daemons find each other",
    hint: "look at `proteus node list`, and repeat the command when the daemons are back",
    cause,
  });
}

/** POOL_NOT_STORED: agreed on, and not durable here. */
export function notStored(what: string, cause: unknown): ProteusError {
  const { message, hint } =
    cause instanceof ProteusError ? cause : { message: String(cause), hint: undefined };
  return new ProteusError({
    code: "POOL_NOT_STORED",
    exit: exitCodes.failed,
    message: `${what} is in force and not stored by this daemon`,
    why: message,
    unchanged: "the daemons that run know it; it may be lost when all of them stop",
    hint: hint ?? "mend the store, then repeat the command",
    cause,
  });
}

/** POOL_CLOSED: used after close or leave. */
export function poolClosed(pool: string): ProteusError {
  return new ProteusError({
    code: "POOL_CLOSED",
    exit: exitCodes.failed,
    message: `this control daemon of ${pool} is stopping`,
    unchanged,
    hint: "ask another daemon, or start this one again",
  });
}
