// `proteus bullet`: the commands of the Bullet table, as the media of files are looked after:
// status, check and compact first, then single operations on files.
//
// - `check` ends with exit code 6 when something is wrong with the medium, so that a script sees
//   it; with --repair it mends what can be mended.
// - Whole files and trees are `proteus put` and `get`; here is one call a command.

import type { Command } from "@commander-js/extra-typings";
import { BULLET_REPAIR, bulletTable } from "../interface/bullet.js";
import { exitCodes } from "../kernel/errors.js";
import { registerServer, type Special } from "./operations.js";

const check: Special = {
  options: { "--repair": "mend what can be mended; files that are lost are given up" },
  instead: [],
  notes: `  proteus bullet check n1 --repair --json

Every file is read and compared with what was written. Exit code 6 when something is wrong.`,
  given: ({ repair }) => (repair === true ? { flags: BULLET_REPAIR } : {}),
  exit: ({ report }) => ((report as { clean?: unknown }).clean === true ? exitCodes.ok : exitCodes.degraded),
};

/** Adds `bullet` to the program. */
export function registerBullet(program: Command): void {
  registerServer(program, bulletTable, { check });
}
