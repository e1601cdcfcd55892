// A member behind the disk server of another machine is as one that is here. If this fails, a storage
// loses what it has written elsewhere, or takes a refusal for something else.

import { describe, expect, it } from "vitest";
import { DiskError } from "../../../../control/server/disk/errors.js";
import { digestSeed } from "../../../../control/server/disk/member/member.js";
import type { MemberPort } from "../../../../control/server/disk/member/port.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { idOf, recordOf } from "./member/parts.js";
import { DiskPool } from "./remote-pool.js";

const blocks = 600;
const mediumBlocks = 2000;

async function adopted(pool: DiskPool) {
  const { member, capability, server } = await pool.disk(mediumBlocks);
  const remote = pool.remote(capability);
  const record = recordOf(blocks, { isClean: true });
  await pool.end(remote.adopt(record));
  await pool.end(remote.update(record));
  return { member, remote, record, server };
}

describe("a member of another machine", () => {
  it("is looked at, made one, and tells the record that it was given", async () => {
    const pool = new DiskPool();
    const { member, capability } = await pool.disk(mediumBlocks);
    const remote = pool.remote(capability);
    expect(await pool.end(remote.look())).toEqual(await member.look());
    const record = recordOf(blocks, { isClean: true });
    await pool.end(remote.adopt(record));
    await pool.end(remote.update(record));
    const found = await pool.end(remote.look());
    expect(found).toEqual(await member.look());
    expect(found).toMatchObject({ kind: "member", record: { member: idOf(1), storage: record.storage } });
    expect(pool.failures).toEqual([]);
  });

  it("holds what is written, zeroed and flushed through it, in pieces of any size", async () => {
    const pool = new DiskPool();
    const { member, remote, record } = await adopted(pool);
    const random = new SeededRandom(5);
    const below = (most: number) => random.next() % most;
    const model = new Uint8Array(blocks * 4096);
    const digests = pool.digests(pool.far);
    const seed = digestSeed(record.storage);
    const epoch = 1;
    for (let sequence = 1; sequence <= 40; sequence++) {
      const count = 1 + below(sequence % 10 === 0 ? 256 : 6);
      const block = below(blocks - count + 1);
      const common = { epoch, sequence, done: sequence, block, durable: below(2) === 0 };
      if (below(4) === 0) {
        await pool.end(remote.zero({ ...common, blocks: count, punch: below(2) === 0 }));
        model.fill(0, block * 4096, (block + count) * 4096);
      } else {
        const data = new Uint8Array(count * 4096).fill(1 + below(255));
        await pool.end(remote.write({ ...common, data, digests: digests.of(data, seed) }));
        model.set(data, block * 4096);
      }
    }
    await pool.end(remote.renew(epoch, 41));
    await pool.end(remote.flush(epoch));
    for (const port of [remote, member] satisfies MemberPort[]) {
      const buffer = new Uint8Array(blocks * 4096);
      const given = new Uint8Array(blocks * 8);
      for (let at = 0; at < blocks; at += 200)
        given.set(
          await pool.end(port.read(epoch, at, buffer.subarray(at * 4096, (at + 200) * 4096))),
          at * 8,
        );
      expect(Buffer.compare(buffer, model)).toBe(0);
      expect(given).toEqual(digests.of(model, seed));
      expect(await pool.end(port.digests(epoch, 0, blocks, false))).toEqual(given);
    }
    expect(pool.failures).toEqual([]);
  });

  it("names the blocks that have rotted, and gives them as they are when that is wanted", async () => {
    const pool = new DiskPool();
    const { capability, device } = await pool.disk(mediumBlocks);
    const remote = pool.remote(capability);
    const record = recordOf(blocks, { isClean: true });
    await pool.end(remote.adopt(record));
    await pool.end(remote.update(record));
    const data = new Uint8Array(3 * 4096).fill(7);
    const digests = pool.digests(pool.far).of(data, digestSeed(record.storage));
    await pool.end(remote.write({ epoch: 1, sequence: 1, done: 1, block: 10, data, digests, durable: true }));
    await device.write(11, new Uint8Array(4096).fill(8));
    const buffer = new Uint8Array(4096 * 3);
    const rotten = await pool.end(remote.read(1, 10, buffer).catch((error: unknown) => error));
    expect(rotten).toMatchObject({ code: "DISK_ROT", blocks: [11] });
    await pool.end(remote.read(1, 10, buffer, true));
    expect([buffer[0], buffer[4096], buffer[8192]]).toEqual([7, 8, 7]);
  });

  it("refuses as a member here does, and is silent when its machine is", async () => {
    const pool = new DiskPool();
    const { remote, record, server, member } = await adopted(pool);
    const code = (work: Promise<unknown>) => pool.refused(work);
    const buffer = new Uint8Array(4096);
    for (const port of [remote, member] satisfies MemberPort[]) {
      expect(await code(port.read(0, 0, buffer))).toBe("DISK_FENCED");
      expect(await code(port.read(1, blocks, buffer))).toBe("DISK_RANGE");
      const data = new Uint8Array(4096).fill(1);
      const wrong = { epoch: 1, sequence: 1, done: 1, block: 0, data, durable: true };
      expect(await code(port.write({ ...wrong, digests: new Uint8Array(8).fill(3) }))).toBe("DISK_TRANSFER");
      const claim = { epoch: 9, server: 77n, age: new Uint8Array(16).fill(1) };
      expect(await code(port.fence(claim))).toBe("DISK_FOREIGN");
    }
    const fenced = await pool.end(remote.fence({ epoch: 2, server: record.server, age: record.storage.age }));
    expect(fenced.epoch).toBe(2);
    server.close();
    const silent = await pool.end(remote.look().catch((error: unknown) => error));
    expect(silent).toBeInstanceOf(DiskError);
    expect(silent).toMatchObject({ code: "DISK_SILENT" });
    expect(pool.failures).toEqual([]);
  });

  it("is gone when its capability is of nothing any more, or lacks the right", async () => {
    const pool = new DiskPool();
    const { server } = await pool.disk(mediumBlocks);
    const reader = pool.remote(server.capability(1, 0x01));
    expect((await pool.end(reader.look())).kind).toBe("blank");
    expect(await pool.refused(reader.flush(1))).toBe("DISK_GONE");
    expect(await pool.refused(pool.remote(server.capability(0)).look())).toBe("DISK_GONE");
  });
});
