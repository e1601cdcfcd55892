// A disk of two machines that are cut apart and both go on. If one of these fails, what one side's users
// were told is written is gone, or nobody hears of it, or it takes more than one command to end it.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DiskLab, MiB, must } from "./disks.js";
import { until } from "./programs.js";

const longMs = 300_000;
const patienceMs = 60_000;
const sizeBytes = 16 * MiB;
const pieceBytes = 64 * 1024;

interface BranchShown {
  readonly id: string;
  readonly node: string;
  readonly holder: string;
  readonly kept: number;
  readonly state: string;
}

describe("a disk whose two machines are cut apart while both are written to", () => {
  const disks = new DiskLab();
  const { lab } = disks;
  const nodes = ["n1", "n2"] as const;
  const uri = (node: string, name: string): string =>
    `nbd+unix:///${name}?socket=${join(lab.folder, `${node}-${name}`)}`;
  /** A command on a machine of the pool; what is not whole is no failure. */
  const on = async (node: string, ...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await lab.run([
      "lab",
      "exec",
      node,
      "--",
      "proteus",
      "disk",
      ...words,
    ]);
    if (status === 0 || status === 6) return stdout;
    throw new Error(`disk ${words.join(" ")} on ${node} ended with ${status}\n${stderr}\n${stdout}`);
  };
  const branches = async (node: string, name: string): Promise<readonly BranchShown[]> =>
    (JSON.parse(await on(node, "branch", "list", name, "--json")) as { branches: BranchShown[] }).branches;
  const write = (node: string, name: string, piece: number, value: number): Promise<string> =>
    must(
      ...["qemu-io", "-f", "raw", uri(node, name)],
      ...["-c", `write -P ${value} ${piece * pieceBytes} ${pieceBytes}`, "-c", "flush"],
    );
  /** What stands in pieces of an image. */
  const valuesIn = (path: string, pieces: readonly number[]): number[] => {
    const bytes = readFileSync(path);
    return pieces.map((piece) => {
      const [from, to] = [piece * pieceBytes, (piece + 1) * pieceBytes];
      const first = bytes[from] ?? -1;
      return bytes.subarray(from, to).every((byte) => byte === first) ? first : -1;
    });
  };
  const image = async (node: string, name: string): Promise<string> => {
    const path = join(lab.folder, `image-${name}`);
    rmSync(path, { force: true });
    await must("nbdcopy", uri(node, name), path);
    return path;
  };
  const pieces = [1, 2, 3, 9];
  const written = { n1: [11, 12, 0, 19], n2: [11, 0, 23, 29] };
  const other = (node: string): "n1" | "n2" => (node === "n1" ? "n2" : "n1");

  /** Makes a disk, cuts the machines apart, has each side write, and joins them again. */
  async function apart(name: string, ...policy: string[]): Promise<void> {
    const places = nodes.map((node) => disks.memberOf(node, name));
    await disks.create(name, sizeBytes, places, "--serve", "any", ...policy);
    for (const node of nodes)
      await on(node, "export", name, "--nbd", `unix:${join(lab.folder, `${node}-${name}`)}`);
    await write("n1", name, 1, 11);
    await lab.must(["lab", "impair", "n2", "--cut"]);
    await write("n1", name, 2, 12);
    await write("n1", name, 9, 19);
    await write("n2", name, 3, 23);
    await write("n2", name, 9, 29);
    await lab.must(["lab", "impair", "n2", "--no-cut"]);
  }

  beforeAll(() => disks.up(2), longMs);
  afterAll(async () => {
    for (const node of nodes)
      for (const name of ["keeps", "asks"])
        await lab.run(["lab", "exec", node, "--", "proteus", "disk", "unexport", name]);
    await disks.close();
  }, longMs);

  it(
    "keeps both histories: one goes on, what the other has of its own is exported as it was",
    async () => {
      await apart("keeps");
      const [branch] = await until(
        "a branch",
        async () => {
          const found = await branches("n1", "keeps");
          return found.some(({ state }) => state === "kept") ? found : undefined;
        },
        patienceMs,
      );
      await disks.shown(disks.isWhole, "keeps");
      if (branch === undefined) throw new Error("no branch");
      const loser = branch.node === "n1" ? "n1" : "n2";
      const winner = other(loser);
      expect(valuesIn(await image(winner, "keeps"), pieces)).toEqual(written[winner]);
      for (const node of nodes) {
        expect(await on(node, "show", "keeps")).toContain(`kept as branch ${branch.id} on ${branch.holder}`);
        const path = join(lab.folder, `lost-${node}`);
        await on(node, "branch", "export", "keeps", branch.id, "-o", path);
        expect(readFileSync(path)).toHaveLength(sizeBytes);
        expect(valuesIn(path, pieces)).toEqual(written[loser]);
      }
      // What went already is named where it lies, from the side that lost too.
      const late = await lab.run([
        "lab",
        "exec",
        loser,
        "--",
        "proteus",
        "disk",
        "heal",
        "keeps",
        "--keep",
        loser,
        "--yes",
      ]);
      expect([late.status, late.stderr]).toEqual([1, expect.stringContaining(branch.id)]);
      await write(winner, "keeps", 100, 7);
      const again = join(lab.folder, "lost-again");
      const { status } = await lab.run(["disk", "branch", "export", "keeps", branch.id, "-o", again]);
      expect(status).toBe(0); // the disk has gone on where the member had nothing
      expect(valuesIn(again, pieces)).toEqual(written[loser]);
      expect((await lab.run(["disk", "branch", "delete", "keeps", branch.id])).status).toBe(2);
      await on(loser, "branch", "delete", "keeps", branch.id, "--yes");
      expect(await branches(winner, "keeps")).toEqual([]);
    },
    longMs,
  );

  it(
    "asks where it is to ask, and is healed by one command from the machine of the side that loses",
    async () => {
      await apart("asks", "--on-split", "ask");
      const shown = await disks.shown(({ state }) => state === "split-brain", "asks");
      const served = shown.members.find(({ state }) => state === "in-sync")?.node ?? "n1";
      const loser = other(served);
      expect(await on(loser, "show", "asks")).toContain("proteus disk heal asks");
      // The person's word counts, whichever side is served: the machine that served becomes the copy.
      await on(loser, "heal", "asks", "--keep", loser, "--yes", "--timeout", "40s");
      await disks.shown(disks.isWhole, "asks");
      expect(valuesIn(await image(loser, "asks"), pieces)).toEqual(written[loser]);
      const [branch] = await branches(loser, "asks");
      expect([branch?.node, branch?.state]).toEqual([served, "kept"]);
      const path = join(lab.folder, "lost-asks");
      await on(loser, "branch", "export", "asks", branch?.id ?? "", "-o", path);
      expect(valuesIn(path, pieces)).toEqual(written[served === "n1" ? "n1" : "n2"]);
    },
    longMs,
  );
});
