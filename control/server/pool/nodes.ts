// The machines of a pool as people see them, how one is found by what people call it, and what
// is wrong with the control daemons themselves. Pure.
//
// - Machines of one name are told apart by their addresses (tellApart); a machine that is
//   drained and does not answer is unreachable first, and still says that it is drained.
// - A machine that boots over the network is in the list before it has a kernel, without an address. One
//   that answers still, as its old self does for a moment, is up. Who was not heard of for ten minutes has
//   been switched off, or boots something else.

import { type NodeFault, tellApart } from "../../interface/node-faults.js";
import type { NodeState, PoolNode } from "../../interface/pool.js";
import { nodeAmbiguous, nodeUnknown } from "./errors.js";
import type { Boot, Machine } from "./records.js";
import type { Answered } from "./watch.js";

type LastOf = (address: string) => { readonly last: Answered | null; readonly silentMs: number } | null;

/** All machines, by name; those of one name are told apart. */
export function nodesOf(
  machines: readonly Machine[],
  isDraining: (name: string) => boolean,
  lastOf: LastOf,
  boots: readonly (Boot & { readonly sinceMs: number })[] = [],
): PoolNode[] {
  const bootOf = new Map(
    boots
      .filter(({ sinceMs }) => sinceMs <= bootFreshMs)
      .map(({ report: { mac, name, kind, step }, sinceMs }) => [
        name,
        { kind, boot: bootNow(mac, step, sinceMs) },
      ]),
  );
  const sorted = [...machines].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  const labels = tellApart(sorted.map(({ name, address }) => ({ document: { name, address } })));
  const known = sorted.map(({ name, kind, state, address, version, servers }, index): PoolNode => {
    const draining = isDraining(name);
    const { boot } = bootOf.get(name) ?? {};
    const away: NodeState = boot === undefined ? state : "booting";
    const last = lastOf(address);
    return {
      name: labels[index] ?? name,
      kind,
      state: state !== "up" ? away : draining ? "draining" : state,
      draining,
      address,
      version,
      servers,
      silentMs: last?.silentMs ?? null,
      status: last?.last?.document ?? null,
      ...(boot === undefined || (state === "up" && boot.step === "booted") ? {} : { boot }),
    };
  });
  const fresh = [...bootOf].filter(([name]) => !sorted.some((machine) => machine.name === name));
  const none = {
    state: "booting",
    address: "",
    version: null,
    servers: {},
    silentMs: null,
    status: null,
  } as const;
  return [
    ...known,
    ...fresh.map(([name, { kind, boot }]) => ({ ...none, name, kind, draining: isDraining(name), boot })),
  ].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** A machine is taken for one that boots for so long after its last step. */
const bootFreshMs = 600_000;

const bootNow = (mac: string, step: Boot["report"]["step"], sinceMs: number) => ({
  ...{ mac, step: step ?? ("booted" as const), sinceMs },
});

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
