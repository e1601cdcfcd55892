// A storage that this machine may serve itself. If this fails, a client of the machine's own export
// reads old bytes, or hears an error, when another machine takes the storage.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, type Disk } from "../../../../control/server/disk/disk.js";
import { DiskError } from "../../../../control/server/disk/errors.js";
import { NearDisk } from "../../../../control/server/disk/near-disk.js";
import type { RemoteDisk } from "../../../../control/server/disk/remote-disk.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryDisk } from "./memory-disk.js";

const blocks = 64;

/** Here and elsewhere one storage, which ends here when it is told to. */
class Ways {
  readonly storage = new MemoryDisk(blocks);
  isHere = true;
  /** Requests here that are to end without an answer. */
  ending = 0;
  asked = { near: 0, far: 0 };

  readonly disk = new NearDisk(
    () => (this.isHere ? this.#way("near") : null),
    this.#way("far") as unknown as RemoteDisk,
  );

  #way(way: "near" | "far"): Disk {
    const ask = async <T>(work: () => Promise<T>): Promise<T> => {
      this.asked[way]++;
      if (way === "near" && this.ending > 0) {
        this.ending--;
        this.isHere = false;
        throw new DiskError("DISK_FENCED", "another server has the storage");
      }
      return work();
    };
    const { storage } = this;
    return {
      blocks,
      isReadOnly: false,
      read: (block, buffer) => ask(() => storage.read(block, buffer)),
      write: (block, data, options) => ask(() => storage.write(block, data, options)),
      zero: (block, count, options) => ask(() => storage.zero(block, count, options)),
      flush: () => ask(() => storage.flush()),
      extents: (block, count) => ask(() => storage.extents(block, count)),
    };
  }
}

const block = (value: number): Uint8Array => new Uint8Array(BLOCK_BYTES).fill(value);

describe("a storage that may be served here", () => {
  it("asks here while it is served here, and elsewhere when not", async () => {
    const ways = new Ways();
    await ways.disk.write(3, block(7), { durable: true });
    expect(ways.asked).toEqual({ near: 1, far: 0 });
    ways.isHere = false;
    const buffer = new Uint8Array(BLOCK_BYTES);
    await ways.disk.read(3, buffer);
    expect(buffer).toEqual(block(7));
    expect(ways.asked).toEqual({ near: 1, far: 1 });
  });

  it("sends what ended here to the next server, each kind of request", async () => {
    const buffer = new Uint8Array(BLOCK_BYTES);
    const requests: ((disk: Disk) => Promise<unknown>)[] = [
      (disk) => disk.write(1, block(5), { durable: false }),
      (disk) => disk.read(1, buffer),
      (disk) => disk.zero(1, 1, { durable: false, punch: true }),
      (disk) => disk.flush(),
      (disk) => disk.extents(0, blocks),
    ];
    for (const request of requests) {
      const ways = new Ways();
      ways.ending = 1;
      await request(ways.disk);
      expect(ways.asked).toEqual({ near: 1, far: 1 });
    }
  });

  it("tells the caller of what no other server would mend", async () => {
    const ways = new Ways();
    ways.storage.read = () => Promise.reject(new DiskError("DISK_ROT", "no good copy is left"));
    await expect(ways.disk.read(0, block(0))).rejects.toMatchObject({ code: "DISK_ROT" });
    expect(ways.asked.far).toBe(0);
  });

  it("keeps writes that overlap in order, whichever way each takes", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const ways = new Ways();
      const random = new SeededRandom(seed);
      const model = new Map<number, number>();
      const under: Promise<void>[] = [];
      for (let step = 1; step <= 60; step++) {
        if (random.chance(0.1)) ways.ending = 1;
        if (random.chance(0.2)) ways.isHere = random.chance(0.5);
        const at = random.below(4);
        model.set(at, step);
        under.push(ways.disk.write(at, block(step), { durable: false }));
      }
      await Promise.all(under);
      for (const [at, value] of model) {
        const buffer = new Uint8Array(BLOCK_BYTES);
        await ways.disk.read(at, buffer);
        expect(buffer).toEqual(block(value));
      }
    }
  });

  it("takes the bytes as they were when it was asked, and leaves the caller's alone afterwards", async () => {
    const ways = new Ways();
    const data = block(9);
    const written = ways.disk.write(0, data, { durable: false });
    data.fill(1);
    await written;
    const late = new Uint8Array(BLOCK_BYTES);
    const read = ways.storage.read.bind(ways.storage);
    let filling = new Uint8Array(0);
    ways.storage.read = async (_from, buffer) => {
      ways.storage.read = read; // elsewhere it is read as ever
      filling = buffer as Uint8Array<ArrayBuffer>;
      throw new DiskError("DISK_GONE", "it ended while the buffer was being filled");
    };
    await ways.disk.read(0, late);
    filling.fill(0xee);
    expect(late).toEqual(block(9));
  });
});
