// The lab file of a command: `proteus lab up FILE`. What may stand in it is control/lab/lab-file.ts's
// business; here it is found and read, and whatever prevents that is said.

import { readFileSync } from "node:fs";
import { ProteusError } from "../kernel/errors.js";
import { parseTopology } from "../lab/lab-file.js";
import type { Topology } from "../lab/topology.js";

/** Reads a lab file. Throws LAB_FILE_UNREADABLE, LAB_FILE_INVALID. */
export function readTopology(path: string): Topology {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ProteusError({
      code: "LAB_FILE_UNREADABLE",
      exit: code === "ENOENT" ? 3 : code === "EACCES" ? 4 : 1,
      message: `the lab file ${path} cannot be read`,
      why: code === "ENOENT" ? "there is no such file" : message,
      unchanged: "no lab was made or changed",
    });
  }
  return parseTopology(text, path);
}
