// A mounted volume beside the local file system, call by call: the same random sequences of system calls, and
// cases by hand, answer the same on both, and what is left is the same, also seen from another machine. If
// it fails, programs that work on a local disk do not on a mount.

import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { firstLine, isRoot, Programs, until, within } from "./programs.js";

const source = fileURLToPath(new URL("posix-steps.c", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "posix-"));
const at = (...names: string[]): string => join(folder, ...names);
const hasCompiler = spawnSync("cc", ["--version"]).status === 0;
if (!hasCompiler) console.warn("skipped: there is no C compiler");

describe.runIf(isRoot && hasCompiler)("a mounted volume beside the local file system", () => {
  const pool = new Programs();
  const running: Running[] = [];
  const vice = `@${at("vice")}/vice.capability`;

  // Never synchronously: a mount that hangs would hang the test.
  const posix = async (place: string, ...words: string[]): Promise<string[]> => {
    const options = { timeout: 60_000, maxBuffer: 1 << 26, encoding: "latin1", cwd: "/" } as const;
    const { stdout } = await promisify(execFile)(at("posix-steps"), [place, ...words], options);
    return stdout.split("\n");
  };
  const start = async (node: string, ...words: string[]): Promise<void> => {
    const program = pool.start(node, ...words, "--json");
    running.push(program);
    await firstLine(words.join(" "), program);
  };
  const mount = (node: string, name: string): Promise<void> => {
    const words = ["--volume", "home", "--cache", at(`cache-${name}`), "--machine", node];
    return start(node, "fs", "mount", vice, at(name), ...words);
  };

  beforeAll(async () => {
    for (const name of ["a", "b", "local"]) mkdirSync(at(name));
    await promisify(execFile)("cc", ["-O1", "-w", "-o", at("posix-steps"), source], { timeout: 60_000 });
    await pool.up("--nodes", "3");
    await start("n1", "serve", "vice", "--state", at("vice"));
    expect((await pool.run("n2", "fs", "volume", "create", vice, "home")).status).toBe(0);
    await mount("n2", "a");
    await mount("n3", "b");
  });
  afterAll(async () => {
    for (const name of ["a", "b"]) spawnSync("umount", ["-l", at(name)], { timeout: 10_000 });
    for (const { child } of running) child.kill("SIGTERM");
    await Promise.allSettled(running.map(({ outcome }) => within("the end", outcome, 5000)));
    for (const { child } of running) child.kill("SIGKILL");
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([[["cases"]], [["steps", "1", "1200"]], [["steps", "2", "1200"]]])(
    "answers alike: %j",
    async (words) => {
      const name = words.join("-");
      const inside = async (place: string): Promise<string[]> => {
        await promisify(execFile)("mkdir", ["-m", "777", join(place, name)], { timeout: 10_000 });
        return posix(join(place, name), ...words);
      };
      const wanted = await inside(at("local"));
      expect(await inside(at("a"))).toEqual(wanted);
      const left = await posix(at("local", name), "dump");
      expect(left.length).toBeGreaterThan(10);
      expect(await posix(at("a", name), "dump")).toEqual(left);
      // Names are not waited for by who changed them: another machine may show older ones for a moment.
      await until("the same tree on the other machine", async () =>
        (await posix(at("b", name), "dump")).join("\n") === left.join("\n") ? true : undefined,
      );
    },
  );
});
