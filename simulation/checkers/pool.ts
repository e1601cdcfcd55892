// Judges control daemons by what they showed and acknowledged: the same states everywhere, and
// those of the machines as they are; no acknowledged decision lost; events in one order.
//
// - A decision that was acknowledged made a version. At the end every daemon has that version
//   or a later one; and what it has is what the decision of that version said, or one whose
//   caller never heard how it ended.

import type { NodeFault } from "../../control/interface/node-faults.js";
import type { PoolDaemon, PoolEvent, PoolNode } from "../../control/interface/pool.js";

/** What a checker sees of a daemon. */
export interface DaemonView {
  readonly name: string;
  /** Null: it is not there. */
  readonly pool: {
    nodes(): readonly PoolNode[];
    daemons(): readonly PoolDaemon[];
    faults(): readonly NodeFault[];
    records(): readonly {
      readonly kind: string;
      readonly key: string;
      readonly value: unknown;
      readonly version: number;
    }[];
  } | null;
  readonly events: readonly PoolEvent[];
}

export interface Decision {
  readonly name: string;
  readonly draining: boolean;
  /** That it made, once it was acknowledged. */
  version: number | null;
}

/** Everything that was decided, or may have been. */
export class Decisions {
  readonly #all = new Set<Decision>();

  begin(name: string, draining: boolean): Decision {
    const decision = { name, draining, version: null };
    this.#all.add(decision);
    return decision;
  }

  /** It was certainly not done. */
  refuse(decision: Decision): void {
    this.#all.delete(decision);
  }

  /** What a daemon lost or made up. */
  faults({ name: daemon, pool }: DaemonView): string[] {
    if (pool === null) return [];
    const records = pool.records().filter(({ kind }) => kind === "drain");
    const names = new Set([...this.#all].map(({ name }) => name));
    return [...names].flatMap((name) => {
      const those = [...this.#all].filter((decision) => decision.name === name);
      const known = those.flatMap(({ version }) => version ?? []);
      const latest = Math.max(-1, ...known);
      const record = records.find(({ key }) => key === name);
      const has = record?.version ?? -1;
      if (has < latest) return [`${daemon} has version ${has} of ${name}; ${latest} was acknowledged`];
      if (record === undefined) return [];
      const may = those.filter(({ version }) => version === has || (version === null && has !== latest));
      if (may.some(({ draining }) => draining === record.value)) return [];
      return [`${daemon} says that ${name} is ${record.value ? "" : "not "}drained, which nobody decided`];
    });
  }
}

interface Truth {
  readonly name: string;
  readonly address: string;
}

/** What daemons show otherwise than it is, or than each other; all machines are up. */
export function differences(views: readonly DaemonView[], truth: readonly Truth[]): string[] {
  const faults: string[] = [];
  const expected = truth.map(({ name, address }) => `${name} ${address}`).sort();
  let first: string | null = null;
  for (const { name, pool } of views) {
    if (pool === null) {
      faults.push(`${name} is not there`);
      continue;
    }
    const nodes = pool.nodes();
    const shown = nodes.map((node) => `${node.name.split("#")[0]} ${node.address}`).sort();
    if (shown.join() !== expected.join())
      faults.push(`${name} shows ${shown.join(", ")} instead of ${expected.join(", ")}`);
    for (const { name: node, state, draining } of nodes)
      if (state !== (draining ? "draining" : "up")) faults.push(`${name} shows ${node} as ${state}`);
    const daemons = pool.daemons().filter((daemon) => views.some((view) => view.name === daemon.name));
    if (daemons.length !== views.length)
      faults.push(
        `${name} is with ${pool
          .daemons()
          .map((each) => each.name)
          .join(", ")} only`,
      );
    const lost = pool.faults().filter(({ kind }) => kind === "daemonsLost");
    if (lost.length > 0) faults.push(`${name} says: ${lost.map(({ message }) => message).join("; ")}`);
    const records = JSON.stringify(
      pool
        .records()
        .map((record) => JSON.stringify(record))
        .sort(),
    );
    first ??= records;
    if (records !== first) faults.push(`${name} has other records than ${views[0]?.name}`);
  }
  const same = new Set(
    truth.map(({ name }) => name).filter((name, index, all) => all.indexOf(name) !== index),
  );
  for (const { name, pool } of views)
    for (const twin of same) {
      const said = pool
        ?.faults()
        .some(({ kind, nodes }) => kind === "sameName" && nodes[0]?.startsWith(twin));
      if (said === false) faults.push(`${name} does not say that several machines are called ${twin}`);
    }
  return faults;
}

/** Daemons that were together told the same events after `from`, in the same order. */
export function orderFaults(views: readonly DaemonView[], from: number): string[] {
  const [first, ...others] = views;
  if (first === undefined) return [];
  const text = ({ events }: DaemonView): string =>
    events
      .filter(({ order }) => order > from)
      .map(({ order, kind, subject }) => `${order} ${kind} ${subject}`)
      .join(", ");
  return others
    .filter((view) => text(view) !== text(first))
    .map((view) => `${view.name} told ${text(view)}; ${first.name} told ${text(first)}`);
}
