// A pool in memory behind the interface of the control daemons: what the API, its client and
// the commands are tested against without a network.

import type { NodeFault } from "../../../../control/interface/node-faults.js";
import type {
  BootReport,
  PoolDaemon,
  PoolEvent,
  PoolNode,
  PoolService,
} from "../../../../control/interface/pool.js";
import { exitCodes, ProteusError } from "../../../../control/kernel/errors.js";

export function fakeNode(name: string, changes: Partial<PoolNode> = {}): PoolNode {
  const address = Buffer.from(name.padEnd(8, ".")).subarray(0, 8).toString("hex");
  const servers = { sys: "a1a2a3a4a5a6", segment: "b1b2b3b4b5b6" };
  const facts = { kind: "pool", state: "up" as const, draining: false, version: "1.0.0", silentMs: 20 };
  return { name, address, servers, ...facts, status: null, ...changes };
}

export class FakePool implements PoolService {
  readonly pool = "fake";
  readonly known = new Map<string, PoolNode>();
  readonly listeners = new Set<(event: PoolEvent) => void>();
  members: PoolDaemon[] = [{ member: 0, name: "c1", self: true, watching: true }];
  wrong: NodeFault[] = [];
  #order = 0;

  constructor(...nodes: PoolNode[]) {
    for (const node of nodes) this.known.set(node.name, node);
  }

  nodes = (): PoolNode[] => [...this.known.values()];
  faults = (): readonly NodeFault[] => this.wrong;
  daemons = (): readonly PoolDaemon[] => this.members;

  node(name: string): PoolNode {
    const found = this.known.get(name);
    if (found !== undefined) return found;
    throw new ProteusError({
      code: "NODE_UNKNOWN",
      exit: exitCodes.notFound,
      message: `the pool has no machine ${name}`,
      why: `it has ${[...this.known.keys()].join(", ")}`,
      unchanged: "nothing was changed",
      hint: "proteus node list",
    });
  }

  drain = async (name: string): Promise<PoolNode> => this.#set(name, true);
  undrain = async (name: string): Promise<PoolNode> => this.#set(name, false);

  async #set(name: string, draining: boolean): Promise<PoolNode> {
    const node: PoolNode = { ...this.node(name), draining, state: draining ? "draining" : "up" };
    this.known.set(name, node);
    this.tell(draining ? "draining" : "undrained", name);
    return node;
  }

  readonly reports: BootReport[] = [];
  async booting(report: BootReport): Promise<void> {
    this.reports.push(report);
    this.tell("booting", report.name);
  }

  async forget(name: string): Promise<void> {
    const { state } = this.node(name);
    if (state === "up" || state === "draining")
      throw new ProteusError({ code: "NODE_IN_USE", exit: exitCodes.failed, message: `${name} answers` });
    this.known.delete(name);
    this.tell("forgotten", name);
  }

  watch(listener: (event: PoolEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Something has happened. */
  tell(kind: PoolEvent["kind"], subject: string): void {
    const event = { order: ++this.#order, kind, subject };
    for (const listener of this.listeners) listener(event);
  }
}
