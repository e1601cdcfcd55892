// The lab file of a command: `proteus lab up FILE`. What may stand in it is control/lab/lab-file.ts's
// business; here it is found and read, and whatever prevents that is said.

import { readFileSync } from "node:fs";
import { unreadable } from "../kernel/file-errors.js";
import { parseTopology } from "../lab/lab-file.js";
import type { Topology } from "../lab/topology.js";

/** Reads a lab file. Throws LAB_FILE_UNREADABLE, LAB_FILE_INVALID. */
export function readTopology(path: string): Topology {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(`the lab file ${path}`, error, {
      code: "LAB_FILE_UNREADABLE",
      unchanged: "no lab was made or changed",
      hint: "`proteus lab up --help` has an example of a lab file",
    });
  }
  return parseTopology(text, path);
}
