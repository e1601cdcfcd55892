// The Bullet server: the protocol of control/interface/bullet.ts on an engine that keeps files.
//
// - A committed file is read, and never changed: what would change it makes a draft that begins
//   with its content, under a capability of its own with all rights. A draft is changed in place
//   under the capability that it has; it can be changed and destroyed, and nothing else. Its
//   capability is the file's once it is committed.
// - A CREATE on a file that turns out the same answers the capability that was shown, with the
//   rights that it has, to those who may read it; the new one is not kept.
// - With SAFETY an answer comes when the medium has it. Drafts live in memory and on scratch
//   space: they do not outlive the server.
// - When a call is refused, a draft that it made is gone, one that was there before stays; a
//   change that the refused call made to it may stay with it, as writes may be repeated.

import { STD_ARGBAD, STD_CAPBAD, STD_NOTFOUND, STD_NOTNOW, STD_OVERFLOW } from "../../../core-wasm/status.js";
import type { Capability } from "../../capability/capability.js";
import { claims } from "../../capability/private-part.js";
import { type CapabilityScheme, keyedScheme } from "../../capability/scheme.js";
import type { After } from "../../group/timer.js";
import {
  BULLET_COMMIT,
  BULLET_PIECE_BYTES,
  BULLET_READ_ALL,
  BULLET_REPAIR,
  BULLET_SAFETY,
  bulletTable,
} from "../../interface/bullet.js";
import { rightsMask } from "../../interface/table.js";
import { sameBytes } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { readFile } from "../../stub/files.js";
import { refuse } from "../../stub/refused.js";
import { type Asked, Server } from "../../stub/serving.js";
import { Drafts, type OpenFile, type SameFile } from "./drafts.js";
import type { Draft, FileEngine, FileEntry, VolumeUsage } from "./engine.js";
import { type BulletFile, FileTable } from "./file-table.js";
import { type OnMedium, onMediumOf } from "./statuses.js";

export interface BulletServerOptions {
  readonly kernel: Kernel;
  readonly engine: FileEngine;
  readonly getPort: Uint8Array;
  /** 32 bytes that vouch for its capabilities. */
  readonly key: Uint8Array;
  readonly after: After;
  readonly failed: (error: unknown) => void;
  /** Calls served at the same time; default 8. */
  readonly threads?: number;
  /** How long a file elsewhere that is to be copied is looked for; default 2,000 ms. */
  readonly locateTimeoutMs?: number;
  /** True while the machine is being emptied; default never. */
  readonly draining?: () => boolean;
  /** Told when the server's own generation is another: its own capabilities have ended. */
  readonly renewed?: (() => void) | undefined;
}

interface Answered {
  readonly data: Uint8Array;
}

/** A change of a draft. */
type Change = (draft: Draft) => Promise<void>;

const readRight = rightsMask(bulletTable, ["read"]);
const longestSize = 2 ** 31 - 1;

export class BulletServer {
  readonly #kernel: Kernel;
  readonly #engine: FileEngine;
  readonly #onMedium: OnMedium;
  readonly #drafts: Drafts;
  readonly #draining: () => boolean;
  readonly #locateTimeoutMs: number;
  readonly #server: Server<typeof bulletTable.operations, BulletFile>;

