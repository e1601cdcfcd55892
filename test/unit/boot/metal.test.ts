// Metal machines answer as Linux machines do, whatever their network device is like: the modules that
// run on bare metal, with a model of virtio in place of a real device.

import { describe, expect, it } from "vitest";
import { ECHO_EXECUTIONS, ECHO_SINK, ECHO_SOURCE } from "../../../control/interface/echo.js";
import { nodeDocumentSchema } from "../../../control/interface/node.js";
import { poolPort } from "../../../control/interface/pool.js";
import { systemTable } from "../../../control/interface/system.js";
import { fromHex } from "../../../control/kernel/bytes.js";
import { trans } from "../../../control/kernel/calls.js";
import { serveAnnouncements } from "../../../control/server/pool/announcements.js";
import type { Facts } from "../../../control/server/pool/records.js";
import { STD_COMBAD, STD_DENIED, STD_OK } from "../../../core-wasm/status.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { Room } from "../kernel/booted.js";
import { MetalMachine, physicalBase } from "./metal-machine.js";
import { type Made, made, until } from "./metal-room.js";
import { NetDevice } from "./net-device.js";

const port = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array(6);
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);

function call(
  made: Made,
  server: "echo" | "sys",
  command: number,
  data: Uint8Array = new Uint8Array(),
  more: object = {},
) {
  const header = { port: port(made.machine.served().servers[server]), command, ...more };
  return until(made, trans(made.client, header, data, { replyBytesMax: 256 * 1024 }));
}

describe.each([1, 2] as const)("a metal machine on virtio %i", (version) => {
  it("echoes what a Linux machine sends, of any size, and counts it once", async () => {
    const there = made({ version });
    for (const length of [0, 1, 60, 1402, 1403, 30_000, 100_000]) {
      const { header, data } = await call(there, "echo", 1004, bytes(length), { offset: 5, extra: 7 });
      expect(header).toMatchObject({ status: STD_OK, offset: 5, extra: 8 });
      expect(Buffer.from(data).equals(Buffer.from(bytes(length)))).toBe(true);
    }
    expect((await call(there, "echo", ECHO_SINK, bytes(50_000))).data.length).toBe(0);
    expect((await call(there, "echo", ECHO_SOURCE, undefined, { offset: 70_000 })).data.length).toBe(70_000);
    expect((await call(there, "echo", ECHO_EXECUTIONS)).header.offset).toBe(9);
  });

  it("goes on when its device gives sent buffers back in any order", async () => {
    const random = new SeededRandom(3);
    const order = (heads: number[]): number[] =>
      heads
        .map((head) => [random.next(), head] as const)
        .sort(([a], [b]) => a - b)
        .map(([, head]) => head);
    const there = made({ version, order });
    for (let i = 0; i < 3; i++) {
      const { data } = await call(there, "echo", ECHO_SOURCE, undefined, { offset: 200_000 });
      expect(data.length).toBe(200_000);
    }
  });
});

describe("the sys server of a metal machine", () => {
  it("tells anyone how the machine fares, in the words of a Linux machine", async () => {
    const there = made({ version: 2 }, { line: "quiet name=m7 virtio_mmio.device=512@0x1:5" });
    const status = await call(there, "sys", systemTable.standard.status.number);
    const document = nodeDocumentSchema.parse(JSON.parse(Buffer.from(status.data).toString()));
    expect(document).toMatchObject({ name: "m7", interfaces: [{ name: "eth0" }], executions: 0 });
    expect(document.counters?.framesIn).toBeGreaterThan(0);
    const info = await call(there, "sys", systemTable.standard.info.number);
    expect(Buffer.from(info.data).toString()).toBe('metal machine "m7"');
    const table = await call(there, "sys", systemTable.operations.kstat.number, undefined, {
      extra: "p".charCodeAt(0),
    });
    expect(Buffer.from(table.data).toString()).toContain(there.machine.served().servers.echo);
  });

  it("lets nobody do more, and knows what it does not know", async () => {
    const there = made({ version: 1 });
    const destroy = await call(there, "sys", systemTable.standard.destroy.number);
    expect(destroy.header.status).toBe(STD_DENIED);
    expect((await call(there, "sys", 9999)).header.status).toBe(STD_COMBAD);
  });
});

describe("a metal machine with a pool", () => {
  it("announces itself to the daemons, and again after as long as they say", async () => {
    const there = made({ version: 2 }, { line: "name=m1 pool=my-own-pool" });
    const told: Facts[] = [];
    const daemon = there.room.attached();
    serveAnnouncements({
      kernel: daemon,
      getPort: poolPort(daemon, "my-own-pool"),
      random: bytes,
      pool: "my-own-pool",
      status: () => "",
      announced: (facts) => {
        told.push(facts);
        return { draining: false, intervalMs: 1000 };
      },
      failed: (error) => {
        throw error;
      },
    });
    const twice = (async () => {
      while (told.length < 2) await Promise.resolve();
    })();
    await until(there, twice, 4000);
    const { servers } = there.machine.served();
    expect(told[0]).toMatchObject({ name: "m1", kind: "metal", servers });
  });
});

describe("the console of a metal machine", () => {
  it("answers words, and starts the machine anew", () => {
    const { machine } = made({ version: 1 });
    machine.typed = "ports\rreboot\r";
    machine.turn();
    expect(machine.said).toContain(`${machine.served().servers.sys}  2  yes`);
    expect(machine.resets).toBe(1);
  });

  it("says nothing when it is off", () => {
    expect(made({ version: 1 }, { line: "console=off" }).machine.said).toBe("");
  });

  it("says why a machine cannot serve: no device, one that refuses, too little memory", () => {
    const clock = () => 0;
    const alone = new MetalMachine({ clock });
    alone.start();
    expect(alone.said).toContain("there is no network device");
    expect(alone.turn()).toBe(-1);
    expect(made({ version: 2, refuses: true }).machine.said).toContain("a network device is out of use");
    expect(made({ version: 2 }, { memoryMebibytes: 1 }).machine.said).toContain("cannot serve");
  });
});

describe("network= of a metal machine", () => {
  it("chooses interfaces by address, and their order", () => {
    const room = new Room();
    const ports = [room.lan.port("a"), room.lan.port("b"), room.lan.port("c")];
    const text = (index: number): string =>
      [...(ports[index]?.address ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
    const machine = new MetalMachine({
      clock: () => room.clock.now,
      line: `network=${text(2)},${text(0)},02:00:00:00:99:99`,
      devices: (memory) =>
        new Map(ports.map((each, i) => [i, new NetDevice({ memory, physicalBase, port: each, version: 1 })])),
    });
    machine.start();
    machine.typed = "interfaces\r";
    machine.turn();
    const rows = machine.said.split("\r\n").filter((line) => /^\d {2}eth/.test(line));
    expect(rows.map((row) => row.split("  ")[2])).toEqual(
      [text(2), text(0)].map((mac) => mac.replaceAll(":", "")),
    );
    expect(machine.said).toContain("is not there");
  });
});
