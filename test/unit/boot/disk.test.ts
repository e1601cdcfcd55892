// The disk of a metal machine is read, written and flushed as it was asked, straight to and from memory;
// one that fails, lies or falls silent costs the machine its disk, and nothing else.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { manySeedsMs, perTier } from "../../fuzz/tier.js";
import { Room } from "../kernel/booted.js";
import { BlkDevice, type BlkDeviceOptions } from "./blk-device.js";
import { MetalMachine, physicalBase } from "./metal-machine.js";
import { NetDevice } from "./net-device.js";

const sectors = 2048;
const last = (disk: Uint8Array): string => Buffer.from(disk.subarray(-512, -496)).toString("hex");

function machineWith(facts: Partial<BlkDeviceOptions> = {}) {
  const room = new Room();
  let device: BlkDevice | undefined;
  const machine = new MetalMachine({
    clock: () => room.clock.now,
    devices: (memory) => {
      device = new BlkDevice({ version: 2, memory, physicalBase, sectors, ...facts });
      const net = new NetDevice({ memory, physicalBase, port: room.lan.port("metal"), version: 2 });
      return new Map<number, NetDevice | BlkDevice>([
        [3, device],
        [5, net],
      ]);
    },
  });
  machine.start();
  if (device === undefined) throw new Error("no device");
  /** What it answers to a word within so many virtual milliseconds. */
  const say = (word: string, milliseconds = 20): string => {
    const before = machine.said.length;
    machine.typed = `${word}\r`;
    for (let i = 0; i < milliseconds; i++) {
      room.clock.advance(1000);
      machine.turn();
    }
    return machine.said.slice(before);
  };
  return { machine, device, say, room };
}

describe.each([1, 2] as const)("the disk of a metal machine on virtio %i", (version) => {
  it("is read, written, flushed and read again where it should be, and nowhere else", () => {
    const { device, say } = machineWith({ version });
    const before = device.disk.slice();
    expect(say("disk")).toContain(`disk of ${sectors} sectors of 512 bytes, requests 0, faults 0`);
    expect(say("disk-check")).toContain(`is the same when it was written back: ${last(device.disk)}`);
    const end = `${sectors - 1} 512`;
    expect(device.asked).toEqual([`read ${end}`, `write ${end}`, "flush", `read ${end}`]);
    expect(Buffer.compare(device.disk, before)).toBe(0);
    expect(say("disk-check")).toContain("the same"); // and again
    expect(say("disk")).toContain("requests 8, faults 0");
  });

  it("is not written when it is read-only", () => {
    const { device, say } = machineWith({ version, readOnly: true });
    expect(say("disk")).toContain("read-only");
    expect(say("disk-check")).toContain(`is the same when it is read again: ${last(device.disk)}`);
    expect(device.asked.filter((each) => !each.startsWith("read"))).toEqual([]);
  });
});

describe("a disk that does not do what it should", () => {
  it.each(["read", "write", "flush"])("and fails at %s is told of, and goes on", (kind) => {
    let bad = true;
    const { say } = machineWith({ fails: (each) => bad && each === kind });
    expect(say("disk-check")).toMatch(/could not be (read|written|flushed)/);
    bad = false;
    expect(say("disk-check")).toContain("the same");
  });

  it("and gives other bytes than were written is found out", () => {
    const { device, say } = machineWith({
      fails: (kind) => {
        if (kind === "flush") device.disk.fill(0xee, -512);
        return false;
      },
    });
    expect(say("disk-check")).toContain("is another when it is read again");
  });

  it("and falls silent is given up after half a minute, reset and never asked again", () => {
    const { device, say } = machineWith({ silent: true });
    expect(say("disk-check", 1000)).not.toContain("lost");
    expect(say("status", 30_000)).toContain("was lost with the disk when it was to be read");
    expect(device.resets).toBe(2); // when it was opened, and now
    expect(device.status & 4).toBe(0);
    expect(say("disk")).toContain("out of use, requests 1, faults 1");
    expect(say("disk-check")).toContain("could not be read");
  });

  it.each([
    ["the head of no request", 50, 513],
    ["a part of a chain", 1, 513],
    ["an id out of range", 70_000, 513],
    ["a length beyond the buffers", 0, 514],
  ])("and gives back %s is out of use", (_what, id, length) => {
    const { say } = machineWith({ spoil: () => [id, length] });
    expect(say("disk-check")).toContain("was lost with the disk");
    expect(say("disk")).toContain("faults 1");
    expect(say("interfaces")).toMatch(/eth0/);
  });

  it(
    "and writes anything into its ring leaves the machine alive",
    () => {
      for (let seed = 1; seed <= perTier(10, 300, 20_000); seed++) {
        const random = new SeededRandom(seed);
        const { machine, device, say } = machineWith({ version: seed % 2 === 0 ? 1 : 2 });
        const view = new DataView(machine.memory.buffer);
        for (let i = 0; i < 20; i++) {
          if (device.used !== 0) {
            const entry = device.used + 4 + 8 * (random.next() % device.size);
            view.setUint32(entry, random.next() & 1 ? random.next() >>> 0 : random.next() % 64, true);
            view.setUint32(entry + 4, random.next() >>> (random.next() % 32), true);
            const ahead = random.next() % 3 === 0 ? random.next() & 0xffff : random.next() % 3;
            view.setUint16(device.used + 2, (view.getUint16(device.used + 2, true) + ahead) & 0xffff, true);
          }
          say("disk-check", 2);
        }
        expect(say("interfaces"), `seed ${seed}`).toMatch(/eth0/);
      }
    },
    manySeedsMs,
  );
});
