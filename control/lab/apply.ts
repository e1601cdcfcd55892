// Changes a running lab into what a lab file says (changes.ts), and nothing else of it.
//
// - Step by step; after each the lab's state says what is there, so that a failure or an
//   interrupt leaves a lab that the same command can go on with.
// - Agents that have to boot, new ones and others, boot together at the end. A node
//   without power stays without it.
// - Programs that users run in a node go on, unless the node goes.

import { ProteusError } from "../kernel/errors.js";
import { after, keepsLink, lostLinks, planChanges, type Step, stepText } from "./changes.js";
import { hubTopology } from "./hub.js";
import { impair } from "./impair.js";
import { rateLines } from "./impairment-plan.js";
import { noImpairments } from "./impairments.js";
import { bootNode, hasAgent, type LabOptions, settle } from "./lab.js";
import { impairmentsOf, type Link, linksOf } from "./links.js";
import { processesOf, setPower } from "./medium.js";
import {
  atBothEnds,
  atSwitch,
  buildNode,
  nodeNamespace,
  tcAtSwitch,
  whateverAtSwitch,
} from "./namespaces.js";
import {
  interfacesOf,
  type LabInterface,
  linkLines,
  namespaceName,
  networkLines,
  rateLines as newRateLines,
  planNode,
} from "./plan.js";
import { isAlive, killAll, signal, waitGone } from "./processes.js";
import {
  controlSocket,
  type LabState,
  makeNodeFolder,
  readNode,
  removeNodeFolder,
  writeLab,
  writeNode,
} from "./state.js";
import type { LabNode, Topology } from "./topology.js";

/** Networks that are no Ethernet, and who is on them, as text to compare. */
function wiresOf({ networks, nodes }: Topology): string {
  const wires = networks.filter(({ kind }) => kind !== undefined);
  return JSON.stringify(
    wires.map(({ name, kind, speed, noise, mtu }) => {
      const on = nodes.flatMap((node) => {
        const place = node.networks.indexOf(name);
        return place < 0 ? [] : [`${node.name}:${place}`];
      });
      return { name, kind, speed, noise, mtu, on };
    }),
  );
}

/** How long an agent may take to say good-bye. */
const graceMs = 1000;

async function stopAgent(state: LabState, node: LabNode): Promise<void> {
  const lab = state.topology.name;
  const { agent, ...rest } = readNode(lab, node.name);
  if (agent !== null && isAlive(agent)) {
    signal(agent, "SIGTERM");
    if (!(await waitGone([agent], graceMs))) {
      signal(agent, "SIGKILL");
      await waitGone([agent], graceMs);
    }
  }
  writeNode(lab, node.name, { ...rest, agent: null });
}

/** Interfaces of a node that are not the same in another form of it. */
function otherInterfaces(topology: Topology, node: LabNode, other: LabNode): LabInterface[] {
  return interfacesOf(topology, node).filter((_, place) => !keepsLink(node, other, place));
}

async function addNode(state: LabState, topology: Topology, node: LabNode): Promise<void> {
  const lab = topology.name;
  makeNodeFolder(lab, node.name);
  if (state.isolation === "memory") await hubTopology(controlSocket(lab), topology);
  else {
    const plan = planNode(topology, node);
    try {
      await atSwitch(state, plan.ip);
      await tcAtSwitch(state, plan.tc);
      await buildNode(state, plan.inside);
    } catch (error) {
      await takeNode(state, topology, node);
      throw error;
    }
  }
  writeNode(lab, node.name, { power: "on", agent: null, namespace: nodeNamespace(state, node.name) });
}

/** Takes away what makes a node, as far as it is there. */
function takeNode(state: LabState, topology: Topology, node: LabNode): Promise<void> {
  const ports = interfacesOf(topology, node).map(({ port }) => `link del ${port}`);
  return whateverAtSwitch(state, [...ports, `netns del ${namespaceName(topology.name, node.name)}`]);
}

