// The branches of a machine as its disk server answers for them (control/interface/disk.ts); none, when the
// machine has no state folder.
//
// - A branch that is not there, or a text that can be no id, is null or false: the caller is told so.

import { join } from "node:path";
import { BRANCH_BLOCKS, DISK_BLOCK_BYTES, type KeptBranch } from "../../interface/disk.js";
import { fromHex, toHex } from "../../kernel/bytes.js";
import type { Kernel } from "../../kernel/kernel.js";
import type { BranchHeader } from "../../server/disk/branch/layout.js";
import { DiskError } from "../../server/disk/errors.js";
import { digestSeed } from "../../server/disk/member/member.js";
import type { DiskMachine } from "../../server/disk/server.js";
import { BranchStore, branchIdPattern } from "./branch-store.js";
import { digests } from "./engine.js";

/** Those in a machine's state folder; undefined without one. */
export const branchesIn = (state: string, kernel: Kernel): BranchStore | undefined =>
  state === ""
    ? undefined
    : new BranchStore({
        folder: join(state, "branches"),
        time: () => Date.now(),
        digests: (age, data) =>
          digests(kernel).of(data, digestSeed({ age: fromHex(age) ?? new Uint8Array(16) })),
      });

const toldOf = (id: string, header: BranchHeader): KeptBranch => {
  const { age, name, node, path, generation, other, blocks, kept, time, state, pages } = header;
  return {
    ...{ id, age, name, node, path, generation, other, time, state },
    ...{ size: blocks * DISK_BLOCK_BYTES, kept: kept * DISK_BLOCK_BYTES },
    percent: state === "kept" ? 100 : Math.min(99, Math.floor((100 * pages * BRANCH_BLOCKS) / blocks)),
  };
};

/** What the disk server asks of them. */
export function servedBranches(
  store: BranchStore | undefined,
): Pick<DiskMachine, "branches" | "branch" | "deleteBranch"> {
  return {
    branches: async () => ((await store?.list()) ?? []).map(({ id, header }) => toldOf(id, header)),
    branch: async (age, id, block) => {
      if (store === undefined || !branchIdPattern.test(id)) return null;
      try {
        return await store.read(toHex(age), id, block);
      } catch (error) {
        if (error instanceof DiskError && error.code === "DISK_FOREIGN") return null;
        throw error;
      }
    },
    deleteBranch: async (age, id) =>
      store !== undefined && branchIdPattern.test(id) && (await store.delete(toHex(age), id)),
  };
}
