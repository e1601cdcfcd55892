// The segment server; control/interface/segment.ts says what it answers.
//
// - Segments lie in the kernel's own region; this server holds their handles, the kernel's
//   allocator their bytes (control/kernel/segments.ts). What is written is copied once, into
//   the segment; what is read once, into the reply.
// - A segment that cannot grow where it lies moves, unless it is mapped.
// - map() is for programs on the same kernel: as long as somebody maps a segment it stays where it
//   is and cannot be destroyed. MAP is for other processes of the machine: sharing.ts.
// - A machine that is being emptied takes no new segments; those that are there stay as they are.
// - A copy of a segment elsewhere is fetched through that server's stub, in pieces.

import {
  STD_ARGBAD,
  STD_CAPBAD,
  STD_NOSPACE,
  STD_NOTFOUND,
  STD_NOTNOW,
  STD_SYSERR,
} from "../../../core-wasm/status.js";
import type { SharedMemory } from "../../../drivers/shared-memory.js";
import type { Capability } from "../../capability/capability.js";
import type { ServerIdentity } from "../../capability/secrets.js";
import { SEGMENT_OBJECT_BASE, SEGMENT_PIECE_BYTES, segmentTable } from "../../interface/segment.js";
import { rightsMask } from "../../interface/table.js";
import { sameBytes } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { stub } from "../../stub/client.js";
import { Objects } from "../../stub/objects.js";
import { Refused, refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";
import { type Segment, type SegmentMemory, Sharing } from "./sharing.js";

export interface SegmentServerOptions extends ServerIdentity {
  readonly kernel: Kernel;
  readonly memory: SegmentMemory;
  readonly random: (bytes: number) => Uint8Array;
  readonly failed: (error: unknown) => void;
  readonly threads?: number;
  /** How long a source elsewhere is looked for; default 2,000 ms. */
  readonly locateTimeoutMs?: number;
  /** How other processes get at pages of the kernel's memory; without it MAP is refused. */
  readonly shared?: SharedMemory | undefined;
  /** True while the machine is being emptied; default never. */
  readonly draining?: () => boolean;
}

/** A segment's bytes where they lie, until release(). */
export interface MappedSegment {
  readonly bytes: Uint8Array;
  release(): void;
}

export class SegmentServer {
  readonly #kernel: Kernel;
  readonly #memory: SegmentMemory;
  readonly #locateTimeoutMs: number;
  readonly #draining: () => boolean;
  readonly #sharing: Sharing;
  readonly #objects: Objects<Segment>;
  readonly #server: Server<typeof segmentTable.operations, Segment>;

  /** Begins to serve. Throws ProteusError when a table of the kernel is full. */
  constructor(options: SegmentServerOptions) {
    const { kernel, memory, getPort, key, own, random, failed, threads = 4 } = options;
    this.#locateTimeoutMs = options.locateTimeoutMs ?? 2000;
    this.#draining = options.draining ?? (() => false);
    this.#kernel = kernel;
    this.#memory = memory;
    this.#sharing = new Sharing(memory, options.shared);
    this.#objects = new Objects({ random, own, most: memory.stat().most, base: SEGMENT_OBJECT_BASE });
    this.#server = new Server({
      ...{ kernel, getPort, key, failed, threads, table: segmentTable, objects: this.#objects },
      info: (segment) =>
        segment === undefined ? "segment server" : `segment of ${this.#bytes(segment).length} bytes`,
      status: () => this.#status(),
      destroy: (segment) => this.#destroy(segment),
      parameters: this.#sharing.parameters,
      copy: (original, source) => {
        this.#admit();
        return this.#copyOf(original, source);
      },
      handlers: {
        create: async ({ source: who }, { bytes, source }) => {
          this.#admit();
          if (bytes < 0) refuse(STD_ARGBAD);
          if (source === undefined) return { segment: this.#add(this.#allocate(bytes)) };
          return { segment: await this.#copyOf(source, who, bytes) };
        },
        grow: ({ value }, { bytes }) => {
          this.#grow(value, bytes);
          return {};
        },
        read: ({ value }, { position, count, length }) => {
          const all = this.#bytes(value);
          const wanted = length ?? count;
          if (position > all.length || wanted > SEGMENT_PIECE_BYTES) refuse(STD_ARGBAD);
          return { data: all.subarray(position, position + wanted) };
        },
        write: ({ value }, { position, data }) => {
          const all = this.#bytes(value);
          if (position > all.length || data.length > all.length - position) refuse(STD_ARGBAD);
          all.set(data, position);
          return {};
        },
        map: ({ value, rights }, { write = false }) => {
          const mayWrite = (rights & rightsMask(segmentTable, ["write"])) !== 0;
          return this.#sharing.share(value, write, mayWrite);
        },
        size: ({ value }) => ({ bytes: this.#bytes(value).length }),
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

  /**
   * A segment's own bytes, for programs on this kernel: what one writes the others see. Throws
   * Refused when the capability does not give read and write. It is pinned until release().
   */
  map(capability: Capability): MappedSegment {
    const { value } = this.#server.open(capability, rightsMask(segmentTable, ["read", "write"]));
    const bytes = this.#bytes(value);
    value.mapped++;
    let held = true;
    const release = () => {
      if (held) value.mapped--;
      held = false;
    };
    return { bytes, release };
  }

  /** Refuses what would be a new segment. */
  #admit(): void {
    if (this.#draining()) refuse(STD_NOTNOW);
  }

  #bytes(segment: Segment): Uint8Array {
    return this.#sharing.bytes(segment) ?? refuse(STD_CAPBAD);
  }

  #allocate(bytes: number): number {
    const handle = this.#memory.create(bytes);
    return handle > 0 ? handle : refuse(handle === STD_ARGBAD ? STD_ARGBAD : STD_NOSPACE);
  }

  #add(handle: number): Capability {
    const object = this.#objects.add({ handle, mapped: 0 });
    if (object !== undefined) return this.#server.capability(object);
    this.#memory.destroy(handle);
    return refuse(STD_NOSPACE);
  }

  #destroy(segment: Segment): void {
    if (segment.mapped > 0 || !this.#sharing.withdraw(segment)) refuse(STD_NOTNOW);
    if (this.#memory.destroy(segment.handle) < 0) refuse(STD_SYSERR);
  }

  #grow(segment: Segment, bytes: number): void {
    const before = this.#bytes(segment);
    if (bytes < before.length) refuse(STD_ARGBAD);
    if (segment.shared === undefined && this.#memory.grow(segment.handle, bytes) >= 0) return;
    if (segment.mapped > 0) refuse(STD_NOTNOW);
    const handle = this.#allocate(bytes);
    this.#memory.bytes(handle)?.set(before);
    if (!this.#sharing.withdraw(segment)) {
      this.#memory.destroy(handle);
      refuse(STD_NOTNOW);
    }
    this.#memory.destroy(segment.handle);
    segment.handle = handle;
  }

  /** A new segment of `bytes` (default: as long as the source) that begins with the source's; `who` asks. */
  async #copyOf(source: Capability, who: bigint, bytes?: number): Promise<Capability> {
    if (sameBytes(source.port, this.putPort)) return this.#copyOfOwn(source, who, bytes);
    const original = stub(this.#kernel, segmentTable, source, {
      locateTimeoutMs: this.#locateTimeoutMs,
    });
    try {
      const size = (await original.size()).bytes;
      const handle = this.#allocate(bytes ?? size);
      try {
        await this.#fill(handle, Math.min(size, bytes ?? size), original.read);
        return this.#add(handle);
      } catch (error) {
        this.#memory.destroy(handle);
        throw error;
      }
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      return refuse(error.code === "STD_CAPBAD" || error.code === "STD_DENIED" ? STD_ARGBAD : STD_NOTFOUND);
    }
  }

  #copyOfOwn(source: Capability, who: bigint, bytes?: number): Capability {
    const original = this.#bytes(this.#server.open(source, rightsMask(segmentTable, ["read"]), who).value);
    const handle = this.#allocate(bytes ?? original.length);
    this.#memory.bytes(handle)?.set(original.subarray(0, bytes ?? original.length));
    return this.#add(handle);
  }

  /** Fetches the first `size` bytes of another segment, in pieces. */
  async #fill(handle: number, size: number, read: SegmentRead): Promise<void> {
    let position = 0;
    while (position < size) {
      const length = Math.min(SEGMENT_PIECE_BYTES, size - position);
      const { data } = await read({ position, length });
      const room = this.#memory.bytes(handle);
      if (room === null || data.length === 0) throw new Refused(STD_NOTFOUND); // it shrank or went meanwhile
      room.set(data, position);
      position += data.length;
    }
  }

  #status(): string {
    const { regionBytes, takenBytes, largestFreeBytes, count, most } = this.#memory.stat();
    return [
      `segments ${count} of ${most}`,
      `bytes taken ${takenBytes} of ${regionBytes}`,
      `largest that fits ${largestFreeBytes}`,
      ...this.#sharing.status(),
      ...(this.#draining() ? ["being emptied: no new segments"] : []),
    ].join("\n");
  }

  /** Stops serving; the segments are given back, but for pages that others would still reach. */
  close(): void {
    this.#server.close();
    for (const [, segment] of this.#objects)
      if (this.#sharing.withdraw(segment)) this.#memory.destroy(segment.handle);
  }
}

type SegmentRead = (given: {
  readonly position: number;
  readonly length: number;
}) => Promise<{ readonly data: Uint8Array }>;
