// The wires of a running lab (wire-process.ts): the process is started when the first
// link needs one, told which there are, and gone when none is left.
//
// - A wire whose process was killed lets nothing pass; the next change of any link
//   starts it anew and puts every wire back.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ProteusError } from "../kernel/errors.js";
import { labTags } from "./exec.js";
import { planNoWire, planWire, wireFaults, wireNames } from "./impairment-plan.js";
import { impairmentsOf, type Link, linksOf } from "./links.js";
import { atSwitch, enterSwitchNetwork, whateverAtSwitch } from "./namespaces.js";
import { OrderRefused, order } from "./orders.js";
import { interfacesOf, type LabInterface } from "./plan.js";
import { isAlive, processOf, waitUntil } from "./processes.js";
import { type LabState, labFolder, readWires, writeWires } from "./state.js";
import type { Topology } from "./topology.js";
import type { Wire } from "./wire-relay.js";

const startDeadlineMs = 10_000;

interface WiredLink {
  readonly link: LabInterface;
  readonly wire: Wire;
}

/** The links of a topology that have a wire. */
function wiredLinks(topology: Topology): WiredLink[] {
  return topology.nodes.flatMap((node) =>
    interfacesOf(topology, node).flatMap((link) => {
      const faults = wireFaults(impairmentsOf(topology, { node: node.name, network: link.network }));
      return faults === null ? [] : [{ link, wire: { ...wireNames(link), faults } }];
    }),
  );
}

/** The links of a running lab whose wire passes nothing, because its process has ended. */
export function deadWires(state: LabState): Link[] {
  if (state.isolation === "memory") return [];
  const wired = state.topology.nodes
    .flatMap(linksOf)
    .filter((link) => wireFaults(impairmentsOf(state.topology, link)) !== null);
  return wired.length === 0 || isAlive(readWires(state.topology.name)) ? [] : wired;
}

/** Changes the wires of a lab from those of one topology to those of another. */
export async function setWires(state: LabState, before: Topology, after: Topology): Promise<void> {
  const had = wiredLinks(before);
  const wanted = wiredLinks(after);
  if (had.length === 0 && wanted.length === 0) return;
  const stays = new Set(wanted.map(({ wire }) => wire.bridge));
  const gone = had.filter(({ wire }) => !stays.has(wire.bridge));
  await whateverAtSwitch(
    state,
    gone.flatMap(({ link }) => planNoWire(link)),
  );
  const path = join(labFolder(state.topology.name), "wires");
  const ask = (): Promise<unknown> => order(path, { wires: wanted.map(({ wire }) => wire) });
  let answer: unknown;
  try {
    answer = await ask();
  } catch (error) {
    if (error instanceof OrderRefused) throw unsupported(error);
    if (wanted.length === 0) return; // its process was gone already
    await startProcess(state, path);
    answer = await listened(ask).catch((again: unknown) => {
      throw unsupported(again);
    });
  }
  const { opened, pid } = answer as { opened: readonly string[]; pid: number };
  writeWires(state.topology.name, processOf(pid));
  const fresh = wanted.filter(({ wire }) => opened.includes(wire.bridge)).map(({ link }) => link);
  await whateverAtSwitch(
    state,
    fresh.flatMap((link) => planNoWire(link)),
  );
  await atSwitch(state, fresh.flatMap(planWire));
}

/** Asks until somebody listens: the socket of a process that starts is there a little before. */
async function listened(ask: () => Promise<unknown>): Promise<unknown> {
  const deadline = performance.now() + startDeadlineMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED" || performance.now() >= deadline)
        throw error;
      await sleep(10);
    }
  }
}

function unsupported(error: unknown): ProteusError {
  const { message, refusal } = error as Error & { refusal?: { hint?: string } };
  return new ProteusError({
    code: "LAB_WIRE_UNAVAILABLE",
    exit: 1,
    message: "no wire could be put into the link: delay, reorder, duplicate and corrupt need one",
    why: message,
    unchanged: "the link is as it was; loss, rate and cut need no wire",
    hint: refusal?.hint,
    cause: error,
  });
}

async function startProcess(state: LabState, path: string): Promise<void> {
  rmSync(path, { force: true });
  const log = openSync(join(labFolder(state.topology.name), "wires.log"), "w");
  const program = fileURLToPath(new URL("./wire-process.js", import.meta.url));
  const [enter = "", ...rest] = [...enterSwitchNetwork(state), process.execPath, program, path];
  const child = spawn(enter, rest, {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...labTags(state) },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.on("error", () => {});
  child.unref();
  await waitUntil(() => existsSync(path) || child.exitCode !== null, startDeadlineMs);
  if (existsSync(path)) return;
  child.kill("SIGKILL");
  throw unsupported(new Error("its process did not start; wires.log in the lab's folder says why"));
}