  /** Begins to serve. Throws ProteusError when a table of the kernel is full. */
  constructor(options: BulletServerOptions) {
    const { kernel, engine, getPort, key, after, failed, threads = 8 } = options;
    this.#kernel = kernel;
    this.#engine = engine;
    this.#onMedium = onMediumOf(failed);
    this.#drafts = new Drafts(after, threads >> 1); // threads that wait are none for what they wait for
    this.#draining = options.draining ?? (() => false);
    this.#locateTimeoutMs = options.locateTimeoutMs ?? 2000;
    const objects = new FileTable(engine, this.#drafts, this.#onMedium, options.renewed);
    const keyed = keyedScheme(kernel.privates, key, (object) => objects.generation(object));
    this.#server = new Server({
      ...{ kernel, getPort, failed, threads, objects, table: bulletTable, scheme: this.#scheme(keyed) },
      info: (file) => this.#info(file),
      status: (file) => (file === undefined ? this.#status() : this.#info(file)),
      copy: (original, who) => this.#copy(original, who),
      handlers: {
        create: (asked, { flags, data }) => this.#create(asked, flags, data),
        modify: (asked, { position, flags, data }) => this.#write(asked, position, flags, data),
        modify64: (asked, { position, flags, data }) => this.#write(asked, Number(position), flags, data),
        insert: (asked, { position, flags, data }) =>
          this.#change(asked, position, flags, (draft) => draft.insert(position, data)),
        delete: (asked, { position, flags, bytes }) => {
          if (bytes < 0) refuse(STD_ARGBAD);
          return this.#change(asked, position, flags, (draft) =>
            draft.cut(position, Math.min(bytes, draft.bytes - position)),
          );
        },
        read: ({ value }, { position, count, length }) => this.#read(value, position, length ?? count),
        read64: ({ value }, { position, count, length }) =>
          this.#read(value, Number(position), length ?? count),
        size: ({ value }) => {
          const { bytes } = this.#committed(value);
          return bytes > longestSize ? refuse(STD_OVERFLOW) : { bytes };
        },
        size64: ({ value }) => ({ bytes: BigInt(this.#committed(value).bytes) }),
        verify: async ({ value }, { flags }) => {
          const { number, bytes, hash } = this.#committed(value);
          const read = (flags & BULLET_READ_ALL) !== 0;
          const fault = await this.#onMedium(() => engine.verify(number, { read }));
          return { good: fault === null, bytes: BigInt(bytes), hash };
        },
        check: async (_asked, { flags }) => {
          const repair = (flags & BULLET_REPAIR) !== 0;
          return { report: await this.#onMedium(() => engine.check({ repair })) };
        },
        compact: async () => ({ report: await this.#onMedium(() => engine.compact()) }),
        sync: async () => {
          await this.#onMedium(() => engine.sync());
          return {};
        },
      },
    });
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  /** A capability of the server itself. */
  capability(rights?: number): Capability {
    return this.#server.capability(0, rights);
  }

  /** How full it is. */
  usage(): VolumeUsage {
    return this.#engine.usage();
  }

  /** The scheme, by which no capability of a draft is made from another one. */
  #scheme(keyed: CapabilityScheme): CapabilityScheme {
    return {
      ...keyed,
      restrict: (part, mask) =>
        this.#drafts.get(claims(part).object) === undefined ? keyed.restrict(part, mask) : STD_CAPBAD,
    };
  }

  // ---- making and changing -----------------------------------------------------------

  async #create(
    { object, value, rights, private: shown }: Asked<BulletFile | undefined>,
    flags: number,
    data: Uint8Array,
  ): Promise<{ readonly file: Capability }> {
    this.#admit();
    const mayRead = (rights & readRight) !== 0;
    let same: SameFile | undefined;
    if (value?.kind === "file" && mayRead) {
      same = { number: object, generation: value.entry.generation, private: shown };
      if ((flags & BULLET_COMMIT) !== 0 && (await this.#holds(value.entry, data))) {
        if ((flags & BULLET_SAFETY) !== 0) await this.#onMedium(() => this.#engine.sync());
        return { file: this.#own(shown) };
      }
    }
    return this.#made(undefined, same, flags, (draft) => draft.write(0, data));
  }

  /** Whether a file's content is exactly this. */
  async #holds({ number, bytes }: FileEntry, data: Uint8Array): Promise<boolean> {
    if (bytes !== data.length) return false;
    const held = await this.#onMedium(() => this.#engine.read(number, 0, bytes));
    return held.length === data.length && held.every((byte, index) => byte === data[index]);
  }

  async #write(asked: Asked<BulletFile>, position: number, flags: number, data: Uint8Array) {
    if (asked.value.kind !== "file") await this.#drafts.awaits(asked.value.open, position);
    return this.#change(asked, position, flags, (draft) => draft.write(position, data));
  }

  async #change(
    { object, value, rights, private: shown }: Asked<BulletFile>,
    position: number,
    flags: number,
    change: Change,
  ): Promise<{ readonly file: Capability }> {
    if (value.kind === "file") {
      this.#admit();
      checkPosition(position, value.entry.bytes);
      return this.#made(object, undefined, flags, change);
    }
    const { open } = value;
    return this.#drafts.use(open, async () => {
      checkPosition(position, open.draft.bytes);
      await this.#onMedium(() => change(open.draft));
      if ((flags & BULLET_COMMIT) === 0) return { file: this.#own(shown) };
      const committed = await this.#commit(open, flags);
      return { file: committed ?? this.#server.capability(object, rights) };
    });
  }

  /** A new draft, empty or with a file's content, with its first change; committed if it is to be. */
  async #made(
    from: number | undefined,
    same: SameFile | undefined,
    flags: number,
    change: Change,
  ): Promise<{ readonly file: Capability }> {
    const open = this.#drafts.add(await this.#onMedium(() => this.#engine.draft(from)), same);
    const { number } = open.draft;
    return this.#drafts.use(open, async () => {
      try {
        await this.#onMedium(() => change(open.draft));
        const committed = (flags & BULLET_COMMIT) === 0 ? undefined : await this.#commit(open, flags);
        return { file: committed ?? this.#server.capability(number) };
      } catch (error) {
        this.#drafts.discard(open); // nobody has its capability
        throw error;
      }
    });
  }

  /** Commits a draft. Answers the file's capability when it turned out to be another one. */
  async #commit(open: OpenFile, flags: number): Promise<Capability | undefined> {
    const durable = (flags & BULLET_SAFETY) !== 0;
    const made = await this.#onMedium(() => open.draft.commit({ durable }));
    this.#drafts.committed(open);
    const { same } = open;
    const other = same === undefined ? undefined : this.#engine.entry(same.number);
    if (same === undefined || other === undefined || !sameBytes(other.generation, same.generation))
      return undefined;
    if (other.bytes !== made.bytes || !sameBytes(other.hash, made.hash)) return undefined;
    await this.#onMedium(() => this.#engine.remove(made.number));
    return this.#own(same.private);
  }

  /** Refuses what would be a new file. */
  #admit(): void {
    if (this.#draining()) refuse(STD_NOTNOW);
  }

  #own(part: Uint8Array): Capability {
    return { port: this.putPort, private: part };
  }

