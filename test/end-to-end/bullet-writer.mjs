// A client of a Bullet server, for the tests that end machines.
//
// - bullet-writer.mjs SERVER stores files until a call fails: for each that is acknowledged as
//   durable it says its capability and the SHA-256 of what it sent.
// - bullet-writer.mjs reads such lines from standard input, and says for each file whether it is that.

import { createHash, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import * as proteus from "amoeba-proteus";

const [target] = process.argv.slice(2);
const offline = proteus.offlineKernel();
const { kernel, finish } = await proteus.openKernel();
const options = { locateTimeoutMs: 1000, pieceBytes: 262_144 };

async function store() {
  const content = randomBytes(1 + (randomBytes(3).readUIntLE(0, 3) % 700_000));
  const file = await proteus.createFile(kernel, proteus.parseCapability(offline, target), content, options);
  console.log(`${proteus.capabilityHex(file)} ${createHash("sha256").update(content).digest("hex")}`);
}

async function compare(line) {
  const [file, sum] = line.split(" ");
  const hash = createHash("sha256");
  for await (const piece of proteus.readFile(kernel, proteus.parseCapability(offline, file)))
    hash.update(piece);
  console.log(hash.digest("hex") === sum ? "same" : `${file} has other bytes`);
}

try {
  if (target === undefined)
    for await (const line of createInterface({ input: process.stdin })) await compare(line);
  else for (;;) await store();
} catch (error) {
  console.log(`ended ${error.code}`);
}
await finish();
