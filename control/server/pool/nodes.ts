// The machines of a pool as people see them, how one is found by what people call it, and what
// is wrong with the control daemons themselves. Pure.
//
// - Machines of one name are told apart by their addresses (tellApart); a machine that is
//   drained and does not answer is unreachable first, and still says that it is drained.

import { type NodeFault, tellApart } from "../../interface/node-faults.js";
import type { PoolNode } from "../../interface/pool.js";
import { nodeAmbiguous, nodeUnknown } from "./errors.js";
import type { Machine } from "./records.js";
import type { Answered } from "./watch.js";

type LastOf = (address: string) => { readonly last: Answered | null; readonly silentMs: number } | null;

/** All machines, by name; those of one name are told apart. */
export function nodesOf(
  machines: readonly Machine[],
  isDraining: (name: string) => boolean,
  lastOf: LastOf,
): PoolNode[] {
  const sorted = [...machines].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  const labels = tellApart(sorted.map(({ name, address }) => ({ document: { name, address } })));
  return sorted.map(({ name, kind, state, address, version, servers }, index): PoolNode => {
    const draining = isDraining(name);
    const last = lastOf(address);
    return {
      name: labels[index] ?? name,
      kind,
      state: state === "up" && draining ? "draining" : state,
      draining,
      address,
      version,
      servers,
      silentMs: last?.silentMs ?? null,
      status: last?.last?.document ?? null,
    };
  });
}

const sortKey = ({ name, address }: Machine): string => `${name} ${address}`;
const nameOf = ({ name }: PoolNode): string => name.split("#")[0] ?? name;

/** The machine of a name, of a name with the beginning of an address (`n1#e7cf`), or of an address. */
export function findNode(nodes: readonly PoolNode[], asked: string): PoolNode {
  const [name, digits] = asked.split("#");
  const found = nodes.filter(
    (node) =>
      node.address === asked ||
      (nameOf(node) === name && (digits === undefined || node.address.startsWith(digits))),
  );
  const [first] = found;
  const labels = (some: readonly PoolNode[]): string[] => some.map((node) => node.name);
  if (first === undefined) throw nodeUnknown(asked, labels(nodes));
  if (found.length > 1) throw nodeAmbiguous(asked, labels(found));
  return first;
}

/** What people should know of a daemon's connection to the others. */
export function daemonFaults(of: {
  /** The daemon that says so. */
  readonly name: string;
  readonly inGroup: boolean;
  /** Daemons that went without a word. */
  readonly lost: readonly string[];
}): NodeFault[] {
  const { name, inGroup, lost } = of;
  const faults: NodeFault[] = [];
  if (!inGroup)
    faults.push({
      kind: "daemonsLost",
      nodes: [name],
      message: `the control daemon ${name} is in no group at the moment: what it says may be old`,
      hint: "it looks for the others by itself; look at its network when this lasts",
    });
  if (lost.length > 0)
    faults.push({
      kind: "daemonsLost",
      nodes: lost,
      message: `control daemons went without a word: ${lost.join(", ")}`,
      hint: `start them again, or mend the network; one that is gone for good: proteus node forget ${lost[0]}`,
    });
  return faults;
}
