// A storage as its clients see it (control/server/disk/storage-server.ts), made of a Storage of this
// machine: what it says of itself, and what can be done to it.
//
// - `describe` adds who serves it, the picture of its dirty map, and the ages of the storages below.
// - A medium that lies on this storage, or on one that lies on it, is no member for it: DISK_LOOP.

import { STD_EXISTS, STD_NOTFOUND } from "../../../core-wasm/status.js";
import { type After, pause } from "../../group/timer.js";
import type { GivenMember } from "../../interface/disk.js";
import type { Described, StorageChange, UpkeepDocument } from "../../interface/storage.js";
import { sameBytes, toHex } from "../../kernel/bytes.js";
import { BLOCK_BYTES, type DiskExtent, type WriteOptions, type ZeroOptions } from "../../server/disk/disk.js";
import { DiskError } from "../../server/disk/errors.js";
import type { MemberEntry } from "../../server/disk/member/record.js";
import type { ScrubReport } from "../../server/disk/storage/scrub.js";
import type { SplitStatus } from "../../server/disk/storage/status.js";
import type { Storage } from "../../server/disk/storage/storage.js";
import type { ServedStorage } from "../../server/disk/storage-server.js";
import { refuse } from "../../stub/refused.js";
import { entryFor, settingsIn } from "./engine.js";
import { Jobs, type Progress, type Result } from "./jobs.js";

export interface ServedOptions {
  /** Told of every request for its blocks. */
  readonly used: () => void;
  readonly after: After;
  /** This machine's name. */
  readonly node: string;
  /** The ages of the storages that a member's medium lies on. */
  readonly agesOf: (entry: MemberEntry) => Promise<readonly Uint8Array[]>;
  /** Has the machine of a former member have its medium no more; if it does not answer, it has it still. */
  readonly detachMedium: (entry: MemberEntry) => Promise<void>;
  /** Makes a member's file long enough for so many blocks; a partition stays as it is. */
  readonly extendMedium: (entry: MemberEntry, blocks: number) => Promise<void>;
  readonly random: (bytes: number) => Uint8Array;
  /** Whether it is served, and not only waited for. */
  readonly isReady: () => boolean;
  /** Opens it anew: of two histories that of this member counts. */
  readonly reopen: (winner: Uint8Array) => Promise<void>;
  /** Has the machine of a member serve it; ends when that stands by, before it is let go here. */
  readonly moveTo: (entry: MemberEntry) => Promise<void>;
}

const nameOf = ({ node, path }: Pick<MemberEntry, "node" | "path">): string => `${node}:${path}`;

/** What a person has to know of a split brain, and the one command that ends it. */
function remarksOf(name: string, { sides, apart }: SplitStatus): string[] {
  const [first, ...others] = sides.map((members) => members.map(nameOf).join(", "));
  const ofAll =
    first === undefined
      ? []
      : [
          `two histories, that of ${first} and that of ${others.join(" and that of ")}: nothing is served`,
          `proteus disk heal ${name} keeps the first and saves the other as a branch; --keep MEMBER: another`,
        ];
  if (apart.length === 0) return ofAll;
  const each = apart.map(({ entry, why }) => `split brain: ${nameOf(entry)}: ${why}`);
  const heal = `proteus disk heal ${name} keeps what is served now; --keep MEMBER: what that member has`;
  return [...ofAll, ...each, heal];
}

const reported = ({ blocks, mended, members }: ScrubReport): Result => ({
  ...{ blocks, mended },
  members: members.map(({ node, path, rotten, differing }) => ({ node, path, rotten, differing })),
});

function upkeepOf(storage: Storage): UpkeepDocument {
  const { scrub, ...settings } = storage.upkeep();
  const { block, ...state } = scrub;
  const percent = Math.min(100, Math.floor((100 * block) / Math.max(1, storage.blocks)));
  return { ...settings, scrub: { ...state, percent } };
}

/** Members that were opened anew are waited for as long as they come nearer, tries without that, and in all. */
const [settleMs, settleTries, settleTriesMax] = [500, 60, 7200];
/** Places of the picture of the dirty map. */
const pictureParts = 256;

export class Served implements ServedStorage {
  readonly storage: Storage;
  readonly #options: ServedOptions;
  readonly #jobs: Jobs;

