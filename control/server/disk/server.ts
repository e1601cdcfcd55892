// The disk server of a machine: its media as objects, for the servers of storages; and what it is
// asked for itself (control/interface/disk.ts).
//
// - Which media there are, and what lies below, is the machine's business (DiskMachine): this file
//   takes requests apart and gives them to the member of the medium that a capability names.
// - Data travels from the request's buffer to the medium without a copy of it.

import { STD_ARGBAD, STD_NOTFOUND } from "../../../core-wasm/status.js";
import type { Capability } from "../../capability/capability.js";
import type { ServerIdentity } from "../../capability/secrets.js";
import {
  DIGESTS_BLOCKS_MAX,
  DIGESTS_READ,
  DISK_BLOCK_BYTES,
  DISK_DURABLE,
  DISK_PUNCH,
  DISK_RAW,
  DISK_TRANSFER_BYTES,
  diskTable,
  type ExportDocument,
  type KeptBranch,
  type KnownStorage,
  type MediumDocument,
  type NewStorage,
  newStorageSchema,
  type WantedExport,
  wantedExportSchema,
} from "../../interface/disk.js";
import type { Kernel } from "../../kernel/kernel.js";
import type { ObjectTable } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { type Handlers, Server } from "../../stub/serving.js";
import { keptBytes } from "./branch/branch.js";
import { DiskError } from "./errors.js";
import { DIGEST_BYTES, type MemberPort } from "./member/port.js";
import type { MemberRecord } from "./member/record.js";
import { recordBytes, recordFrom } from "./record-wire.js";
import { refusedFor, refusing } from "./statuses.js";
import type { BranchPiece } from "./storage/branches.js";

/** A medium of this machine. */
export interface DiskMedium {
  readonly path: string;
  /** Throws DISK_GONE while it is closed. */
  member(): MemberPort;
  /** Of a storage that it lies on, and of those below. */
  ages(): Promise<readonly Uint8Array[]>;
}

/** What the machine does for its disk server. Rejects with DiskError or Refused. */
export interface DiskMachine {
  readonly name: string;
  readonly media: ObjectTable<DiskMedium>;
  /** Answers the new object. */
  attach(path: string, bytes: number, storage: Capability | undefined): Promise<number>;
  detach(object: number): Promise<void>;
  listMedia(): readonly MediumDocument[];
  create(storage: NewStorage): Promise<KnownStorage>;
  extend(object: number, bytes: number): Promise<void>;
  /** Stands by to serve the storage of a medium. */
  take(object: number): Promise<void>;
  serves(age: Uint8Array): boolean;
  /** Begins to export a storage over NBD; answers where. */
  addExport(wanted: WantedExport): Promise<string>;
  removeExport(name: string): Promise<string>;
  listExports(): readonly ExportDocument[];
  /** Ends what it does for a storage; answers how many media it had of it. */
  forget(age: Uint8Array): Promise<number>;
  branches(): Promise<readonly KeptBranch[]>;
  /** Blocks of a branch; null: no such one is kept. */
  branch(age: Uint8Array, id: string, block: number): Promise<BranchPiece | null>;
  /** Whether there was one. */
  deleteBranch(age: Uint8Array, id: string): Promise<boolean>;
  /** @param rights that the capabilities are to give */
  storages(rights: number): readonly KnownStorage[];
}

export interface DiskServerOptions extends ServerIdentity {
  readonly kernel: Kernel;
  readonly machine: DiskMachine;
  readonly failed: (error: unknown) => void;
  /** Requests served at the same time; default 12. */
  readonly threads?: number;
}

const transferBlocks = DISK_TRANSFER_BYTES / DISK_BLOCK_BYTES;
const none = new Uint8Array(0);

/** The record in a request, of bytes of its own: a member keeps it. */
function recordIn(bytes: Uint8Array): MemberRecord {
  return recordFrom(bytes) ?? refuse(STD_ARGBAD);
}

/** How many blocks, when one call can do so many. */
const within = (blocks: number, most: number): number =>
  blocks >= 1 && blocks <= most ? blocks : refuse(STD_ARGBAD);

const done = async (work: () => Promise<void>) => {
  await refusing(work);
  return {};
};

type Handled = Handlers<typeof diskTable.operations, DiskMedium>;
type OfServer =
  | "attach"
  | "detach"
  | "media"
  | "medium"
  | "create"
  | "storages"
  | "serving"
  | "forget"
  | "extend"
  | "export"
  | "unexport"
  | "exports"
  | "take"
  | "branches"
  | "branch"
  | "debranch";
type OfMembers = Exclude<keyof Handled, OfServer>;

