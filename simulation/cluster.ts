// Builds the cluster of a run from its seed: networks, routers between them, machines.
//
// - The first network has most of the machines; in two of five seeds there is a second one
//   behind a router, in one of ten a third behind another.
// - Programs are started at every boot; what a machine had under way before is gone.

import type { Lan } from "./engine/lan.js";
import type { Machine } from "./engine/machine.js";
import type { World } from "./engine/world.js";
import type { Cluster, Plan } from "./workloads/workload.js";

/** What the run gives the cluster. */
export type ClusterHooks = Pick<Cluster, "fail" | "happened" | "timeline">;

export interface BuiltCluster extends Cluster {
  readonly routers: readonly Machine[];
}

const farShare = 0.4;

/** The networks, the first one first, with routers in a chain between them. */
function buildNetworks(world: World, plan: Plan): { lans: Lan[]; routers: Machine[] } {
  const random = world.stream(4);
  const lans = [world.lan({ latencyMicroseconds: 20 + random.below(200), ...plan.lan })];
  const routers: Machine[] = [];
  if (plan.routers === false) return { lans, routers };
  while (lans.length < 3 && random.chance(lans.length === 1 ? farShare : farShare / 2)) {
    const far = world.lan({ latencyMicroseconds: 20 + random.below(200) });
    routers.push(world.machine(`router${routers.length}`, [lans[lans.length - 1] as Lan, far]));
    lans.push(far);
  }
  return { lans, routers };
}

/** Where a machine stands: with more than one network, half of the machines are elsewhere. */
function placeOf(world: World, lans: readonly Lan[], index: number): Lan {
  const random = world.stream(100 + index);
  const place = index === 0 || random.chance(0.5) ? 0 : random.below(lans.length);
  return lans[place] as Lan;
}

/** A cluster of so many machines, all of them running. */
export function buildCluster(world: World, plan: Plan, count: number, hooks: ClusterHooks): BuiltCluster {
  const { lans, routers } = buildNetworks(world, plan);
  const machines: Machine[] = [];
  for (let index = 0; index < count; index++) {
    const { name = `machine${index}`, ...options } = plan.machine?.(index) ?? {};
    machines.push(world.machine(name, placeOf(world, lans, index), options));
  }
  for (const machine of world.machines) hooks.timeline?.machine(machine.index, machine.name);
  const programs = new Map<Machine, ((machine: Machine) => void)[]>();
  const program: Cluster["program"] = (machine, start) => {
    const starts = programs.get(machine) ?? [];
    programs.set(machine, starts);
    starts.push(start);
    machine.onBoot = () => {
      hooks.timeline?.mark(machine.index, "boot", { boots: machine.boots });
      for (const each of starts) each(machine);
    };
    if (machine.kernel !== null) start(machine);
  };
  const onCrash: Cluster["onCrash"] = (machine, crashed) => {
    const before = machine.onCrash;
    machine.onCrash = () => {
      before?.();
      crashed();
    };
  };
  return { world, machines, routers, random: world.stream(5), program, onCrash, ...hooks };
}
