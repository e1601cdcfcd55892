// How the roots of mounted cells fare, as `proteus fs status` says it: asked of their programs.
//
// - A root that does not answer is told of as such; its volumes have programs and lines of their own.

import { z } from "zod";
import { asked } from "./asking.js";
import type { MountState } from "./mounts.js";

export const volumeStates = ["waiting", "starting", "mounted", "ended", "unmounted"] as const;
/**
 * waiting: for its turn, or to be tried again. starting: its program mounts it. mounted: it is there.
 * ended: its program was killed or failed, and is started again. unmounted: somebody took it off.
 */
export type VolumeState = (typeof volumeStates)[number];

export const rootStatusSchema = z.object({
  cells: z.array(
    z.object({
      name: z.string(),
      /** A server of it answered when it was last looked for. */
      answers: z.boolean(),
      joined: z.boolean(),
      volumes: z.array(z.object({ name: z.string(), target: z.string(), state: z.enum(volumeStates) })),
    }),
  ),
});
export type RootStatus = z.infer<typeof rootStatusSchema>;

export type ShownRoot = { readonly target: string; readonly state: string } & Partial<RootStatus>;

export function statusOfRoots(roots: readonly MountState[]): Promise<readonly ShownRoot[]> {
  return Promise.all(
    roots.map(async ({ target }) => {
      const said = rootStatusSchema.safeParse(await asked(target, "status")).data;
      return said === undefined ? { target, state: "silent" } : { target, state: "mounted", ...said };
    }),
  );
}

/** A line for each root, and one for each volume that is not there. */
export const rootsText = (roots: readonly ShownRoot[]): readonly string[] =>
  roots.flatMap(({ target, cells }) => {
    if (cells === undefined) return [`${target}: the program of this root does not answer`];
    const words = cells.map(({ name, answers }) => (answers ? name : `${name} (away)`));
    const missing = cells.flatMap(({ volumes }) => volumes.filter(({ state }) => state !== "mounted"));
    return [
      `${target}: cells ${words.join(", ") || "none yet"}`,
      ...missing.map(({ target: at, state }) => `${at}: ${state}`),
    ];
  });
