// A metal machine's disk as a member of a mirror. If one of these fails, a medium that a Linux machine has
// written is another one on a metal machine, or the other way round; or a power cut loses what was durable.
//
// - What a storage's server asks (member/port.ts) is asked of the metal machine over RPC and of the member that
//   Linux has; answers and the bytes on the two media are compared.
// - The power goes between any two requests of the device: what was acknowledged is there afterwards, and what
//   is not whole is in an active extent.

import { describe, expect, it } from "vitest";
import { type Capability, capabilityOf } from "../../../control/capability/capability.js";
import { diskTable, knownStoragesSchema, mediaSchema } from "../../../control/interface/disk.js";
import { fromHex } from "../../../control/kernel/bytes.js";
import { capacityOf, mediumBlocks, RECORD_BYTES } from "../../../control/server/disk/member/layout.js";
import type { Member } from "../../../control/server/disk/member/member.js";
import type { MemberPort, MemberWrite } from "../../../control/server/disk/member/port.js";
import type { MemberRecord } from "../../../control/server/disk/member/record.js";
import { decodeRecord } from "../../../control/server/disk/member/record-codec.js";
import { RemoteMember } from "../../../control/server/disk/remote-member.js";
import { stub } from "../../../control/stub/client.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { MemoryBlockDevice } from "../../../drivers/memory/block.js";
import { perTier } from "../../fuzz/tier.js";
import { Room } from "../kernel/booted.js";
import { entryOf, HandClock, openMember, recordOf, writeOf } from "../server/disk/member/parts.js";
import { BlkDevice } from "./blk-device.js";
import { MetalMachine, physicalBase } from "./metal-machine.js";
import { type Made, until } from "./metal-room.js";
import { NetDevice } from "./net-device.js";

const block = 4096;
const blocks = 1536; // more than an extent, and pages of digests of which the last is not full
const medium = mediumBlocks(blocks) + 3;

/** A metal machine with this on its disk, which loses its power at a request of the device. */
class Metal {
  readonly made: Made;
  readonly device: BlkDevice;
  /** Requests of the device that it has power for. */
  power = Number.POSITIVE_INFINITY;
  isBad: (kind: string) => boolean = () => false;
  medium: Capability | undefined;

  constructor(disk?: Uint8Array, options: { readonly memoryMebibytes?: number } = {}) {
    const room = new Room();
    const client = room.attached();
    let device: BlkDevice | undefined;
    const machine = new MetalMachine({
      ...{ memoryMebibytes: 40, clock: () => room.clock.now, ...options },
      devices: (memory) => {
        device = new BlkDevice({
          ...{ version: 2, memory, physicalBase, sectors: medium * 8 },
          fails: (kind) => this.isBad(kind) || --this.power < 0,
        });
        const net = new NetDevice({ memory, physicalBase, port: room.lan.port("metal"), version: 2 });
        return new Map<number, NetDevice | BlkDevice>([
          [3, device],
          [5, net],
        ]);
      },
    });
    if (device === undefined) throw new Error("no device");
    this.device = device;
    device.disk.fill(0);
    if (disk !== undefined) device.disk.set(disk);
    machine.start();
    this.made = { room, machine, client };
    for (let turn = 0; turn < 50; turn++) this.pass(0.2);
  }

  pass(milliseconds: number): void {
    this.made.room.run(milliseconds);
    this.made.machine.turn();
  }

  get server(): Capability {
    const { disk = "" } = this.made.machine.served().capabilities as { readonly disk?: string };
    return capabilityOf(fromHex(disk) ?? new Uint8Array(16));
  }

  end<Value>(promise: Promise<Value>): Promise<Value> {
    return until(this.made, promise, 60_000);
  }

  calls(capability: Capability) {
    return stub(this.made.client, diskTable, capability);
  }

  async attach(path = "/disk"): Promise<Capability> {
    const { medium } = await this.end(this.calls(this.server).attach({ path, bytes: 0n }));
    this.medium = medium;
    return medium;
  }

  /** What a server of a storage has of it; `capability`: of before the power was away. */
  member(capability = this.medium): MemberPort {
    if (capability === undefined) throw new Error("it is not attached");
    const remote = new RemoteMember(this.made.client, capability, { deadMs: 10_000 });
    const end = this.end.bind(this);
    return {
      look: () => end(remote.look()),
      fence: (claim) => end(remote.fence(claim)),
      adopt: (record) => end(remote.adopt(record)),
      update: (record) => end(remote.update(record)),
      renew: (epoch, done) => end(remote.renew(epoch, done)),
      read: (epoch, at, buffer, isRaw) => end(remote.read(epoch, at, buffer, isRaw)),
      write: (request) => end(remote.write(request)),
      zero: (request) => end(remote.zero(request)),
      flush: (epoch) => end(remote.flush(epoch)),
      digests: (epoch, at, count, isRead) => end(remote.digests(epoch, at, count, isRead)),
    };
  }
}

const outcome = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    return await work;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
};

async function linux(disk?: Uint8Array): Promise<{ member: Member; device: MemoryBlockDevice }> {
  const device = new MemoryBlockDevice(medium);
  if (disk !== undefined) await device.write(0, disk);
  return { device, member: await openMember({ device }, new HandClock()) };
}

