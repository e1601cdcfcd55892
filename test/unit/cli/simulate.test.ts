// If one of these fails, a failure cannot be replayed from the command that it printed, or a
// mistake on the command line runs something else.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { proteus } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "proteus-test-"));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
afterAll(() => rmSync(folder, { recursive: true }));

const short = ["--hours", "0.002", "--jobs", "1"];

describe("proteus simulate", () => {
  it("says the same of the same seed, twice", async () => {
    const words = ["simulate", "--seed", "42", ...short, "--json"];
    const [one, other] = [await proteus(...words), await proteus(...words)];
    expect(one.exit).toBe(0);
    const report = JSON.parse(one.stdout);
    expect(report).toMatchObject({ schema: 1, seeds: 1, ok: true, failures: [] });
    expect(report.eventHash).toMatch(/^[0-9a-f]{16}$/);
    expect(report.kernel).toMatch(/^[0-9a-f]{64}$/);
    expect(report.simulatedHours).toBeGreaterThan(0.002);
    expect(JSON.parse(other.stdout).eventHash).toBe(report.eventHash);
  });

  it("takes a seed from the commit when it is given none, and says which", async () => {
    const { stderr, exit } = await proteus("simulate", ...short, "--json");
    expect(exit).toBe(0);
    expect(stderr).toMatch(/^seed \d+, of commit/);
  });

  it("reports a failure with a command that finds it again, and fewer faults", async () => {
    const workload = file(
      "bad.mjs",
      `export default () => ({ name: "bad", start: (cluster) => {
         const [machine] = cluster.machines;
         cluster.onCrash(machine, () => cluster.fail("crashed", machine.name));
         return { finish() {}, idle: () => true, judge() {} };
       } });`,
    );
    const faults = file("rates.json", '{"crash": 300, "pause": 60, "loss": 30}');
    const words = ["--hours", "0.005", "--jobs", "1", "--workload", workload, "--faults", faults];
    const { stdout, stderr, exit } = await proteus("simulate", "--seeds", "1..2", ...words, "--json");
    expect(exit).toBe(1);
    const { failures } = JSON.parse(stdout);
    expect(failures).toHaveLength(2);
    expect(failures[0]).toMatchObject({ seed: 1, checker: "crashed", what: "machine0" });
    expect(failures[0].replay).toMatch(/^npx proteus simulate --seed 1 --workload .*bad\.mjs --hours 0\.005/);
    const small = /--faults (\S+\.json)\n/g.exec(stderr.slice(stderr.indexOf("are enough")))?.[1] ?? "";
    expect(JSON.parse(readFileSync(small, "utf8"))).toMatchObject([{ kind: "crash", machine: "machine0" }]);
    const again = await proteus(
      "simulate",
      "--seed",
      "1",
      ...words.slice(0, 6),
      "--faults",
      small,
      "--no-shrink",
    );
    expect(again.exit).toBe(1);
    rmSync(join(small, ".."), { recursive: true });
  });

  it("writes frames for Wireshark and a timeline for Perfetto", async () => {
    const [pcap, timeline] = [join(folder, "run.pcap"), join(folder, "run.json")];
    const { exit } = await proteus(
      "simulate",
      "--seed",
      "3",
      ...short,
      "--pcap",
      pcap,
      "--timeline",
      timeline,
    );
    expect(exit).toBe(0);
    const bytes = readFileSync(pcap);
    expect(bytes.readUInt32LE(0)).toBe(0xa1b2c3d4);
    expect(bytes.readUInt32LE(20)).toBe(1);
    let frames = 0;
    for (let at = 24; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) frames++;
    expect(frames).toBeGreaterThan(100);
    const { traceEvents } = JSON.parse(readFileSync(timeline, "utf8")) as {
      traceEvents: { ph: string; name: string; args?: { name?: string } }[];
    };
    const tracks = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args?.name);
    expect(tracks).toEqual(expect.arrayContaining(["faults", "server0", "client0"]));
    expect(traceEvents.filter(({ ph }) => ph === "b").length).toBeGreaterThan(10);
  });

  it.each([
    [["--seed", "x"], /not a seed/],
    [["--seed", "1", "--seeds", "1..2"], /exclude/],
    [["--seeds", "5..1"], /holds no seed/],
    [["--seeds", "5"], /no seeds/],
    [["--hours", "-1"], /number of hours/],
    [["--machines", "1"], /at least 2/],
    [["--workload", "dance"], /no workload "dance"/],
    [["--workload", "./not-there.js"], /cannot be loaded/],
    [["--seeds", "1..2", "--pcap", "x.pcap"], /one seed/],
    [["--faults", file("bad.json", "[1]")], /holds no faults/],
  ])("refuses %j", async (words, message) => {
    const { stderr, exit } = await proteus("simulate", "--seed", "1", ...words.flat()).then((said) =>
      words[0] === "--seeds" || words[0] === "--seed" ? proteus("simulate", ...words) : said,
    );
    expect(exit).toBe(2);
    expect(stderr).toMatch(message);
  });
});
