// `proteus console NODE`: the serial console of a machine, in this terminal.
//
// - Of a metal machine of a lab: boot-console.ts. `proteus boot console` is the same command.

import type { Command } from "@commander-js/extra-typings";
import { labOption } from "./lab-options.js";

const help = `
Lines that are typed go to the machine's monitor, which answers lines of one word: help
lists them. What the machine says is data, on stdout; what it said before is in its log.

Examples:
  proteus console m1
  echo status | proteus console m1`;

/** Adds `console` to the program. */
export function registerConsole(program: Command): void {
  program
    .command("console <node>")
    .description("the serial console of a machine, in this terminal")
    .addOption(labOption())
    .addHelpText("after", help)
    .action(async (node, options) => (await import("./boot-console.js")).consoleCommand(node, options));
}
