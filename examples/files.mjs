// Files on a Bullet server: node files.mjs SERVER FILE... stores files and prints a capability
// for each; node files.mjs CAPABILITY writes the file to standard output, checked by its length.
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import * as proteus from "amoeba-proteus";

const [target, ...paths] = process.argv.slice(2);
const capability = proteus.parseCapability(proteus.offlineKernel(), target);
const { kernel, finish } = await proteus.openKernel();
for (const path of paths) {
  const file = await proteus.createFile(kernel, capability, createReadStream(path));
  console.log(proteus.capabilityHex(file), path);
}
if (paths.length === 0) {
  const bytes = await proteus.fileBytes(kernel, capability);
  const end = (seen) => {
    if (seen !== bytes) throw new Error(`${seen} of ${bytes} bytes came`);
  };
  await pipeline(proteus.readFile(kernel, capability, { watch: { end } }), process.stdout);
}
await finish();
