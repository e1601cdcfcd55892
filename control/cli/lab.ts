// `proteus lab …`: the command line of control/lab.
//
// - Data goes to stdout, narration to stderr; an interrupt takes down what is being made.
// - What changes or draws a lab is in lab-impair.ts, lab-apply.ts and lab-graph.ts; the
//   demonstration that `npm start` shows is in demo.ts.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { ProteusError } from "../kernel/errors.js";
import { execInNode } from "../lab/exec.js";
import { down, kill, requireLab, runningLabs, start, up } from "../lab/lab.js";
import { type Removed, removeAll, wouldRemove } from "../lab/remove.js";
import type { Isolation } from "../lab/state.js";
import { statusOf, statusText } from "../lab/status.js";
import { defaultTopology, requireName, requireNode, sameTopology, type Topology } from "../lab/topology.js";
import type { Entry, Wanted } from "./entry.js";
import {
  interruptible,
  jsonOption,
  labOption,
  labOptions,
  prepareMetal,
  proteus,
  timeoutOption,
  withDaemons,
} from "./lab-options.js";
import { emit, narrate } from "./output.js";

export { interruptible };

/** The command; `proteus` is this program when there is none on the path. */
function findProteus(words: readonly string[]): readonly string[] {
  const [first, ...rest] = words;
  if (first !== "proteus" && first !== "amoeba-proteus") return words;
  const folders = (process.env.PATH ?? "").split(":").filter((folder) => folder !== "");
  return folders.some((folder) => existsSync(join(folder, first))) ? words : [...proteus, ...rest];
}

const fileExample = `
A lab file:
  name: demo
  networks:
    lan0: { mtu: 1500 }
    lan1: { mtu: 1500, rate: 1gbit }
    # cable: { kind: serial, speed: 115200 }       # joins two nodes; wan: { kind: ip } is encrypted
  nodes:
    n1: { kind: pool, networks: [lan0] }
    r1: { kind: router, networks: [lan0, lan1] }   # a pool machine on two networks
    n2: { kind: pool, networks: [lan1], bullet: { size: 256M } }   # with a Bullet server
    h1: { kind: host, networks: [lan0] }           # no agent: your own tools
    m1: { kind: metal, networks: [lan0], machine: q35, nic: e1000e }   # no operating system; microvm, virtio
    m2: { kind: metal, networks: [lan0], groups: [chat] }   # a member of a group, as \`group join\` is
  control: { daemons: 3 }                          # default: 1; they are on every network

Examples:
  proteus lab up --nodes 3
  proteus lab up demo.yaml --name test
  proteus lab up demo.yaml --dry-run
`;

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("It is a whole number.");
  return Number(text);
}

const dryRunOption = () =>
  new Option("--dry-run", "say what would be removed, and remove nothing").default(false as boolean);

const isolationOption = () =>
  new Option("--isolation <way>", "how machines are kept apart")
    .choices(["auto", "netns", "userns", "memory"] as const)
    .default("auto");

interface UpOptions {
  readonly nodes?: number;
  readonly name?: string;
  readonly timeout: number;
  readonly isolation: Isolation | "auto";
  readonly dryRun: boolean;
  readonly json: boolean;
}

async function upCommand(file: string | undefined, options: UpOptions): Promise<void> {
  if (file !== undefined && options.nodes !== undefined)
    throw new ProteusError({
      code: "USAGE",
      exit: 2,
      message: "a lab file and --nodes cannot be given together",
      hint: "the file says which nodes there are",
    });
  const name = options.name === undefined ? undefined : requireName("lab", options.name);
  const read =
    file === undefined
      ? defaultTopology(name ?? "lab", options.nodes ?? 3)
      : (await import("./lab-file.js")).readTopology(file);
  const topology = withDaemons(name === undefined ? read : { ...read, name });
  if (options.dryRun) {
    upDryRun(topology, options.json);
    return;
  }
  await prepareMetal(topology);
  const began = performance.now();
  const { state, made } = await interruptible((abort) =>
    up(topology, { ...labOptions(options.timeout, abort), isolation: options.isolation }),
  );
  const took = ((performance.now() - began) / 1000).toFixed(1);
  if (made) narrate(`lab ${topology.name} is up: ${topology.nodes.length} nodes in ${took} s`);
  const status = statusOf(state);
  const asleep = status.nodes.filter((node) => node.state === "down").map((node) => node.name);
  if (asleep.length > 0) narrate(`down: ${asleep.join(", ")} (proteus lab start NODE)`);
  emit("lab up", options.json, status, () => statusText(status));
}

