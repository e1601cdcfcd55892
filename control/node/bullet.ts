// The medium of a machine's Bullet server: a file that is made when it is missing, or a
// partition; and the volume on it.
//
// - A new file is made whole (medium-file.ts). A partition, or a file that holds nothing, is
//   formatted where it is; anything else that is no volume is left alone and is an error.
// - Size and inodes count when it is made; an old one stays as it is.

import { FileBlockDevice, FileBlockError } from "../../drivers/file-block/file-block.js";
import { type ExitCode, exitCodes, ProteusError } from "../kernel/errors.js";
import { FileVolume } from "../server/bullet/volume/volume.js";
import { nodeContentHash } from "./bullet-hash.js";
import { isMissing, makeMedium } from "./medium-file.js";
import { after } from "./timer.js";

export interface BulletMedium {
  /** A file or a partition. */
  readonly path: string;
  /** Of a new file. */
  readonly bytes: number;
  /** Files that a new volume can hold; default: one for each 16 KiB of the medium. */
  readonly inodes?: number;
  /** Memory for contents. */
  readonly cacheBytes: number;
  readonly random: (bytes: number) => Uint8Array;
}

/** An open volume, and how to end it. */
export interface OpenBullet {
  readonly volume: FileVolume;
  close(): Promise<void>;
}

const bytesPerInode = 16 * 1024;
const [inodesLeast, inodesMost] = [1000, 1_048_576];

function inodesFor({ inodes }: BulletMedium, { blocks, blockBytes }: FileBlockDevice): number {
  const some = Math.floor((blocks * blockBytes) / bytesPerInode);
  return inodes ?? Math.min(Math.max(some, inodesLeast), inodesMost);
}

const format = (device: FileBlockDevice, medium: BulletMedium): Promise<void> =>
  FileVolume.format(device, { inodes: inodesFor(medium, device), random: medium.random, name: medium.path });

/** Makes a new file with an empty volume in it. */
const makeFile = (medium: BulletMedium): Promise<void> =>
  makeMedium(medium.path, medium.bytes, async (device) => {
    await format(device, medium);
    await device.flush();
  });

/** Opens the volume of a medium, after it was made where there was none. Throws ProteusError. */
export async function openBullet(medium: BulletMedium): Promise<OpenBullet> {
  const { path, cacheBytes, random } = medium;
  try {
    if (await isMissing(path)) await makeFile(medium);
    const device = await FileBlockDevice.open(path);
    try {
      if (await FileVolume.isBlank(device)) await format(device, medium);
      const volume = await FileVolume.open({
        device,
        name: path,
        cacheBytes,
        random,
        newHash: nodeContentHash,
        after,
      });
      const close = async () => {
        await volume.close().finally(() => device.close());
      };
      return { volume, close };
    } catch (error) {
      await device.close();
      throw error;
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

const exits: Readonly<Record<string, ExitCode>> = {
  ENOENT: exitCodes.notFound,
  EACCES: exitCodes.denied,
  EPERM: exitCodes.denied,
};

function unusable(path: string, cause: unknown): unknown {
  if (cause instanceof ProteusError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const code = String(cause.code);
  return new ProteusError({
    code: code === "BLOCK_IN_USE" ? "BULLET_IN_USE" : "BULLET_MEDIUM",
    exit: exits[code] ?? exitCodes.failed,
    message: `the Bullet server's medium ${path} cannot be used`,
    why: cause.message,
    unchanged: "nothing was written to it",
    hint:
      cause instanceof FileBlockError
        ? cause.hint
        : "set bullet.path (PROTEUS_BULLET_PATH) to a file that this user can write, or a partition",
    cause,
  });
}
