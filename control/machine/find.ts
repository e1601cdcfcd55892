// Which machine a name means: a node of the lab that runs, this machine, or one that is deployed
// and reached by ssh. Every command that takes machines asks here.
//
// - A node of the lab comes first, also one that is called "local".
// - `knows` is the seam for whoever knows the pool's machines by name: such a machine is the one
//   that ssh knows by that name.

import { ProteusError } from "../kernel/errors.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import type { LabState } from "../lab/state.js";
import { type LabNode, requireNode } from "../lab/topology.js";
import { type MachineName, parseMachine } from "./name.js";
import { Remote } from "./ssh.js";

/** A machine, and the interface of it that was named. */
export type Machine = { readonly name: string; readonly interfaceName?: string | undefined } & (
  | { readonly kind: "node"; readonly state: LabState; readonly node: LabNode }
  | { readonly kind: "local" }
  | { readonly kind: "ssh"; readonly remote: Remote }
);

export interface FindOptions {
  /** --lab. */
  readonly lab?: string | undefined;
  /** Whether a deployed machine has this name. */
  readonly knows?: (name: string) => Promise<boolean>;
}

/** A node of the lab; throws what the lab throws, and says how deployed machines are named. */
function findNode({ name, interfaceName }: MachineName, lab: string | undefined): Machine {
  try {
    const state = requireLab(lab);
    return { kind: "node", name, interfaceName, state, node: requireNode(state.topology, name) };
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    const { code, exit, message, why, unchanged, hint } = error;
    throw new ProteusError({
      ...{ code, exit, message, why, unchanged, cause: error },
      hint: `${hint}; a deployed machine is ssh:${name}`,
    });
  }
}

/** Whether a lab that is meant has a node of this name. */
function labHas(name: string, lab: string | undefined): boolean {
  const labs = runningLabs().filter(({ topology }) => lab === undefined || topology.name === lab);
  return labs.some(({ topology }) => topology.nodes.some((node) => node.name === name));
}

/** Throws a usage error MACHINE_INVALID, LAB_NODE_NOT_FOUND, or what else the lab throws. */
export async function findMachine(text: string, { lab, knows }: FindOptions = {}): Promise<Machine> {
  const parsed = parseMachine(text);
  const { name, interfaceName } = parsed;
  const overSsh = (): Machine => ({
    kind: "ssh",
    name: `ssh:${name}`,
    interfaceName,
    remote: new Remote(name),
  });
  if (parsed.kind === "ssh") return overSsh();
  if (parsed.kind === "local" && !labHas(name, lab)) return { kind: "local", name, interfaceName };
  if (lab === undefined && !labHas(name, lab) && (await knows?.(name)) === true) return overSsh();
  return findNode(parsed, lab);
}
