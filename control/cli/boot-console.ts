// `proteus console NODE`, also as `proteus boot console`: the console of a metal machine of a lab, in this terminal.
//
// - Lines that are typed go to the machine's monitor; what the machine says is data, on stdout. The
//   end of the input ends the command a moment later, so that an answer is still seen.
// - It does not go back in time: the machine's log in the lab's folder has what it said before.

import { createConnection } from "node:net";
import { ProteusError } from "../kernel/errors.js";
import { consoleSocket } from "../lab/agent.js";
import { requireLab } from "../lab/lab.js";
import { requireNode } from "../lab/topology.js";

/** How long an answer may take after the end of the input. */
const answerMs = 1000;

/** Joins this terminal and the console until either ends. */
export function consoleCommand(name: string, { lab }: { readonly lab?: string }): Promise<void> {
  const { topology } = requireLab(lab);
  const node = requireNode(topology, name);
  const unreachable = (why: string, cause?: unknown): ProteusError =>
    new ProteusError({
      code: "BOOT_CONSOLE",
      exit: 5,
      message: `the console of ${name} cannot be reached`,
      why,
      hint: `proteus lab status shows the machines, proteus lab start ${name} boots one`,
      cause,
    });
  if (node.kind !== "metal" && node.kind !== "pxe")
    throw unreachable(`it is a machine of kind ${node.kind}: only metal and pxe ones have a console`);
  return new Promise((resolve, reject) => {
    const socket = createConnection(consoleSocket(topology.name, name));
    socket.on("error", (cause) => reject(unreachable("nothing listens there: the machine is off", cause)));
    socket.on("connect", () => {
      process.stdin.pipe(socket, { end: false });
      process.stdin.on("end", () => setTimeout(() => socket.destroy(), answerMs));
    });
    socket.pipe(process.stdout);
    socket.on("close", () => {
      process.stdin.unpipe(socket);
      process.stdin.destroy();
      resolve();
    });
  });
}
