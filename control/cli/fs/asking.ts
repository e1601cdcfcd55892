// How commands ask the mounts of this machine: a word to the socket of one, a document back.
//
// - A mount that does not answer is told of as such, never waited for longer than the socket's patience.
// - What comes is checked by the asker's schema.

import type { z } from "zod";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { askMount, type MountWord } from "../../node/fs/control-socket.js";
import { socketOf } from "./mounts.js";

/** What a mount answers; of one that does not, the state is silent. */
export async function asked(
  target: string,
  word: MountWord,
  argument?: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await askMount(socketOf(target), word, argument)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    return { state: "silent", reason: (error as Error).message };
  }
}

/** The same, checked. Throws FS_MOUNT_SILENT. */
export async function askedFor<Value>(
  schema: z.ZodType<Value>,
  target: string,
  word: MountWord,
  argument?: unknown,
): Promise<Value> {
  const said = await asked(target, word, argument);
  const parsed = schema.safeParse(said);
  if (parsed.success) return parsed.data;
  throw new ProteusError({
    code: "FS_MOUNT_SILENT",
    exit: exitCodes.unreachable,
    message: `the mount at ${target} does not answer`,
    why: typeof said.reason === "string" ? said.reason : "it says what this command does not know",
    unchanged: "what was asked may have been done",
    hint: "try again; proteus fs status says how it fares",
  });
}