async function bytesOf(device: MemoryBlockDevice): Promise<Uint8Array> {
  const bytes = new Uint8Array(medium * block);
  await device.read(0, bytes);
  return bytes;
}

const recordsAt = (medium - 8) * block;
/** The newest record on a medium, and all that is in front of the records. */
function onMedium(disk: Uint8Array) {
  const copies = [0, 1].map((copy) => {
    const at = recordsAt + copy * RECORD_BYTES;
    return decodeRecord(disk.slice(at, at + RECORD_BYTES));
  });
  const [newest] = copies.flatMap((each) => each ?? []).sort((a, b) => b.sequence - a.sequence);
  return { stored: newest, data: Buffer.from(disk.subarray(0, recordsAt)).toString("base64") };
}

const bytes = (length: number, random: SeededRandom): Uint8Array => {
  const value = random.next() & 0xff;
  return Uint8Array.from({ length }, (_, at) => ((at >> 12) * 7 + value) & 0xff);
};
const withOut = (): Partial<MemberRecord> => ({
  members: [entryOf(1, blocks), entryOf(2, blocks, { state: "out", lacks: new Uint8Array(1) })],
});

describe("a metal machine's disk as a member", () => {
  it("is attached, listed and detached as a medium of a Linux machine is", async () => {
    const metal = new Metal();
    expect(await outcome(metal.attach("/other"))).toBe("STD_NOTFOUND");
    const attached = await metal.attach();
    expect(await outcome(metal.attach())).toBe("STD_EXISTS");
    expect(await metal.member().look()).toEqual({
      kind: "blank",
      blocks: capacityOf(medium),
      isEmpty: false,
    });
    const { media } = await metal.end(metal.calls(metal.server).media());
    expect(mediaSchema.parse(media).media).toMatchObject([{ object: 1, path: "/disk", state: "open" }]);
    await metal.member().adopt(recordOf(blocks));
    const { storages } = await metal.end(metal.calls(metal.server).storages());
    expect(knownStoragesSchema.parse(storages).storages).toMatchObject([{ name: "d", served: false }]);
    await metal.end(metal.calls(attached).detach());
    expect(await outcome(metal.end(metal.calls(attached).look()))).toBe("STD_CAPBAD");
    const again = await metal.attach();
    expect((await metal.member(again).look()).kind).toBe("member");
    expect(await outcome(metal.member(again).read(1, 0, new Uint8Array(block)))).toBe("DISK_GONE");
  });

  it("answers and stores what the member of a Linux machine does", async () => {
    for (let seed = 1; seed <= perTier(1, 12, 300); seed++) {
      const random = new SeededRandom(seed);
      const metal = new Metal();
      await metal.attach();
      const there = metal.member();
      const { member: here, device } = await linux();
      const ports = [here as MemberPort, there] as const;
      const both = async (ask: (port: MemberPort) => Promise<unknown>): Promise<void> => {
        const answers: unknown[] = [];
        for (const port of ports) answers.push(await outcome(ask(port)));
        expect(answers[1], `seed ${seed}`).toEqual(answers[0]);
      };
      await both((port) => port.adopt(recordOf(blocks, withOut())));
      let epoch = 1;
      for (let sequence = 1; sequence <= perTier(25, 40, 40); sequence++) {
        const count = 1 + (random.next() % (random.next() % 4 === 0 ? 256 : 8));
        const at = random.next() % (blocks + 2 - Math.min(count, 8));
        const durable = random.next() % 2 === 0;
        const changes: Partial<MemberWrite> = { epoch, durable, done: Math.max(0, sequence - 3) };
        const kind = random.next() % 10;
        if (kind < 4) {
          const write = writeOf(sequence, at, bytes(count * block, random), changes);
          await both((port) => port.write(write));
          if (kind === 0) await both((port) => port.write(write)); // again, as it was
        } else if (kind === 4) {
          const request = { epoch, sequence, done: 0, block: at, blocks: count * 2, durable, punch: true };
          await both((port) => port.zero(request));
        } else if (kind === 5) await both((port) => port.flush(epoch));
        else if (kind === 6) await both((port) => port.digests(epoch, at, count * 3, durable));
        else if (kind === 7) {
          const broken = {
            ...writeOf(sequence, at, bytes(block, random), changes),
            digests: new Uint8Array(8),
          };
          await both((port) => port.write({ ...broken, data: new Uint8Array(block).fill(9) }));
        } else if (kind === 8 && durable) {
          const claim = { epoch: ++epoch, server: 11n, age: recordOf(1).storage.age };
          await both((port) => port.fence(claim));
        } else
          await both(async (port) => {
            const buffer = new Uint8Array(count * block);
            const digests = await port.read(epoch, at, buffer);
            return {
              digests: Buffer.from(digests).toString("hex"),
              buffer: Buffer.from(buffer).toString("base64"),
            };
          });
      }
      const last = recordOf(blocks, { ...withOut(), epoch, isClean: seed % 2 === 0 });
      await both((port) => port.update(last));
      await both((port) => port.flush(epoch));
      await both((port) => port.look());
      const [ours, theirs] = [onMedium(metal.device.disk), onMedium(await bytesOf(device))];
      expect(ours.stored?.record, `seed ${seed}`).toEqual(theirs.stored?.record);
      expect(ours.data === theirs.data, `seed ${seed}: data and digests`).toBe(true);
    }
  });

  it("serves a medium that Linux has written, and leaves one that Linux serves", async () => {
    const random = new SeededRandom(5);
    const data = bytes(200 * block, random);
    const { member, device } = await linux();
    await member.adopt(recordOf(blocks));
    await member.write(writeOf(1, 700, data));
    await member.close();
    const metal = new Metal(await bytesOf(device));
    await metal.attach();
    const there = metal.member();
    metal.made.room.clock.advance(2_000_000); // the lease of the earlier server
    const claim = { epoch: 2, server: 12n, age: recordOf(1).storage.age };
    expect((await there.fence(claim)).storage.name).toBe("d");
    const read = new Uint8Array(data.length);
    await there.read(2, 700, read);
    expect(Buffer.compare(read, data)).toBe(0);
    await there.write(writeOf(1, 0, data, { epoch: 2 }));
    const back = await linux(metal.device.disk);
    const clock = new HandClock();
    clock.now = 10_000;
    const again = await openMember({ device: back.device }, clock);
    clock.now += 2000;
    expect((await again.fence({ ...claim, epoch: 3 })).epoch).toBe(3);
    await again.read(3, 0, read);
    expect(Buffer.compare(read, data)).toBe(0);
    expect(Buffer.compare(metal.device.disk.subarray(0, data.length), data)).toBe(0);
  });

  it("has the same capability after the power was away, and what was durable", async () => {
    for (let seed = 1; seed <= perTier(1, 8, 1000); seed++) {
      const random = new SeededRandom(seed);
      const metal = new Metal();
      const medium = await metal.attach();
      await metal.member().adopt(recordOf(blocks));
      metal.power = 1 + (random.next() % 40);
      const sure = new Map<number, Uint8Array>();
      for (let sequence = 1; sequence <= 20; sequence++) {
        const at = random.next() % blocks;
        const data = bytes(block, random);
        sure.delete(at);
        const done = await outcome(metal.member().write(writeOf(sequence, at, data)));
        if (done !== undefined) break;
        sure.set(at, data);
      }
      const again = new Metal(metal.device.disk);
      const there = again.member(medium);
      again.made.room.clock.advance(2_000_000);
      const found = await there.fence({ epoch: 2, server: 12n, age: recordOf(1).storage.age });
      for (const [at, data] of sure) {
        const buffer = new Uint8Array(block);
        await there.read(2, at, buffer);
        expect(Buffer.compare(buffer, data), `seed ${seed}, block ${at}`).toBe(0);
      }
      const [stored, are] = [
        await there.digests(2, 0, blocks, false),
        await there.digests(2, 0, blocks, true),
      ];
      for (let at = 0; at < blocks; at++) {
        const isWhole =
          Buffer.compare(stored.subarray(8 * at, 8 * at + 8), are.subarray(8 * at, 8 * at + 8)) === 0;
        const isActive = ((found.activity[0] ?? 0) >> (at >> 10)) & 1; // 4 MiB an extent
        if (!isWhole) expect(isActive, `seed ${seed}, block ${at}`).toBe(1);
      }
    }
  });

  it("names blocks that have rotted or cannot be read, and is out of use when it cannot be written", async () => {
    const metal = new Metal();
    await metal.attach();
    const there = metal.member();
    await there.adopt(recordOf(blocks));
    await there.write(writeOf(1, 10, bytes(8 * block, new SeededRandom(1))));
    metal.device.disk.fill(0xee, 12 * block, 13 * block);
    await expect(there.read(1, 10, new Uint8Array(8 * block))).rejects.toMatchObject({
      code: "DISK_ROT",
      blocks: [12],
    });
    let reads = 0;
    metal.isBad = (kind) => kind === "read" && [0, 2].includes(reads++); // at once, then the second alone
    await expect(there.read(1, 10, new Uint8Array(8 * block))).rejects.toMatchObject({ blocks: [11, 12] });
    metal.isBad = (kind) => kind === "flush";
    expect(await outcome(there.flush(1))).toBe(undefined); // nothing was written since
    expect(await outcome(there.write(writeOf(2, 20, bytes(block, new SeededRandom(2)))))).toBe("DISK_MEDIUM");
    expect(await outcome(there.look())).toBe("DISK_MEDIUM");
    metal.isBad = () => false;
    for (let turn = 0; turn < 60; turn++) metal.pass(100); // it is opened anew
    expect((await there.look()).kind).toBe("member");
    expect(await outcome(there.read(1, 10, new Uint8Array(block)))).toBe("DISK_GONE");
  });

  it("is none where there is too little memory for what a server has under way", () => {
    const metal = new Metal(undefined, { memoryMebibytes: 14 });
    expect(metal.made.machine.said).toContain("serves {");
    expect(metal.made.machine.said).not.toContain('"disk"');
  });
});
