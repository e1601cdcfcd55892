// Virtual labs: up, down, kill, start. One function a command; what they say goes to
// `narrate`, what they find out comes back.
//
// - Whatever goes wrong while a lab is made, an interrupt included, takes all of it down
//   again before the error is passed on.
// - A lab that is up already, as asked, is left alone; what a crash has left of one is
//   removed first.

import { randomBytes } from "node:crypto";
import { ProteusError } from "../kernel/errors.js";
import { startAgent } from "./agent.js";
import { daemonNodes, daemonsFit, isDaemon, machinesOf } from "./daemons.js";
import { chooseIsolation } from "./isolation.js";
import { makeMedium, processesOf, setPower } from "./medium.js";
import { nodeNamespace } from "./namespaces.js";
import { isAlive, killAll, processOf } from "./processes.js";
import { type Removed, removeLab, removeLeftover } from "./remove.js";
import {
  claimFolder,
  type Isolation,
  judge,
  type LabState,
  listFolders,
  newState,
  readLab,
  readNode,
  runningLabs,
  writeLab,
  writeNode,
} from "./state.js";
import { type LabNode, requireNode, sameImpairedLinks, sameTopology, type Topology } from "./topology.js";

export { runningLabs };

export interface LabOptions {
  /** The command that `node start …` is appended to, program first. */
  readonly proteus: readonly string[];
  /** How long a machine may take until it answers. */
  readonly timeoutMs: number;
  /** One line for people. */
  readonly narrate: (line: string) => void;
  readonly abort?: AbortSignal | undefined;
}

export interface UpOptions extends LabOptions {
  readonly isolation: Isolation | "auto";
  /** The lab is this process's own: when it is gone, `lab clean` takes the lab too. */
  readonly owned?: boolean;
}

/** Does an agent, or a control daemon, run on this node? */
export const hasAgent = (node: LabNode): boolean => node.kind !== "host" || isDaemon(node);

/** Is this node on, and does its agent run when it has one? */
export function isUp(state: LabState, node: LabNode): boolean {
  const { power, agent } = readNode(state.topology.name, node.name);
  return power === "on" && (!hasAgent(node) || isAlive(agent));
}

/** The lab of that name, else the one of PROTEUS_LAB, else the one that runs. */
export function requireLab(name: string | undefined = process.env.PROTEUS_LAB || undefined): LabState {
  const labs = runningLabs();
  const names = labs.map((state) => state.topology.name).join(", ");
  if (name !== undefined) {
    const found = labs.find((state) => state.topology.name === name);
    if (found !== undefined) return found;
    const there = listFolders().includes(name);
    throw new ProteusError({
      code: "LAB_NOT_FOUND",
      exit: 3,
      message: `lab "${name}" is not running`,
      ...(there ? { why: "what is there of it is being made, or was left by a crash" } : {}),
      hint: there
        ? "proteus lab clean"
        : names === ""
          ? "no lab is running: proteus lab up"
          : `running: ${names}`,
    });
  }
  const [only, second] = labs;
  if (only === undefined)
    throw new ProteusError({
      code: "LAB_NONE",
      exit: 3,
      message: "no lab is running",
      hint: "proteus lab up --nodes 3",
    });
  if (second !== undefined)
    throw new ProteusError({
      code: "LAB_AMBIGUOUS",
      exit: 2,
      message: `several labs are running: ${names}`,
      hint: "say which with --lab NAME",
    });
  return only;
}

/** Claims the name; the state of a lab that is up already as asked comes back instead. */
async function claim(state: LabState, options: UpOptions): Promise<LabState | null> {
  const { name } = state.topology;
  while (!claimFolder(state, machinesOf(state.topology))) {
    const found = readLab(name);
    switch (judge(found)) {
      case "running":
        if (found !== null && sameTopology(found.topology, state.topology)) {
          if (!sameImpairedLinks(found.topology, state.topology))
            options.narrate(
              `lab ${name}: its impairments are others than asked for (proteus lab apply FILE)`,
            );
          return found;
        }
        throw new ProteusError({
          code: "LAB_EXISTS",
          exit: 1,
          message: `lab ${name} is running with other nodes or networks`,
          unchanged: "it runs on as it was",
          hint: `proteus lab apply FILE changes it, proteus lab down ${name} ends it; or choose another --name`,
        });
      case "starting":
        throw new ProteusError({
          code: "LAB_BUSY",
          exit: 1,
          message: `lab ${name} is being made by process ${found?.owner?.pid}`,
          unchanged: "that goes on",
          hint: "wait for it, or choose another name with --name",
        });
      case "leftover": {
        const { processes } = await removeLeftover(name, "left over");
        options.narrate(`lab ${name}: removed what a crash had left of it (${processes} processes)`);
      }
    }
  }
  return null;
}

