// One at a time: whoever changes a running lab's topology holds its lock meanwhile.
//
// - The lock is a file in the lab's folder that names its owner; it appears with its
//   content in one step. A lock whose owner is gone is taken away.
// - The state is read anew under the lock: what another command has just changed counts.

import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProteusError } from "../kernel/errors.js";
import { isAlive, type ProcessId, processOf, waitUntil } from "./processes.js";
import { judge, type LabState, labFolder, readLab } from "./state.js";

const patienceMs = 10_000;

function ownerOf(path: string): ProcessId | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessId;
  } catch {
    return null;
  }
}

/** Puts `own` at `lock`; false when there is one already. */
function place(own: string, lock: string): boolean {
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Takes the lock away when its owner is gone. Another may have taken it in between: then it is put back. */
function removeStale(lock: string, aside: string): void {
  const owner = ownerOf(lock);
  if (owner === null || isAlive(owner)) return;
  try {
    renameSync(lock, aside);
    if (isAlive(ownerOf(aside))) place(aside, lock);
    rmSync(aside, { force: true });
  } catch {
    // Someone else was quicker.
  }
}

/** Runs `work` with the state of a running lab while no one else changes it. Throws LAB_BUSY, LAB_NOT_FOUND. */
export async function changing<T>(lab: string, work: (state: LabState) => Promise<T>): Promise<T> {
  const lock = join(labFolder(lab), "changing");
  const own = `${lock}.${randomBytes(6).toString("hex")}`;
  try {
    writeFileSync(own, JSON.stringify(processOf(process.pid)));
    const taken = await waitUntil(() => {
      removeStale(lock, `${own}.stale`);
      return place(own, lock);
    }, patienceMs);
    if (!taken) throw busy(lab, ownerOf(lock));
  } catch (error) {
    rmSync(own, { force: true });
    throw (error as NodeJS.ErrnoException).code === "ENOENT" ? gone(lab) : error;
  }
  try {
    const state = readLab(lab);
    if (state === null || judge(state) !== "running") throw gone(lab);
    return await work(state);
  } finally {
    rmSync(lock, { force: true });
    rmSync(own, { force: true });
  }
}

function busy(lab: string, owner: ProcessId | null): ProteusError {
  return new ProteusError({
    code: "LAB_BUSY",
    exit: 1,
    message: `lab ${lab} is being changed${owner === null ? "" : ` by process ${owner.pid}`}`,
    why: `it was not done within ${patienceMs / 1000} s`,
    unchanged: "nothing was changed by this command",
    hint: "try again when that is done",
  });
}

function gone(lab: string): ProteusError {
  return new ProteusError({
    code: "LAB_NOT_FOUND",
    exit: 3,
    message: `lab "${lab}" is not running any more`,
    hint: "proteus lab up",
  });
}