async function removeNode(state: LabState, topology: Topology, node: LabNode): Promise<void> {
  const lab = state.topology.name;
  await setPower(state, node, false);
  await killAll(() => processesOf(state, node.name));
  if (state.isolation === "memory") {
    await hubTopology(controlSocket(lab), topology);
    await setPower(state, node, true); // whoever comes with this name later is not cut
  } else await takeNode(state, state.topology, node);
  removeNodeFolder(lab, node.name);
}

/** Ends control daemons, and makes the machines of those that come. */
async function changeDaemons(
  state: LabState,
  topology: Topology,
  { nodes, was }: Extract<Step, { step: "daemons" }>,
): Promise<void> {
  const lab = topology.name;
  await Promise.all(was.map((node) => stopAgent(state, node)));
  for (const { name } of was) await killAll(() => processesOf(state, name));
  if (state.isolation !== "memory")
    await whateverAtSwitch(
      state,
      was.flatMap(({ name, networks }) => [
        ...networks.map((_, place) => `link del ${name}_${place}`),
        `netns del ${namespaceName(lab, name)}`,
      ]),
    );
  for (const { name } of was) if (!nodes.some((node) => node.name === name)) removeNodeFolder(lab, name);
  for (const node of nodes) await addNode(state, topology, node);
  if (nodes.length === 0 && state.isolation === "memory") await hubTopology(controlSocket(lab), topology);
}

async function changeNode(state: LabState, topology: Topology, node: LabNode, was: LabNode): Promise<void> {
  await stopAgent(state, was);
  if (state.isolation === "memory") {
    await hubTopology(controlSocket(topology.name), topology);
    return;
  }
  const gone = otherInterfaces(state.topology, was, node);
  const fresh = otherInterfaces(topology, node, was);
  const namespace = namespaceName(topology.name, node.name);
  await whateverAtSwitch(
    state,
    gone.map(({ port }) => `link del ${port}`),
  );
  const lines = fresh.map((link) => linkLines(namespace, link));
  await atBothEnds(state, node.name, {
    switch: {
      ip: lines.flatMap((each) => each.switch),
      tc: fresh.flatMap((link) => newRateLines(link, "port")),
    },
    node: {
      ip: lines.flatMap((each) => each.node),
      tc: fresh.flatMap((link) => newRateLines(link, "name")),
    },
  });
  if (readNode(topology.name, node.name).power === "off") await setPower({ ...state, topology }, node, false);
}

async function changeNetwork(
  state: LabState,
  topology: Topology,
  { network, was }: Extract<Step, { step: "change-network" }>,
): Promise<void> {
  if (state.isolation === "memory") {
    await hubTopology(controlSocket(topology.name), topology);
    return;
  }
  const { name, mtu, rate } = network;
  await atSwitch(state, [`link set ${name} mtu ${mtu}`]);
  for (const node of topology.nodes)
    for (const link of interfacesOf(topology, node).filter((each) => each.network === name)) {
      // The bucket of a rate depends on the MTU: it is made anew with that, also when the rate stays.
      const old = rate !== null && mtu !== was.mtu ? null : was.rate;
      const lines = (device: string) => ({
        ip: [`link set ${device} mtu ${mtu}`],
        tc: rateLines(device, mtu, old, rate),
      });
      await atBothEnds(state, node.name, { switch: lines(link.port), node: lines(link.name) });
    }
}

/** Impairments of links put aside while `work` changes what is under them. */
async function withoutImpairments(
  state: LabState,
  links: readonly Link[],
  work: (state: LabState) => Promise<LabState>,
): Promise<LabState> {
  const before = state.topology;
  const changed = await work(await impair(state, links, () => noImpairments));
  return impair(changed, links, (_, link) => impairmentsOf(before, link));
}

