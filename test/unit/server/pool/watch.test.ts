// If one of these fails, a daemon takes a living machine for dead, or does not notice a dead one.

import { describe, expect, it } from "vitest";
import { toHex } from "../../../../control/kernel/bytes.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { Watch, type Watched } from "../../../../control/server/pool/watch.js";
import { SystemServer } from "../../../../control/server/system/system.js";
import { GroupRoom } from "../../group/room.js";

class Scene {
  readonly room = new GroupRoom(3);
  readonly kernel = this.room.machine().kernel;
  readonly machines: Watched[] = [];
  /** What came of each question, in order. */
  readonly asked = new Map<string, boolean[]>();
  readonly failures: unknown[] = [];
  watch: Watch | null = null;

  get now(): number {
    return this.room.room.clock.now / 1000;
  }

  machine(say: (address: string) => string = (address) => JSON.stringify({ name: "n", address })): Kernel {
    const { kernel } = this.room.machine();
    const address = toHex(kernel.address);
    const { random } = this.room;
    const system = new SystemServer({
      ...{ kernel, random, getPort: random(6), info: "", interfaces: () => [] },
      failed: (error) => this.failures.push(error),
      // What it says need not be JSON of a machine.
      describe: () => ({ toJSON: () => JSON.parse(say(address)) as unknown }),
    });
    this.machines.push({ address, port: toHex(system.putPort) });
    return kernel;
  }

  begin(): void {
    this.watch = new Watch({
      ...{ kernel: this.kernel, after: this.room.after, machines: () => this.machines },
      now: () => 1e12 + this.now,
      elapsed: () => this.now,
      asked: (address, answers) => this.asked.set(address, [...(this.asked.get(address) ?? []), answers]),
      failed: (error) => this.failures.push(error),
    });
  }

  /** The machine takes no turns. */
  freeze(kernel: Kernel): () => void {
    const { kernels } = this.room.room;
    kernels.splice(kernels.indexOf(kernel), 1);
    return () => kernels.push(kernel);
  }
}

describe("the watch", () => {
  it("asks about every second, and keeps the answer with the times of asking", async () => {
    const scene = new Scene();
    scene.machine();
    scene.begin();
    await scene.room.run(10_000);
    const [{ address = "" } = {}] = scene.machines;
    expect(scene.asked.get(address)?.length).toBeGreaterThanOrEqual(9);
    expect(scene.asked.get(address)?.length).toBeLessThanOrEqual(11);
    const seen = scene.watch?.last(address);
    expect(seen?.last?.document).toMatchObject({ address });
    expect(seen?.last?.answeredMs).toBeGreaterThanOrEqual(seen?.last?.askedMs ?? Number.POSITIVE_INFINITY);
    expect(seen?.silentMs).toBeLessThanOrEqual(1100);
  });

  it("takes one that stands still for six tenths of a second again and again for alive", async () => {
    const scene = new Scene();
    const kernel = scene.machine();
    scene.begin();
    for (let times = 0; times < 12; times++) {
      const go = scene.freeze(kernel);
      await scene.room.run(600);
      go();
      await scene.room.run(150);
    }
    expect([...scene.asked.values()].flat()).not.toContain(false);
  });

  it("notices one that stands still for longer, asks it more rarely, and sees that it is back", async () => {
    const scene = new Scene();
    const kernel = scene.machine();
    scene.begin();
    await scene.room.run(3000);
    const [{ address = "" } = {}] = scene.machines;
    const go = scene.freeze(kernel);
    const began = scene.now;
    await scene.room.until(() => scene.asked.get(address)?.at(-1) === false, 2500);
    expect(scene.now - began).toBeLessThanOrEqual(2000);
    const before = scene.asked.get(address)?.length ?? 0;
    await scene.room.run(40_000);
    expect((scene.asked.get(address)?.length ?? 0) - before).toBeLessThanOrEqual(13);
    go();
    await scene.room.until(() => scene.asked.get(address)?.at(-1) === true, 5000);
  });

  it("does not let the silent hold up the others", async () => {
    const scene = new Scene();
    for (let i = 0; i < 40; i++) scene.machines.push({ address: `dead${i}`, port: `0102030405${i + 10}` });
    scene.machine();
    scene.begin();
    await scene.room.run(20_000);
    expect(scene.asked.get(scene.machines.at(-1)?.address ?? "")?.length).toBeGreaterThanOrEqual(15);
    expect([...scene.asked.values()].filter((all) => all.includes(false)).length).toBe(40);
  });

  it("takes a refusal and rubbish for an answer, and another machine's for none", async () => {
    const scene = new Scene();
    scene.machine(() => '{"name":""}');
    scene.machine(() => '{"name":"n","address":"abcd"}');
    scene.begin();
    await scene.room.run(2500);
    const [rubbish, other] = scene.machines.map(({ address }) => scene.asked.get(address));
    expect(rubbish).not.toContain(false);
    expect(other).not.toContain(true);
    const [first] = scene.machines;
    expect(scene.watch?.last(first?.address ?? "")).toMatchObject({ last: null });
  });
});
