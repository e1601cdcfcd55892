// The branches of disks, wherever a machine of the pool keeps them: what members had that lost a split brain.
//
// - Every disk server is asked; those that do not answer are passed over, as when disks are looked for.
// - A branch is named by its id, or HOLDER:ID when two machines keep one of that id.

import { type KeptBranch, keptBranchesSchema } from "../../interface/disk.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { type DiskServerAt, type DiskSession, diskCalls, findStorages } from "./session.js";

/** A branch, and the machine that keeps it. */
export interface FoundBranch extends KeptBranch {
  readonly holder: DiskServerAt;
}

/** What a disk server answers that knows nothing of branches. */
const isOld = (code: string): boolean => code === "STD_COMBAD";

/** All branches that the servers keep, the oldest first. */
export async function findBranches(session: DiskSession): Promise<readonly FoundBranch[]> {
  const answers = await Promise.all(
    session.servers.map(async (holder) => {
      try {
        const { branches } = await diskCalls(session, holder.capability).branches();
        const { node, branches: kept } = keptBranchesSchema.parse(branches);
        return kept.map((each): FoundBranch => ({ ...each, holder: { ...holder, node } }));
      } catch (error) {
        if (error instanceof ProteusError && (error.code.startsWith("RPC_") || isOld(error.code))) return [];
        throw error;
      }
    }),
  );
  return answers.flat().sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1));
}

/** Those of a disk, which need not be there any more: by its name, or the first digits of its age. */
export async function branchesOf(session: DiskSession, name: string): Promise<readonly FoundBranch[]> {
  const all = await findBranches(session);
  const named = all.filter((each) => each.name === name);
  const found = named.length > 0 ? named : all.filter(({ age }) => name.length >= 8 && age.startsWith(name));
  if (found.length > 0) return found;
  const disks = await findStorages(session);
  if (disks.some((each) => each.name === name || (name.length >= 8 && each.age.startsWith(name)))) return [];
  throw new ProteusError({
    code: "DISK_UNKNOWN",
    exit: exitCodes.notFound,
    message: `there is no disk ${name}, and no branch of one`,
    why:
      disks.length === 0 ? "no machine that answers has one" : `there are ${disks.map((each) => each.name)}`,
    hint: "proteus disk list; machines that are off are not asked",
  });
}

/** The branch that a text names. */
export async function findBranch(session: DiskSession, name: string, text: string): Promise<FoundBranch> {
  const all = await branchesOf(session, name);
  const isIt = ({ id, holder }: FoundBranch): boolean => id === text || `${holder.node}:${id}` === text;
  const [only, second] = all.filter(isIt);
  if (only !== undefined && second === undefined) return only;
  const names = all.map(({ id, holder }) => `${holder.node}:${id}`).join(", ");
  throw new ProteusError({
    code: "DISK_BRANCH",
    exit: only === undefined ? exitCodes.notFound : exitCodes.usage,
    message:
      only === undefined ? `${name} has no branch ${text}` : `two machines keep a branch ${text} of ${name}`,
    why: names === "" ? "no machine that answers keeps one" : `there are ${names}`,
    unchanged: "nothing was done",
    hint:
      only === undefined
        ? `proteus disk branch list ${name}; machines that are off are not asked`
        : "name the machine too: MACHINE:BRANCH",
  });
}

/** As programs are told of one. */
export const branchDocument = ({ holder, time, name, ...rest }: FoundBranch): object => ({
  ...{ disk: name, ...rest },
  ...{ time: new Date(time).toISOString(), holder: holder.node },
});

/** A line for people about what a disk has kept. */
export const branchRemark = ({ id, name, node, path, state, percent, holder }: FoundBranch): string =>
  state === "saving"
    ? `split brain: what ${node}:${path} has of its own is being kept as branch ${id}, ${percent} %`
    : `split brain: what ${node}:${path} had of its own is kept as branch ${id} on ${holder.node}: ` +
      `proteus disk branch show ${name} ${id}`;
