// `proteus lab apply`: a running lab becomes what its changed file says.
//
// - The lab is the one that the file names; it must run.
// - stdout says what was, or with --dry-run would be, changed, one line each.

import type { Command } from "@commander-js/extra-typings";
import { ProteusError } from "../kernel/errors.js";
import { apply } from "../lab/apply.js";
import { planChanges, type Step, stepText } from "../lab/changes.js";
import { changing } from "../lab/changing.js";
import { runningLabs } from "../lab/lab.js";
import { type LabStatus, statusOf } from "../lab/status.js";
import { requireName } from "../lab/topology.js";
import { readTopology } from "./lab-file.js";
import {
  interruptible,
  jsonOption,
  labOptions,
  prepareMetal,
  timeoutOption,
  withDaemons,
} from "./lab-options.js";
import { emit, narrate } from "./output.js";

const help = `
Only what differs is changed: machines and links that stay keep their addresses, their
programs and their connections. What \`lab impair\` has set and the file has not is reset.

Examples:
  proteus lab apply demo.yaml --dry-run
  proteus lab apply demo.yaml`;

interface ApplyOptions {
  readonly dryRun: boolean;
  readonly name?: string;
  readonly timeout: number;
  readonly json: boolean;
}

function requireRunning(name: string, file: string): void {
  const names = runningLabs().map((state) => state.topology.name);
  if (names.includes(name)) return;
  throw new ProteusError({
    code: "LAB_NOT_FOUND",
    exit: 3,
    message: `lab "${name}" is not running`,
    ...(names.length > 0 ? { why: `running: ${names.join(", ")}` } : {}),
    unchanged: "no lab was made or changed",
    hint: `proteus lab up ${file}${names.length > 0 ? ", or say which lab it is for with --name" : ""}`,
  });
}

function report(options: ApplyOptions, lab: string, steps: readonly Step[], status?: LabStatus): void {
  const document = {
    lab,
    dryRun: options.dryRun,
    changes: steps.map((step) => ({ ...step, text: stepText(step) })),
    ...(status === undefined ? {} : { status }),
  };
  emit("lab apply", options.json, document, () =>
    steps.length === 0 ? `lab ${lab} is as the file says` : steps.map(stepText).join("\n"),
  );
}

async function applyCommand(file: string, options: ApplyOptions): Promise<void> {
  const read = readTopology(file);
  const named = options.name === undefined ? read : { ...read, name: requireName("lab", options.name) };
  const topology = withDaemons(named);
  const { name } = topology;
  requireRunning(name, file);
  if (options.dryRun) {
    const running = runningLabs().find((state) => state.topology.name === name);
    if (running !== undefined) report(options, name, planChanges(running.topology, topology).steps);
    narrate("a dry run: nothing was changed");
    return;
  }
  await prepareMetal(topology);
  const { state, steps } = await interruptible(
    (abort) =>
      changing(name, (now) =>
        apply(now, topology, { ...labOptions(options.timeout, abort), narrate: () => undefined }),
      ),
    "the lab is changed in part",
  );
  report(options, name, steps, statusOf(state));
  const asleep = statusOf(state).nodes.filter((node) => node.state === "down");
  if (asleep.length > 0)
    narrate(`down: ${asleep.map((node) => node.name).join(", ")} (proteus lab start NODE)`);
}

/** Adds `apply` to the commands of the lab. */
export function registerApply(lab: Command): void {
  lab
    .command("apply")
    .description("change a running lab into what its changed file says, and only what differs")
    .argument("<file>", "a lab file (YAML)")
    .option("--dry-run", "say what would be changed, and change nothing", false)
    .option("--name <name>", "which lab, when not the one that the file names")
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addHelpText("after", help)
    .action(async (file, options) => applyCommand(file, options));
}