/** Boots a node: its agent when it has one. */
export async function bootNode(state: LabState, node: LabNode, options: LabOptions): Promise<void> {
  const { name } = state.topology;
  const on = { power: "on", agent: null, namespace: nodeNamespace(state, node.name) } as const;
  writeNode(name, node.name, on);
  if (!hasAgent(node)) return;
  if ((node.kind === "metal" || node.kind === "pxe") && state.isolation === "memory")
    throw new ProteusError({
      code: "LAB_METAL_MEMORY",
      exit: 1,
      message: `${node.name} cannot be a ${node.kind} machine in this lab`,
      why: "QEMU needs a tap device, which a LAN in memory does not have",
      hint: "proteus lab up --isolation netns (as root) or --isolation userns",
    });
  await startAgent(state, node, {
    proteus: options.proteus,
    timeoutMs: options.timeoutMs,
    abort: options.abort,
    started: (agent) => writeNode(name, node.name, { ...on, agent }),
  });
}

/** Makes a lab and waits until all its machines answer. */
export async function up(
  topology: Topology,
  options: UpOptions,
): Promise<{ state: LabState; made: boolean }> {
  const { isolation, reason } = await chooseIsolation(options.isolation);
  const fits = daemonsFit(topology);
  if (!fits) options.narrate("no control daemon: the path of its socket would be too long");
  let state = newState(
    randomBytes(8).toString("hex"),
    isolation,
    fits ? topology : { ...topology, daemons: 0 },
  );
  const found = await claim(state, options);
  if (found !== null) {
    options.narrate(`lab ${topology.name} is up already`);
    return { state: found, made: false };
  }
  options.narrate(`lab ${topology.name}: ${reason}`);
  const failure = new AbortController();
  const abort =
    options.abort === undefined ? failure.signal : AbortSignal.any([options.abort, failure.signal]);
  const keep = (change: Partial<LabState>): LabState => {
    state = { ...state, ...change };
    writeLab(state);
    return state;
  };
  try {
    await makeMedium(state, (keeper) => keep({ keeper }), abort);
    // The daemons first: they look for each other for a while.
    const machines = [...daemonNodes(state.topology), ...topology.nodes];
    const boots = machines.map((node) => bootNode(state, node, { ...options, abort }));
    await settle(boots, failure);
    abort.throwIfAborted();
    return {
      state: keep({ phase: "running", owner: options.owned ? processOf(process.pid) : null }),
      made: true,
    };
  } catch (error) {
    await removeLab(state, "failed");
    throw error;
  }
}

/** Waits for all; the first failure stops the others and is the one that is thrown. */
export async function settle(work: readonly Promise<void>[], failure: AbortController): Promise<void> {
  let first: unknown;
  const watched = work.map((each) =>
    each.catch((error: unknown) => {
      first ??= error;
      failure.abort();
    }),
  );
  await Promise.all(watched);
  if (first !== undefined) throw first;
}

/** The machine of that name, of a node or of a control daemon. Throws LAB_NODE_NOT_FOUND. */
function requireMachine(topology: Topology, name: string): LabNode {
  return daemonNodes(topology).find((node) => node.name === name) ?? requireNode(topology, name);
}

/** Takes a lab down. */
export function down(state: LabState): Promise<Removed> {
  return removeLab(state, "was running");
}

/** A power cut: links first, then every process. Gives the number of processes ended. */
export async function kill(state: LabState, name: string): Promise<number> {
  const node = requireMachine(state.topology, name);
  await setPower(state, node, false);
  const { namespace } = readNode(state.topology.name, name);
  const killed = await killAll(() => processesOf(state, name));
  writeNode(state.topology.name, name, { power: "off", agent: null, namespace });
  return killed.length;
}

/** Boots a node; false when it was up. */
export async function start(state: LabState, name: string, options: LabOptions): Promise<boolean> {
  const node = requireMachine(state.topology, name);
  if (isUp(state, node)) return false;
  await setPower(state, node, true);
  await bootNode(state, node, options);
  return true;
}
