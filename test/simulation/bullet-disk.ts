// What tests of a volume on a disk with power cuts share: the disk's time, a machine's way to
// it, a volume that is made and opened.

import { createHash } from "node:crypto";
import { FileVolume } from "../../control/server/bullet/volume/volume.js";
import type { BlockDevice } from "../../drivers/block.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";

const cacheBytes = 1024 * 1024;
/** Takes no time: a hash that ends when it likes would have a seed run differently each time. */
const newHash = () => createHash("sha256");

/** Disks' operations end in the order of their virtual times, one a turn of the event loop. */
export function virtualClock() {
  const due: { at: number; action: () => void }[] = [];
  let now = 0;
  const pump = () => {
    const next = due.shift();
    if (next === undefined) return;
    now = next.at;
    next.action();
    setImmediate(pump);
  };
  return {
    after(microseconds: number, action: () => void): void {
      const at = now + microseconds;
      const place = due.findLastIndex((each) => each.at <= at) + 1;
      due.splice(place, 0, { at, action });
      if (due.length === 1) setImmediate(pump);
    },
  };
}

/** A machine's way to its disk: a machine that has gone off asks for nothing more. */
export function wayTo(disk: VirtualDisk) {
  const state = { isOff: false };
  const asked = <T>(work: () => Promise<T>): Promise<T> =>
    state.isOff ? new Promise(() => undefined) : work();
  const device: BlockDevice = {
    ...{ blockBytes: disk.blockBytes, blocks: disk.blocks },
    read: (block, buffer) => asked(() => disk.read(block, buffer)),
    write: (block, data) => asked(() => disk.write(block, data)),
    flush: () => asked(() => disk.flush()),
  };
  return { state, device };
}

export function randomBytes(seed: number): (bytes: number) => Uint8Array {
  const random = new SeededRandom(seed);
  return (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256));
}

/** Opens a volume; `Kind`: the class of one that has a bug planted. */
export const openOn = (
  device: BlockDevice,
  seed: number,
  Kind: Pick<typeof FileVolume, "open"> = FileVolume,
): Promise<FileVolume> => Kind.open({ device, name: "v", cacheBytes, newHash, random: randomBytes(seed) });

export const inodes = 30;

/** A disk with an empty volume of so many inodes. */
export async function formatted(seed: number, blocks: number, blockBytes: number): Promise<VirtualDisk> {
  const disk = new VirtualDisk({ blocks, blockBytes, random: new SeededRandom(seed), clock: virtualClock() });
  await FileVolume.format(disk, { inodes, random: randomBytes(seed) });
  return disk;
}