async function downCommand(
  name: string | undefined,
  { dryRun, json }: { dryRun: boolean; json: boolean },
): Promise<void> {
  if (name === undefined && process.env.PROTEUS_LAB === undefined && runningLabs().length === 0) {
    if (json) emit("lab down", json, { dryRun, removed: null }, () => "");
    narrate("no lab is running: nothing to take down");
    return;
  }
  const state = requireLab(name);
  const removed = dryRun ? wouldRemove(state, "is running") : await down(state);
  if (json || dryRun) emit("lab down", json, { dryRun, removed }, () => removedText([removed], dryRun));
  if (dryRun) narrate("a dry run: nothing was changed");
  else narrate(`lab ${removed.lab} is down: ${removed.processes} processes ended`);
}

/** What was removed, or would be, a line each. */
function removedText(removed: readonly Removed[], dryRun: boolean): string {
  const verb = dryRun ? "would remove" : "removed";
  return removed
    .flatMap(({ lab, why, processes, namespaces, items }) => [
      `${verb} lab ${lab} (${why}): ${processes} processes, ${namespaces} namespaces`,
      ...items.map((item) => `  ${item}`),
    ])
    .join("\n");
}

interface CleanOptions {
  readonly all: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

async function cleanCommand({ all, dryRun, json }: CleanOptions): Promise<void> {
  const { removed, kept } = await removeAll(all, dryRun);
  emit("lab clean", json, { dryRun, removed, kept }, () =>
    removed.length === 0 ? "nothing to clean" : removedText(removed, dryRun),
  );
  if (dryRun) narrate("a dry run: nothing was changed");
  if (kept.length > 0) narrate(`running and kept: ${kept.join(", ")} (--all removes them too)`);
}

/** What `up` would make. */
function upDryRun(topology: Topology, json: boolean): void {
  const running = runningLabs().find((state) => state.topology.name === topology.name);
  const verdict =
    running === undefined
      ? "would be made"
      : sameTopology(running.topology, topology)
        ? "is up"
        : "is in the way";
  emit("lab up", json, { dryRun: true, lab: topology.name, verdict, topology }, () =>
    [
      `lab ${topology.name} ${verdict}: ${topology.nodes.length} nodes, ${topology.networks.length} networks`,
      ...topology.nodes.map(({ name, kind, networks }) => `  ${name}: ${kind} on ${networks.join(", ")}`),
    ].join("\n"),
  );
  narrate("a dry run: nothing was changed");
}

/** Commands that need more than the others, and so are loaded only when they are the one wanted. */
const parts: Readonly<Record<string, Entry>> = {
  impair: {
    summary: "lose, delay, reorder, double or damage frames of a link, slow it down, or cut it",
    load: async () => (await import("./lab-impair.js")).registerImpair,
  },
  apply: {
    summary: "change a running lab into what its changed file says, and only what differs",
    load: async () => (await import("./lab-apply.js")).registerApply,
  },
  graph: {
    summary: "draw a lab: its networks, machines, links and what is wrong with them",
    load: async () => (await import("./lab-graph.js")).registerGraph,
  },
};

/** Adds `lab` and its subcommands to the program; some are names alone unless they are wanted. */
export async function registerLab(program: Command, isWanted: Wanted): Promise<void> {
  program.enablePositionalOptions();
  const lab = program
    .command("lab")
    .description("virtual labs: machines on a LAN of their own, on this computer")
    .enablePositionalOptions();

  lab
    .command("up")
    .description("make a lab and wait until its machines answer")
    .argument("[file]", "a lab file (YAML)")
    .option(
      "--nodes <count>",
      "without a file: so many pool machines on one network (default: 3)",
      wholeNumber,
    )
    .option("--name <name>", "name of the lab (default: the file's, else lab)")
    .addOption(timeoutOption())
    .addOption(isolationOption())
    .option("--dry-run", "read the file and say what would be made, and make nothing", false)
    .addOption(jsonOption())
    .addHelpText("after", fileExample)
    .action(async (file, options) => upCommand(file, options));

  lab
    .command("down")
    .description("take a lab down, and everything that runs in it")
    .argument("[name]", "which lab, when several are running")
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  proteus lab down demo\n  proteus lab down --dry-run")
    .action((name, options) => downCommand(name, options));

  lab
    .command("status")
    .description("show a lab's networks, nodes and processes")
    .addOption(labOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  proteus lab status --json")
    .action((options) => {
      const status = statusOf(requireLab(options.lab));
      emit("lab status", options.json, status, () => statusText(status));
    });

  lab
    .command("exec")
    .description("run a command inside a node")
    .argument("<node>", "name of the node")
    .argument("<command...>", "the command and its arguments, after --")
    .addOption(labOption())
    .addHelpText(
      "after",
      [
        "\nExamples:",
        "  proteus lab exec n1 -- ip address",
        "  proteus lab exec --lab demo n2 -- proteus call --port e4b2c2985455 --size 0 --count 1000",
        "\n`proteus` is this program, also when it is not on the path.",
      ].join("\n"),
    )
    .action(async (name, command, options) => {
      const state = requireLab(options.lab);
      process.exitCode = await execInNode(state, requireNode(state.topology, name), findProteus(command));
    });

  lab
    .command("kill")
    .description("cut a node's power: its links, then every process in it")
    .argument("<node>", "name of the node")
    .addOption(labOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  proteus lab kill n1 && proteus lab start n1")
    .action(async (name, options) => {
      const state = requireLab(options.lab);
      const killed = await kill(state, name);
      if (options.json) emit("lab kill", true, { node: name, processes: killed }, () => "");
      narrate(`${name} is down: ${killed} processes killed`);
    });

  lab
    .command("start")
    .description("boot a node that is down")
    .argument("<node>", "name of the node")
    .addOption(labOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  proteus lab start n1 --timeout 10")
    .action(async (name, options) => {
      const state = requireLab(options.lab);
      if (state.topology.nodes.some((node) => node.name === name)) await prepareMetal(state.topology);
      const booted = await interruptible((abort) => start(state, name, labOptions(options.timeout, abort)));
      if (options.json) emit("lab start", true, { node: name, booted }, () => "");
      narrate(booted ? `${name} is up` : `${name} is up already`);
    });

  for (const [name, { summary, load }] of Object.entries(parts)) {
    if (isWanted(name)) (await load())(lab as never, isWanted);
    else lab.command(name).description(summary);
  }

  lab
    .command("clean")
    .description("remove what crashed labs have left")
    .option("--all", "running labs too", false)
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  proteus lab clean --dry-run\n  proteus lab clean --all")
    .action(async (options) => cleanCommand(options));

  lab
    .command("demo")
    .description(
      "three machines that find and call each other, and a first measurement; leaves nothing behind",
    )
    .addOption(isolationOption())
    .option("--no-bench", "leave the measurement out")
    .addHelpText("after", "\nExample:\n  npm start")
    .action(async (options) => {
      const { runDemo } = await import("./demo.js");
      await interruptible((abort) => runDemo({ proteus, ...options, narrate, abort }));
    });
}
