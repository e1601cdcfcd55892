// `proteus console NODE`: the serial console of a machine, in this terminal.
//
// - Of a metal machine of a lab: boot-console.ts. `proteus boot console` is the same command.
// - Of any machine at a serial port of this one: serial-console.ts.

import type { Command } from "@commander-js/extra-typings";
import { isWire } from "../node/interface-name.js";
import { labOption } from "./lab-options.js";

const help = `
Of a metal machine of a lab: lines that are typed go to the machine's monitor, which answers
lines of one word: help lists them. Of a machine at a serial port: on a terminal each key goes
there as it is, Ctrl-C too, until the key of --escape. What the machine says is data, on stdout;
what it said before is in its log.

Examples:
  proteus console m1
  echo status | proteus console m1
  proteus console serial:/dev/ttyUSB0@115200 --log m1.log
  proteus console serial:/dev/ttyS1@9600+rtscts --escape ^A`;

/** Adds `console` to the program. */
export function registerConsole(program: Command): void {
  program
    .command("console <node>")
    .description("the serial console of a machine, in this terminal")
    .addOption(labOption())
    .option("--log <file>", "append what the machine at a serial port says to it")
    .option("--escape <text>", "ends the console of a serial port, on a terminal", "^]")
    .addHelpText("after", help)
    .action(async (node, { lab, log, escape: key }) => {
      if (!isWire(node))
        return (await import("./boot-console.js")).consoleCommand(node, lab === undefined ? {} : { lab });
      const { parseEscape, serialConsole } = await import("./serial-console.js");
      return serialConsole(node, { ...(log === undefined ? {} : { log }), escape: parseEscape(key) });
    });
}
