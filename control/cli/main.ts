#!/usr/bin/env node
// The command `proteus`: what npm installs. The commands and everything that can be
// tested are in program.ts; importing this file runs one.

import { endWhenUnread } from "./output.js";

endWhenUnread();
const [first, separator, ...words] = process.argv.slice(2);
if (first === "complete" && separator === "--") {
  await (await import("./completion/answer.js")).complete(words); // at a Tab, so without the commands
} else await (await import("./program.js")).run(process.argv.slice(2));
