// A network device that breaks the rules of its rings costs a metal machine that network, never its
// memory: it goes on, answers its console, and no access leaves the linear memory.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { manySeedsMs, perTier } from "../../fuzz/tier.js";
import { Room } from "../kernel/booted.js";
import { MetalMachine, physicalBase } from "./metal-machine.js";
import { NetDevice } from "./net-device.js";

const seeds = Array.from({ length: perTier(10, 2000, 100_000) }, (_, index) => index + 1);

function machineWith(facts: { readonly version: 1 | 2; readonly stuck?: boolean }) {
  const room = new Room();
  room.attached();
  let device: NetDevice | undefined;
  const machine = new MetalMachine({
    clock: () => room.clock.now,
    line: "pool=somewhere",
    devices: (memory) => {
      device = new NetDevice({ memory, physicalBase, port: room.lan.port("metal"), ...facts });
      return new Map([[5, device]]);
    },
  });
  machine.start();
  if (device === undefined) throw new Error("no device");
  const run = (turns: number): void => {
    for (let i = 0; i < turns; i++) {
      room.clock.advance(1000);
      machine.turn();
    }
  };
  return { machine, device, run };
}

describe("a hostile network device", () => {
  it(
    "that writes anything into the used rings leaves the machine alive",
    () => {
      for (const seed of seeds) {
        const random = new SeededRandom(seed);
        const { machine, device, run } = machineWith({ version: seed % 2 === 0 ? 1 : 2 });
        const view = new DataView(machine.memory.buffer);
        run(5);
        for (let i = 0; i < 30; i++) {
          const ring = device.usedRings[random.next() & 1];
          if (ring === undefined) continue;
          const entry = ring.at + 4 + 8 * (random.next() % ring.size);
          const wild = random.next() & 1 ? random.next() >>> 0 : random.next() % 300;
          view.setUint32(entry, wild, true);
          view.setUint32(entry + 4, random.next() >>> (random.next() % 32), true);
          const ahead = random.next() % 4 === 0 ? random.next() & 0xffff : random.next() % 3;
          view.setUint16(ring.at + 2, (view.getUint16(ring.at + 2, true) + ahead) & 0xffff, true);
          run(2);
        }
        machine.typed = "interfaces\r";
        run(2);
        expect(machine.said, `seed ${seed}`).toMatch(/faults \d+/);
      }
    },
    manySeedsMs,
  );

  it.each([
    ["an id out of range", 60_000, 60],
    ["a length beyond the buffer", 3, 2049],
  ])("that gives back %s is out of use", (_what, id, length) => {
    const { machine, device, run } = machineWith({ version: 2 });
    run(2);
    const [ring] = device.usedRings;
    if (ring === undefined) throw new Error("no ring");
    const view = new DataView(machine.memory.buffer);
    const index = view.getUint16(ring.at + 2, true);
    view.setUint32(ring.at + 4 + 8 * (index % ring.size), id, true);
    view.setUint32(ring.at + 8 + 8 * (index % ring.size), length, true);
    view.setUint16(ring.at + 2, index + 1, true);
    machine.typed = "interfaces\r";
    run(2);
    machine.typed = "interfaces\r";
    run(2);
    expect(machine.said).toMatch(/faults 1/);
    const before = device.sent.length;
    run(2000);
    expect(device.sent.length).toBe(before);
  });

  it("that never sends costs frames, not the machine", () => {
    const { machine, run } = machineWith({ version: 1, stuck: true });
    run(60_000);
    machine.typed = "interfaces\r";
    run(1);
    expect(machine.said).toMatch(/faults 0/);
  });
});