  constructor(storage: Storage, options: ServedOptions) {
    this.storage = storage;
    this.#options = options;
    this.#jobs = new Jobs(options.after);
  }

  get blocks(): number {
    return this.storage.blocks;
  }

  get isReadOnly(): boolean {
    return this.storage.isReadOnly;
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    this.#options.used();
    return this.storage.read(block, buffer);
  }

  write(block: number, data: Uint8Array, options: WriteOptions): Promise<void> {
    this.#options.used();
    return this.storage.write(block, data, options);
  }

  zero(block: number, blocks: number, options: ZeroOptions): Promise<void> {
    return this.storage.zero(block, blocks, options);
  }

  flush(): Promise<void> {
    this.#options.used();
    return this.storage.flush();
  }

  extents(block: number, blocks: number): Promise<readonly DiskExtent[]> {
    return this.storage.extents(block, blocks);
  }

  async describe(): Promise<Described> {
    if (this.storage.hasEnded) throw new DiskError("DISK_GONE", "it is served elsewhere, or will be");
    const record = this.storage.record();
    const document = this.storage.status();
    const isDirty = this.#options.isReady() && document.members.some(({ dirtyBytes }) => dirtyBytes > 0);
    return {
      ...{
        storage: document,
        algorithm: record.storage.algorithm,
        node: this.#options.node,
        epoch: record.epoch,
      },
      witnesses: record.members.flatMap(({ isWitness, node, path }) => (isWitness ? [{ node, path }] : [])),
      ages: (await this.#ages(record.members)).map(toHex),
      dirtyMap: isDirty ? await this.#picture() : "",
      remarks: remarksOf(document.name, this.storage.split()),
      jobs: this.#jobs.all(),
      upkeep: upkeepOf(this.storage),
    };
  }

  /** Its own age and those below; of members that do not answer nothing is known. */
  async #ages(members: readonly MemberEntry[]): Promise<Uint8Array[]> {
    const own = this.storage.record().storage.age;
    const onDisks = members.filter(({ path }) => path.startsWith("disk:"));
    const below = await Promise.all(
      onDisks.map((entry) => this.#options.agesOf(entry).catch(() => [] as readonly Uint8Array[])),
    );
    return [own, ...below.flat()];
  }

  /** How much of each part of the disk some member lacks: `.` nothing, 1 to 9. */
  async #picture(): Promise<string> {
    const { blocks } = this;
    const each = Math.max(1, Math.ceil(blocks / pictureParts));
    const dirty = new Array<number>(Math.ceil(blocks / each)).fill(0);
    let at = 0;
    for (const run of await this.storage.extents(0, blocks)) {
      const end = at + run.blocks;
      while (at < end) {
        const part = Math.floor(at / each);
        const next = Math.min(end, (part + 1) * each);
        if (run.isDirty) dirty[part] = (dirty[part] ?? 0) + next - at;
        at = next;
      }
    }
    return dirty
      .map((count) => (count === 0 ? "." : String(Math.max(1, Math.floor((9 * count) / each)))))
      .join("");
  }

