// The benchmark as someone runs it: every system, test and wire gives figures, what is
// missing says so, and nothing is left afterwards.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../control/bench/compare.js";
import { leadingFigure } from "../../control/bench/fs/results.js";
import { commonFsTests, type FsReport, fsTests } from "../../control/bench/fs/types.js";
import type { Report, Result } from "../../control/bench/types.js";
import { commandOf, listProcesses, waitUntil } from "../../control/lab/processes.js";
import { isLong } from "../simulation/seeds.js";
import { LabRunner, systemNetwork } from "./lab-runner.js";

const browser = "/usr/bin/chromium";
const quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** The page as a browser has it when it is done with it. */
async function shownBy(path: string): Promise<string> {
  const words = [...quiet, ...offline, "--dump-dom", pathToFileURL(path).href];
  return (await promisify(execFile)(browser, words, { timeout: 60_000, maxBuffer: 1 << 26 })).stdout;
}

const root = process.getuid?.() === 0;
if (!root) console.warn("skipped: the benchmark needs root (raw sockets)");

describe.skipIf(!root)("proteus bench", () => {
  const lab = new LabRunner();
  const before = systemNetwork();
  afterAll(() => lab.close());

  function nothingIsLeft(): void {
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  }

  async function bench(...words: string[]): Promise<Report> {
    const { stdout } = await lab.must(["bench", ...words, "--quick", "--json"]);
    nothingIsLeft();
    return JSON.parse(stdout) as Report;
  }

  /** The rows that were measured; the others must say what to install. */
  function measured({ results }: Report): Result[] {
    for (const { problem } of results)
      if (problem !== undefined) expect(problem).toContain("is not installed");
    return results.filter(({ problem }) => problem === undefined);
  }

  it("measures every system with null calls", async () => {
    // Many clients warm up for long, each system for itself: all of them in the long tier.
    const tests = isLong ? ["null-rpc", "rate-8"] : ["null-rpc"];
    const report = await bench(...tests, "--placement", "X", "--link", "veth");
    const rows = measured(report);
    const systems = ["flip", "flip-explicit-ack", "floor", "spin-tcp", "node-tcp", "node-udp", "http"];
    expect(rows.map(({ system }) => system)).toEqual(expect.arrayContaining(systems));
    for (const { test, system, p50Us, callsPerSecond, each } of rows) {
      if (test === "null-rpc") expect(p50Us, system).toBeGreaterThan(0);
      else expect(callsPerSecond, system).toBeGreaterThan(0);
      expect(each).toHaveLength(1);
    }
    expect(report.environment.runs).toBe(1);
    expect(report.environment.congestion.available.length).toBeGreaterThan(0);
    expect(rows.find(({ system }) => system === "flip")?.each[0]?.samplesUs?.length).toBeGreaterThan(0);
  });

  it("measures many clients at once", async () => {
    const words = ["rate-8", "--placement", "X", "--link", "veth", "--system", "flip,floor,nats"];
    for (const { system, callsPerSecond } of measured(await bench(...words)))
      expect(callsPerSecond, system).toBeGreaterThan(0);
  });

  it("measures data in both directions", async () => {
    const words = ["call-4k", "reply-1m", "--mtu", "9000", "--system", "flip,node-tcp,grpc,nats"];
    for (const { system, megabytesPerSecond, mtu } of measured(await bench(...words))) {
      expect(megabytesPerSecond, system).toBeGreaterThan(0);
      expect(mtu).toBe(9000);
    }
  });

  it("measures on links that are narrow, lose frames or have routers", async () => {
    const words = ["call-1m", "null-rpc", "--mtu", "1500", "--system", "flip,iperf3-cubic"];
    const rows = measured(await bench(...words, "--link", "1gbit,loss-1%,routers-2", "--placement", "X"));
    const flip = rows.filter(({ system }) => system === "flip");
    expect(new Set(flip.map(({ link }) => link))).toEqual(new Set(["1gbit", "loss-1%", "routers-2"]));
    for (const { test, p50Us, megabytesPerSecond } of flip)
      expect(test === "null-rpc" ? p50Us : megabytesPerSecond).toBeGreaterThan(0);
    const narrow = flip.find(({ link }) => link === "1gbit");
    expect(narrow?.megabytesPerSecond).toBeLessThan(126); // the link does hold
  });

  if (isLong)
    it("measures load, idleness, incast and a shared link", async () => {
      const report = await bench("open-loop", "idle", "incast", "sharing", "--system", "flip,iperf3-cubic");
      const rows = new Map(measured(report).map((row) => [`${row.test} ${row.system}`, row]));
      const curve = rows.get("open-loop flip")?.curve ?? [];
      expect(curve.map(({ load }) => load)).toEqual([0.1, 0.25, 0.5, 0.75, 0.9]);
      expect(rows.get("idle flip")?.residentMegabytes).toBeGreaterThan(0);
      expect(rows.get("incast flip")?.megabytesPerSecond).toBeGreaterThan(0);
      expect(rows.get("sharing flip")?.megabytesPerSecond).toBeGreaterThan(0);
      expect(report.ratios.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["incast of 15, goodput / link"]),
      );
    });

  it("writes a report that a browser shows and that compares with another", async () => {
    const folder = join(lab.folder, "report");
    const { stdout, stderr } = await lab.must([
      ...["bench", "null-rpc", "--link", "veth", "--placement", "S", "--system", "flip,floor"],
      ...["--quick", "--runs", "4", "--report", folder],
    ]);
    nothingIsLeft();
    expect(stdout).toContain("null-rpc");
    expect(stderr).toContain(join(folder, "report.html"));
    const json = join(folder, "report.json");
    const same = await lab.must(["bench", "compare", json, json, "--all"]);
    expect(same.stdout).toContain("2 rows: 0 better, 0 worse, 2 the same");
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    const slower = report.results.map((row) => ({
      ...row,
      each: row.each.map((run) => ({ ...run, p50Us: (run.p50Us ?? 0) * 100 })),
    }));
    const worse = join(folder, "worse.json");
    writeFileSync(worse, JSON.stringify({ ...report, results: slower }));
    const outcome = await lab.run(["bench", "compare", json, worse, "--json"]);
    expect(outcome.status).toBe(1);
    const { changes } = JSON.parse(outcome.stdout) as Comparison;
    expect(changes.map(({ verdict }) => verdict)).toEqual(["worse", "worse"]);
    if (existsSync(browser)) expect(await shownBy(join(folder, "report.html"))).toMatch(/<svg[\s\S]*<svg/);
    else console.warn(`skipped: ${browser} is not installed, the page was not opened in it`);
  });

  it("measures between two nodes of a running lab and leaves them as they are", async () => {
    await lab.must(["lab", "up", "--nodes", "2"]);
    try {
      const words = ["null-rpc", "--between", "n1", "n2", "--placement", "X", "--system", "flip,node-tcp"];
      const { stdout } = await lab.must(["bench", ...words, "--quick", "--json"]);
      const { results, environment, ratios } = JSON.parse(stdout) as Report;
      expect(results.map(({ system, link }) => [system, link])).toEqual([
        ["flip", "between"],
        ["node-tcp", "between"],
      ]);
      for (const { p50Us } of results) expect(p50Us).toBeGreaterThan(0);
      expect(ratios.map(({ name }) => name)).toEqual(["null RPC p50 / Node TCP p50, X"]);
      expect(environment.cards?.map(({ machine }) => machine)).toEqual(["n1", "n2"]);
      for (const { driver } of environment.cards ?? []) expect(["veth", null]).toContain(driver);
      expect((await lab.status()).nodes.map(({ name }) => name)).toEqual(["n1", "n2"]);
      const absent = await lab.run(["bench", "--between", "n1", "n7"]);
      expect(absent.status).toBe(3);
      expect(absent.stderr).toContain("n7");
    } finally {
      await lab.must(["lab", "down"]);
    }
    nothingIsLeft();
  });

  const fsWords = ["fs", "--count", "5", "--time", "20ms", "--size", "1M", "--files", "4", "--records", "6"];

  it("measures a mounted volume beside the local disk and libfuse's passthrough_ll", async () => {
    const folder = join(lab.folder, "volumes");
    mkdirSync(folder);
    const words = ["bench", ...fsWords, "--runs", "1", "--folder", folder, "--json"];
    const { results, ratios, environment } = JSON.parse((await lab.run(words)).stdout) as FsReport;
    const problems = results.filter(
      ({ problem = "is not installed" }) => !problem.includes("is not installed"),
    );
    expect(problems).toEqual([]);
    const ours = results.filter(({ system }) => system === "proteus");
    expect(ours.map(({ test }) => test)).toEqual(fsTests);
    for (const each of ours) expect(each[leadingFigure(each.test)], each.test).toBeGreaterThan(0);
    const local = results.filter(({ system }) => system === "local");
    expect(local.map(({ test, runs }) => [test, runs])).toEqual(commonFsTests.map((test) => [test, 1]));
    expect(ours.find(({ test }) => test === "close-to-read-strict")?.stale).toBe(0);
    expect(ours.find(({ test }) => test === "reintegrate-files")?.records).toBe(6);
    expect(ratios.map(({ name }) => name)).toContain("calls of a warm open-read-close");
    expect(environment.files).toBe(4);
    expect(readdirSync(folder)).toEqual([]);
    nothingIsLeft();
  });

  it("leaves no mount when a benchmark of volumes is interrupted", async () => {
    const folder = join(lab.folder, "interrupted");
    mkdirSync(folder);
    const used = () => listProcesses().some((pid) => commandOf(pid, 1000).includes(`${folder}/`));
    const running = lab.start(["bench", ...fsWords, "--runs", "1000", "--folder", folder]);
    expect(await waitUntil(used, 60_000)).toBe(true);
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
    expect(used()).toBe(false);
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(folder);
    nothingIsLeft();
  });

  it("refuses to compare what is no report", async () => {
    const file = join(lab.folder, "none.json");
    writeFileSync(file, "{}");
    const { status, stderr } = await lab.run(["bench", "compare", file, file]);
    expect(status).toBe(2);
    expect(stderr).toContain("is not a report of the benchmark");
    expect((await lab.run(["bench", "compare", `${file}x`, file])).status).toBe(3);
  });

  it("leaves nothing when it is interrupted", async () => {
    const running = lab.start(["bench", "incast", "--runs", "1000"]);
    expect(await waitUntil(() => lab.processes().length > 0, 20_000)).toBe(true);
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    nothingIsLeft();
  });

  it.each([
    [["null-rpc", "--system", "corosync"], "no system"],
    [["null-rpc", "--link", "loss-7%"], "no link"],
    [["idle", "--system", "floor"], "nothing in common"],
    [["call-2k"], "no test"],
  ])("refuses %s", async (words, said) => {
    const { status, stderr } = await lab.run(["bench", ...words]);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
  });
});
