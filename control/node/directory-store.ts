// The store of a machine's directory server: a file of its own in the state folder, with a log in
// it that costs one write and one flush for all updates that wait.
//
// - The file is made whole (medium-file.ts). It takes room as it is used; less than half of it can
//   be names.
// - Readable by its owner only: it holds capabilities. One process has it.
// - Why not LevelDB, as for other state: its log grows with each update, so that each flush writes
//   the file's length as well, which costs two to three times as much.

import { FileBlockDevice, FileBlockError } from "../../drivers/file-block/file-block.js";
import { ProteusError } from "../kernel/errors.js";
import { DiskStore } from "../store/disk/store.js";
import { failed, locked } from "../store/errors.js";
import { isMissing, makeMedium } from "./medium-file.js";

/** As many blocks as a log can be read through within a second or two. */
const fileBytes = 256 * 1024 * 1024;
/** Nobody watches this store. */
const history = { changes: 0, bytes: 0 };

const make = (path: string): Promise<void> =>
  makeMedium(
    path,
    fileBytes,
    async (device) => (await DiskStore.open(device, { name: path })).close(),
    0o700,
  );

function explained(path: string, error: unknown): ProteusError {
  if (error instanceof ProteusError) return error;
  if (error instanceof FileBlockError && error.code === "BLOCK_IN_USE") return locked(path, "");
  return failed(path, error);
}

/** An open store, and how to end it. */
export interface OpenDirectoryStore {
  readonly store: DiskStore;
  close(): Promise<void>;
}

/** Opens the store in a file, after it was made where there was none: STORE_LOCKED, _DAMAGED, _FORMAT or _FAILED. */
export async function openDirectoryStore(path: string): Promise<OpenDirectoryStore> {
  try {
    if (await isMissing(path)) await make(path);
    const device = await FileBlockDevice.open(path);
    try {
      const store = await DiskStore.open(device, { name: path, history });
      return { store, close: () => store.close().finally(() => device.close()) };
    } catch (error) {
      await device.close();
      throw error;
    }
  } catch (error) {
    throw explained(path, error);
  }
}
