// Writes the commands of the built program as data, dist/control/cli/completion/commands.json:
// what `proteus complete` reads at a Tab, when there is no time to load the commands. Part of the
// build, so that it is never older than they are.

import { writeFileSync } from "node:fs";
import { at } from "./files.mjs";

const { wholeProgram } = await import(at("dist/control/cli/program.js"));
const { commandEntry } = await import(at("dist/control/cli/completion/commands.js"));
const { commandsFile } = await import(at("dist/control/cli/completion/answer.js"));
writeFileSync(commandsFile, JSON.stringify(commandEntry(await wholeProgram())));
