// The pool's metrics for Prometheus, as one control daemon knows the pool. Nothing is counted
// here: each scrape reads what the pool knows anyway.

import { Gauge, Registry } from "prom-client";
import { nodeStates, type PoolService } from "../../interface/pool.js";
import type { About } from "./documents.js";

export class PoolMetrics {
  readonly #registry = new Registry();

  constructor(pool: PoolService, { version, name }: About) {
    const gauge = <Label extends string>(
      metric: string,
      help: string,
      labelNames: readonly Label[],
      collect: (gauge: Gauge<Label>) => void,
    ): void => {
      const made: Gauge<Label> = new Gauge<Label>({
        ...{ name: metric, help, labelNames: [...labelNames], registers: [this.#registry] },
        collect: () => {
          made.reset();
          collect(made);
        },
      });
    };
    gauge("proteus_control_info", "who the daemon is", ["pool", "daemon", "version"], (made) =>
      made.set({ pool: pool.pool, daemon: name, version }, 1),
    );
    gauge("proteus_control_daemons", "control daemons in the group", [], (made) =>
      made.set(pool.daemons().length),
    );
    gauge("proteus_control_watching", "1 where this daemon asks the machines for their health", [], (made) =>
      made.set(pool.daemons().some(({ self, watching }) => self && watching) ? 1 : 0),
    );
    gauge("proteus_pool_nodes", "machines of the pool by state", ["state"], (made) => {
      const nodes = pool.nodes();
      for (const state of nodeStates)
        made.set({ state }, nodes.filter((node) => node.state === state).length);
    });
    gauge("proteus_pool_node_up", "1 for a machine that answers", ["node", "kind"], (made) => {
      for (const { name: node, kind, state } of pool.nodes())
        made.set({ node, kind }, state === "up" || state === "draining" ? 1 : 0);
    });
    gauge("proteus_pool_node_draining", "1 for a machine that gets nothing new", ["node"], (made) => {
      for (const { name: node, draining } of pool.nodes()) made.set({ node }, draining ? 1 : 0);
    });
    gauge("proteus_pool_node_silent_seconds", "since a machine last answered", ["node"], (made) => {
      for (const { name: node, silentMs } of pool.nodes())
        if (silentMs !== null) made.set({ node }, silentMs / 1000);
    });
    gauge("proteus_pool_faults", "what an administrator should mend, by kind", ["kind"], (made) => {
      for (const { kind } of pool.faults()) made.inc({ kind });
    });
  }

  async page(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
