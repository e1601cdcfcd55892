// What the Bullet server needs of the files below it: committed ones, drafts, figures.
//
// - A volume on a block device (volume/) is one; the tests of the server have another, in memory.
// - It rejects with errors that have a `code` VOLUME_*; statuses.ts turns these into statuses.

import type { Volume } from "./volume/types.js";

export type { Draft, FileEntry, VolumeUsage } from "./volume/types.js";

/** The files of one server. Who opened it closes it. */
export type FileEngine = Omit<Volume, "report" | "inodes" | "close">;
