// A volume of immutable files on a block device: the engine of the Bullet server.
//
// - Files lie in one piece; layout.ts draws the medium, writer.ts says in which order it is
//   written. The inode table is read at the start and kept in memory, contents up to the cache's limit.
// - Calls may overlap. What a call has changed is visible to the calls after it at once: a
//   removed file, a new generation and a committed file also before they are durable. Calls on
//   one draft are done in turn. A read that began before its file was removed ends well.
// - Same content is stored once: SHA-256 and length tell. A content that was found corrupt is
//   never shared: when it is written again, all its files get the new blocks.
// - Rights, capabilities, ageing and time are the server's matter.
// Van Renesse, Tanenbaum, Wilschut: The Design of a High-Performance File Server, 1989.

import type { BlockDevice } from "../../../../drivers/block.js";
import { check, checkContent } from "./check.js";
import { compact } from "./compact.js";
import { type Content, MemoryContent } from "./contents.js";
import { type DraftHost, VolumeDraft } from "./draft.js";
import { busy, closed, full, noInode, noMemory, unknownFile } from "./errors.js";
import type { Extent, Inode } from "./extent.js";
import { Extents } from "./extents.js";
import { formatVolume, isBlankDevice } from "./format.js";
import { pureContentHash } from "./hash.js";
import { contentArea, GENERATION_BYTES, type Geometry } from "./layout.js";
import { Medium } from "./medium.js";
import { MediumContent } from "./medium-content.js";
import { Memory } from "./memory.js";
import { Reader } from "./reader.js";
import { type Recovered, recover } from "./recovery.js";
import type { Space } from "./space.js";
import type { Table } from "./table.js";
import type {
  CheckReport,
  CompactReport,
  CorruptFile,
  Draft,
  FileEntry,
  FormatOptions,
  Volume,
  VolumeOptions,
  VolumeUsage,
} from "./types.js";
import { QUICK_BYTES, Writer } from "./writer.js";

const cacheBytesMin = 1024 * 1024;
const draftsDefault = 1024;

interface Parts {
  readonly options: VolumeOptions;
  readonly medium: Medium;
  readonly memory: Memory;
  readonly reader: Reader;
  readonly recovered: Recovered;
}

export class FileVolume implements Volume {
  readonly report: CheckReport;
  readonly #options: VolumeOptions;
  readonly #medium: Medium;
  readonly #memory: Memory;
  readonly #reader: Reader;
  readonly #geometry: Geometry;
  readonly #table: Table;
  readonly #space: Space;
  readonly #writer: Writer;
  readonly #inodes: Map<number, Inode>;
  readonly #extents: Extents;
  readonly #lost: Set<number>;
  readonly #self: Inode;
  readonly #host: DraftHost;
  #drafts = 0;
  #last: number;
  #maintenance: string | null = null;
  #isClosed = false;

  private constructor({ options, medium, memory, reader, recovered }: Parts) {
    this.#options = options;
    this.#medium = medium;
    this.#memory = memory;
    this.#reader = reader;
    this.#geometry = recovered.geometry;
    this.#table = recovered.table;
    this.#space = recovered.space;
    this.#inodes = recovered.inodes;
    this.report = recovered.report;
    this.#lost = new Set(recovered.report.lostInodes.filter((number) => number > 0));
    this.#self = newInode(0, recovered.generation ?? options.random(GENERATION_BYTES));
    this.#last = largest(this.#inodes.keys());
    const stored = (inode: Inode, before: Extent | null) => this.#stored(inode, before);
    this.#writer = new Writer(medium, this.#table, { stored }, options.after);
    const { space, extents: found } = recovered;
    this.#extents = new Extents({ medium, memory, reader, space, writer: this.#writer, found });
    this.#host = this.#draftHost();
  }

  /** Makes an empty volume on a device, whatever was there. */
  static format(device: BlockDevice, options: FormatOptions): Promise<void> {
    return formatVolume(device, options);
  }

  /** Whether a device holds nothing where a volume would begin. */
  static isBlank(device: BlockDevice): Promise<boolean> {
    return isBlankDevice(device);
  }

  /** Opens the volume on a device, checks its tables, and repairs them: VOLUME_FORMAT, _CORRUPT, _GONE. */
  static async open(options: VolumeOptions): Promise<FileVolume> {
    if (options.cacheBytes < cacheBytesMin)
      throw new RangeError(`a cache of ${options.cacheBytes} bytes is less than ${cacheBytesMin}`);
    const medium = new Medium(options.device, options.name);
    const memory = new Memory(options.cacheBytes);
    const reader = new Reader(medium, memory);
    const recovered = await recover(medium, reader, options.newHash ?? pureContentHash);
    const volume = new FileVolume({ options, medium, memory, reader, recovered });
    if (recovered.generation === null) await volume.#writer.submit(volume.#self);
    await volume.#extents.shareEqual();
    return volume;
  }