/** Carries out one step and gives the state after it, written down. */
async function carryOut(state: LabState, step: Step): Promise<LabState> {
  const done = (now: LabState): LabState => {
    const next = { ...now, topology: after(now.topology, step) };
    writeLab(next);
    return next;
  };
  const topology = after(state.topology, step);
  switch (step.step) {
    case "add-network":
      if (state.isolation !== "memory") await atSwitch(state, networkLines(step.network));
      return done(state);
    case "remove-network":
      if (state.isolation !== "memory") await whateverAtSwitch(state, [`link del ${step.network.name}`]);
      return done(state);
    case "add-node":
      await addNode(state, topology, step.node);
      return done(state);
    case "remove-node": {
      const whole = await impair(state, linksOf(step.node), () => noImpairments);
      await removeNode(whole, topology, step.node);
      return done(whole);
    }
    case "change-node": {
      const whole = await impair(state, lostLinks(step.was, step.node), () => noImpairments);
      await changeNode(whole, topology, step.node, step.was);
      return done(whole);
    }
    case "change-network": {
      const on = state.topology.nodes.flatMap(linksOf).filter((link) => link.network === step.network.name);
      return withoutImpairments(state, on, async (whole) => {
        await changeNetwork(whole, after(whole.topology, step), step);
        return done(whole);
      });
    }
    case "daemons":
      await changeDaemons(state, topology, step);
      return done(state);
    case "restart-agent":
      await stopAgent(state, step.node);
      return state;
    case "impair":
      return impair(state, [step.link], () => step.impairments);
  }
}

/** The nodes that this step leaves with an agent, or a daemon, that has to boot. */
function bootsAfter(step: Step): readonly LabNode[] {
  if (step.step === "daemons") return step.nodes;
  const boots = step.step === "add-node" || step.step === "change-node" || step.step === "restart-agent";
  return boots && hasAgent(step.node) ? [step.node] : [];
}

function stopped(cause: unknown, step: Step, done: number, all: number): ProteusError {
  const known = cause instanceof ProteusError ? cause : undefined;
  return new ProteusError({
    code: "LAB_APPLY_FAILED",
    exit: known?.exit ?? 1,
    message: `the lab is changed in part only: stopped at "${stepText(step)}"`,
    why: known?.why ?? (cause instanceof Error ? cause.message : String(cause)),
    unchanged: `${done} of ${all} changes were made and stay; the others were not begun`,
    hint: "run proteus lab apply again to go on, or proteus lab down",
    cause,
  });
}

/** Changes a running lab into what `file` says. Call it within `changing`. Throws LAB_APPLY_FAILED. */
export async function apply(
  state: LabState,
  file: Topology,
  options: LabOptions,
): Promise<{ state: LabState; steps: readonly Step[] }> {
  if (wiresOf(state.topology) !== wiresOf(file))
    throw new ProteusError({
      code: "LAB_CABLE_FIXED",
      exit: 2,
      message: `cables and networks over IP of lab ${file.name} cannot be changed while it runs`,
      unchanged: "the lab is as it was",
      hint: `proteus lab down ${file.name}, then proteus lab up FILE`,
    });
  const { steps, target } = planChanges(state.topology, file);
  let now: LabState = state;
  const boots = new Map<string, LabNode>();
  let failure: ProteusError | null = null;
  for (const [index, step] of steps.entries()) {
    try {
      options.abort?.throwIfAborted();
      now = await carryOut(now, step);
      options.narrate(stepText(step));
    } catch (error) {
      failure = stopped(error, step, index, steps.length);
      break;
    }
    for (const node of bootsAfter(step)) boots.set(node.name, node);
  }
  await bootAll(now, [...boots.values()], options);
  if (failure !== null) throw failure;
  now = { ...now, topology: target };
  writeLab(now);
  return { state: now, steps };
}

async function bootAll(state: LabState, nodes: readonly LabNode[], options: LabOptions): Promise<void> {
  const silenced = new AbortController();
  const abort =
    options.abort === undefined ? silenced.signal : AbortSignal.any([options.abort, silenced.signal]);
  const on = nodes.filter((node) => readNode(state.topology.name, node.name).power === "on");
  await settle(
    on.map((node) => bootNode(state, node, { ...options, abort })),
    silenced,
  );
}
