// The load of a member: as many messages under way as asked for, none lost or counted twice,
// a broken order noticed, a broken group reset only where that is the point.

import { describe, expect, it } from "vitest";
import { type Load, monotonicUs } from "../../../../control/bench/group/load.js";
import { Traffic } from "../../../../control/bench/group/traffic.js";
import { FakeGroup } from "./fake-group.js";

const lastingMs = 60;
const deadlineMs = 5000;

function load(given: Partial<Load> = {}): Load {
  const now = monotonicUs();
  return {
    ...{ sends: true, spins: true, bytes: 8, outstanding: 1, recovers: false },
    ...{ startUs: now, fromUs: now, untilUs: now + lastingMs * 1000 },
    ...given,
  };
}

async function eventually(condition: () => boolean): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error("it did not come to pass");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function member(): { group: FakeGroup; traffic: Traffic } {
  const group = new FakeGroup();
  return { group, traffic: new Traffic(group.kernel, 0, new Uint8Array(6), 64) };
}

/** Delivers what is sent until nothing is any more. */
async function serve(group: FakeGroup, run: Promise<unknown>): Promise<void> {
  let over = false;
  run.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  await eventually(() => {
    if (group.sends.length > 0) group.deliver();
    return over;
  });
}

describe("the load of a member", () => {
  it("keeps as many messages under way as it is told, and counts each once", async () => {
    const { group, traffic } = member();
    const run = traffic.run(load({ outstanding: 3 }));
    await eventually(() => group.sends.length > 0);
    expect(group.sends).toHaveLength(3);
    await serve(group, run);
    const figures = await run;
    expect(figures.lost).toBe(0);
    expect(figures.total).toBe(group.seqno - 1);
    expect(figures.ended).toBeGreaterThan(0);
    expect(figures.ended).toBeLessThanOrEqual(figures.total);
    expect(figures.delivered).toBeLessThanOrEqual(figures.total);
    expect(figures.p50Us).toBeGreaterThan(0);
  });

  it("sends nothing where others do, and counts what they send but not who joins", async () => {
    const { group, traffic } = member();
    const run = traffic.run(load({ sends: false }));
    group.deliver(0);
    group.deliver(1);
    group.deliver(0);
    expect(await run).toMatchObject({ total: 0, delivered: 2, p50Us: null });
  });

  it("goes on with fewer when the kernel takes no more, and loses none", async () => {
    const { group, traffic } = member();
    group.room = 2;
    const run = traffic.run(load({ outstanding: 5 }));
    await serve(group, run);
    expect(await run).toMatchObject({ lost: 0, total: group.seqno - 1 });
  });

  it("fails when a message is missing from the order", async () => {
    const { group, traffic } = member();
    const run = traffic.run(load({ sends: false }));
    group.deliver();
    group.seqno++;
    group.deliver();
    await expect(run).rejects.toThrow("message 3 was delivered after 1");
  });

  it("fails when the group breaks, without a reset", async () => {
    const { group, traffic } = member();
    const run = traffic.run(load());
    await eventually(() => group.sends.length > 0);
    group.break();
    await expect(run).rejects.toThrow();
    expect(group.resets).toBe(0);
  });

  it("resets and goes on where a member is to die, and tells the gap", async () => {
    const { group, traffic } = member();
    const run = traffic.run(load({ recovers: true, untilUs: monotonicUs() + 300_000 }));
    await eventually(() => group.sends.length > 0);
    group.deliver();
    group.break();
    const broken = monotonicUs();
    await eventually(() => group.sends.length > 0 && monotonicUs() - broken > 20_000);
    await serve(group, run);
    const figures = await run;
    expect(group.resets).toBeGreaterThan(0);
    expect(figures.gapUs).toBeGreaterThan(20_000);
    expect(figures.lost).toBe(0);
  });

  it("gives its buffers back when the member ends", async () => {
    const { group, traffic } = member();
    await traffic.run(load({ sends: false, untilUs: monotonicUs() }));
    const last = group.buffers.take(64);
    traffic.close();
    expect(group.buffers.take(64)).toBeLessThan(last);
    expect(() => group.deliver()).toThrow("nobody receives");
  });
});
