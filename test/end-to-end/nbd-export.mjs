// A program that exports disks by NBD until it gets SIGTERM, for clients that someone runs by hand and
// for measuring:
//
//   node test/end-to-end/nbd-export.mjs unix:PATH|tcp:PORT memory:MIB|file:PATH [...]
//
// - The exports are called disk0, disk1, …; a memory disk is of zeros. A file has to be there.
// - It says where it listens, then nothing. No checksums, no members: what is measured is NBD alone.

import { FileBlockDevice } from "amoeba-proteus/dist/drivers/file-block/file-block.js";
import { serveNbd } from "amoeba-proteus/dist/control/node/nbd.js";

const BLOCK = 4096;

/** One run of data, as nobody knows better. */
const extents = async (_block, blocks) => [{ blocks, isHole: false, isDirty: false }];

function memoryDisk(mib) {
  const bytes = new Uint8Array(mib * 1024 * 1024);
  return {
    blocks: bytes.length / BLOCK,
    isReadOnly: false,
    read: async (block, buffer) => buffer.set(bytes.subarray(block * BLOCK, block * BLOCK + buffer.length)),
    write: async (block, data) => bytes.set(data, block * BLOCK),
    zero: async (block, blocks) => void bytes.fill(0, block * BLOCK, (block + blocks) * BLOCK),
    flush: async () => undefined,
    extents,
  };
}

async function fileDisk(path) {
  const device = await FileBlockDevice.open(path);
  const zeros = new Uint8Array(256 * BLOCK);
  return {
    blocks: device.blocks,
    isReadOnly: false,
    read: (block, buffer) => device.read(block, buffer),
    write: (block, data, { durable }) =>
      durable ? device.writeThrough(block, data) : device.write(block, data),
    async zero(block, blocks) {
      for (let done = 0; done < blocks; done += 256)
        await device.write(block + done, zeros.subarray(0, Math.min(256, blocks - done) * BLOCK));
    },
    flush: () => device.flush(),
    extents,
  };
}

const [where, ...what] = process.argv.slice(2);
const [kind, place] = where.split(":");
const exports = [];
for (const [index, each] of what.entries()) {
  const [type, value] = each.split(":");
  const disk = type === "memory" ? memoryDisk(Number(value)) : await fileDisk(value);
  exports.push({ name: `disk${index}`, disk });
}
const listen = kind === "unix" ? { kind, path: place } : { kind, port: Number(place) };
const server = await serveNbd({
  listen,
  exports,
  failed: (error) => console.error(error),
  dropped: (why) => console.error(`a client was disconnected: ${why}`),
});
console.log(server.address);
process.once("SIGTERM", async () => {
  await server.close();
});
