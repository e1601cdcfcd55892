// What the tests of the volume share: devices, contents, and a random source that repeats.

import { FileVolume } from "../../../../control/server/bullet/volume/volume.js";
import type { BlockDevice } from "../../../../drivers/block.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";

export const MiB = 1024 * 1024;

export function randomBytes(seed: number): (bytes: number) => Uint8Array {
  const random = new SeededRandom(seed);
  return (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256));
}

/** So many bytes that depend on the seed and, a little, on their place. */
export function contentOf(bytes: number, seed: number): Uint8Array {
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) content[at] = (at * 31 + (at >> 9) * 7 + seed * 101) & 0xff;
  return content;
}

export const open = (device: BlockDevice, cacheBytes = MiB, seed = 1): Promise<FileVolume> =>
  FileVolume.open({ device, name: "v", cacheBytes, random: randomBytes(seed) });

export async function made(device: BlockDevice, inodes = 100, cacheBytes = MiB): Promise<FileVolume> {
  await FileVolume.format(device, { inodes, random: randomBytes(7) });
  return open(device, cacheBytes);
}

/** The number of a new file with that content. */
export async function create(volume: FileVolume, content: Uint8Array, durable = true): Promise<number> {
  const draft = await volume.draft();
  try {
    await draft.write(0, content);
    return (await draft.commit({ durable })).number;
  } catch (error) {
    draft.discard();
    throw error;
  }
}

/** All of a file, in pieces of a length that fits no block. */
export async function whole(volume: FileVolume, number: number, piece = 300_001): Promise<Uint8Array> {
  const bytes = volume.entry(number)?.bytes ?? 0;
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += piece) content.set(await volume.read(number, at, piece), at);
  return content;
}

export const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
