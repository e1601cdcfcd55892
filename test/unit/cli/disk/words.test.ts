// What people type of disks. If one of these fails, a member lands at a place that nobody meant, a setting
// means something else than was typed, or something is destroyed without a question.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diskNames, memberNames } from "../../../../control/cli/completion/disks.js";
import { parsePlace, roomOf } from "../../../../control/cli/disk/create.js";
import { scrubText, settingsDocument, settingsOf } from "../../../../control/cli/disk/settings.js";
import { parseDuration, parseRate } from "../../../../control/cli/quantity.js";
import { newUpkeep } from "../../../../control/server/disk/storage/upkeep.js";
import { proteus } from "../command.js";

const dayMs = 86_400_000;
/** Nobody is asked: the words are wrong, or come first. */
const server = ["--server", "00".repeat(16), "--interface", "none"] as const;

describe("the place of a member", () => {
  it("is a machine and a path, or another disk", () => {
    expect(parsePlace("n1:/srv/d:1")).toEqual({ node: "n1", path: "/srv/d:1", isWitness: false });
    expect(parsePlace("n1:disk:inner")).toEqual({ node: "n1", path: "disk:inner", isWitness: false });
    const node = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const path = fc.string().map((text) => `/${text}`);
    fc.assert(
      fc.property(node, path, (on, at) => {
        expect(parsePlace(`${on}:${at}`)).toEqual({ node: on, path: at, isWitness: false });
      }),
    );
  });

  it.each(["", "n1", ":/srv/d", "n1:", "n1:srv/d", "n1:disk:", "/srv/d", "n1 /srv"])("is not %j", (text) => {
    expect(() => parsePlace(text)).toThrow(expect.objectContaining({ code: "DISK_PLACE" }));
  });

  it("has room for as much as was asked for, and never for less than the disk", () => {
    expect([roomOf({}, 7), roomOf({ room: "1M" }, 7), roomOf({ room: "1K" }, 4096)]).toEqual([
      7,
      1024 ** 2,
      4096,
    ]);
  });
});

describe("settings", () => {
  it("are what was typed, and nothing that was not", () => {
    expect(settingsOf({})).toEqual({});
    const words = {
      memberTimeout: "1500ms",
      resyncRest: "0",
      resyncRate: "0",
      scrubEvery: "30d",
      scrubRate: "50M/s",
    };
    expect(settingsOf(words)).toEqual({
      ...{ memberTimeoutMs: 1500, resyncRest: 0, resyncBytesPerSecond: 0 },
      ...{ scrubEveryMs: 30 * dayMs, scrubBytesPerSecond: 50 * 1024 ** 2 },
    });
    expect(settingsOf({ scrubEvery: "never" })).toEqual({ scrubEveryMs: 0 });
  });

  it.each([
    { memberTimeout: "100ms" },
    { memberTimeout: "1m" },
    { resyncRest: "much" },
    { resyncRest: "1001" },
    { scrubRate: "0" },
    { scrubEvery: "2y" },
    { resyncRate: "fast" },
  ])("cannot be %j", (words) => {
    expect(() => settingsOf(words)).toThrow(expect.objectContaining({ exit: 2 }));
  });

  it("have durations of days only where these make sense", () => {
    expect(parseDuration("2h")).toBe(2 * 3_600_000);
    expect(() => parseDuration("2d")).toThrow("not a duration");
    expect(() => parseRate("0")).toThrow("would never end");
  });

  it("are told to programs with times as everybody reads them, and what never was is null", () => {
    const { scrub, ...settings } = newUpkeep();
    const { block: _, ...state } = scrub;
    const upkeep = { ...settings, scrub: { ...state, percent: 0 } };
    expect(settingsDocument(upkeep)).toEqual({
      ...settings,
      scrub: { underWay: null, last: null, dueAt: null },
    });
    const busy = {
      ...upkeep,
      scrub: { ...upkeep.scrub, beganAt: 1000, percent: 40, mended: 1, endedAt: 500, lastMended: 0 },
    };
    expect(settingsDocument(busy)).toMatchObject({
      scrub: {
        underWay: { beganAt: "1970-01-01T00:00:01.000Z", percent: 40, mended: 1 },
        last: { endedAt: "1970-01-01T00:00:00.500Z", mended: 0 },
      },
    });
    expect(scrubText(busy)).toBe(
      "scrub: 40 % done, 1 bad block mended; last ended 1970-01-01T00:00:00.500Z, all was well; every 7d",
    );
    expect(scrubText(upkeep)).toBe("scrub: never ended; every 7d");
  });
});

describe("a command for disks", () => {
  it.each([
    [["create", "d", "--size", "1G"], "a disk has one member at least"],
    [["create", "d", "--size", "5000", "--member", "n1:/d"], "a disk of 5000 bytes"],
    [["create", "d", "--size", "1G", "--member", "n1:d"], '"n1:d" is no place of a member'],
    [
      ["create", "d", "--size", "1G", "--member", "n1:/d", "--ack", "some"],
      '"some" is no way to acknowledge',
    ],
    [
      ["create", "d", "--size", "1G", "--member", "n1:/d", "--member-timeout", "1ms"],
      "cannot be waited for 1ms",
    ],
    [["mark", "d", "n1", "good"], 'a member cannot be marked "good"'],
    [["show", "d", "--wait", "ok"], 'nothing is called "ok"'],
    [["scrub", "d", "--rate", "0"], "would never end"],
    [["settings", "d", "--resync-rest", "x"], 'cannot rest "x" times'],
  ])("%j is refused before anybody is asked", async (words, said) => {
    const { exit, stderr, stdout } = await proteus("disk", ...words, ...server);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(said);
  });
});

describe("names for a Tab", () => {
  it("are disks, and members by their machine where that is enough", () => {
    expect(diskNames([{ name: "d", age: "00112233445566778899" }])).toEqual([
      { value: "d", about: "disk, age 00112233" },
    ]);
    const members = [
      { node: "n1", path: "/a" },
      { node: "n2", path: "/a" },
      { node: "n2", path: "/with space" },
      { node: "n2", path: "/b" },
    ];
    expect(memberNames("d", members).map(({ value }) => value)).toEqual(["n1", "n1:/a", "n2:/a", "n2:/b"]);
  });
});
