// A disk that would lie on itself, as people read it: the disks in the order in which they lie on each other.
//
// - The server refuses it by ages (DISK_LOOP); the names are looked for here, from what the disks say of
//   their members.
// - Best effort: of disks that do not answer nothing is known, and the error says less then.

import { ProteusError } from "../../kernel/errors.js";
import { type DiskSession, describe, findStorage } from "./session.js";

const onDisk = "disk:";

/** The names from `from` down to `to`, both of them; null when there is no such way. */
async function wayDown(
  session: DiskSession,
  from: string,
  to: string,
  seen = new Set<string>(),
): Promise<string[] | null> {
  if (from === to) return [to];
  if (seen.has(from)) return null;
  seen.add(from);
  const { storage } = await describe(session, await findStorage(session, from));
  for (const { path } of storage.members) {
    if (!path.startsWith(onDisk)) continue;
    const below = await wayDown(session, path.slice(onDisk.length), to, seen);
    if (below !== null) return [from, ...below];
  }
  return null;
}

/** What to throw for an error of a change that gives a disk a member at `path`: with the loop, if it is one. */
export async function withLoop(
  session: DiskSession,
  name: string,
  path: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof ProteusError) || error.code !== "DISK_LOOP" || !path.startsWith(onDisk))
    return error;
  const way = await wayDown(session, path.slice(onDisk.length), name).catch(() => null);
  if (way === null) return error;
  const { code, exit } = error;
  return new ProteusError({
    ...{ code, exit, cause: error },
    message: `${name} would lie on itself: ${[name, ...way].join(" → ")}`,
    unchanged: "nothing was changed",
    hint: "take a medium that does not lie on this disk",
  });
}
