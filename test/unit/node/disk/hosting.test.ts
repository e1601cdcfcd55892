// Who serves a storage. If one of these fails, two machines serve one, or none does; or one goes on
// though another has it.

import { describe, expect, it } from "vitest";
import { Host, type HostOptions, Hosts } from "../../../../control/node/disk/hosting.js";
import type { Served } from "../../../../control/node/disk/served.js";
import type { MemberRecord } from "../../../../control/server/disk/member/record.js";
import { Room } from "../../kernel/booted.js";
import { recordOf } from "../../server/disk/fake-storage.js";
import { VirtualTime } from "../../server/disk/virtual-time.js";

const tickMs = 10;

/** A storage that is opened as the test says: `becomes` ready, `ends`. */
class Opened {
  ready = (): void => undefined;
  ended = (_why: Error): void => undefined;
  isStopped = false;
  isClosed = false;
  readonly storage = {
    ready: () =>
      new Promise<void>((resolve) => {
        this.ready = resolve;
      }),
    ended: new Promise<Error>((resolve) => {
      this.ended = resolve;
    }),
    stop: () => {
      this.isStopped = true;
      this.ended(new Error("stopped"));
    },
    close: async () => {
      this.isClosed = true;
      this.ended(new Error("closed"));
    },
    status: () => ({ state: "waiting", members: [{ node: "n1", state: "in-sync" }] }),
  };
}

/** One machine that knows storages from its media; nobody else is on its network. */
function machine(options: Partial<HostOptions> = {}) {
  const time = new VirtualTime();
  const room = new Room();
  const kernel = room.kernel();
  const tick = (): void => {
    room.clock.advance(tickMs * 1000);
    while (kernel.turn(0) > 0);
    time.after(tickMs, tick);
  };
  tick();
  const opened: Opened[] = [];
  const noticed: string[] = [];
  const failures: unknown[] = [];
  const all: HostOptions = {
    kernel,
    after: time.after,
    random: (bytes) => new Uint8Array(bytes),
    isElsewhere: async () => false,
    open: () => {
      const one = new Opened();
      opened.push(one);
      return one as unknown as Served;
    },
    failed: (error) => void failures.push(error),
    noticed: (name, what, why) => void noticed.push(`${name} ${what} ${why}`.trim()),
    ...options,
  };
  return { time, opened, noticed, failures, all };
}

const ranked = (place: number): MemberRecord => {
  const record = recordOf();
  return { ...record, member: record.members[place]?.id ?? new Uint8Array(16) };
};

