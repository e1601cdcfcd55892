// Impairs the links of a running lab, or makes them whole.
//
// - The lab's state says what is wrong with each link; a link is changed first, then its
//   state. A change that fails half-way puts the link back.
// - How: impairment-plan.ts; in memory the hub does all of it.

import { ProteusError } from "../kernel/errors.js";
import { hubTopology } from "./hub.js";
import { planImpairments, planWhole } from "./impairment-plan.js";
import { type Impairments, noImpairments, sameImpairments } from "./impairments.js";
import { impairmentsOf, type Link, linkName, withImpairments } from "./links.js";
import { atBothEnds, whateverAtBothEnds } from "./namespaces.js";
import { interfacesOf, type LabInterface } from "./plan.js";
import { controlSocket, type LabState, writeLab } from "./state.js";
import { requireNode, type Topology } from "./topology.js";
import { setWires } from "./wires.js";

/** What a link shall be, from what it is. */
export type Change = (before: Impairments, link: Link) => Impairments;

function interfaceOf(topology: Topology, { node, network }: Link): LabInterface {
  const found = interfacesOf(topology, requireNode(topology, node)).find((each) => each.network === network);
  if (found === undefined) throw new Error(`${node} is not on ${network}`);
  if (found.wire === "serial")
    throw new ProteusError({
      code: "LAB_CABLE_FIXED",
      exit: 2,
      message: `the link ${node}:${network} is a cable, which cannot be impaired`,
      unchanged: "the cable is as it was",
      hint: "noise: 0.0001 in the lab file makes it noisy, from lab up on",
    });
  return found;
}

function failed(link: Link, cause: unknown): ProteusError {
  if (cause instanceof ProteusError && cause.code === "LAB_WIRE_UNAVAILABLE") return cause;
  const known = cause instanceof ProteusError ? cause : undefined;
  return new ProteusError({
    code: "LAB_IMPAIR_FAILED",
    exit: 1,
    message: `the link ${linkName(link)} could not be impaired`,
    why: known?.why ?? (cause instanceof Error ? cause.message : String(cause)),
    unchanged: "the link is as it was",
    hint: "the kernel needs sch_ingress and cls_bpf for loss and cuts, sch_tbf for rates",
    cause,
  });
}

/** Changes one link from what it is to what `topology` says. */
async function impairLink(state: LabState, link: Link, topology: Topology): Promise<void> {
  const wire = interfaceOf(state.topology, link);
  if (state.isolation === "memory") {
    await hubTopology(controlSocket(state.topology.name), topology);
    return;
  }
  const [before, after] = [impairmentsOf(state.topology, link), impairmentsOf(topology, link)];
  try {
    await setWires(state, state.topology, topology);
    await atBothEnds(state, link.node, planImpairments(wire, before, after));
  } catch (error) {
    await setWires(state, topology, state.topology).catch(() => undefined);
    await whateverAtBothEnds(state, link.node, planWhole(wire));
    await whateverAtBothEnds(state, link.node, planImpairments(wire, noImpairments, before));
    throw failed(link, error);
  }
}

/** Changes links one after the other; gives the state of the lab after it. Call it within `changing`. */
export async function impair(state: LabState, links: readonly Link[], change: Change): Promise<LabState> {
  let now = state;
  for (const link of links) {
    const before = impairmentsOf(now.topology, link);
    const after = change(before, link);
    if (sameImpairments(before, after)) continue;
    const topology = withImpairments(now.topology, link, after);
    await impairLink(now, link, topology);
    now = { ...now, topology };
    writeLab(now);
  }
  return now;
}
