#!/usr/bin/env node
// The command `proteus`: what npm installs. The commands and everything that can be
// tested are in program.ts; importing this file runs one.

import { endWhenUnread } from "./output.js";
import { run } from "./program.js";

endWhenUnread();
await run(process.argv.slice(2));
