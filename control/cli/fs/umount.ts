// `proteus fs umount`: takes a volume off, or the root of mounted cells with all of its volumes.
//
// - Also what a killed program left: a mount of which nobody answers any more, and volumes below a root
//   whose program is gone. Nothing is lost by that: what was changed is in the caches.
// - Answers when the programs have ended, so that the same can be mounted again at once.

import { fuseType, isAbandoned, mountsAt, unmount as takeOff } from "../../../drivers/fuse/mount.js";
import { signal, waitGone } from "../../lab/processes.js";
import { emit } from "../output.js";
import { asked } from "./asking.js";
import { type MountState, mountsHere, removeMount, requireMount, rootsHere, targetOf } from "./mounts.js";

/** How long a root has to take its volumes off, and a volume's program to end. */
const rootMs = 15_000;
const programMs = 5000;

export async function umount(mountpoint: string, { json }: { readonly json: boolean }): Promise<void> {
  const target = targetOf(mountpoint);
  const root = rootsHere().find((each) => each.target === target);
  const isOfVolume = mountsHere().some((each) => each.target === target);
  if (root === undefined && (isOfVolume || !isAbandoned(target))) {
    await umountVolume(requireMount(mountpoint), json);
    return;
  }
  const below = mountsBelow(target);
  if (root !== undefined) {
    await asked(target, "end");
    await waitGone([root.process], rootMs);
  }
  await clear(target, below);
  removeMount(target);
  const volumes = below.map((each) => ({ target: each.target, volume: each.volume }));
  emit("fs umount", json, { target, volumes }, () => `nothing is mounted at ${target} any more`);
}

/** Takes off what is mounted at a place, with all below it, and ends those programs. */
async function clear(target: string, below: readonly MountState[]): Promise<void> {
  if (mountsAt(target)[0] === fuseType) await takeOff(target);
  await Promise.all(below.map(endProgram));
}

/** Before something is mounted: what a root that was killed has left there. */
export async function clearAbandoned(target: string): Promise<void> {
  if (isAbandoned(target)) await clear(target, mountsBelow(target));
}

const mountsBelow = (target: string): readonly MountState[] =>
  mountsHere().filter((each) => each.target.startsWith(`${target}/`));

async function umountVolume({ target, volume }: MountState, json: boolean): Promise<void> {
  await takeOff(target);
  await asked(target, "end"); // it may have ended already
  emit("fs umount", json, { target, volume }, () => `${volume} is not mounted at ${target} any more`);
}

/** Ends the program of a volume that is off the tree. */
async function endProgram({ target, process }: MountState): Promise<void> {
  await asked(target, "end");
  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    if (await waitGone([process], programMs)) break;
    signal(process, name);
  }
  removeMount(target);
}
