// What it costs a disk to become whole again, on the lab, each with its own measure beside it.
//
// - blank: a member's medium is taken away while its machine is off; the time from the power to `ok`,
//   beside a plain copy of the same bytes: the slower of a copy on the same disk and of calls of
//   1 MiB over the same wire.
// - identical: all of a member is marked dirty though it is not; what its machine hears and says
//   meanwhile, as a part of the disk.
// - foreground: 4 KiB writes, one at a time, for as long while nothing else happens as while the blank
//   member is made whole.
// - checksums: what the digests of a request's bytes take, the way into the kernel's memory included.
// - failover: the machine that serves loses its power under writes; the longest of them.

import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type DigestHost, Digests } from "../../kernel/digests.js";
import { runTool } from "../../lab/tools.js";
import { median } from "../samples.js";
import type { Ratio, Run } from "../types.js";
import { runFio } from "./fio.js";
import type { OurDisk } from "./ours.js";
import type { HealingResult, HealingTest } from "./types.js";

const noticeMs = 60_000;

interface Given {
  readonly disk: OurDisk;
  readonly milliseconds: number;
  readonly abort: AbortSignal;
  readonly kernel: () => DigestHost;
}

/** Figures of one run, by name. */
type Figures = Readonly<Record<string, number>>;

/** A member's machine that does not serve. */
async function otherOf({ disk }: Given): Promise<string> {
  const [server, { members }] = [await disk.server(), await disk.show()];
  const other = members.find(({ node }) => node !== server);
  if (other === undefined) throw new Error("the disk has one member");
  return other.node;
}

async function takeMedium(given: Given, node: string): Promise<void> {
  const { disk, abort } = given;
  await disk.command("lab", "kill", node);
  const isDown = (shown: { members: readonly { node: string; state: string }[] }) =>
    shown.members.some((member) => member.node === node && member.state === "down");
  await disk.until(isDown, noticeMs, abort);
  rmSync(disk.fileOf(node));
}

const isSyncing = (shown: { members: readonly { state: string }[] }): boolean =>
  shown.members.some(({ state }) => state === "resyncing");

const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
};

/** Bytes a second of a plain copy on the same disk. */
async function copyRate({ disk }: Given, from: string): Promise<number> {
  const to = join(disk.place.folder, "copy");
  const command = ["dd", `if=${disk.fileOf(from)}`, `of=${to}`, "bs=1M", "conv=fsync", "status=none"];
  const seconds = await secondsOf(() => runTool(command));
  rmSync(to);
  return disk.place.bytes / seconds;
}

const callReport = z.object({ megabytesPerSecond: z.number() });

/** Bytes a second of calls of 1 MiB between two machines of the lab. */
async function wireRate({ disk }: Given, from: string, to: string): Promise<number> {
  const words = [
    "call",
    "--port",
    await disk.echoPort(to),
    "--sink",
    "--size",
    "1M",
    "--count",
    "200",
    "--json",
  ];
  return callReport.parse(JSON.parse(await disk.onMachine(from, ...words))).megabytesPerSecond * 1e6;
}

async function blank(given: Given): Promise<Figures> {
  const { disk, abort } = given;
  const node = await otherOf(given);
  const [copy, wire] = [await copyRate(given, node), await wireRate(given, await disk.server(), node)];
  await takeMedium(given, node);
  await disk.command("lab", "start", node);
  const begun = (await disk.until(isSyncing, noticeMs, abort)) / 1000;
  const seconds = (await disk.whole()) / 1000;
  const slower = Math.min(copy, wire);
  const [plain, rate] = [disk.place.bytes / slower, disk.place.bytes / seconds];
  return {
    ...{ "time to whole, s": begun + seconds, "plain copy, s": plain },
    "times a plain copy": (begun + seconds) / plain,
    ...{
      "resync, MB/s": rate / 1e6,
      "copy of the medium, MB/s": copy / 1e6,
      "calls of 1 MiB, MB/s": wire / 1e6,
    },
    "resync / the slower of them": rate / slower,
  };
}

async function identical(given: Given): Promise<Figures> {
  const { disk } = given;
  const node = await otherOf(given);
  const before = await disk.moved(node);
  await disk.command("disk", "mark", "bench", `${node}:${disk.fileOf(node)}`, "dirty");
  const seconds = (await disk.whole()) / 1000;
  const moved = (await disk.moved(node)) - before;
  return { "time to whole, s": seconds, "moved, % of the disk": (100 * moved) / disk.place.bytes };
}

const smallWrites = (given: Given): Promise<Run> =>
  runFio(
    {
      test: "write",
      depth: 1,
      uri: given.disk.uri,
      bytes: given.disk.place.bytes,
      milliseconds: given.milliseconds,
    },
    given.abort,
  );

