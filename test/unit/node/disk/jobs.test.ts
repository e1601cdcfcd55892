// What is begun on a storage. If one of these fails, whoever asked for something waits for ever, is told a
// number instead of a reason, or has two things done at once that must not be.

import { describe, expect, it } from "vitest";
import { Jobs } from "../../../../control/node/disk/jobs.js";
import { DiskError } from "../../../../control/server/disk/errors.js";
import { VirtualTime } from "../../server/disk/virtual-time.js";

const never = (): Promise<never> => new Promise(() => undefined);

describe("a job", () => {
  it("that ends soon is answered with what came of it", async () => {
    const time = new VirtualTime();
    const jobs = new Jobs(time.after);
    const job = await time.during(jobs.begin("grow", async () => ({ size: 7 })));
    expect(job).toEqual({ number: 1, operation: "grow", state: "done", result: { size: 7 } });
  });

  it("that goes on is answered all the same, and tells how far it is and how it ended", async () => {
    const time = new VirtualTime();
    const jobs = new Jobs(time.after);
    const begun = jobs.begin("verify", async (progress) => {
      await time.pause(1000);
      progress({ blocks: 5 });
      await time.pause(5000);
      return { blocks: 9 };
    });
    expect(await time.during(begun)).toMatchObject({ state: "running", result: { blocks: 5 } });
    await time.run(5000);
    expect(jobs.all()).toEqual([{ number: 1, operation: "verify", state: "done", result: { blocks: 9 } }]);
  });

  it("that is said no to has the reason, in words; what passes is thrown, for the next server", async () => {
    const time = new VirtualTime();
    const jobs = new Jobs(time.after);
    const fail = (code: "DISK_SHORT" | "DISK_GONE") => async () => {
      throw new DiskError(code, "n1:/m is too small");
    };
    expect(await time.during(jobs.begin("grow", fail("DISK_SHORT")))).toMatchObject({
      state: "failed",
      result: { code: "DISK_SHORT", why: "n1:/m is too small" },
    });
    await expect(time.during(jobs.begin("grow", fail("DISK_GONE")))).rejects.toMatchObject({
      code: "DISK_GONE",
    });
    await expect(
      time.during(
        jobs.begin("grow", async () => {
          throw new TypeError("a bug");
        }),
      ),
    ).rejects.toThrow("a bug");
  });

  it("is not begun beside one of its kind, nor when too many run; a few old ones are remembered", async () => {
    const time = new VirtualTime();
    const jobs = new Jobs(time.after);
    for (let at = 0; at < 12; at++) await time.during(jobs.begin("mark", async () => ({ at })));
    expect(jobs.all().map(({ result }) => result.at)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    await time.during(jobs.begin("scrub", never));
    await expect(jobs.begin("scrub", never)).rejects.toMatchObject({ status: expect.any(Number) });
    for (const operation of ["verify", "grow", "attach"]) await time.during(jobs.begin(operation, never));
    await expect(jobs.begin("replace", never)).rejects.toMatchObject({ status: expect.any(Number) });
  });
});
