// `proteus link`: the keys of this machine's secure links, for FLIP over IP.
//
// - `link key` makes a key file, its owner's alone; `link public` shows the public key of one. The
//   private key is never printed: who needs it elsewhere moves the file.

import type { Command } from "@commander-js/extra-typings";
import { keyTextOf, makeKeyFile, readKeyFile } from "../../drivers/secure-link/keys.js";
import { emit } from "./output.js";

const keyHelp = `
The file is made with mode 0600 and never written over. The public key on stdout is for the other
machines: each names this machine as ip:ADDRESS=PUBLICKEY.

Examples:
  proteus link key /etc/proteus/link.key
  proteus node start --interface ip:10.0.0.2=PUBLICKEY+key=/etc/proteus/link.key`;

const publicHelp = `
Examples:
  proteus link public /etc/proteus/link.key`;

/** Adds `link` and its subcommands to the program. */
export function registerLink(program: Command): void {
  const link = program.command("link").description("keys of secure links between machines");
  const show = (name: string, json: boolean, path: string, key: Uint8Array): void => {
    const publicKey = keyTextOf(key);
    emit(name, json, { schema: 1, file: path, publicKey }, () => publicKey);
  };
  link
    .command("key")
    .description("make a key file, and print its public key")
    .argument("<file>", "where it shall be")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", keyHelp)
    .action((path, { json }) => show("link key", json, path, makeKeyFile(path).publicKey));
  link
    .command("public")
    .description("print the public key of a key file")
    .argument("<file>", "a file that `link key` has made")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", publicHelp)
    .action((path, { json }) => show("link public", json, path, readKeyFile(path).publicKey));
}