/** What servers of storages ask of a member: member/port.ts, one to one. */
const memberHandlers: Pick<Handled, OfMembers> = {
  look: async ({ value }) => {
    const found = await refusing(() => value.member().look());
    const { blocks } = found;
    return found.kind === "blank"
      ? { blocks, empty: found.isEmpty, record: none }
      : { blocks, empty: false, record: recordBytes(found.record) };
  },
  fence: async ({ value }, { epoch, server, age }) => {
    const claim = { epoch, server, age: age.slice() }; // the request's buffer is lent
    return { record: recordBytes(await refusing(() => value.member().fence(claim))) };
  },
  adopt: ({ value }, { record }) => {
    const wanted = recordIn(record);
    return done(() => value.member().adopt(wanted));
  },
  update: ({ value }, { record }) => {
    const wanted = recordIn(record);
    return done(() => value.member().update(wanted));
  },
  renew: ({ value }, { epoch, done: ended }) => done(() => value.member().renew(epoch, Number(ended))),
  read: async ({ value }, { block, flags, epoch, blocks }) => {
    const data = new Uint8Array(within(blocks, transferBlocks) * DISK_BLOCK_BYTES);
    try {
      const digests = await value.member().read(epoch, block, data, (flags & DISK_RAW) !== 0);
      return { rotten: [], digests, data };
    } catch (error) {
      if (!(error instanceof DiskError && error.code === "DISK_ROT")) throw refusedFor(error);
      const among = (at: number) => at >= 0 && at < blocks;
      const rotten = error.blocks.map((each) => each - block).filter(among);
      return { rotten: rotten.length === 0 ? [0] : rotten, digests: none, data: none };
    }
  },
  write: ({ value }, { block, flags, epoch, sequence, done: ended, digests, data }) => {
    within(data.length / DISK_BLOCK_BYTES, transferBlocks);
    if (data.length % DISK_BLOCK_BYTES !== 0) refuse(STD_ARGBAD);
    if (digests.length * (DISK_BLOCK_BYTES / DIGEST_BYTES) !== data.length) refuse(STD_ARGBAD);
    return done(() =>
      value.member().write({
        ...{ block, data, digests, epoch, durable: (flags & DISK_DURABLE) !== 0 },
        ...{ sequence: Number(sequence), done: Number(ended) },
      }),
    );
  },
  zero: ({ value }, { block, flags, epoch, sequence, done: ended, blocks }) =>
    done(() =>
      value.member().zero({
        ...{ block, blocks, epoch, sequence: Number(sequence), done: Number(ended) },
        ...{ durable: (flags & DISK_DURABLE) !== 0, punch: (flags & DISK_PUNCH) !== 0 },
      }),
    ),
  flush: ({ value }, { epoch }) => done(() => value.member().flush(epoch)),
  digests: async ({ value }, { block, flags, epoch, blocks }) => {
    const count = within(blocks, DIGESTS_BLOCKS_MAX);
    const isRead = (flags & DIGESTS_READ) !== 0;
    return { digests: await refusing(() => value.member().digests(epoch, block, count, isRead)) };
  },
};

export class DiskServer {
  readonly #server: Server<typeof diskTable.operations, DiskMedium>;

  /** Begins to serve. Throws ProteusError when a table of the kernel is full. */
  constructor(options: DiskServerOptions) {
    const { kernel, getPort, key, machine, failed, threads = 12 } = options;
    const made = (object: number) => this.#server.capability(object);
    this.#server = new Server<typeof diskTable.operations, DiskMedium>({
      ...{ kernel, getPort, key, failed, threads, table: diskTable, objects: machine.media },
      info: (medium) => (medium === undefined ? `disk server of ${machine.name}` : `medium ${medium.path}`),
      status: (medium) => (medium === undefined ? statusOf(machine) : `medium ${medium.path}`),
      handlers: {
        attach: async (_asked, { path, bytes, storage }) => {
          const object = await refusing(() => machine.attach(path, Number(bytes), storage));
          return { medium: made(object) };
        },
        detach: ({ object }) => done(() => machine.detach(object)),
        media: () => ({ media: { media: machine.listMedia() } }),
        medium: async ({ value }) => ({ path: value.path, ages: await refusing(() => value.ages()) }),
        create: async (_asked, { storage }) => {
          const wanted = newStorageSchema.safeParse(storage);
          if (!wanted.success) refuse(STD_ARGBAD);
          return { storage: await refusing(() => machine.create(wanted.data)) };
        },
        storages: ({ rights }) => ({
          storages: { node: machine.name, storages: machine.storages(rights) },
        }),
        extend: ({ object }, { bytes }) => done(() => machine.extend(object, Number(bytes))),
        take: ({ object }) => done(() => machine.take(object)),
        serving: (_asked, { age }) => ({ serves: machine.serves(age) ? 1 : 0 }),
        export: async (_asked, { export: document }) => {
          const wanted = wantedExportSchema.safeParse(document);
          if (!wanted.success) refuse(STD_ARGBAD);
          return { address: await refusing(() => machine.addExport(wanted.data)) };
        },
        unexport: async (_asked, { name }) => ({
          address: await refusing(() => machine.removeExport(name)),
        }),
        exports: () => ({ exports: { exports: machine.listExports() } }),
        forget: async (_asked, { age }) => {
          const gone = age.slice();
          return { media: await refusing(() => machine.forget(gone)) };
        },
        branches: async () => ({
          branches: { node: machine.name, branches: await refusing(() => machine.branches()) },
        }),
        branch: async (_asked, { block, age, branch }) => {
          const piece = await refusing(() => machine.branch(age, branch, block));
          if (piece === null) return refuse(STD_NOTFOUND);
          return { states: piece.states, digests: piece.digests, data: keptBytes(piece) };
        },
        debranch: async (_asked, { age, branch }) => {
          if (!(await refusing(() => machine.deleteBranch(age, branch)))) refuse(STD_NOTFOUND);
          return {};
        },
        ...memberHandlers,
      },
    });
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  /** A capability of the server, or of one of its media. */
  capability(object = 0, rights?: number): Capability {
    return this.#server.capability(object, rights);
  }

  close(): void {
    this.#server.close();
  }
}

function statusOf(machine: DiskMachine): string {
  const media = machine.listMedia().map(({ path, state, why = "" }) => `medium ${path} ${state} ${why}`);
  const storages = machine
    .storages(0)
    .map(({ name, served, why = "" }) => `storage ${name}${served ? ", served here" : ""} ${why}`);
  return [...media, ...storages].map((line) => line.trimEnd()).join("\n");
}
