// A command inside a node: as if it had been started here, apart from the network.
//
// - Its working directory, environment and the three standard streams are ours; the
//   end of our stdin is the end of its.
// - Signals that reach this process are passed on; if this process is killed, so is
//   the command.
// - Its exit status is ours, 128 + n when signal n ended it.
// - It belongs to the node: `lab kill NODE` ends it too.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ProteusError } from "../kernel/errors.js";
import { hubVariable } from "../node/interfaces.js";
import { enterNode } from "./namespaces.js";
import { systemInterfacesOf } from "./plan.js";
import { interfaceSocket, type LabState, readNode, stateRoot } from "./state.js";
import { dies, toolMissing } from "./tools.js";
import type { LabNode } from "./topology.js";
import { wireEnvironment } from "./wire-names.js";

/** The variables that tag a process of a node; `id` is the lab's. */
export const tags = { id: "PROTEUS_LAB_ID", lab: "PROTEUS_LAB", node: "PROTEUS_NODE" } as const;

/** What every process of a lab has in its environment. */
export function labTags(state: LabState): Record<string, string> {
  return {
    [tags.id]: state.id,
    [tags.lab]: state.topology.name,
    PROTEUS_LAB_STATE: stateRoot(),
  };
}

export interface NodeCommand {
  /** Program and arguments, to be started without a shell. */
  readonly command: readonly string[];
  /** To be added to the environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How to start `command` inside a node. */
export function nodeCommand(state: LabState, node: LabNode, command: readonly string[]): NodeCommand {
  const environment: Record<string, string> = { ...labTags(state), [tags.node]: node.name };
  Object.assign(environment, wireEnvironment(state, node));
  if (state.isolation !== "memory")
    return { command: [...enterNode(state, node.name), "--", ...command], environment };
  for (const { name } of systemInterfacesOf(state.topology, node))
    environment[hubVariable(name)] = interfaceSocket(state.topology.name, node.name, name);
  return { command, environment };
}

/** On a terminal the command gets these from the terminal itself. */
const fromTerminal: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];
const passedOn: readonly NodeJS.Signals[] = [
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGCONT",
];

/** Runs a command inside a node to its end and gives its exit status. Throws LAB_NODE_DOWN. */
export async function execInNode(
  state: LabState,
  node: LabNode,
  command: readonly string[],
): Promise<number> {
  if (readNode(state.topology.name, node.name).power === "off")
    throw new ProteusError({
      code: "LAB_NODE_DOWN",
      exit: 5,
      message: `${node.name} is down`,
      unchanged: "the command was not started",
      hint: `proteus lab start ${node.name}`,
    });
  const within = nodeCommand(state, node, [...dies, ...command]);
  const [program = "", ...rest] = within.command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: "inherit", env: { ...process.env, ...within.environment } });
    const handlers = passedOn.map((name) => {
      const handler = (): void => {
        if (!(process.stdin.isTTY && fromTerminal.includes(name))) child.kill(name);
      };
      process.on(name, handler);
      return { name, handler };
    });
    const finish = (): void => {
      for (const { name, handler } of handlers) process.off(name, handler);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      finish();
      reject(error.code === "ENOENT" ? toolMissing(program) : error);
    });
    child.on("exit", (code, signalName) => {
      finish();
      resolve(signalName === null ? (code ?? 1) : 128 + constants.signals[signalName]);
    });
  });
}
