// Copies of files on a lab's machines. If one of these fails, a file whose medium has rotted, or
// whose machine is gone for good, is lost though there was another copy, or nobody makes a new one.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Outcome } from "./lab-runner.js";
import { Programs, until } from "./programs.js";
import { settled } from "./settled.js";

const longMs = 240_000;
const patienceMs = 60_000;

interface Report {
  readonly files: number;
  readonly whole: number;
  readonly acts: readonly { readonly act: string; readonly path: string; readonly server: string }[];
  readonly problems: readonly { readonly path: string; readonly code: string }[];
}

describe("copies of files", () => {
  const pool = new Programs();
  const { lab } = pool;
  const must = async (...words: string[]): Promise<string> =>
    (await lab.must(words, { cwd: lab.folder })).stdout;
  const run = (...words: string[]): Promise<Outcome> => lab.run(words, { cwd: lab.folder });
  const volume = (node: string) => join(lab.state, "copies/nodes", node, "bullet.volume");
  const asked = async (...words: string[]): Promise<{ status: number; report: Report }> => {
    const { status, stdout, stderr } = await run("replication", ...words, "--json");
    if (stdout === "") throw new Error(stderr);
    return { status, report: (JSON.parse(stdout) as { report: Report }).report };
  };
  const check = async (node: string): Promise<number> => (await run("bullet", "check", node)).status;
  /** Machines that have a copy. */
  const holders = (text: string): string[] =>
    ["n1", "n2", "n3"].filter((node) => readFileSync(volume(node)).includes(text));
  /** Changes one byte of a content on a machine's medium while the machine is off. */
  const rot = async (node: string, text: string): Promise<void> => {
    await settled(volume(node));
    await must("lab", "kill", node);
    const bytes = readFileSync(volume(node));
    const at = bytes.indexOf(text);
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0x2a;
    writeFileSync(volume(node), bytes);
    await must("lab", "start", node);
  };
  const put = (path: string, text: string): Promise<Outcome> =>
    lab.must(["put", "-", path, "--copies", "2"], { cwd: lab.folder, input: text });

  beforeAll(async () => {
    const bullet = "bullet: { size: 16M }";
    const node = (more: string) => `{ kind: pool, networks: [lan0], ${more} }`;
    const nodes = [
      ...["n1", "n2", "n3"].map((name) => `${name}: ${node(bullet)}`),
      `n4: ${node("directory: true, replication: { interval: 2, grace: 25 }")}`,
    ];
    const file = join(lab.folder, "copies.yaml");
    writeFileSync(file, `name: copies\nnetworks: { lan0: }\nnodes: { ${nodes.join(", ")} }\n`);
    await pool.up(file);
  }, patienceMs);
  afterAll(() => pool.close());

  it(
    "are mended where they have rotted: a reader sees nothing of it",
    async () => {
      const text = "precious words of the first file";
      await put("/first", text);
      const [damaged = "", ...others] = holders(text);
      expect(others).toHaveLength(1);
      await rot(damaged, text);
      expect(await check(damaged)).toBe(6);
      expect(await must("cat", "/first")).toBe(text);
      await until(
        "the mended copy",
        async () => {
          // Who answers first is read: when that was the other copy, nobody has seen the damage yet.
          expect(await must("cat", "/first")).toBe(text);
          return (await check(damaged)) === 0 ? true : undefined;
        },
        patienceMs,
      );
      expect(await must("cat", "/first")).toBe(text);
      const { status, report } = await asked("run", "n4", "--verify");
      expect({ status, report }).toMatchObject({
        status: 0,
        report: { files: 1, whole: 1, acts: [], problems: [] },
      });
    },
    longMs,
  );

  it(
    "are found by reading all of them, where nobody has read",
    async () => {
      const text = "words that nobody reads for a long time";
      await put("/second", text);
      const [damaged = ""] = holders(text);
      await rot(damaged, text);
      const { report } = await asked("run", "n4", "--verify");
      expect(report).toMatchObject({ whole: 2, problems: [], acts: [{ act: "mend", path: "/second" }] });
      expect(await check(damaged)).toBe(0);
    },
    longMs,
  );

  it(
    "are made elsewhere when a machine is gone for good",
    async () => {
      const text = "words that outlive a machine";
      await put("/third", text);
      const [gone = "", kept = ""] = holders(text);
      const third = ["n1", "n2", "n3"].find((node) => node !== gone && node !== kept) ?? "";
      await must("lab", "kill", gone);
      await until(
        "the new copy",
        async () => {
          if (!readFileSync(volume(third)).includes(text)) return undefined;
          const { report } = await asked("run", "n4", "--dry-run");
          return report.whole === report.files && report.problems.length === 0 ? true : undefined;
        },
        patienceMs,
      );
      expect(await must("cat", "/third")).toBe(text);
      await must("lab", "kill", kept);
      expect(await must("cat", "/third")).toBe(text);
      await until(
        "a round that misses copies",
        async () => {
          const { status, report } = await asked("run", "n4");
          return status === 6 && report.problems.some(({ code }) => code === "REPLICATION_SHORT")
            ? true
            : undefined;
        },
        patienceMs,
      );
      expect(await must("cat", "/third")).toBe(text);
    },
    longMs,
  );
});
