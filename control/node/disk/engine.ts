// Members and storages of a pool machine, with what they need of it: its kernel's digests, its clock,
// its randomness, and the ways to members.
//
// - A new storage begins with a generation of epoch 0, before that of every server (decision.ts).
// - What a storage says of itself to others, and what can be done to it: served.ts.

import { STD_NOTFOUND } from "../../../core-wasm/status.js";
import { KEYED_KEY_BYTES } from "../../../core-wasm/wire/formats.js";
import { type Capability, capabilityOf } from "../../capability/capability.js";
import type { After } from "../../group/timer.js";
import {
  DISK_BLOCK_BYTES,
  type GivenMember,
  type NewStorage,
  type StorageSettings,
} from "../../interface/disk.js";
import { fromHex, view } from "../../kernel/bytes.js";
import { Digests } from "../../kernel/digests.js";
import type { Kernel } from "../../kernel/kernel.js";
import { DirtyMap } from "../../server/disk/dirty-map.js";
import { digestSeed, Member } from "../../server/disk/member/member.js";
import type { MemberPort } from "../../server/disk/member/port.js";
import {
  AGE_BYTES,
  MEMBER_ID_BYTES,
  type MemberEntry,
  type MemberRecord,
  mapBytesOf,
} from "../../server/disk/member/record.js";
import { algorithmOf } from "../../server/disk/storage/algorithm.js";
import type { Branches } from "../../server/disk/storage/branches.js";
import { generationIn } from "../../server/disk/storage/decision.js";
import { format, Storage } from "../../server/disk/storage/storage.js";
import { newUpkeep, type Settings } from "../../server/disk/storage/upkeep.js";
import { refuse } from "../../stub/refused.js";
import type { OpenDevice, OpenMember } from "./medium.js";

/** What members and storages need of their machine. */
export interface Machine {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

const digestsOf = new WeakMap<Kernel, Digests>();

/** The digests of a kernel: one object for all media, as each has memory of its own. */
export function digests(kernel: Kernel): Digests {
  const known = digestsOf.get(kernel);
  if (known !== undefined) return known;
  const made = new Digests(kernel);
  digestsOf.set(kernel, made);
  return made;
}

export const openMember = (
  { device, isEmpty }: OpenDevice,
  name: string,
  { kernel, after, now }: Machine,
): Promise<OpenMember> => Member.open({ ...{ device, isEmpty, name, after, now }, digests: digests(kernel) });

export interface StorageMachine extends Machine {
  readonly connect: (entry: MemberEntry) => MemberPort;
  readonly branches: Branches | undefined;
  readonly log: (line: string) => void;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
}

/** Begins to open a storage; it waits for its members by itself. */
export function openStorage(record: MemberRecord, machine: StorageMachine, winner?: Uint8Array): Storage {
  const { kernel, after, random, now, wall, connect, log, branches } = machine;
  const seed = digestSeed(record.storage);
  return Storage.open(
    {
      ...{ record, connect, clock: now, wall, after, random, log },
      digests: (data) => digests(kernel).of(data, seed),
      bits: (size) => new DirtyMap(kernel, size),
      ...(branches === undefined ? {} : { branches }),
    },
    winner,
  );
}

/** An entry of a storage's list of members. */
export function entryFor(
  given: GivenMember,
  blocks: number,
  generation: bigint,
  random: Machine["random"],
): MemberEntry {
  const { node, path, witness = false } = given;
  return {
    ...{ id: random(MEMBER_ID_BYTES), node, path, isWitness: witness, blocks: witness ? 0 : blocks },
    ...{ capability: capabilityIn(given), state: "in-sync", since: generation, lacks: null },
  };
}

export function capabilityIn({ capability }: Pick<GivenMember, "capability">): Capability {
  const bytes = fromHex(capability);
  if (bytes === undefined) throw new Error("a capability is hex"); // its schema has seen to that
  return capabilityOf(bytes);
}

/** Those that are given. */
export const settingsIn = (settings: StorageSettings = {}): Partial<Settings> =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));

/** How many blocks each member gets: all of them, or of a linear storage its part. */
function sizesOf({ algorithm, members }: NewStorage, blocks: number): number[] {
  if (algorithm !== "linear") return members.map(() => blocks);
  const each = Math.ceil(blocks / members.filter(({ witness }) => witness !== true).length);
  let left = blocks;
  return members.map(({ witness }) => {
    const part = witness === true ? 0 : Math.min(each, left);
    left -= part;
    return part;
  });
}

/** Makes a storage on media, whatever was on them; answers its record. Rejects with DiskError. */
export async function createStorage(
  wanted: NewStorage,
  { random, connect }: StorageMachine,
): Promise<MemberRecord> {
  const { name, algorithm, ack, serve, onSplit, size } = wanted;
  const blocks = Math.ceil(size / DISK_BLOCK_BYTES);
  const generation = generationIn(0, view(random(4)).getUint32(0));
  const secret = random(KEYED_KEY_BYTES);
  const storage = {
    ...{ age: random(AGE_BYTES), secret, name, algorithm, blocks },
    ...{ ack, serve, onSplit },
  };
  if (algorithmOf(algorithm) === undefined) refuse(STD_NOTFOUND);
  const sizes = sizesOf(wanted, blocks);
  const members = wanted.members.map((given, place) =>
    entryFor(given, sizes[place] ?? 0, generation, random),
  );
  const [first] = members;
  if (first === undefined) throw new Error("a storage without members"); // its schema has seen to that
  const record: MemberRecord = {
    ...{ storage, members, member: first.id, epoch: 0, server: 0n, generation, history: [] },
    ...{ isClean: true, activity: new Uint8Array(mapBytesOf(blocks)) },
    upkeep: newUpkeep(settingsIn(wanted.settings)),
  };
  await format(record, connect);
  return record;
}
