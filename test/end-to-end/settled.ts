// Waits until a Bullet server has settled all that is on its medium: what rots before that, and
// before the server is killed, counts as never finished (control/server/bullet/volume/layout.ts).

import { readFileSync } from "node:fs";
import {
  decodeSlot,
  decodeSuperblock,
  SLOT_BYTES,
  slotSeed,
  tableStarts,
} from "../../control/server/bullet/volume/layout.js";
import { until } from "./programs.js";

const blockBytes = 4096;

/** Whether a medium has a slot, in either copy of its table, that is not settled. */
function hasUnsettled(path: string): boolean {
  const bytes = readFileSync(path);
  const superblock = decodeSuperblock(bytes.subarray(0, blockBytes));
  if (superblock.kind !== "good") throw new Error(`${path} is no volume`);
  const { geometry } = superblock;
  const seed = slotSeed(geometry.id);
  return tableStarts(geometry).some((start) => {
    for (let number = 1; number <= geometry.inodes; number++) {
      const at = start * geometry.blockBytes + number * SLOT_BYTES;
      const slot = decodeSlot(bytes.subarray(at, at + SLOT_BYTES), number, geometry, seed);
      if (slot?.kind === "unsettled") return true;
    }
    return false;
  });
}

/** Resolves when every file on the medium at `path` is settled. */
export const settled = (path: string): Promise<true> =>
  until("the slots to be settled", () => (hasUnsettled(path) ? undefined : true));