  // ---- reading -----------------------------------------------------------------------

  /** A file that may be read. */
  #committed(value: BulletFile): FileEntry {
    return value.kind === "file" ? value.entry : refuse(STD_CAPBAD);
  }

  /** At once what is in memory: a promise would cost as much as the call. */
  #read(value: BulletFile, position: number, wanted: number): Answered | Promise<Answered> {
    const { number, bytes } = this.#committed(value);
    checkPosition(position, bytes);
    if (wanted > BULLET_PIECE_BYTES) refuse(STD_ARGBAD);
    const data = this.#engine.cached(number, position, wanted);
    return data === undefined ? this.#fetch(number, position, wanted) : { data };
  }

  async #fetch(number: number, position: number, wanted: number): Promise<Answered> {
    return { data: await this.#onMedium(() => this.#engine.read(number, position, wanted)) };
  }

  #info(file: BulletFile | undefined): string {
    if (file === undefined) return "bullet server";
    return `- ${String(this.#committed(file).bytes).padStart(8)} bytes`;
  }

  #status(): string {
    const {
      files,
      bytes,
      freeBytes,
      largestFreeBytes,
      inodes,
      freeInodes,
      sharedBytes,
      drafts,
      cachedBytes,
    } = this.#engine.usage();
    return [
      `files ${files} of ${inodes}, ${freeInodes} free`,
      `bytes of files ${bytes}, shared ${sharedBytes}`,
      `bytes free ${freeBytes}, largest that fits ${largestFreeBytes}`,
      `not committed ${drafts}`,
      `bytes in memory ${cachedBytes}`,
      ...(this.#draining() ? ["being emptied: no new files"] : []),
    ].join("\n");
  }

  // ---- copies ------------------------------------------------------------------------

  /** A file of its own with another one's content, which may be on another server; `who` asks. */
  async #copy(source: Capability, who: bigint): Promise<Capability> {
    this.#admit();
    const flags = BULLET_COMMIT | BULLET_SAFETY;
    if (sameBytes(source.port, this.putPort)) {
      const { value } = this.#server.open(source, readRight, who);
      const { number } = this.#committed(value);
      return (await this.#made(number, undefined, flags, async () => undefined)).file;
    }
    try {
      const fill: Change = async (draft) => {
        const options = { locateTimeoutMs: this.#locateTimeoutMs, window: 2 };
        for await (const piece of readFile(this.#kernel, source, options))
          await draft.write(draft.bytes, piece);
      };
      return (await this.#made(undefined, undefined, flags, fill)).file;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      return refuse(error.code === "STD_CAPBAD" || error.code === "STD_DENIED" ? STD_ARGBAD : STD_NOTFOUND);
    }
  }

  /** Stops serving; drafts are given up. The engine is its owner's to close. */
  close(): void {
    this.#server.close();
    this.#drafts.close();
  }
}

function checkPosition(position: number, bytes: number): void {
  if (position < 0 || position > bytes) refuse(STD_ARGBAD);
}
