// The process that stands in the impaired links of a lab: `node wire-process.js SOCKET`,
// in the namespace of the lab's switch. Started by wires.ts.
//
// - An order on SOCKET is all wires that there shall be: {wires: Wire[]}, answered by the
//   names of the new ones and its process id. Without any it ends.
// - One thread: it looks for orders whenever it has waited, 20 ms at most.

import { randomBytes } from "node:crypto";
import { setPriority } from "node:os";
import { Tap, waitReadable } from "../../drivers/tap/tap.js";
import { takeOrders } from "./orders.js";
import { type Wire, WireRelay } from "./wire-relay.js";

const waitMicrosecondsMax = 20_000;
const [, , path = ""] = process.argv;

const relay = new WireRelay(
  (name) => new Tap(name),
  () => randomBytes(4).readInt32LE(),
);
let used = false;
const server = takeOrders((order) => {
  const opened = relay.set((order as { wires: readonly Wire[] }).wires);
  used = true;
  return { opened, pid: process.pid };
});

/** Lets an answer leave before the process goes. */
const finish = (): void => {
  server.close(() => process.exit(0));
};

const turn = (): void => {
  if (used && relay.ends.length === 0) {
    finish();
    return;
  }
  const wait = relay.turn(performance.now() * 1000);
  if (wait >= 1) waitReadable(relay.ends, Math.min(wait, waitMicrosecondsMax));
  setImmediate(turn);
};

try {
  setPriority(-10); // a delay is as exact as this process is prompt
} catch {
  // Without root it is as prompt as others.
}
server.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(path, () => setImmediate(turn));
