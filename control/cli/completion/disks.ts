// Names of disks and of their members for completion: of the disk servers of the lab that runs.
//
// - Asked through a control daemon on this computer. Outside a lab the capabilities of disk servers are
//   in files that a command names: there are no names for a Tab.
// - A member is offered as NODE:PATH, and as NODE where the disk has one member there.

import { capabilityOf } from "../../capability/capability.js";
import type { KnownStorage } from "../../interface/disk.js";
import { fromHex } from "../../kernel/bytes.js";
import type { Transact } from "../../kernel/calls.js";
import { call, givenOut, labMeant, socketOf, through } from "./daemon-calls.js";
import type { Source } from "./names.js";
import type { Candidate } from "./question.js";

const plainName = /^[\w./:+,@%=-]+$/;
/** How many machines are asked, and of how many disks the members. */
const [serversMost, disksMost] = [16, 8];

/** What is offered of some disks. */
export const diskNames = (disks: readonly Pick<KnownStorage, "name" | "age">[]): Candidate[] =>
  disks.map(({ name, age }) => ({ value: name, about: `disk, age ${age.slice(0, 8)}` }));

interface Place {
  readonly node: string;
  readonly path: string;
}

/** What is offered of a disk's members. */
export function memberNames(disk: string, members: readonly Place[]): Candidate[] {
  const about = `member of ${disk}`;
  const alone = members.filter(({ node }) => members.filter((each) => each.node === node).length === 1);
  return [
    ...alone.map(({ node }) => ({ value: node, about })),
    ...members.map(({ node, path }) => ({ value: `${node}:${path}`, about })),
  ].filter(({ value }) => plainName.test(value));
}

async function known(via: Transact): Promise<readonly KnownStorage[]> {
  const lab = labMeant();
  const servers = lab === undefined ? [] : givenOut(lab, "disk").slice(0, serversMost);
  const { diskTable, knownStoragesSchema } = await import("../../interface/disk.js");
  const { stub } = await import("../../stub/client.js");
  const answers = servers.map(async ({ capability }) => {
    const { storages } = await stub(via, diskTable, capability, call).storages();
    return knownStoragesSchema.parse(storages).storages;
  });
  const found = (await Promise.allSettled(answers)).flatMap((each) =>
    each.status === "fulfilled" ? each.value : [],
  );
  return [...new Map(found.map((each) => [each.age, each])).values()];
}

async function membersOf(via: Transact, { name, capability }: KnownStorage): Promise<Candidate[]> {
  const { describedSchema, storageTable } = await import("../../interface/storage.js");
  const { stub } = await import("../../stub/client.js");
  const bytes = fromHex(capability);
  if (bytes === undefined) return [];
  const { storage } = await stub(via, storageTable, capabilityOf(bytes), call).describe();
  const described = describedSchema.parse(storage);
  return memberNames(name, [...described.storage.members, ...described.witnesses]);
}

/** The disks of the lab that runs, and their members. */
export const disks: Source = async (kind, signal) => {
  if (kind !== "disk" && kind !== "member") return [];
  const socket = socketOf(labMeant());
  if (socket === undefined) return [];
  const via = through(socket, signal);
  const storages = await known(via);
  if (kind === "disk") return diskNames(storages);
  const each = await Promise.allSettled(
    storages.slice(0, disksMost).map((storage) => membersOf(via, storage)),
  );
  return each.flatMap((found) => (found.status === "fulfilled" ? found.value : []));
};
