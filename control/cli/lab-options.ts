// What the commands of `proteus lab` share: options, and how an interrupt is taken. The lab file
// is lab-file.ts's: most commands read none.

import { fileURLToPath } from "node:url";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { daemonsDefault } from "../lab/daemons.js";
import type { LabOptions } from "../lab/lab.js";
import type { Topology } from "../lab/topology.js";
import { narrate } from "./output.js";
import { packageRoot } from "./package-files.js";

/** This program again, for agents. */
export const proteus = [process.execPath, fileURLToPath(new URL("./main.js", import.meta.url))];

function seconds(text: string): number {
  const value = Number(text.replace(/s$/, ""));
  if (text === "" || !(value > 0 && value <= 86_400))
    throw new InvalidArgumentError("It is a number of seconds.");
  return value;
}

/** A lab that says nothing of control daemons has one. */
export const withDaemons = (topology: Topology): Topology => ({ daemons: daemonsDefault, ...topology });

const interrupts = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `work` so that an interrupt becomes its abort. After it has cleaned up the signal
 * does what it would have done at once; `outcome` is what people are told of it.
 */
export async function interruptible<T>(
  work: (abort: AbortSignal) => Promise<T>,
  outcome = "what had been made was removed",
): Promise<T> {
  const controller = new AbortController();
  const arrived: NodeJS.Signals[] = [];
  const handlers = interrupts.map((name) => {
    const handler = (): void => {
      arrived.push(name);
      controller.abort();
    };
    process.on(name, handler);
    return { name, handler };
  });
  try {
    return await work(controller.signal);
  } finally {
    for (const { name, handler } of handlers) process.off(name, handler);
    const [first] = arrived;
    if (first !== undefined) {
      narrate(`interrupted by ${first}: ${outcome}`);
      process.kill(process.pid, first);
    }
  }
}

/**
 * What metal machines of a lab need is there, or is made now and not within their time to answer.
 * Throws BOOT_TOOL_MISSING and what else building an image throws.
 */
export async function prepareMetal({ nodes }: Topology): Promise<void> {
  if (!nodes.some(({ kind }) => kind === "metal" || kind === "pxe")) return;
  const [{ buildImage }, { boundTool }, { qemuProgram }] = await Promise.all([
    import("../../boot/image.js"),
    import("../../boot/tools.js"),
    import("../../boot/qemu.js"),
  ]);
  boundTool(qemuProgram);
  if (nodes.some(({ firmware }) => firmware === "uefi")) boundTool("ovmf");
  await buildImage({ root: packageRoot, narrate });
}

/** What the functions of control/lab want to know. */
export function labOptions(timeout: number, abort?: AbortSignal): LabOptions {
  return { proteus, timeoutMs: timeout * 1000, narrate, abort };
}

export const timeoutOption = () =>
  new Option("--timeout <seconds>", "how long a machine may take to answer").argParser(seconds).default(30);
export const labOption = () => new Option("--lab <name>", "which lab, when several are running");
export const jsonOption = () => new Option("--json", "one JSON document on stdout").default(false as boolean);
