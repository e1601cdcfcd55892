// `proteus port`: what can be known about a port without a network. The kernel computes
// it; capability/port.ts says what may be typed for a port.

import type { Command } from "@commander-js/extra-typings";
import { parsePort, portHex } from "../capability/port.js";
import { emit } from "./output.js";
import { offlineKernel } from "./package-files.js";

const publicExamples = `
A port is 1 to 6 characters, padded with zeros, or 12 hex digits.

Examples:
  proteus port public abcdef
  proteus port public 010000000000 020000000000 --json`;

/** Adds `port` and its subcommands to the program. */
export function registerPort(program: Command): void {
  const port = program.command("port").description("ports: what a server listens to, and what clients call");
  port
    .command("public")
    .description("show the put-port that belongs to a get-port")
    .argument("<port...>", "get-ports: names of up to 6 characters, or 12 hex digits")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", publicExamples)
    .action((texts, { json }) => {
      const parsed = texts.map(parsePort);
      const kernel = offlineKernel();
      const ports = parsed.map((bytes) => ({
        private: portHex(bytes),
        public: portHex(kernel.portOneWay(bytes)),
      }));
      emit("port public", json, { schema: 1, ports }, () =>
        ports.map((pair) => `${pair.private}  ${pair.public}`).join("\n"),
      );
    });
}
