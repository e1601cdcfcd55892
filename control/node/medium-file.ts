// Files that are media of this machine's servers: made whole beside their place, which they take
// by rename. Whenever the machine ends there is a medium or none.

import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FileBlockDevice } from "../../drivers/file-block/file-block.js";

export async function isMissing(path: string): Promise<boolean> {
  try {
    await stat(path);
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}

/**
 * Makes a file of so many bytes, in a folder that is made too.
 *
 * @param format writes what it begins with, and flushes it
 * @param mode of a folder that is made; default: as the system has it
 */
export async function makeMedium(
  path: string,
  bytes: number,
  format: (device: FileBlockDevice) => Promise<void>,
  mode?: number,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode });
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true }); // of a machine that ended meanwhile
  const device = await FileBlockDevice.create(unfinished, bytes);
  try {
    await format(device);
    await rename(unfinished, path);
    const names = await open(dirname(path), "r"); // the name is the folder's content
    try {
      await names.sync();
    } finally {
      await names.close();
    }
  } finally {
    await device.close();
    await rm(unfinished, { force: true });
  }
}
