// PCs boot as microvms do: a metal machine finds its network card on PCI, virtio's or Intel's, answers
// through it, and takes no register for one that lies in memory or past a BAR's end.

import { describe, expect, it } from "vitest";
import { fromHex } from "../../../control/kernel/bytes.js";
import { trans } from "../../../control/kernel/calls.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { perTier } from "../../fuzz/tier.js";
import { Room } from "../kernel/booted.js";
import { IntelCard, type IntelOptions } from "./intel-card.js";
import { MetalMachine, physicalBase } from "./metal-machine.js";
import { NetDevice } from "./net-device.js";
import { PciBus, PciFunction, u32 } from "./pci-bus.js";
import { goodParts, type Part, rngPci, virtioPci } from "./virtio-pci.js";

type Functions = (memory: WebAssembly.Memory, room: Room) => (readonly [number, PciFunction])[];

function booted(functions: Functions, options: { readonly line?: string; readonly rdrand?: boolean } = {}) {
  const room = new Room();
  const client = room.attached();
  const machine = new MetalMachine({
    clock: () => room.clock.now,
    pci: (memory) => new PciBus(new Map(functions(memory, room))),
    ...options,
  });
  machine.start();
  const call = async (size: number): Promise<number> => {
    const port = fromHex(machine.served().servers.echo) ?? new Uint8Array(6);
    const data = Uint8Array.from({ length: size }, (_, i) => (i * 11) & 0xff);
    let answer: Uint8Array | undefined;
    trans(client, { port, command: 1004 }, data, { replyBytesMax: 256 * 1024 }).then(
      (reply) => {
        answer = reply.data;
      },
      () => undefined,
    );
    for (let i = 0; i < 30_000 && answer === undefined; i++) {
      room.run(0.1);
      machine.turn();
      if (i % 8 === 0) await Promise.resolve();
    }
    return Buffer.compare(answer ?? new Uint8Array(), data) === 0 ? size : -1;
  };
  return { room, machine, call };
}

const slot = (device: number, bus = 0): number => (bus << 16) | (device << 11);
const net = (memory: WebAssembly.Memory, room: Room): NetDevice =>
  new NetDevice({ memory, physicalBase, port: room.lan.port("metal"), version: 2 });
const intel = (memory: WebAssembly.Memory, room: Room, more: Partial<IntelOptions> = {}): IntelCard =>
  new IntelCard({ memory, physicalBase, port: room.lan.port("metal"), ...more });

/** A bridge to a bus, by what it says. */
function bridge(to: number): PciFunction {
  const found = new PciFunction({ vendor: 0x8086, device: 0x3420, bars: [], capabilities: [] });
  found.config[0x0a] = 0x04;
  found.config[0x0b] = 0x06;
  found.config[0x0e] = 1;
  found.config[0x19] = to;
  return found;
}

