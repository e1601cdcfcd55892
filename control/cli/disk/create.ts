// `proteus disk create` and `delete`: a disk of media on several machines, made and ended.
//
// - Each medium is attached on its machine, then the first member's machine makes the storage of
//   them and serves it. When that fails the media are detached again.
// - Files that are made for a disk stay when it is deleted: they hold a whole copy of it.

import { capabilityHex } from "../../capability/capability.js";
import { DISK_BLOCK_BYTES, type GivenMember, type NewStorage } from "../../interface/disk.js";
import { fromHex } from "../../kernel/bytes.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import { mediumBlocks } from "../../server/disk/member/layout.js";
import { emit, narrate } from "../output.js";
import { parseSize, sizeText } from "../quantity.js";
import { confirm } from "./confirm.js";
import {
  capabilityOfStorage,
  type DiskOptions,
  type DiskSession,
  describe,
  diskCalls,
  findStorage,
  findStorages,
  onDisks,
  serverOf,
} from "./session.js";
import { type SettingOptions, settingsOf } from "./settings.js";

/** Bytes of a disk at most. */
export const sizeMost = 8 * 1024 ** 4;

/** For how large a disk the files of new members are made. */
export interface RoomOptions {
  readonly room?: string | undefined;
}

export const roomOf = ({ room }: RoomOptions, bytes: number): number =>
  room === undefined ? bytes : Math.max(bytes, parseSize(room, sizeMost));

export interface CreateOptions extends DiskOptions, RoomOptions, SettingOptions {
  readonly size: string;
  readonly member: readonly string[];
  readonly witness: readonly string[];
  readonly algorithm: string;
  readonly ack: string;
  readonly serve: string;
  readonly onSplit: string;
}

/** A place of a member: a machine, and a path on it. */
export interface Place {
  readonly node: string;
  readonly path: string;
  readonly isWitness: boolean;
}

/** `n1:/srv/a`, or `n1:disk:NAME` for another disk. */
export function parsePlace(text: string): Place {
  const at = text.indexOf(":");
  const [node, path] = [text.slice(0, at), text.slice(at + 1)];
  if (at > 0 && (path.startsWith("/") || /^disk:./.test(path))) return { node, path, isWitness: false };
  throw usageError(
    `"${text}" is no place of a member`,
    "give NODE:/PATH, or NODE:disk:NAME for another disk",
    "DISK_PLACE",
  );
}

const parseWitness = (text: string, name: string): Place =>
  text.includes(":")
    ? { ...parsePlace(text), isWitness: true }
    : { node: text, path: `witness:${name}`, isWitness: true };

const oneOf = <Word extends string>(what: string, words: readonly Word[], text: string): Word => {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw usageError(`"${text}" is no ${what}`, `it is one of ${words.join(", ")}`);
};

/** Attaches the medium of a member; answers the member as its storage is to know it. */
export async function attachMedium(session: DiskSession, place: Place, bytes: number): Promise<GivenMember> {
  const { node, path, isWitness } = place;
  const blocks = isWitness ? 0 : Math.ceil(bytes / DISK_BLOCK_BYTES);
  const below = path.startsWith("disk:") ? await findStorage(session, path.slice("disk:".length)) : undefined;
  const { medium } = await diskCalls(session, serverOf(session, node).capability).attach(
    {
      ...{ path, bytes: BigInt(mediumBlocks(blocks) * DISK_BLOCK_BYTES) },
      ...(below === undefined ? {} : { storage: capabilityOfStorage(below) }),
    },
    { deadMs: 10_000 },
  );
  return { node, path, capability: capabilityHex(medium), ...(isWitness ? { witness: true } : {}) };
}

/** Detaches media that are of no use after all; what cannot be asked stays. */
export async function detachMedia(session: DiskSession, media: readonly GivenMember[]): Promise<void> {
  const each = media.map((medium) => diskCalls(session, capabilityOfStorage(medium)).detach());
  for (const ended of await Promise.allSettled(each))
    if (ended.status === "rejected") narrate(`disk: a medium stays attached: ${String(ended.reason)}`);
}

export async function create(name: string, options: CreateOptions): Promise<void> {
  const size = parseSize(options.size, sizeMost);
  const { algorithm } = options;
  const members = options.member.map(parsePlace);
  const places = [...members, ...options.witness.map((text) => parseWitness(text, name))];
  const [first] = members;
  if (first === undefined) throw usageError("a disk has one member at least", "--member NODE:/PATH");
  if (size < DISK_BLOCK_BYTES || size % DISK_BLOCK_BYTES !== 0)
    throw usageError(`a disk of ${size} bytes`, `its size is a multiple of ${DISK_BLOCK_BYTES} bytes`);
  const policies = {
    ack: oneOf("way to acknowledge", ["all", "quorum", "one"] as const, options.ack),
    serve: oneOf("way to serve", ["majority", "any"] as const, options.serve),
    onSplit: oneOf("way to treat a split brain", ["keep", "ask"] as const, options.onSplit),
  };
  const settings = settingsOf(options);
  await onDisks(options, async (session) => {
    const taken = await findStorages(session);
    if (taken.some((each) => each.name === name))
      throw new ProteusError({
        code: "DISK_EXISTS",
        exit: exitCodes.failed,
        message: `there is a disk ${name} already`,
        unchanged: "it is as it was",
        hint: "choose another name, or proteus disk delete it",
      });
    const { capability: host } = serverOf(session, first.node);
    const attached: GivenMember[] = [];
    try {
      const bytes = roomOf(options, algorithm === "linear" ? Math.ceil(size / members.length) : size);
      for (const place of places) attached.push(await attachMedium(session, place, bytes));
      const storage: NewStorage = { name, size, algorithm, ...policies, members: attached, settings };
      await diskCalls(session, host).create({ storage }, { deadMs: 30_000 });
    } catch (error) {
      await detachMedia(session, attached);
      throw error;
    }
    const described = await describe(session, await findStorage(session, name));
    emit(
      "disk create",
      options.json,
      described.storage,
      () => `${name} is a disk of ${sizeText(size)}, ${described.storage.state}, served by ${described.node}`,
    );
  });
}

export interface DeleteOptions extends DiskOptions {
  readonly yes: boolean;
}

export async function remove(name: string, options: DeleteOptions): Promise<void> {
  await onDisks(options, async (session) => {
    const storage = await findStorage(session, name);
    await confirm(storage.name, `Deleting the disk ${storage.name} ends it on all its members`, options.yes);
    const age = fromHex(storage.age) ?? new Uint8Array(0);
    const known = session.servers.filter(({ node }) => storage.nodes.includes(node));
    await Promise.all(
      known.map(({ capability }) => diskCalls(session, capability).forget({ age }, { deadMs: 15_000 })),
    );
    const document = { deleted: storage.name, age: storage.age, nodes: storage.nodes };
    emit("disk delete", options.json, document, () => `${storage.name} is no disk any more`);
  });
}
