// How many calls are under way. If this fails, a server without a free thread makes calls wait for
// half a second each, or a call that failed holds its place for ever.

import { describe, expect, it } from "vitest";
import { AtOnce } from "../../../../control/server/disk/at-once.js";

describe("calls at once", () => {
  it("are so many, in the order in which they came, also when some fail", async () => {
    const calls = new AtOnce(3);
    const [begun, ends]: [number[], (() => void)[]] = [[], []];
    let running = 0;
    let most = 0;
    const all = Array.from({ length: 10 }, (_, at) =>
      calls.take(async () => {
        begun.push(at);
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => ends.push(resolve));
        running--;
        if (at % 4 === 1) throw new Error(`${at}`);
        return at;
      }),
    );
    const ended = Promise.allSettled(all);
    for (let at = 0; at < 10; at++) {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      ends.shift()?.();
    }
    const results = await ended;
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(most).toBe(3);
    expect(results.map(({ status }) => status).filter((status) => status === "rejected")).toHaveLength(3);
    expect(await calls.take(async () => 7)).toBe(7);
  });
});
