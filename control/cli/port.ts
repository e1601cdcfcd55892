// `proteus port`: what can be known about a port without a network. The kernel computes
// it; capability/port.ts says what may be typed for a port. `port secret` is the one command that
// prints a server's secrets; nothing else shows one.

import type { Command } from "@commander-js/extra-typings";
import { parsePort, portHex } from "../capability/port.js";
import { toHex } from "../kernel/bytes.js";
import { nodeState } from "../lab/agent.js";
import { requireLab } from "../lab/lab.js";
import { requireNode } from "../lab/topology.js";
import { readSecrets, secretPath, secretsFolder } from "../node/secrets.js";
import { emit } from "./output.js";
import { offlineKernel } from "./package-files.js";
import { parseNamed } from "./target.js";

const publicExamples = `
A port is 1 to 6 characters, padded with zeros, or 12 hex digits.

Examples:
  proteus port public abcdef
  proteus port public 010000000000 020000000000 --json`;

const secretHelp = `
SECRETS is the path of a secret file (with a / in it, or ending in .secret), or NODE:SERVER of
the running lab. Whoever sees what this prints can serve in the server's name and make
capabilities for all of its objects: to move a server, move the file instead.

Examples:
  proteus port secret /var/lib/proteus-node/secrets/segment.secret
  proteus port secret n1:segment --json`;

/** The file that an argument of `port secret` names. */
function secretFile(text: string, lab: string | undefined): string {
  if (text.includes("/") || text.endsWith(".secret")) return text;
  const { node, server } = parseNamed(text);
  const { topology } = requireLab(lab);
  return secretPath(secretsFolder(nodeState(topology.name, requireNode(topology, node).name)), server);
}

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
  port
    .command("secret")
    .description("print the secrets of a server: its get-port and the key of its capabilities")
    .argument("<secrets>", "its secret file, or NODE:SERVER of a lab")
    .option("--lab <name>", "which lab, when several are running")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", secretHelp)
    .action((text, { lab, json }) => {
      const { getPort, key, generation } = readSecrets(secretFile(text, lab));
      const document = {
        private: portHex(getPort),
        public: portHex(offlineKernel().portOneWay(getPort)),
        key: toHex(key),
        generation: toHex(generation),
      };
      emit("port secret", json, { schema: 1, ...document }, () =>
        [
          `get-port    ${document.private}`,
          `put-port    ${document.public}`,
          `key         ${document.key}`,
          `generation  ${document.generation}`,
        ].join("\n"),
      );
    });
}
