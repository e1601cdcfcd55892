// `proteus dissector`: the Lua dissector for Wireshark and tshark, made from the tables that
// the system itself is made from (dissector/generate.ts). It is never kept in a file of ours:
// the program that speaks a format writes the dissector of that format.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { knownOperations } from "../interface/tables.js";
import { generateDissector } from "./dissector/generate.js";
import { packageRoot, packageVersion } from "./package-files.js";

const helpText = `
FLIP, fragment control, RPC, the 32-byte header and group packets, in both byte orders;
messages in several fragments are put together, the checks between Proteus machines
verified. Filters begin with proteus: proteus.rpc.type == 3, proteus.flip.src.

Examples:
  proteus dissector > proteus.lua
  tshark -X lua_script:proteus.lua -r n1.pcap
  proteus capture n1 -w - | wireshark -X lua_script:proteus.lua -k -i -`;

/** The dissector of this version. */
export function dissectorText(operations = knownOperations()): string {
  const code = readFileSync(join(packageRoot, "control", "cli", "dissector", "proteus.lua"), "utf8");
  return generateDissector(code, operations, packageVersion());
}

/** Adds `dissector` to the program. */
export function registerDissector(program: Command): void {
  program
    .command("dissector")
    .description("write the Wireshark dissector of the protocols, in Lua")
    .addHelpText("after", helpText)
    .action(() => {
      process.stdout.write(dissectorText());
    });
}
