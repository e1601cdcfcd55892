// What is asked before something of a disk is lost: its name.
//
// - On a terminal a person types the name; elsewhere --yes has to stand for it (DISK_CONFIRM).
// - Nothing is done before the answer.

import { createInterface } from "node:readline/promises";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";

/** Asks for the name, on a terminal; else --yes has to stand for it. */
export async function confirm(name: string, what: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY)
    throw usageError(`${what} has to be confirmed`, "give --yes, or do it on a terminal", "DISK_CONFIRM");
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  const said = await ask.question(`${what}. Type its name to go on: `).finally(() => ask.close());
  if (said.trim() === name) return;
  throw new ProteusError({
    code: "DISK_CONFIRM",
    exit: exitCodes.usage,
    message: "that is not its name",
    unchanged: "nothing was done",
    hint: `type ${name}, or give --yes`,
  });
}
