// How a command reaches a server: through the control daemon where there is one, with the
// caller's capability. With --interface, inside a lab's machine, or without a daemon it goes by
// a kernel of its own, which lives for the one command.

import type { Command } from "@commander-js/extra-typings";
import type { Transact } from "../kernel/calls.js";
import type { Kernel } from "../kernel/kernel.js";
import { startKernel } from "../node/start.js";
import { type Access, findAnyControl, ownNetwork, withAccess } from "./control-access.js";
import { collect } from "./foreground.js";
import { narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";
import { parseDuration } from "./quantity.js";

/** Options that every command has that calls a server, as commander gives them. */
export interface CallingOptions extends Access {
  readonly root?: string | undefined;
  readonly interface: readonly string[];
  readonly timeout: string;
  readonly json: boolean;
}

/** Adds those options; `timeout` is what --timeout is when nothing is said. */
export function withCalling(command: Command, timeout = "5s"): Command {
  command
    .option("--interface <name>", "network to call on, without a daemon; may be repeated", collect, [])
    .option("--root <capability>", "where a path begins: its capability; several of one set with commas");
  return withAccess(command)
    .option("--timeout <duration>", "how long to look for the server", timeout)
    .option("--json", "one JSON document on stdout", false) as unknown as Command;
}

/** How long to look for a server. Throws a usage error. */
export const locateTimeout = (options: CallingOptions): number => Math.ceil(parseDuration(options.timeout));

/** Runs `work` with a kernel of this command's own. */
async function onOwnKernel<Result>(
  options: CallingOptions,
  work: (kernel: Kernel) => Promise<Result>,
): Promise<Result> {
  const running = await startKernel({
    wasm: kernelBytes(),
    interfaces: options.interface,
    say: narrate,
  });
  try {
    return await work(running.kernel);
  } finally {
    await running.finish();
  }
}

/** Runs `work` with what its calls go by. */
export async function calling<Result>(
  options: CallingOptions,
  work: (via: Kernel | Transact) => Promise<Result>,
): Promise<Result> {
  const daemon = ownNetwork(options.interface, options) ? null : findAnyControl(options);
  return daemon === null ? onOwnKernel(options, work) : work(daemon.client.call);
}
