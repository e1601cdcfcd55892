// Which media a machine has, in a file of its state folder: so that they are there again, under the
// same capabilities, after the machine was off.
//
// - `disks.json`, mode 0600: a storage's capability is in it. Replaced by rename, after its bytes are
//   on the disk: there whole, before or after, whenever the machine ends.
// - A file that cannot be read is an error, and never replaced: capabilities hang on it.

import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { replaceDurably } from "../durable-file.js";

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

const entry = z.object({
  object: z.number().int().min(1).max(0xff_ff_ff),
  path: z.string(),
  /** How long a file is at least. */
  bytes: z.number().int().nonnegative(),
  /** What vouches for its capabilities. */
  generation: hex(8),
  /** Of another storage that it lies on: the capability. */
  storage: hex(16).optional(),
});
const schema = z.object({ schema: z.literal(1), next: z.number().int().min(1), media: z.array(entry) });

export type MediumEntry = z.infer<typeof entry>;
export type MediaState = z.infer<typeof schema>;

/** Of a machine that never had one. */
export const noMedia: MediaState = { schema: 1, next: 1, media: [] };

/** Where it is in a machine's state folder. */
export const mediaFile = (state: string): string => join(state, "disks.json");

/** What the file says; nothing when it is missing. Throws DISK_MEDIA_FILE. */
export function readMedia(path: string): MediaState {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return noMedia;
    throw unusable(path, error);
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw unusable(path, error);
  }
}

/** Replaces the file; it is durable when this returns. Throws DISK_MEDIA_FILE. */
export function writeMedia(path: string, state: MediaState): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    replaceDurably(path, `${JSON.stringify(state)}\n`);
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): ProteusError {
  return new ProteusError({
    code: "DISK_MEDIA_FILE",
    exit: exitCodes.failed,
    message: `the list of this machine's media, ${path}, cannot be used`,
    why: cause instanceof Error ? cause.message : String(cause),
    unchanged: "the media themselves",
    hint: "mend its folder or bring the file back; without it media are attached anew",
    cause,
  });
}
