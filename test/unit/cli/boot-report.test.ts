// What `boot serve` tells the control daemons. If one of these fails, a flood of made-up machines keeps
// the daemons busy, or `node list` shows a step that is long past.

import { describe, expect, it } from "vitest";
import { BootReporter, reportPauseMs, reportsMax } from "../../../control/cli/boot-report.js";
import type { BootReport } from "../../../control/interface/pool.js";

const report = (mac: number, step: BootReport["step"]): BootReport => ({
  ...{ mac: `02:00:00:00:00:${mac.toString(16).padStart(2, "0")}`, name: `m${mac}`, kind: "metal", step },
});

/** A reporter whose reports end, and whose pauses pass, when the test says so. */
function made() {
  const sent: string[] = [];
  const pauses: number[] = [];
  let end: (taken: boolean) => void = () => undefined;
  let go: () => void = () => undefined;
  const reporter = new BootReporter({
    send: ({ name, step }) => {
      sent.push(`${name} ${step}`);
      return new Promise((resolve, reject) => {
        end = (taken) => (taken ? resolve() : reject(new Error("nobody")));
      });
    },
    after: (milliseconds, work) => {
      pauses.push(milliseconds);
      go = work;
    },
  });
  const passed = async (taken: boolean): Promise<void> => {
    const before = pauses.length;
    end(taken);
    for (let turns = 0; pauses.length === before && turns < 100; turns++) await Promise.resolve();
    expect(pauses.length).toBe(before + 1);
    go();
  };
  return { reporter, sent, pauses, passed };
}

describe("reports of machines that boot", () => {
  it("are one at a time, of each machine the latest", async () => {
    const { reporter, sent, passed } = made();
    reporter.say(report(1, "asked"));
    reporter.say(report(2, "asked"));
    reporter.say(report(1, "loading"));
    reporter.say(report(1, "booted"));
    expect(sent).toEqual(["m1 asked"]);
    await passed(true);
    await passed(true);
    await passed(true);
    expect(sent).toEqual(["m1 asked", "m1 booted", "m2 asked"]);
    reporter.say(report(3, null));
    expect(sent.at(-1)).toBe("m3 null");
  });

  it("are said again when no daemon took them, after a longer pause, until it is closed", async () => {
    const { reporter, sent, pauses, passed } = made();
    reporter.say(report(1, "asked"));
    await passed(false);
    expect(pauses).toEqual([reportPauseMs.failed]);
    expect(sent).toEqual(["m1 asked", "m1 asked"]);
    reporter.close();
    await passed(false);
    expect(sent.length).toBe(2);
  });

  it("wait in a bounded number", async () => {
    const { reporter, sent, passed } = made();
    for (let mac = 0; mac < reportsMax + 5; mac++) reporter.say({ ...report(mac, "asked"), mac: `${mac}` });
    for (let mac = 0; mac < reportsMax + 5; mac++) if (sent.length === mac + 1) await passed(true);
    expect(sent.length).toBe(reportsMax);
  });
});