  /** Throws DISK_LOOP when a new member's medium lies on this storage. */
  async #checkLoop(entry: MemberEntry): Promise<void> {
    const own = this.storage.record().storage;
    const ages = await this.#options.agesOf(entry);
    if (!ages.some((age) => sameBytes(age, own.age))) return;
    throw new DiskError("DISK_LOOP", `${entry.node}:${entry.path} lies on ${own.name} itself`);
  }

  async change(change: StorageChange): Promise<object> {
    return { job: await this.#jobs.begin(change.operation, (progress) => this.#do(change, progress)) };
  }

  async #do(change: StorageChange, progress: Progress): Promise<Result> {
    const { storage } = this;
    switch (change.operation) {
      case "attach": {
        await storage.add(await this.#newMember(change.member));
        return {};
      }
      case "detach": {
        const entry = this.#member(change.member);
        const isWhole = storage
          .status()
          .members.some(
            ({ node, path, state }) => node === entry.node && path === entry.path && state === "in-sync",
          );
        await (entry.isWitness || !isWhole ? storage.remove(entry.id) : storage.detach(entry.id));
        await this.#options.detachMedium(entry);
        return { backup: !entry.isWitness && isWhole };
      }
      case "replace": {
        const entry = this.#member(change.member);
        await storage.replace(entry.id, await this.#newMember(change.by));
        await this.#options.detachMedium(entry);
        return {};
      }
      case "grow":
        await this.#makeRoom(Math.ceil(change.size / BLOCK_BYTES));
        await storage.grow(Math.ceil(change.size / BLOCK_BYTES));
        return { size: storage.blocks * BLOCK_BYTES };
      case "scrub": {
        const { bytesPerSecond = 0 } = change;
        return reported(await storage.scrub({ bytesPerSecond, progress: (blocks) => progress({ blocks }) }));
      }
      case "verify":
        return reported(await storage.verify({ progress: (blocks) => progress({ blocks }) }));
      case "resync":
        await storage.markDirty(this.#member(change.member).id);
        return {};
      case "mark": {
        // Without a valid copy nothing could say later what this one lacked: it is not made to count.
        if (change.as === "clean" && !this.#options.isReady())
          throw new DiskError(
            "DISK_NO_COPY",
            "it is not served, and a copy that is behind is not made to count by a word; start the members " +
              "that have everything, or copy this one's file, which begins with the disk, to a new disk",
          );
        const { id } = this.#member(change.member);
        await (change.as === "dirty" ? storage.markDirty(id) : storage.markClean(id));
        return {};
      }
      case "settings":
        await storage.settings(settingsIn(change.settings));
        return { ...upkeepOf(storage) };
      case "move":
        return this.#move(change.node);
      case "heal":
        return this.#heal(change.keep);
    }
  }

  async #move(node: string): Promise<Result> {
    if (node === this.#options.node) return { node };
    if (!this.#options.isReady())
      throw new DiskError("DISK_NO_QUORUM", "it is not served yet; nothing was changed");
    const { members } = this.storage.record();
    await this.#options.moveTo(members.find((entry) => entry.node === node) ?? refuse(STD_NOTFOUND));
    return { node };
  }

  /** One member after the other: each is gone for a moment. */
  async #makeRoom(blocks: number): Promise<void> {
    for (const entry of this.storage.record().members) {
      if (entry.isWitness) continue;
      await this.#options.extendMedium(entry, blocks);
      const behind = () => this.storage.status().members.filter(({ state }) => state !== "in-sync");
      const isWhole = () => behind().length === 0;
      // As long as it comes nearer: under load a large copy takes its time.
      let least = Number.POSITIVE_INFINITY;
      for (let tries = 0, idle = 0; tries < settleTriesMax && idle < settleTries; tries++, idle++) {
        await pause(this.#options.after, settleMs);
        if (isWhole()) break;
        const left = behind().reduce((sum, { dirtyBytes }) => sum + dirtyBytes, 0);
        if (left < least) [idle, least] = [0, left];
      }
      if (!isWhole())
        throw new DiskError("DISK_NO_QUORUM", `${entry.node} is not in sync again; the disk has not grown`);
    }
  }

  #member(name: string): MemberEntry {
    const { members } = this.storage.record();
    return members.find((each) => nameOf(each) === name) ?? refuse(STD_NOTFOUND);
  }

  async #newMember(given: GivenMember): Promise<MemberEntry> {
    const { members } = this.storage.record();
    if (members.some(({ node, path }) => node === given.node && path === given.path)) refuse(STD_EXISTS);
    const entry = entryFor(given, this.storage.blocks, 0n, this.#options.random);
    await this.#checkLoop(entry);
    return entry;
  }

  /** Of two histories that of `keep` counts, else the one that is served, or would be. */
  async #heal(keep: string | undefined): Promise<Result> {
    const { sides, apart } = this.storage.split();
    const named = keep === undefined ? undefined : this.#member(keep);
    const isApart = named !== undefined && apart.some(({ entry }) => sameBytes(entry.id, named.id));
    if (isApart || !this.#options.isReady()) {
      const winner = named ?? sides[0]?.[0];
      if (winner === undefined)
        throw new DiskError(
          "DISK_NO_QUORUM",
          "it is not served, and has no second history; start its members",
        );
      await this.#options.reopen(winner.id);
      return { keeps: nameOf(winner) };
    }
    for (const { entry } of apart) await this.storage.heal(entry.id);
    return { healed: apart.map(({ entry }) => nameOf(entry)) };
  }
}
