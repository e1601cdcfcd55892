// A storage that another machine serves, as a disk here. If this fails, a client sees errors or old
// bytes while the serving machine changes.

import { describe, expect, it } from "vitest";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { DiskError } from "../../../../control/server/disk/errors.js";
import { storageCapability } from "../../../../control/server/disk/identity.js";
import { RemoteDisk } from "../../../../control/server/disk/remote-disk.js";
import { type ServedStorage, StorageServer } from "../../../../control/server/disk/storage-server.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { DiskPool, Kept, quick } from "./remote-pool.js";

const blocks = 512;
const secret = new Uint8Array(32).fill(3);

class StoragePool extends DiskPool {
  constructor() {
    super();
    this.isTicking = true;
  }

  serve(storage: ServedStorage, kernel: Kernel = this.far): StorageServer {
    return new StorageServer({ kernel, secret, storage, name: "d", failed: this.failed, threads: 4 });
  }

  open = (waitMs = 2000, rights = 0xff): Promise<RemoteDisk> =>
    this.end(
      RemoteDisk.open({
        ...{ via: this.near, capability: storageCapability(this.near, secret, rights), waitMs, call: quick },
        ...{ random: this.random, after: this.alarms.after, now: () => this.alarms.now },
      }),
    );
}

describe("a storage of another machine", () => {
  it("reads, writes, zeroes and tells its extents as the storage itself does", async () => {
    const pool = new StoragePool();
    const storage = new Kept(blocks);
    pool.serve(storage);
    const disk = await pool.open();
    expect(disk.blocks).toBe(blocks);
    const random = new SeededRandom(4);
    const below = (most: number) => random.next() % most;
    const model = new Uint8Array(blocks * 4096);
    for (let step = 0; step < 30; step++) {
      const count = 1 + below(5);
      const block = below(blocks - count + 1);
      if (below(3) === 0) {
        await pool.end(disk.zero(block, count, { durable: false, punch: true }));
        model.fill(0, block * 4096, (block + count) * 4096);
      } else {
        const data = new Uint8Array(count * 4096).fill(1 + below(255));
        await pool.end(disk.write(block, data, { durable: below(2) === 0 }));
        model.set(data, block * 4096);
      }
    }
    await pool.end(disk.flush());
    const [here, there] = [new Uint8Array(blocks * 4096), new Uint8Array(blocks * 4096)];
    await pool.end(disk.read(0, here));
    await storage.read(0, there);
    expect(Buffer.compare(here, model)).toBe(0);
    expect(Buffer.compare(there, model)).toBe(0);
    expect(await pool.end(disk.extents(0, blocks))).toEqual(await storage.extents(0, blocks));
    expect(pool.failures).toEqual([]);
  });

  it("waits for the next machine that serves it, and sends again what was not answered", async () => {
    const pool = new StoragePool();
    const storage = new Kept(blocks);
    const first = pool.serve(storage);
    const disk = await pool.open();
    first.close();
    const written = disk.write(3, new Uint8Array(4096).fill(9), { durable: true });
    let ended = false;
    written.then(() => {
      ended = true;
    });
    for (let turn = 0; turn < 300; turn++) await pool.end(Promise.resolve());
    expect(ended).toBe(false);
    pool.serve(storage, pool.room.attached({ memoryBytes: 64 * 1024 * 1024 }));
    await pool.end(written);
    const buffer = new Uint8Array(4096);
    await pool.end(disk.read(3, buffer));
    expect(buffer[0]).toBe(9);
    expect(storage.calls.write).toBe(1);
  });

  it("says that it is silent when nobody serves it within the limit, and does nothing later", async () => {
    const pool = new StoragePool();
    const server = pool.serve(new Kept(blocks));
    const disk = await pool.open(300);
    server.close();
    expect(await pool.refused(disk.flush())).toBe("DISK_SILENT");
    disk.close();
    expect(await pool.refused(disk.flush())).toBe("DISK_GONE");
  });

  it("does overlapping writes in the order in which they began", async () => {
    const pool = new StoragePool();
    const storage = new Kept(blocks);
    pool.serve(storage);
    const disk = await pool.open();
    // The first one takes long on its way to the medium.
    let waits = 1;
    storage.before = (call) =>
      call === "write" && waits-- > 0
        ? new Promise((resolve) => {
            pool.alarms.after(100, resolve);
          })
        : undefined;
    const writes = [1, 2, 3].map((value) =>
      disk.write(8, new Uint8Array(2 * 4096).fill(value), { durable: false }),
    );
    await pool.end(Promise.all(writes));
    const buffer = new Uint8Array(4096);
    await pool.end(disk.read(9, buffer));
    expect(buffer[0]).toBe(3);
  });

  it("keeps out whoever lacks the right, and passes on what the storage refuses", async () => {
    const pool = new StoragePool();
    const storage = new Kept(blocks);
    pool.serve(storage);
    const reader = await pool.open(100, 0x01);
    expect(await pool.refused(reader.write(0, new Uint8Array(4096), { durable: true }))).toBe("DISK_GONE");
    const disk = await pool.open();
    for (const code of [
      "DISK_FULL",
      "DISK_NO_QUORUM",
      "DISK_NO_COPY",
      "DISK_ROT",
      "DISK_READ_ONLY",
    ] as const) {
      storage.before = async () => {
        throw new DiskError(code, "as it was told");
      };
      expect(await pool.refused(disk.write(0, new Uint8Array(4096), { durable: true }))).toBe(code);
    }
    expect(pool.failures).toEqual([]);
  });
});