  get inodes(): number {
    return this.#geometry.inodes;
  }

  get generation(): Uint8Array {
    return this.#self.generation;
  }

  // ---- files -------------------------------------------------------------------------

  entry(number: number): FileEntry | undefined {
    const inode = this.#inodes.get(number);
    return inode === undefined ? undefined : entryOf(inode);
  }

  files(): Iterable<FileEntry> {
    return [...this.#inodes.values()]
      .map(entryOf)
      .filter((entry) => entry !== undefined)
      .sort((a, b) => a.number - b.number);
  }

  async read(number: number, position: number, length: number): Promise<Uint8Array> {
    const { extent } = this.#file(number);
    const isGood = Number.isSafeInteger(position) && Number.isSafeInteger(length);
    if (!isGood || position < 0 || length < 0 || position > extent.bytes)
      throw new RangeError(`${length} bytes at ${position} of a file of ${extent.bytes}`);
    return this.#extents.pinned(extent, number, () => this.#reader.read(extent, position, length));
  }

  cached(number: number, position: number, length: number): Uint8Array | undefined {
    const extent = this.#isClosed ? null : this.#inodes.get(number)?.extent;
    return extent === null || extent === undefined
      ? undefined
      : this.#reader.cached(extent, position, length);
  }

  async verify(number: number, { read }: { readonly read: boolean }): Promise<CorruptFile | null> {
    const { extent } = this.#file(number);
    const host = { reader: this.#reader, newHash: this.#host.newHash };
    if (read) await this.#extents.pinned(extent, number, () => checkContent(host, extent));
    const { corruption } = extent;
    return corruption === null ? null : { number, bytes: extent.bytes, ...corruption };
  }

  async remove(number: number): Promise<void> {
    const inode = this.#file(number);
    const { extent } = inode;
    inode.extent.owners.delete(inode);
    const removed: Inode = inode;
    removed.extent = null;
    const durable = this.#writer.submit(removed);
    this.#extents.releaseIdle(extent);
    await durable;
  }

  async renew(number: number): Promise<Uint8Array> {
    const inode = number === 0 ? this.#opened(this.#self) : this.#file(number);
    const generation = this.#options.random(GENERATION_BYTES);
    inode.generation = generation;
    await this.#writer.submit(inode);
    return generation;
  }

  setAge(number: number, age: number): void {
    this.#file(number).age = age;
  }

  // ---- drafts ------------------------------------------------------------------------

  async draft(from?: number): Promise<Draft> {
    this.#opened(null);
    const source = from === undefined ? null : this.#file(from).extent;
    const most = this.#options.draftsMax ?? draftsDefault;
    if (this.#drafts >= most) throw noMemory(this.#medium.name, this.#drafts);
    const inode = newInode(this.#freeNumber(), this.#options.random(GENERATION_BYTES));
    inode.isDraft = true;
    this.#inodes.set(inode.number, inode);
    this.#drafts++;
    try {
      const content =
        source === null
          ? new MemoryContent(this.#host)
          : await this.#extents.pinned(source, from ?? 0, () => this.#copy(source, inode.number));
      return new VolumeDraft(this.#host, inode, content);
    } catch (error) {
      this.#host.discarded(inode);
      throw error;
    }
  }

  async #copy(source: Extent, number: number): Promise<Content> {
    if (source.bytes <= this.#memory.contentMax)
      return new MemoryContent(this.#host, await this.#reader.read(source, 0, source.bytes));
    const content = await MediumContent.begin(this.#host, number, source.bytes, this.#drafts);
    try {
      let left = source.bytes;
      for await (const piece of this.#reader.pieces(source)) {
        await content.write(content.bytes, piece.subarray(0, left));
        left -= piece.length;
      }
      return content;
    } catch (error) {
      content.drop();
      throw error;
    }
  }

  /** The next number that nothing has, in turn: one that was removed does not come back soon. */
  #freeNumber(): number {
    const { inodes } = this.#geometry;
    for (let tries = 0; tries < inodes; tries++) {
      this.#last = (this.#last % inodes) + 1;
      if (!this.#inodes.has(this.#last) && !this.#lost.has(this.#last)) return this.#last;
    }
    throw noInode(this.#medium.name, inodes);
  }

  #draftHost(): DraftHost {
    const drafts = () => this.#drafts;
    return {
      medium: this.#medium,
      memory: this.#memory,
      space: this.#space,
      newHash: this.#options.newHash ?? pureContentHash,
      get draftCount() {
        return drafts();
      },
      full: (bytes) => {
        const { freeBytes, largestFreeBytes } = this.usage();
        return full(this.#medium.name, bytes, freeBytes, largestFreeBytes);
      },
      awaitSpace: () => this.#awaitSpace(),
      during: (write, bytes) => (bytes <= QUICK_BYTES ? this.#writer.during(write) : write),
      commit: (inode, content, durable) => this.#commit(inode, content, durable),
      discarded: (inode) => {
        this.#drafts--;
        this.#inodes.delete(inode.number);
      },
    };
  }

  /** Waits for the blocks of removed files; false when there are none to wait for. */
  async #awaitSpace(): Promise<boolean> {
    if (!this.#extents.awaitsBlocks) return false;
    await this.#writer.sync();
    return true;
  }

  async #commit(inode: Inode, content: Content, durable: boolean): Promise<FileEntry> {
    this.#opened(null);
    const extent = await this.#extents.settle(content, await content.hash());
    content.drop();
    inode.isDraft = false;
    this.#drafts--;
    inode.extent = extent;
    extent.owners.add(inode);
    extent.pins--;
    const stored = this.#writer.submit(inode);
    const entry = entryWith(inode, extent);
    if (durable) await stored;
    return entry;
  }

  #stored(inode: Inode, before: Extent | null): void {
    if (inode.extent === null && !inode.isDraft && this.#inodes.get(inode.number) === inode)
      this.#inodes.delete(inode.number);
    if (before !== null) this.#extents.releaseIdle(before);
  }

  // ---- care --------------------------------------------------------------------------

  usage(): VolumeUsage {
    const { blockBytes } = this.#medium;
    const [first, end] = contentArea(this.#geometry);
    let [files, bytes, shared] = [0, 0, 0];
    for (const { owners, bytes: each, blocks } of this.#extents.all) {
      files += owners.size;
      bytes += owners.size * each;
      shared += Math.max(0, owners.size - 1) * blocks * blockBytes;
    }
    return {
      ...{ files, bytes, sharedBytes: shared, drafts: this.#drafts },
      capacityBytes: (end - first) * blockBytes,
      freeBytes: this.#space.free * blockBytes,
      largestFreeBytes: this.#space.largest * blockBytes,
      inodes: this.#geometry.inodes,
      freeInodes: this.#geometry.inodes - this.#inodes.size - this.#lost.size,
      cachedBytes: this.#memory.cachedBytes,
    };
  }

  compact(): Promise<CompactReport> {
    return this.#alone("compaction", () =>
      compact({
        ...{ medium: this.#medium, reader: this.#reader, space: this.#space, writer: this.#writer },
        ...{ extents: this.#extents.all, firstBlock: contentArea(this.#geometry)[0] },
        add: (extent) => this.#extents.add(extent),
        replace: (old, by) => this.#extents.replace(old, by),
        release: (extent) => this.#extents.releaseIdle(extent),
      }),
    );
  }

  check({ repair }: { readonly repair: boolean }): Promise<CheckReport> {
    return this.#alone("check", () =>
      check({
        ...{ medium: this.#medium, reader: this.#reader, table: this.#table, writer: this.#writer },
        ...{ extents: this.#extents.all, lost: this.#lost, geometry: this.#geometry, repair },
        ...{ newHash: this.#host.newHash, unfinished: this.report.unfinished },
        release: (extent) => this.#extents.releaseIdle(extent),
      }),
    );
  }

  async #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#opened(null);
    if (this.#maintenance !== null) throw busy(this.#medium.name, this.#maintenance);
    this.#maintenance = what;
    try {
      return await work();
    } finally {
      this.#maintenance = null;
    }
  }

  async sync(): Promise<void> {
    this.#opened(null);
    await this.#writer.sync();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writer.sync();
    await this.#writer.settle();
  }

  #opened<T>(value: T): T {
    if (this.#isClosed) throw closed(this.#medium.name);
    return value;
  }

  #file(number: number): Inode & { extent: Extent } {
    const inode = this.#opened(this.#inodes.get(number));
    if (inode === undefined || !isFile(inode)) throw unknownFile(this.#medium.name, number);
    return inode;
  }
}

const isFile = (inode: Inode): inode is Inode & { extent: Extent } => inode.extent !== null;

function newInode(number: number, generation: Uint8Array): Inode {
  const rest = { age: 0, extent: null, stored: null, version: 0, durable: 0, isDraft: false };
  return { number, generation, ...rest };
}

const entryWith = (inode: Inode, extent: Extent): FileEntry => ({
  number: inode.number,
  bytes: extent.bytes,
  generation: inode.generation,
  hash: extent.hash,
  age: inode.age,
});
const entryOf = (inode: Inode): FileEntry | undefined =>
  inode.extent === null ? undefined : entryWith(inode, inode.extent);

/** The largest; 0 when there is none. */
function largest(numbers: Iterable<number>): number {
  let last = 0;
  for (const number of numbers) last = Math.max(last, number);
  return last;
}
