// What the machines of a lab share, whichever way they are kept apart: it is made, a
// node's links are cut and joined, and it is asked who is in a node.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ProteusError } from "../kernel/errors.js";
import { startCables } from "./cables.js";
import { tags } from "./exec.js";
import { hubPower } from "./hub.js";
import { impair } from "./impair.js";
import { impairmentsOf } from "./links.js";
import { buildNetwork, keeperEnvironment, nodeNamespace, startKeeper, switchPower } from "./namespaces.js";
import { planLab } from "./plan.js";
import {
  environmentOf,
  listProcesses,
  namespaceOf,
  type ProcessId,
  processOf,
  waitUntil,
} from "./processes.js";
import { controlSocket, type LabState, labFolder } from "./state.js";
import type { LabNode } from "./topology.js";
import { makeLinkKeys } from "./wire-names.js";

const hubDeadlineMs = 10_000;

/** Starts the process of the LAN in memory and waits until it listens. */
async function startHub(state: LabState, abort?: AbortSignal): Promise<ProcessId> {
  const lab = state.topology.name;
  const logPath = join(labFolder(lab), "keeper.log");
  const log = openSync(logPath, "a");
  const program = fileURLToPath(new URL("./hub-process.js", import.meta.url));
  const hub = spawn(process.execPath, [program], {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...keeperEnvironment(state) },
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  hub.on("error", () => {});
  hub.stdin?.on("error", () => {}).end(JSON.stringify(state.topology));
  hub.unref();
  const process_ = processOf(hub.pid);
  try {
    await waitUntil(() => hub.exitCode !== null || existsSync(controlSocket(lab)), hubDeadlineMs, abort);
  } catch (error) {
    hub.kill("SIGKILL");
    throw error;
  }
  if (process_ !== null && hub.exitCode === null && existsSync(controlSocket(lab))) return process_;
  hub.kill("SIGKILL");
  throw new ProteusError({
    code: "LAB_HUB_FAILED",
    exit: 1,
    message: "the in-memory LAN could not be started",
    why: readFileSync(logPath, "utf8").trim().split("\n").at(-1) || "the system gave no reason",
    unchanged: "nothing was left behind",
    hint: "proteus doctor --for lab says what this machine lacks",
  });
}

/** Makes the networks. `kept` is told of the keeper at once, so that it is never lost. */
export async function makeMedium(
  state: LabState,
  kept: (keeper: ProcessId) => LabState,
  abort?: AbortSignal,
): Promise<LabState> {
  await startCables(state, abort);
  makeLinkKeys(state);
  if (state.isolation === "memory") return kept(await startHub(state, abort));
  const withKeeper = kept(await startKeeper(state, abort));
  const { impairments = [], ...healthy } = state.topology;
  const whole = { ...withKeeper, topology: healthy };
  await buildNetwork(whole, planLab(healthy), abort);
  return impair(whole, impairments, (_, link) => impairmentsOf(state.topology, link));
}

/** Cuts or joins all links of a node. */
export function setPower(state: LabState, node: LabNode, on: boolean): Promise<void> {
  return state.isolation === "memory"
    ? hubPower(controlSocket(state.topology.name), node.name, on)
    : switchPower(state, node, on);
}

/** Ids of all processes inside a node, however they got there. */
export function processesOf(state: LabState, node: string): number[] {
  if (state.isolation !== "memory") {
    const namespace = nodeNamespace(state, node);
    return namespace === null ? [] : listProcesses().filter((pid) => namespaceOf(pid, "net") === namespace);
  }
  return listProcesses().filter((pid) => {
    const environment = environmentOf(pid);
    return environment.get(tags.id) === state.id && environment.get(tags.node) === node;
  });
}
