// A process that writes to its store and is killed at any of its system calls: what it was told
// to be done is there afterwards, and no batch is there in part.
//
// - strace kills it at the Nth call that writes, syncs, renames or removes, for every N until a
//   run comes to its end; the quick tier takes a sample of them.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedStore } from "../../control/node/store/embedded/store.js";
import { perTier } from "../simulation/seeds.js";
import { isWanted, killAtEach, traceCalls } from "./killed.js";

const writer = fileURLToPath(new URL("store-crash-writer.mjs", import.meta.url));
const built = fileURLToPath(new URL("../../dist/control/node/store/embedded/store.js", import.meta.url));
const calls = "write,pwrite64,writev,fdatasync,fsync,rename,unlink,ftruncate,mkdir";
const rounds = 6;
const text = (bytes: Uint8Array | undefined): number =>
  Number(
    Buffer.from(bytes ?? [])
      .toString()
      .trim(),
  );

describe.skipIf(!isWanted)("a store whose process is killed", () => {
  let parent: string;
  beforeAll(() => {
    parent = mkdtempSync(join(tmpdir(), "proteus-crash-"));
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  const program = (folder: string, count = rounds): string[] => [
    process.execPath,
    writer,
    built,
    folder,
    `${count}`,
  ];

  /** Opens what the killed process left and compares it with what it had been told. */
  async function judge(folder: string, said: string): Promise<void> {
    const acknowledged = { single: 0, batch: 0 };
    for (const [, kind, round] of said.matchAll(/^(single|batch) (\d+)$/gm))
      acknowledged[kind === "single" ? "single" : "batch"] = Number(round);
    const store = await EmbeddedStore.open(folder);
    try {
      const found = new Map(
        (await store.range({})).entries.map((entry) => [Buffer.from(entry.key).toString(), entry]),
      );
      const single = text(found.get("single")?.value);
      expect([acknowledged.single, acknowledged.single + 1]).toContain(single);
      const batch = text(found.get("a")?.value);
      expect([acknowledged.batch, acknowledged.batch + 1]).toContain(batch);
      expect(single).toBeGreaterThanOrEqual(batch);
      if (batch === 0) expect(found.has("b") || found.has("c") || found.has("d")).toBe(false);
      else {
        expect([text(found.get("b")?.value), text(found.get("c")?.value)]).toEqual([batch, batch]);
        expect(found.has("d")).toBe(batch % 2 === 1);
        const revisions = ["a", "b", "c"].map((name) => found.get(name)?.revision);
        expect(new Set(revisions).size).toBe(1);
      }
    } finally {
      await store.close();
    }
  }

  it("has all that it was told to be done, and no batch in part", async () => {
    const folderOf = (step: number) => join(parent, `step-${step}`);
    const kills = await killAtEach({
      calls,
      stride: perTier({ quick: 13, long: 1, nightly: 1 }),
      program: (step) => program(folderOf(step)),
      judge: async (step, said) => {
        await judge(folderOf(step), said);
        rmSync(folderOf(step), { recursive: true, force: true });
      },
    });
    expect(kills).toBeGreaterThan(3);
  });

  it("is told so only when the medium has it", async () => {
    const trace = join(parent, "trace");
    const { status } = await traceCalls(calls, trace, program(join(parent, "sync")));
    expect(status).toBe(0);
    let unsynced = 0;
    let acknowledgements = 0;
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      if (/ (write|pwrite64|writev)\(\d+<[^>]*\/sync\/\d+\.log>/.test(line)) unsynced++;
      if (/ f(data)?sync\(\d+<[^>]*\/sync\/\d+\.log>/.test(line)) unsynced = 0;
      if (!/ write\(1<[^>]*>, "(single|batch) /.test(line)) continue;
      acknowledgements++;
      expect(unsynced, line).toBe(0);
    }
    expect(acknowledgements).toBe(2 * rounds);
  });

  it("finds a full medium before a write is half done, and takes deletes there", () => {
    const folder = join(parent, "full");
    mkdirSync(folder);
    // A file system of its own, in a mount namespace that ends with the program. It has less room
    // than the log takes before it is first merged: how fast that goes decides nothing.
    const script = 'mount -t tmpfs -o size=24m none "$0" && head -c 5m /dev/zero >"$0/rest" && exec "$@"';
    const words = ["--map-root-user", "--mount", "sh", "-c", script, folder];
    const [node = "", ...rest] = program(join(folder, "store"), 1000);
    const { stdout, stderr } = spawnSync("unshare", [...words, node, ...rest], {
      encoding: "utf8",
      timeout: 60_000,
    });
    const acknowledged = [...stdout.matchAll(/^batch (\d+)$/gm)].length;
    expect(acknowledged, stderr).toBeGreaterThan(3);
    expect(stdout).toContain(`failed STORE_FULL\na 0 b ${acknowledged}\n`);
  });
});
