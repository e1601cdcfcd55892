// The process that holds the cables of a lab: `node cable-process.js`, with the cables as JSON on
// its standard input. Started by cables.ts.
//
// - It runs until it is killed, with the lab.

import { symlinkSync } from "node:fs";
import { text } from "node:stream/consumers";
import { Cable } from "../../drivers/serial/cable.js";
import type { LabCable } from "./cables.js";

const wanted = JSON.parse(await text(process.stdin)) as readonly LabCable[];
for (const { paths, speed, noise, seed } of wanted) {
  const cable = new Cable({ speed, noise, seed });
  symlinkSync(cable.paths[0], paths[0]);
  symlinkSync(cable.paths[1], paths[1]);
}