describe("a machine with a member of a storage", () => {
  it("serves it when nobody does, and says so once it has its members", async () => {
    const { time, opened, noticed, all, failures } = machine();
    const hosts = new Hosts(all);
    hosts.found([ranked(0)]);
    await time.until(() => opened.length === 1, 5000);
    const host = hosts.get("d");
    expect([host?.isOpen, host?.isServing, host?.serving]).toEqual([true, false, null]);
    expect(host?.why).toBe("it is waiting; its members here: n1 in-sync");
    opened[0]?.ready();
    await time.run(1);
    expect([host?.isServing, host?.why]).toEqual([true, ""]);
    expect(noticed).toEqual(["d served"]);
    await hosts.close();
    expect(opened[0]?.isClosed).toBe(true);
    expect(failures).toEqual([]);
  });

  it("tries the sooner the earlier its member stands in the record", async () => {
    const begun = async (place: number): Promise<number> => {
      const { time, opened, all } = machine();
      new Hosts(all).found([ranked(place)]);
      await time.until(() => opened.length === 1, 10_000);
      return time.now;
    };
    const [first, second, third] = [await begun(0), await begun(1), await begun(2)];
    expect(second - first).toBeGreaterThanOrEqual(250);
    expect(third - first).toBeGreaterThanOrEqual(500);
  });

  it("watches again when what it served has ended, and serves it anew", async () => {
    const { time, opened, noticed, all } = machine();
    const hosts = new Hosts(all);
    hosts.found([ranked(0)]);
    await time.until(() => opened.length === 1, 5000);
    opened[0]?.ready();
    await time.run(1);
    opened[0]?.ended(new Error("fenced"));
    await time.run(1);
    expect(hosts.get("d")?.isServing).toBe(false);
    expect(noticed).toEqual(["d served", "d ended fenced"]);
    await time.until(() => opened.length === 2, 5000);
  });

  it("lets a storage go that another machine has, when it only waited for members itself", async () => {
    let isElsewhere = false;
    const { time, opened, noticed, all } = machine({ isElsewhere: async () => isElsewhere });
    const hosts = new Hosts(all);
    hosts.found([ranked(0)]);
    await time.until(() => opened.length === 1, 5000);
    await time.run(6000); // it has its port by now: whoever asks is told why it is not served
    expect(opened[0]?.isStopped).toBe(false);
    isElsewhere = true;
    await time.until(() => opened[0]?.isStopped === true, 5000);
    expect(noticed).toEqual([]);
  });

  it("forgets what is no longer on its media, unless it is being opened or served", async () => {
    const { time, opened, all } = machine();
    const hosts = new Hosts(all);
    hosts.found([ranked(0)]);
    hosts.found([]);
    expect(hosts.all()).toEqual([]);
    hosts.found([ranked(0)]);
    await time.until(() => opened.length === 1, 5000);
    hosts.found([]);
    expect(hosts.all()).toHaveLength(1);
  });

  it("does not begin anew with a storage that is being deleted", async () => {
    const { time, opened, all } = machine();
    const hosts = new Hosts(all);
    const record = ranked(0);
    hosts.found([record]);
    await time.until(() => opened.length === 1, 5000);
    await hosts.forget(record.storage.age, async () => {
      hosts.found([record]);
      expect(hosts.all()).toEqual([]);
    });
    expect(opened[0]?.isStopped).toBe(true);
    hosts.found([record]); // its medium was not detached after all
    expect(hosts.all()).toHaveLength(1);
  });
});

describe("a storage that was just made", () => {
  it("is served here, or by a machine that was sooner", async () => {
    const here = machine();
    const made = new Hosts(here.all).made(ranked(1));
    await here.time.run(100);
    here.opened[0]?.ready();
    expect((await here.time.during(made)).isServing).toBe(true);
    const there = machine({ isElsewhere: async () => true });
    expect((await there.time.during(new Hosts(there.all).made(ranked(1)))).isServing).toBe(false);
  });

  it("that is not served after a while is an error that says what it waits for", async () => {
    const { time, all } = machine();
    await expect(time.during(new Hosts(all).made(ranked(0)), 30_000)).rejects.toMatchObject({
      code: "DISK_NO_QUORUM",
      message: expect.stringContaining("n1 in-sync"),
    });
  });
});

describe("a storage that is moved", () => {
  const serving = async () => {
    const { time, opened, noticed, all } = machine();
    const host = new Host(all, ranked(0), 0);
    host.open();
    await time.run(1);
    opened[0]?.ready();
    await time.run(1);
    return { time, opened, noticed, host };
  };

  it("keeps its port until the next machine serves it", async () => {
    const { time, opened, noticed, host } = await serving();
    let isServedThere = false;
    const gone = host.letGo(async () => isServedThere);
    await time.run(3000);
    expect([opened[0]?.isClosed, host.isServing]).toEqual([true, true]);
    isServedThere = true;
    await time.during(gone);
    expect(host.isServing).toBe(false);
    expect(noticed.at(-1)).toBe("d ended it was moved");
  });

  it("is waited for not for ever: who let it go serves it again when nobody came", async () => {
    const { time, opened, host } = await serving();
    await time.during(
      host.letGo(async () => false),
      30_000,
    );
    await time.until(() => opened.length === 2, 5000);
  });
});
