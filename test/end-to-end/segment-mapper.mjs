// A process beside the agent that maps a segment for writing: it says "mapped", then answers each
// line of standard input, `get POSITION COUNT` or `put POSITION TEXT`, with a line.

import { createInterface } from "node:readline";
import { mapSegment, offlineKernel, openKernel, parseCapability } from "amoeba-proteus";

const [text] = process.argv.slice(2);
const { kernel, finish } = await openKernel();
const map = await mapSegment(kernel, parseCapability(offlineKernel(), text), { write: true });
console.log("mapped");
for await (const line of createInterface({ input: process.stdin })) {
  const [word, position, rest] = line.split(" ");
  const at = Number(position);
  if (word === "put") map.bytes.set(Buffer.from(rest), at);
  console.log(
    word === "put" ? "put" : Buffer.from(map.bytes.subarray(at, at + Number(rest))).toString("latin1"),
  );
}
map.close();
await finish();
