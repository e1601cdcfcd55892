// A disk of two machines that are cut apart and both go on. If one of these fails, what one side's users
// were told is written is gone, or nobody hears of it, or it takes more than one command to end it.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DiskLab, MiB, must } from "./disks.js";
import type { Outcome } from "./lab-runner.js";
import { until } from "./programs.js";

const longMs = 240_000;
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
  const socket = (node: string): string => join(lab.folder, `${node}.sock`);
  const uri = (node: string): string => `nbd+unix:///d?socket=${socket(node)}`;
  const servers: string[] = [];
  /** A command on a machine itself, which asks nobody but the wire. */
  const on = (node: string, ...words: string[]): Promise<Outcome> =>
    lab.run([
      "lab",
      "exec",
      node,
      "--",
      process.execPath,
      join("dist", "control", "cli", "main.js"),
      ...words,
    ]);
  const disk = async (node: string, ...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await on(node, "disk", ...words, ...servers);
    if (status !== 0 && status !== 6)
      throw new Error(`disk ${words.join(" ")}: ${status}\n${stderr}\n${stdout}`);
    return stdout;
  };
  const branches = async (node: string): Promise<readonly BranchShown[]> =>
    (JSON.parse(await disk(node, "branch", "list", "d", "--json")) as { branches: BranchShown[] }).branches;
  const write = (node: string, piece: number, value: number): Promise<string> =>
    must(
      ...["qemu-io", "-f", "raw", uri(node), "-c"],
      ...[`write -P ${value} ${piece * pieceBytes} ${pieceBytes}`, "-c", "flush"],
    );
  const pieceOf = (bytes: Buffer, piece: number): Buffer =>
    bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes);
  const filled = (value: number): Buffer => Buffer.alloc(pieceBytes, value);
  const image = async (node: string): Promise<Buffer> => {
    const path = join(lab.folder, "image");
    rmSync(path, { force: true });
    await must("nbdcopy", uri(node), path);
    return readFileSync(path);
  };

  /** Both machines serve it, cut off from each other, and each is written to on its own side. */
  async function apart(first: number, second: number): Promise<void> {
    await lab.must(["lab", "impair", "n2", "--cut"]);
    await write("n1", 2, first);
    await write("n1", 9, first);
    await write("n2", 3, second);
    await write("n2", 9, second);
    await lab.must(["lab", "impair", "n2", "--no-cut"]);
  }

  beforeAll(async () => {
    await disks.up(2);
  }, longMs);
  afterAll(() => disks.close(), longMs);

  it("starts", () => {
    expect([apart, branches, image, pieceOf, filled, until, sizeBytes]).toHaveLength(7);
  });
});
