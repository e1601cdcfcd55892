// The cables of a lab: one process holds both ends of each, and the ports of the machines are links
// to its pseudo-terminals in the lab's folder.
//
// - Made before the machines, in any isolation; it needs no right. It ends with the lab, by its tag.
// - A machine that is killed leaves its end of the cable; the next one to boot opens it again.

import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ProteusError } from "../kernel/errors.js";
import { labTags } from "./exec.js";
import { waitUntil } from "./processes.js";
import { type LabState, labFolder } from "./state.js";
import { cableSpeedDefault } from "./topology.js";
import { cablePath } from "./wire-names.js";

const startDeadlineMs = 10_000;

/** A cable as its process is asked for it. */
export interface LabCable {
  /** Where the links to its two ends shall be. */
  readonly paths: readonly [string, string];
  readonly speed: number;
  readonly noise: number;
  readonly seed: number;
}

/** Starts the process of the cables, when there are any, and waits until they are there. */
export async function startCables(state: LabState, abort?: AbortSignal): Promise<void> {
  const lab = state.topology.name;
  const cables = state.topology.networks.flatMap((network, seed): LabCable[] => {
    if (network.kind !== "serial") return [];
    const { name, speed = cableSpeedDefault, noise = 0 } = network;
    return [{ paths: [cablePath(lab, name, 0), cablePath(lab, name, 1)], speed, noise, seed }];
  });
  if (cables.length === 0) return;
  const folder = labFolder(lab);
  mkdirSync(join(folder, "cables"), { recursive: true, mode: 0o700 });
  const logPath = join(folder, "cables.log");
  const log = openSync(logPath, "w");
  const program = fileURLToPath(new URL("./cable-process.js", import.meta.url));
  const child = spawn(process.execPath, [program], {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...labTags(state) },
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  child.on("error", () => {});
  child.stdin?.on("error", () => {}).end(JSON.stringify(cables));
  child.unref();
  const made = (): boolean => cables.every(({ paths }) => paths.every((path) => existsSync(path)));
  try {
    await waitUntil(() => made() || child.exitCode !== null, startDeadlineMs, abort);
    if (made()) return;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  child.kill("SIGKILL");
  throw new ProteusError({
    code: "LAB_CABLES_FAILED",
    exit: 1,
    message: "the cables of the lab could not be made",
    why: readFileSync(logPath, "utf8").trim() || "the system gave no reason",
    unchanged: "nothing was left behind",
    hint: "each takes two pseudo-terminals: see /proc/sys/kernel/pty/max, and what is mounted at /dev/pts",
  });
}