describe("a metal machine on PCI", () => {
  it.each([
    ["virtio", (memory: WebAssembly.Memory, room: Room) => virtioPci(net(memory, room))],
    [
      "transitional virtio",
      (memory: WebAssembly.Memory, room: Room) => virtioPci(net(memory, room), { transitional: true }),
    ],
    [
      "virtio without messages",
      (memory: WebAssembly.Memory, room: Room) => virtioPci(net(memory, room), { messages: false }),
    ],
    [
      "virtio far above 4 GiB, where UEFI firmware puts it",
      (memory: WebAssembly.Memory, room: Room) => virtioPci(net(memory, room), { base: 0xe0_0000_8000 }),
    ],
    ["an 82574L", (memory: WebAssembly.Memory, room: Room) => intel(memory, room).function],
  ])("answers through %s, calls of any size", async (_what, make) => {
    const { call, machine } = booted((memory, room) => [[slot(3), make(memory, room)]]);
    for (const size of [0, 60, 1402, 30_000, 200_000]) expect(await call(size)).toBe(size);
    expect(machine.frames.some(([, sent]) => sent === 1)).toBe(true);
  });

  it("finds cards behind bridges, and does not walk in circles", async () => {
    const { call } = booted((memory, room) => [
      [slot(1), bridge(7)],
      [slot(2), bridge(0)],
      [slot(0, 7), bridge(7)],
      [slot(31, 7), intel(memory, room).function],
    ]);
    expect(await call(1000)).toBe(1000);
  });

  it("has its interrupts as messages to its processor, and looks by itself without", () => {
    const cards: IntelCard[] = [];
    const there = booted((memory, room) => {
      cards.push(intel(memory, room));
      return cards.map((card) => [slot(3), card.function] as const);
    });
    const at = cards[0]?.function.places[0] ?? 0;
    const message = cards[0]?.function;
    expect([message?.field(at + 2, 2), message?.field(at + 12, 2)]).toEqual([0x81, 0x30]);
    expect((message?.field(at + 4, 4) ?? 0) >>> 20).toBe(0xfee);
    const [silent] = [
      booted((memory, room) => [[slot(3), virtioPci(net(memory, room), { messages: false })]]),
    ];
    expect(silent.machine.turn() - silent.room.clock.now).toBeLessThanOrEqual(1000);
    expect(there.machine.turn()).not.toBe(silent.room.clock.now + 1000);
  });

  it("takes the cards that network= names, of either kind, in that order", () => {
    const { machine } = booted(
      (memory, room) => [
        [slot(3), virtioPci(net(memory, room))],
        [slot(4), intel(memory, room).function],
      ],
      { line: "network=02:00:00:00:00:99" },
    );
    expect(machine.said).toContain("is not there");
  });
});

describe("a hostile device on PCI", () => {
  const bent = (bend: (parts: Part[]) => void): Part[] => {
    const parts = goodParts();
    bend(parts);
    return parts;
  };
  const first = (change: Partial<Part>): ((parts: Part[]) => void) => {
    return ([part]) => Object.assign(part ?? {}, change);
  };

  it.each<[string, (memory: WebAssembly.Memory, room: Room) => PciFunction]>([
    ["registers where no address is", (m, r) => virtioPci(net(m, r), { base: 2 ** 52 })],
    ["registers in memory", (m, r) => virtioPci(net(m, r), { base: physicalBase })],
    [
      "registers at the end of memory",
      (m, r) => virtioPci(net(m, r), { base: physicalBase + 14 * 1048576 - 0x4000 }),
    ],
    ["registers at the interrupt controller", (m, r) => virtioPci(net(m, r), { base: 0xfee00000 })],
    ["registers at zero", (m, r) => virtioPci(net(m, r), { base: 0 })],
    ["a part past its BAR", (m, r) => virtioPci(net(m, r), { parts: bent(first({ offset: 0x3ff0 })) })],
    ["a part that wraps", (m, r) => virtioPci(net(m, r), { parts: bent(first({ offset: 0xfffffff0 })) })],
    ["a part that is too short", (m, r) => virtioPci(net(m, r), { parts: bent(first({ length: 8 })) })],
    ["a part in a BAR that is none", (m, r) => virtioPci(net(m, r), { parts: bent(first({ bar: 7 })) })],
    ["notifications past their end", (m, r) => virtioPci(net(m, r), { step: 0x7fffffff })],
    ["82574L registers in memory", (m, r) => intel(m, r, { base: physicalBase }).function],
    ["82574L registers in too small a BAR", (m, r) => intel(m, r, { bytes: 0x1000 }).function],
    ["an 82574L that does not come up", (m, r) => intel(m, r, { dead: true }).function],
  ])("with %s is out of use, and the machine says so", (_what, make) => {
    const { machine } = booted((memory, room) => [[slot(3), make(memory, room)]]);
    expect(machine.said).toContain("a network device is out of use");
    expect(machine.said).toContain("there is no network device that it knows");
    expect(machine.pci?.strays).toEqual([]);
  });

  it("with its messages' table past a BAR's end gets none, and is looked at instead", () => {
    const { machine, room } = booted((memory, there) => [
      [slot(3), virtioPci(net(memory, there), { table: 0xff8 })],
    ]);
    expect(machine.served().kind).toBe("metal");
    expect(machine.turn() - room.clock.now).toBeLessThanOrEqual(1000);
    expect(machine.pci?.strays).toEqual([]);
  });

  it("whose list of capabilities goes round does not hold the machine up", () => {
    const { machine } = booted((memory, room) => {
      const round = virtioPci(net(memory, room), { parts: [] });
      const at = round.places[0] ?? 0;
      round.config[at + 1] = at;
      return [[slot(3), round]];
    });
    expect(machine.said).toContain("out of use");
  });

  it.each<[string, (view: DataView, at: number) => void, RegExp]>([
    ["a length beyond the buffer", (view, at) => view.setUint16(at + 8, 2049, true), /faults 1/],
    ["damaged frames", (view, at) => view.setUint8(at + 13, 1), /faults 0/],
    ["pieces of frames", (view, at) => view.setUint8(at + 12, 1), /faults 0/],
    ["frames of nothing", (view, at) => view.setUint16(at + 8, 3, true), /faults 0/],
    [
      "addresses of its own",
      (view, at) => view.setBigUint64(at, 0xffff_ffff_ffff_f000n, true),
      /received [1-9]\d*, .* faults 0/,
    ],
  ])("that receives %s costs frames, not the machine", async (_what, bend, says) => {
    const { machine, call } = booted((memory, room) => [[slot(3), intel(memory, room, { bend }).function]]);
    await call(100);
    machine.typed = "interfaces\r";
    machine.turn();
    expect(machine.said).toMatch(says);
  });

  it("that never sends costs frames, not the machine", () => {
    const { machine, room } = booted(
      (memory, room) => [[slot(3), intel(memory, room, { stuck: true }).function]],
      {
        line: "pool=somewhere",
      },
    );
    for (let i = 0; i < 20_000; i++) {
      room.clock.advance(1000);
      machine.turn();
    }
    machine.typed = "interfaces\r";
    machine.turn();
    expect(machine.said).toMatch(/faults 0/);
  });
});