async function foreground(given: Given): Promise<Figures> {
  const { disk, abort } = given;
  const idle = await smallWrites(given);
  const node = await otherOf(given);
  await takeMedium(given, node);
  await disk.command("lab", "start", node);
  await disk.until(isSyncing, noticeMs, abort);
  const busy = await smallWrites(given);
  const still = isSyncing(await disk.show());
  await disk.whole();
  if (!still) throw new Error("the disk was whole before the measurement ended: take a larger --size");
  return {
    "write p99 idle, µs": idle.p99Us ?? 0,
    "write p99 while resynchronising, µs": busy.p99Us ?? 0,
    "times idle": (busy.p99Us ?? 0) / (idle.p99Us ?? Number.NaN),
  };
}

async function failover(given: Given): Promise<Figures> {
  const { disk, abort } = given;
  const server = await disk.server();
  const running = runFio(
    { test: "write", depth: 1, uri: disk.lastingUri, bytes: disk.place.bytes, milliseconds: 15_000 },
    abort,
  );
  running.catch(() => undefined); // awaited below
  await disk.command("lab", "kill", server);
  const { longestUs } = await running;
  await disk.command("lab", "start", server);
  await disk.whole();
  return { "longest write, s": (longestUs ?? Number.NaN) / 1e6 };
}

const [blockBytes, mebibyte, digestRuns] = [4096, 1024 * 1024, 400];

/** What a checksum costs a request: of each block when it is written, and again when it is read. */
async function checksums({ kernel }: Given): Promise<Figures> {
  const digests = new Digests(kernel());
  const median1 = (bytes: number): number => {
    const data = randomBytes(bytes);
    const took = Array.from({ length: digestRuns }, () => {
      const begun = performance.now();
      digests.of(data, 1n);
      return 1000 * (performance.now() - begun);
    });
    return median(took);
  };
  return { "of 4 KiB, µs": median1(blockBytes), "of 1 MiB, µs": median1(mebibyte) };
}

const plays: Readonly<Record<HealingTest, (given: Given) => Promise<Figures>>> = {
  ...{ blank, identical, foreground, failover, checksums },
};

export interface HealingOptions extends Omit<Given, "disk"> {
  readonly tests: readonly HealingTest[];
  readonly runs: number;
  readonly make: () => Promise<OurDisk>;
  readonly progress: (test: HealingTest, run: number) => void;
}

/** Plays each test so often, on one disk; medians of the figures. */
export async function runHealing(options: HealingOptions): Promise<HealingResult[]> {
  if (options.tests.length === 0) return [];
  const disk = await options.make();
  const results: HealingResult[] = [];
  try {
    for (const test of options.tests) {
      const seen: Figures[] = [];
      let problem: string | undefined;
      for (let run = 0; run < options.runs && problem === undefined; run++) {
        options.progress(test, run);
        try {
          seen.push(await plays[test]({ ...options, disk }));
        } catch (error) {
          options.abort.throwIfAborted();
          problem = error instanceof Error ? error.message : String(error);
        }
      }
      results.push({
        ...{ test, runs: seen.length, figures: middles(seen) },
        ...(problem === undefined ? {} : { problem }),
      });
    }
  } finally {
    await disk.stop();
  }
  return results;
}

/** Medians of figures, by name. Pure. */
export function middles(runs: readonly Figures[]): HealingResult["figures"] {
  return Object.keys(runs[0] ?? {}).map((named) => {
    const [name = named, unit = "×"] = named.split(", ");
    return { name, unit, value: median(runs.map((run) => run[named] ?? Number.NaN)) };
  });
}

/** What is wanted of a figure. */
const goals: readonly [HealingTest, string, string, number, Ratio["better"]?][] = [
  ["blank", "times a plain copy", "a blanked member whole again / a plain copy", 1.3],
  ["blank", "resync / the slower of them", "resync / the slower of a plain copy and the wire", 0.8, "higher"],
  ["identical", "moved", "bytes moved to an identical member, % of the disk", 1],
  ["foreground", "times idle", "write p99 while resynchronising / idle", 2],
  ["failover", "longest write", "longest write over a power cut of the serving machine, s", 5],
];

/** The goals of which there are figures. Pure. */
export function healingRatiosOf(results: readonly HealingResult[]): Ratio[] {
  return goals.flatMap(([test, figure, name, goal, better = "lower"]) => {
    const found = results.find((each) => each.test === test)?.figures.find((each) => each.name === figure);
    if (found === undefined || !Number.isFinite(found.value)) return [];
    const { value } = found;
    return [{ name, value, better, goal, met: better === "lower" ? value <= goal : value >= goal }];
  });
}
