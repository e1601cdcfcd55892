// If one of these fails, a machine that runs is missing from its pool, is not told that it is to
// be emptied, or disturbs its network while no control daemon is there.

import { describe, expect, it } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { type Announced, poolPort, poolTable } from "../../../control/interface/pool.js";
import { toHex } from "../../../control/kernel/bytes.js";
import { trans } from "../../../control/kernel/calls.js";
import type { Kernel } from "../../../control/kernel/kernel.js";
import { Service } from "../../../control/kernel/service.js";
import { Announcer, type AnnouncerOptions } from "../../../control/node/announce.js";
import { serveAnnouncements } from "../../../control/server/pool/announcements.js";
import type { Facts } from "../../../control/server/pool/records.js";
import { answering } from "../../../control/stub/answers.js";
import { stub } from "../../../control/stub/client.js";
import { GroupRoom } from "../group/room.js";

interface Heard {
  readonly facts: Facts;
  readonly leaving: boolean;
  readonly at: number;
}

class Scene {
  readonly room = new GroupRoom(1);
  readonly heard: Heard[] = [];
  readonly answers: Announced[] = [];
  readonly found: boolean[] = [];
  readonly failures: unknown[] = [];

  get now(): number {
    return this.room.room.clock.now / 1000;
  }

  #failed = (error: unknown): void => {
    this.failures.push(error);
  };

  /** A daemon that answers this to every announcement. */
  daemon(answer: () => Announced): { readonly kernel: Kernel; close(): void } {
    const { kernel } = this.room.machine();
    const server = serveAnnouncements({
      ...{ kernel, pool: "lab", random: this.room.random, failed: this.#failed },
      getPort: poolPort(kernel, "lab"),
      status: () => "",
      announced: (facts, leaving) => {
        this.heard.push({ facts, leaving, at: this.now });
        return answer();
      },
    });
    return { kernel, close: () => server.close() };
  }

  announcer(more: Partial<AnnouncerOptions> = {}): {
    readonly kernel: Kernel;
    readonly announcer: Announcer;
  } {
    const { kernel } = this.room.machine();
    const { after, random } = this.room;
    const announcer = new Announcer({
      ...{ kernel, after, random, pool: "lab", failed: this.#failed },
      announcement: () => ({
        ...{ name: "n1", address: toHex(kernel.address), kind: "pool", version: "1.2.3" },
        servers: { sys: "0102030405a6" },
      }),
      answered: (answer) => this.answers.push(answer),
      found: (found) => this.found.push(found),
      ...more,
    });
    return { kernel, announcer };
  }
}

describe("a machine that announces itself", () => {
  it("does so at once, and again when the daemon wants to hear of it", async () => {
    const scene = new Scene();
    let draining = false;
    scene.daemon(() => ({ draining, intervalMs: 3000 }));
    const { kernel } = scene.announcer();
    await scene.room.until(() => scene.heard.length === 1, 100);
    const servers = { sys: "0102030405a6" };
    const facts = { name: "n1", address: toHex(kernel.address), kind: "pool", version: "1.2.3", servers };
    expect(scene.heard[0]).toMatchObject({ facts, leaving: false });
    draining = true;
    await scene.room.until(() => scene.answers.at(-1)?.draining === true, 4000);
    await scene.room.run(30_000);
    expect(scene.heard.length).toBeGreaterThanOrEqual(9);
    expect(scene.heard.length).toBeLessThanOrEqual(14);
    expect([scene.found, scene.failures]).toEqual([[true], []]);
  });

  it("sends some thirty frames a minute while no daemon is there, and finds one within 15 seconds", async () => {
    const scene = new Scene();
    const { kernel } = scene.announcer();
    await scene.room.run(60_000);
    const before = kernel.transmits;
    await scene.room.run(60_000);
    expect(kernel.transmits - before).toBeLessThanOrEqual(40);
    expect(scene.found).toEqual([]);
    scene.daemon(() => ({ draining: false, intervalMs: 2000 }));
    await scene.room.until(() => scene.heard.length > 0, 15_000);
  });

  it("does not hold up other calls while it looks for a daemon", async () => {
    const scene = new Scene();
    const server = scene.room.machine().kernel;
    const getPort = Uint8Array.of(9, 8, 7, 6, 5, 4);
    new Service(
      server,
      getPort,
      answering(
        () => ({ status: 0 }),
        () => undefined,
      ),
    );
    const { kernel } = scene.announcer();
    const port = server.publicPort(getPort);
    for (let calls = 0; calls < 50; calls++) {
      const begun = scene.now;
      await scene.room.settled(trans(kernel, { port }));
      expect(scene.now - begun).toBeLessThan(30);
    }
  });

  it("goes on with another daemon when the one that answered is gone", async () => {
    const scene = new Scene();
    const first = scene.daemon(() => ({ draining: false, intervalMs: 1000 }));
    scene.announcer();
    await scene.room.until(() => scene.heard.length > 0, 1000);
    for (const device of first.kernel.devices) device.close();
    scene.room.room.kernels.splice(scene.room.room.kernels.indexOf(first.kernel), 1);
    scene.daemon(() => ({ draining: true, intervalMs: 1000 }));
    await scene.room.until(() => scene.answers.at(-1)?.draining === true, 6000);
  });

  it("says that it stops, once and last", async () => {
    const scene = new Scene();
    scene.daemon(() => ({ draining: false, intervalMs: 1000 }));
    const { announcer } = scene.announcer();
    await scene.room.until(() => scene.heard.length > 0, 1000);
    await scene.room.settled(announcer.leave(), 1000);
    await scene.room.run(10_000);
    expect(scene.heard.map(({ leaving }) => leaving)).toEqual([false, true]);
  });

  it("stops without waiting when it knows of no daemon, and within two seconds when that one is gone", async () => {
    const alone = new Scene();
    const { announcer } = alone.announcer();
    await alone.room.run(20_000);
    let begun = alone.now;
    await alone.room.settled(announcer.leave(), 100);
    expect(alone.now - begun).toBeLessThan(10);

    const scene = new Scene();
    const daemon = scene.daemon(() => ({ draining: false, intervalMs: 5000 }));
    const made = scene.announcer();
    await scene.room.until(() => scene.found.length > 0, 1000);
    for (const device of daemon.kernel.devices) device.close();
    begun = scene.now;
    await scene.room.settled(made.announcer.leave(), 3000);
    expect(scene.now - begun).toBeLessThanOrEqual(2000);
  });

  it("reports an answer that is none, and tries again", async () => {
    const scene = new Scene();
    let answer = { draining: "perhaps" } as unknown as Announced;
    scene.daemon(() => answer);
    scene.announcer();
    await scene.room.until(() => scene.failures.length > 0, 1000);
    expect(scene.answers).toEqual([]);
    answer = { draining: false, intervalMs: 1 };
    await scene.room.until(() => scene.answers.length > 0, 3000);
    const { length } = scene.heard;
    await scene.room.run(5000);
    expect(scene.heard.length - length).toBeLessThanOrEqual(12); // no daemon makes it a flood
  });
});

describe("the pool server", () => {
  it("makes its capabilities by a key, and takes none that somebody worked out", async () => {
    const room = new GroupRoom(1);
    const [{ kernel }, near] = [room.machine(), room.machine().kernel];
    const failures: unknown[] = [];
    const server = serveAnnouncements({
      ...{ kernel, pool: "lab", random: room.random, getPort: poolPort(kernel, "lab") },
      ...{ status: () => "", announced: () => ({ draining: false, intervalMs: 2000 }) },
      failed: (error) => failures.push(error),
    });
    const all = server.capability();
    const info = (capability: Capability) => room.settled(stub(near, poolTable, capability).info());
    expect(await info(all)).toMatchObject({ text: "control daemon of lab" });
    // Of the original's, whoever has all rights works out fewer by himself.
    const fewer = kernel.privates.encodePrivate(0, 0x01, all.private.subarray(4));
    expect(fewer).toBeInstanceOf(Uint8Array);
    const forged = { port: all.port, private: fewer as Uint8Array };
    await expect(info(forged)).rejects.toMatchObject({ code: "STD_CAPBAD" });
    expect(failures).toEqual([]);
    server.close();
  });
});