describe("devices that say anything", () => {
  const seeds = Array.from({ length: perTier(10, 300, 20_000) }, (_, index) => index + 1);

  /** A function whose configuration and registers are random, but for what makes a driver look at it. */
  function wild(random: SeededRandom, memory: WebAssembly.Memory, isIntel: boolean): PciFunction {
    const word = (): number => random.next() >>> (random.next() % 32);
    const places = [
      physicalBase,
      physicalBase + memory.buffer.byteLength - 4096,
      0,
      0xfe000000,
      0xfec00000,
      2 ** 52 - 2 ** 29,
    ];
    const found = new PciFunction({
      vendor: isIntel ? 0x8086 : 0x1af4,
      device: isIntel ? 0x10d3 : 0x1041,
      subsystem: 1,
      bars: Array.from({ length: 6 }, () => {
        const bytes = 1 << (12 + (random.next() % 19));
        const place = places[random.next() % places.length] ?? 0;
        const base = place - (place % bytes);
        return { base, bytes, wide: random.next() % 8 === 0 };
      }),
      capabilities: Array.from({ length: 1 + (random.next() % 7) }, () => [
        [0x05, 0x09, 0x11, word() & 0xff][random.next() % 4] ?? 9,
        ...[16, random.next() % 6, random.next() % 7, 0, 0, 0],
        ...[...u32(word() % 0x8000), ...u32(word()), ...u32(word())],
      ]),
      load: () => (random.next() % 8 === 0 ? -1 : word()),
    });
    for (let i = random.next() % 4; i > 0; i--) found.config[0x40 + (random.next() % 192)] = random.next();
    return found;
  }

  it("never make the machine write a register in memory, or stay with them", () => {
    for (const seed of seeds) {
      const random = new SeededRandom(seed);
      const start = (): number[] =>
        booted((memory) => [
          [slot(3), wild(random, memory, seed % 2 === 0)],
          [slot(4), wild(random, memory, random.next() % 2 === 0)],
        ]).machine.pci?.strays ?? [];
      expect(start(), `seed ${seed}`).toEqual([]);
    }
  });

  it("write what they like into an 82574L's descriptors, and the machine goes on", () => {
    for (const seed of seeds) {
      const random = new SeededRandom(seed);
      let bent = 0;
      const bend = (view: DataView, at: number): void => {
        bent++;
        for (let i = random.next() % 3; i > 0; i--) view.setUint8(at + (random.next() % 16), random.next());
      };
      const cards: IntelCard[] = [];
      const { machine, room } = booted(
        (memory, there) => {
          cards.push(intel(memory, there, { bend }));
          return cards.map((card) => [slot(3), card.function] as const);
        },
        { line: "pool=somewhere" },
      );
      for (let i = 0; i < 200; i++) {
        const frame = Uint8Array.from({ length: 60 + (random.next() % 1400) }, () => random.next() & 0xff);
        cards[0]?.hear(frame);
        room.clock.advance(20_000);
        machine.turn();
      }
      expect(bent).toBeGreaterThan(0);
      machine.typed = "interfaces\r";
      machine.turn();
      expect(machine.said, `seed ${seed}`).toMatch(/faults \d+/);
    }
  });
});

