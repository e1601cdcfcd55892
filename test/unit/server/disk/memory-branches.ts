// Branches in memory, or on any device: what a machine keeps in files (control/node/disk/branch-store.ts).
//
// - They outlive the servers that are given them, as a state folder does.
// - `keptIn` answers what a branch keeps, block by block.

import { headerFor, isOf, StoredBranch } from "../../../../control/server/disk/branch/branch.js";
import { branchBlock, branchBlocks } from "../../../../control/server/disk/branch/layout.js";
import { BLOCK_BYTES } from "../../../../control/server/disk/disk.js";
import { DiskError } from "../../../../control/server/disk/errors.js";
import {
  BRANCH_PIECE_BLOCKS,
  type Branch,
  type Branches,
  type BranchFacts,
} from "../../../../control/server/disk/storage/branches.js";
import type { BlockDevice } from "../../../../drivers/block.js";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";

export class MemoryBranches implements Branches {
  readonly devices: BlockDevice[] = [];
  readonly #writing = new Set<BlockDevice>();
  readonly #made: (blocks: number) => BlockDevice;
  /** There is no room. */
  isFull = false;

  constructor(made: (blocks: number) => BlockDevice = (blocks) => new MemoryBlockDevice(blocks)) {
    this.#made = made;
  }

  /** Of those that are there, in the order in which they were begun. */
  async all(): Promise<StoredBranch[]> {
    const opened = this.devices.map((device, at) => StoredBranch.open(device, `b${at + 1}`));
    return (await Promise.all(opened)).flatMap((each) => each ?? []);
  }

  async create(facts: BranchFacts, isAnew = false): Promise<Branch> {
    if (this.isFull) throw new DiskError("DISK_FULL", "no room");
    for (const [at, device] of [...this.devices.entries()].reverse()) {
      const found = await StoredBranch.open(device, `b${at + 1}`);
      if (found === null || !isOf(found.header, facts) || (found.isKept && isAnew)) continue;
      return this.#write(device, found);
    }
    const device = this.#made(branchBlocks(facts.blocks));
    this.devices.push(device);
    return this.#write(
      device,
      await StoredBranch.make(device, `b${this.devices.length}`, headerFor(facts, this.devices.length)),
    );
  }

  #write(device: BlockDevice, branch: StoredBranch): Branch {
    if (this.#writing.has(device)) throw new DiskError("DISK_GONE", "it is still being written");
    this.#writing.add(device);
    return Object.assign(branch, { device });
  }

  async release(branch: Branch): Promise<void> {
    this.#writing.delete((branch as Branch & { device: BlockDevice }).device);
  }

  /** Whoever wrote has ended without a word: its machine went off. */
  forget(): void {
    this.#writing.clear();
  }
}

/** Every block that a branch keeps: its bytes, or null for one that held nothing. */
export async function keptIn(
  branch: StoredBranch,
  digests: (data: Uint8Array) => Uint8Array,
): Promise<Map<number, Uint8Array | null>> {
  const kept = new Map<number, Uint8Array | null>();
  for (let block = 0; block < branch.header.blocks; block += BRANCH_PIECE_BLOCKS) {
    const { states, data } = await branch.read(block, digests);
    states.forEach((state, at) => {
      if (state === branchBlock.hole) kept.set(block + at, null);
      if (state === branchBlock.kept)
        kept.set(block + at, data.slice(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES));
    });
  }
  return kept;
}
