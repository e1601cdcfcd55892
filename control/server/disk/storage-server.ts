// Serves one storage to its clients (control/interface/storage.ts): under a port and capabilities
// that follow from its secret (identity.ts), so that the next machine that serves it is the same.
//
// - A client's write that comes twice is done once: each session remembers what it has begun and
//   is not known to be answered. Below `done` a late copy does nothing.
// - The server of an ended storage closes: requests that wait are given up, and their clients send
//   them again to the next one.

import { STD_ARGBAD } from "../../../core-wasm/status.js";
import type { Capability } from "../../capability/capability.js";
import {
  DISK_BLOCK_BYTES,
  DISK_DURABLE,
  DISK_PUNCH,
  EXTENT_DIRTY,
  EXTENT_HOLE,
} from "../../interface/disk.js";
import {
  type Described,
  STORAGE_OBJECT,
  STORAGE_PIECE_BYTES,
  type StorageChange,
  storageChangeSchema,
  storageTable,
} from "../../interface/storage.js";
import type { Kernel } from "../../kernel/kernel.js";
import { OneObject } from "../../stub/one-object.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";
import type { Disk } from "./disk.js";
import { storageIdentity } from "./identity.js";
import { refusing } from "./statuses.js";

/** A storage as it is served. Rejects with DiskError or Refused. */
export interface ServedStorage extends Disk {
  describe(): Promise<Described>;
  change(change: StorageChange): Promise<object>;
}

export interface StorageServerOptions {
  readonly kernel: Kernel;
  readonly secret: Uint8Array;
  readonly storage: ServedStorage;
  readonly name: string;
  readonly failed: (error: unknown) => void;
  /** Requests served at the same time; default 16. */
  readonly threads?: number;
}

const pieceBlocks = STORAGE_PIECE_BYTES / DISK_BLOCK_BYTES;
const sessionsMax = 256;
/** Runs of extents in one reply. */
const extentsMax = 16_384;

/** What a client has under way. */
class Session {
  readonly #begun = new Map<bigint, Promise<void>>();
  #done = 0n;

  /** Does a request, unless it has been begun or answered before. */
  once(sequence: bigint, done: bigint, work: () => Promise<void>): Promise<void> {
    if (done > this.#done) {
      this.#done = done;
      for (const each of this.#begun.keys()) if (each < done) this.#begun.delete(each);
    }
    if (sequence < this.#done) return Promise.resolve();
    const known = this.#begun.get(sequence);
    if (known !== undefined) return known;
    const begun = work();
    this.#begun.set(sequence, begun);
    // One that failed may be tried again.
    begun.catch(() => this.#begun.delete(sequence));
    return begun;
  }
}

export class StorageServer {
  readonly #server: Server<typeof storageTable.operations, ServedStorage>;
  readonly #sessions = new Map<bigint, Session>();

  /** Begins to serve. Throws ProteusError when a table of the kernel is full. */
  constructor({ kernel, secret, storage, name, failed, threads = 16 }: StorageServerOptions) {
    const { getPort, key, generation } = storageIdentity(kernel.privates, secret);
    const ofSession = (id: bigint, sequence: bigint, done: bigint, work: () => Promise<void>) =>
      this.#session(id).once(sequence, done, work);
    this.#server = new Server<typeof storageTable.operations, ServedStorage>({
      ...{ kernel, getPort, key, failed, threads, table: storageTable },
      objects: new OneObject(STORAGE_OBJECT, storage, generation),
      info: () => `storage ${name}`,
      status: () => `storage ${name}`,
      handlers: {
        geometry: () => ({ blocks: storage.blocks, flags: storage.isReadOnly ? 1 : 0 }),
        read: async (_asked, { block, blocks }) => {
          if (blocks < 1 || blocks > pieceBlocks) refuse(STD_ARGBAD);
          const data = new Uint8Array(blocks * DISK_BLOCK_BYTES);
          await refusing(() => storage.read(block, data));
          return { data };
        },
        write: async (_asked, { block, flags, session, sequence, done, data }) => {
          if (data.length === 0 || data.length % DISK_BLOCK_BYTES !== 0) refuse(STD_ARGBAD);
          if (data.length > STORAGE_PIECE_BYTES) refuse(STD_ARGBAD);
          const durable = (flags & DISK_DURABLE) !== 0;
          // Of its own bytes: when the request is given up, a write of them may go on.
          const work = () => storage.write(block, data.slice(), { durable });
          await refusing(() => ofSession(session, sequence, done, work));
          return {};
        },
        zero: async (_asked, { block, flags, session, sequence, done, blocks }) => {
          const options = { durable: (flags & DISK_DURABLE) !== 0, punch: (flags & DISK_PUNCH) !== 0 };
          const work = () => storage.zero(block, blocks, options);
          await refusing(() => ofSession(session, sequence, done, work));
          return {};
        },
        flush: async () => {
          await refusing(() => storage.flush());
          return {};
        },
        extents: async (_asked, { block, blocks }) => {
          const runs = await refusing(() => storage.extents(block, blocks));
          const extents = runs.slice(0, extentsMax).map(({ blocks: count, isHole, isDirty }) => ({
            blocks: count,
            flags: (isHole ? EXTENT_HOLE : 0) | (isDirty ? EXTENT_DIRTY : 0),
          }));
          return { extents };
        },
        describe: async () => ({ storage: await refusing(() => storage.describe()) }),
        change: async (_asked, { change }) => {
          const wanted = storageChangeSchema.safeParse(change);
          if (!wanted.success) refuse(STD_ARGBAD);
          return { result: await refusing(() => storage.change(wanted.data)) };
        },
      },
    });
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  capability(rights?: number): Capability {
    return this.#server.capability(STORAGE_OBJECT, rights);
  }

  #session(id: bigint): Session {
    const known = this.#sessions.get(id);
    const session = known ?? new Session();
    this.#sessions.delete(id);
    this.#sessions.set(id, session); // the one that was used last is last
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > sessionsMax && oldest !== undefined) this.#sessions.delete(oldest);
    return session;
  }

  close(): void {
    this.#server.close();
  }
}