describe("a processor without random bytes", () => {
  const withRng = (answers: (at: Uint8Array) => number) => () =>
    booted(
      (memory, room) => [
        [slot(2), rngPci(memory, physicalBase, answers)],
        [slot(3), virtioPci(net(memory, room))],
      ],
      { rdrand: false },
    );

  it("takes them of a virtio-rng device, and no byte twice", () => {
    let next = 0;
    const make = withRng((at) => {
      for (let i = 0; i < at.length; i++) at[i] = next++ * 37;
      return at.length;
    });
    const { servers } = make().machine.served();
    expect(servers.echo).not.toBe(servers.sys);
  });

  it.each([
    ["more than the buffer has", () => 257],
    ["none", () => 0],
  ])("is told so by a panic when the device gives %s", (_what, answers) => {
    expect(withRng(answers)).toThrow("panic: no randomness");
  });

  it("is told so by a panic when there is no such device", () => {
    expect(() =>
      booted((memory, room) => [[slot(3), virtioPci(net(memory, room))]], { rdrand: false }),
    ).toThrow("panic: no randomness");
  });
});

describe("two machines with one MAC address", () => {
  it("are told of on the console, once in a while", () => {
    const cards: NetDevice[] = [];
    const { machine, room } = booted((memory, there) => {
      cards.push(net(memory, there));
      return cards.map((card) => [slot(3), virtioPci(card)] as const);
    });
    const [card] = cards;
    const frame = new Uint8Array(60).fill(0xff, 0, 6);
    frame.set([...Array.from({ length: 6 }, (_, i) => card?.load(0x100 + i, 1) ?? 0), 0x81, 0x46], 6);
    const hear = (): void => {
      card?.hear(frame);
      machine.turn();
    };
    for (let i = 0; i < 3; i++) hear();
    expect(machine.said.match(/another machine on eth0 has this machine's MAC address/g)).toHaveLength(1);
    for (let i = 0; i < 61; i++) room.clock.advance(1_000_000);
    hear();
    expect(machine.said.match(/another machine on eth0/g)).toHaveLength(2);
    const other = frame.with(11, 0x77);
    card?.hear(other);
    room.clock.advance(61_000_000);
    machine.turn();
    expect(machine.said.match(/another machine on eth0/g)).toHaveLength(2);
  });
});

describe("the watchdog", () => {
  it.each([
    ["", 5],
    ["watchdog=30", 30],
    ["watchdog=0", 0],
  ])("is set to what the command line says (%s)", (line, seconds) => {
    expect(
      booted((memory, room) => [[slot(3), virtioPci(net(memory, room))]], { line }).machine.watchdogSeconds,
    ).toBe(seconds);
  });
});
