// Files at the command line, on a lab's machines. If one of these fails, a tree comes out of the
// pool other than it went in, or a machine that dies takes files with it.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isLong } from "../simulation/seeds.js";
import type { Outcome } from "./lab-runner.js";
import { Programs, until } from "./programs.js";

const project = fileURLToPath(new URL("../..", import.meta.url));
const longMs = 600_000;

describe("files of a pool", () => {
  const pool = new Programs();
  const folder = mkdtempSync(join(tmpdir(), "files-"));
  const run = (...words: string[]): Promise<Outcome> => pool.lab.run(words, { cwd: folder });
  const must = async (...words: string[]): Promise<string> =>
    (await pool.lab.must(words, { cwd: folder })).stdout;
  const json = async (...words: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await must(...words, "--json")) as Record<string, unknown>;
  const differences = (one: string, other: string): string =>
    execFileSync("diff", ["-r", "--no-dereference", one, join(folder, other)], { cwd: folder }).toString();

  beforeAll(async () => {
    const size = isLong ? "1G" : "32M";
    const node = (server: string) => `{ kind: pool, networks: [lan0], directory: true${server} }`;
    const bullet = `, bullet: { size: ${size} }`;
    const nodes = `n1: ${node(bullet)}, n2: ${node(bullet)}, n3: ${node("")}`;
    const file = join(folder, "lab.yaml");
    writeFileSync(file, `name: files\nnetworks: { lan0: { mtu: 1500 } }\nnodes: { ${nodes} }\n`);
    await pool.up(file);
  }, 60_000);
  afterAll(async () => {
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("go in and come out identical, by name from everywhere", async () => {
    const tree = join(project, "control/files");
    await must("mkdir", "-p", "/home/alice");
    expect(await json("put", "-r", tree, "/home/alice")).toMatchObject({ failed: 0, directories: 1 });
    expect(await json("get", "-r", "/home/alice/files", "out")).toMatchObject({ failed: 0 });
    expect(differences(tree, "out")).toBe("");
    const { status, stdout } = await pool.run(
      "n3",
      "cat",
      "/home/alice/files/each.ts",
      "--root",
      await root(),
    );
    expect(status).toBe(0);
    expect(stdout).toContain("export async function forEach");
    const none = await run("cat", "/home/bob/each.ts", "--json");
    expect(none.status).toBe(3);
    expect(JSON.parse(none.stderr)).toMatchObject({
      error: { code: "NAME_NOT_FOUND", why: expect.stringContaining("bob in /home") },
    });
    expect(await json("rm", "-r", "/home/alice", "--dry-run")).toMatchObject({ directories: 2, failed: 0 });
    expect(await json("rm", "-r", "/home/alice")).toMatchObject({ directories: 2, failed: 0 });
    expect(await json("ls", "/home")).toMatchObject({ entries: [] });
  });

  if (isLong)
    it("take what stands on standard input: nothing, a line, and more than one piece", async () => {
      await must("mkdir", "-p", "/pipes");
      const large = Array.from(
        { length: 400_000 },
        (_, line) => `${line} of what came through a pipe\n`,
      ).join("");
      for (const [name, input] of Object.entries({ nothing: "", line: "hello\n", large })) {
        const stored = await pool.lab.must(["put", "-", `/pipes/${name}`, "--json"], { cwd: folder, input });
        expect(JSON.parse(stored.stdout)).toMatchObject({
          files: 1,
          bytes: input.length,
          replaced: 0,
          failed: 0,
        });
        expect((await must("cat", `/pipes/${name}`)) === input, name).toBe(true);
      }
      // It takes another's place when it is whole.
      await pool.lab.must(["put", "-", "/pipes/large"], { cwd: folder, input: "less\n" });
      expect(await must("cat", "/pipes/large")).toBe("less\n");
      expect(await json("rm", "-r", "/pipes")).toMatchObject({ failed: 0 });
    });

  const root = async (): Promise<string> => String((await json("capability", "give", "/")).capability);

  if (isLong)
    it(
      "survive that a machine dies while thousands go in",
      async () => {
        const tree = join(folder, "tree");
        for (const name of ["typescript", "zod", "koffi", "@grpc", "commander", "yaml"])
          cpSync(join(project, "node_modules", name), join(tree, name), {
            recursive: true,
            dereference: true,
          });
        const storing = pool.lab.start(["put", "-r", tree, "/tree", "--json", "--timeout", "120s"], {
          cwd: folder,
        });
        await until("the first files", async () => {
          const { status, stdout } = await run("find", "/tree", "--type", "d", "--json");
          return status === 0 && (JSON.parse(stdout) as { entries: unknown[] }).entries.length > 5
            ? true
            : undefined;
        });
        await must("lab", "kill", "n1");
        await must("lab", "start", "n1");
        const { status, stdout, stderr } = await storing.outcome;
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        const report = JSON.parse(stdout) as { files: number; failed: number };
        expect(report.failed).toBe(0);
        expect(report.files).toBeGreaterThan(1000);
        await must("lab", "kill", "n2");
        await must("lab", "start", "n2");
        await must("get", "-r", "/tree", "out-of-the-pool", "--timeout", "120s");
        expect(differences(tree, "out-of-the-pool")).toBe("");
      },
      longMs,
    );
});
