// Disks of three machines, used by NBD clients that know nothing of them. If one of these fails, what was
// acknowledged is lost with a machine, or somebody has to do something that nobody should have to.

import { execFile } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabRunner } from "./lab-runner.js";

const longMs = 180_000;
const blockBytes = 64 * 1024;
const sizeBytes = 32 * 1024 * 1024;

interface Shown {
  readonly state: string;
  readonly members: readonly { readonly node: string; readonly state: string; readonly percent: number }[];
}

const program = promisify(execFile);

describe("a disk of three machines", () => {
  const lab = new LabRunner();
  const medium = (node: string): string => join(lab.folder, `${node}.medium`);
  const socket = join(lab.folder, "d.sock");
  const uri = `nbd+unix:///d?socket=${socket}`;
  const show = async (...words: string[]): Promise<Shown> =>
    JSON.parse((await lab.run(["disk", "show", "d", "--json", ...words])).stdout) as Shown;
  const served = async (): Promise<string> => {
    const { disks } = JSON.parse((await lab.must(["disk", "list", "--json"])).stdout) as {
      disks: { node: string }[];
    };
    return disks[0]?.node ?? "nobody";
  };
  /** Writes one value all over a piece; it is on the media when this ends. */
  const write = (piece: number, value: number): Promise<unknown> =>
    program("qemu-io", [
      ...["-f", "raw", uri, "-c", `write -P ${value} ${piece * blockBytes} ${blockBytes}`],
      ...["-c", "flush"],
    ]);
  const read = async (piece: number, value: number): Promise<void> => {
    const line = `read -P ${value} ${piece * blockBytes} ${blockBytes}`;
    const { stdout } = await program("qemu-io", ["-f", "raw", uri, "-c", line]);
    expect(stdout).not.toContain("verification failed");
  };
  /** The first bytes of a medium are the disk. */
  const contents = (node: string): Buffer => {
    const file = openSync(medium(node), "r");
    const bytes = Buffer.alloc(sizeBytes);
    readSync(file, bytes, 0, sizeBytes, 0);
    closeSync(file);
    return bytes;
  };
  const whole = () => lab.must(["disk", "show", "d", "--wait", "in-sync", "--timeout", "60s"]);

  beforeAll(async () => {
    await lab.must(["lab", "up", "--name", "disks", "--nodes", "3"]);
    const members = ["n1", "n2", "n3"].flatMap((node) => ["--member", `${node}:${medium(node)}`]);
    await lab.must(["disk", "create", "d", "--size", "32M", ...members]);
    await lab.must(["disk", "export", "d", "--nbd", `unix:${socket}`]);
  }, longMs);
  afterAll(async () => {
    await lab.run(["disk", "unexport", "d"]);
    await lab.close();
  }, longMs);

  it(
    "holds what clients write, the same on every medium",
    async () => {
      const image = join(lab.folder, "image");
      const bytes = Buffer.alloc(sizeBytes);
      for (let at = 0; at < sizeBytes; at += 4) bytes.writeUInt32LE((at * 2654435761) % 2 ** 32, at);
      writeFileSync(image, bytes);
      await program("nbdcopy", ["--flush", image, uri]);
      expect((await show()).state).toBe("ok");
      for (const node of ["n1", "n2", "n3"]) expect(contents(node).equals(bytes)).toBe(true);
      await program("nbdcopy", [uri, `${image}.back`]);
      expect(readFileSync(`${image}.back`).equals(bytes)).toBe(true);
    },
    longMs,
  );

  it(
    "is exported by the machine that serves it, and by one that does not, alike",
    async () => {
      const server = await served();
      for (const node of [server, server === "n1" ? "n2" : "n1"]) {
        const path = join(lab.folder, `${node}.sock`);
        await lab.must(["disk", "export", "d", "--nbd", `unix:${path}`, "--on", node]);
        const again = await lab.run(["disk", "export", "d", "--nbd", `unix:${path}`, "--on", node]);
        expect(again.stderr).toContain("exported from here already");
        await program("nbdcopy", [`nbd+unix:///d?socket=${path}`, `${path}.copy`]);
        expect(readFileSync(`${path}.copy`).equals(contents("n3"))).toBe(true);
        await lab.must(["disk", "unexport", "d", "--on", node]);
        expect((await lab.run(["disk", "unexport", "d", "--on", node])).status).not.toBe(0);
      }
    },
    longMs,
  );

  it(
    "goes on when the machine that serves it dies, without an error for the client",
    async () => {
      const before = await served();
      await write(0, 1);
      const [written] = await Promise.all([
        (async () => {
          for (let piece = 1; piece < 40; piece++) await write(piece, piece + 1);
        })(),
        lab.must(["lab", "kill", before]),
      ]);
      expect(written).toBe(undefined);
      for (let piece = 0; piece < 40; piece++) await read(piece, piece + 1);
      const { state, members } = await show();
      expect(state).toBe("degraded");
      expect(members.find(({ node }) => node === before)?.state).toBe("down");
      expect(await served()).not.toBe(before);
      await lab.must(["lab", "start", before]);
      await whole();
    },
    longMs,
  );

  it(
    "is whole again, by itself, after a medium was changed for a blank one",
    async () => {
      const node = (await served()) === "n3" ? "n2" : "n3";
      await lab.must(["lab", "kill", node]);
      await write(3, 77);
      rmSync(medium(node));
      await lab.must(["lab", "start", node]);
      await whole();
      const [blanked, other] = [contents(node), contents("n1")];
      expect(blanked.equals(other)).toBe(true);
      expect(blanked[3 * blockBytes]).toBe(77);
    },
    longMs,
  );

  it(
    "is served again, with all that was written, after every machine was off at once",
    async () => {
      await write(5, 99);
      for (const node of ["n1", "n2", "n3"]) await lab.must(["lab", "kill", node]);
      for (const node of ["n2", "n3", "n1"]) await lab.must(["lab", "start", node]);
      await whole();
      await read(5, 99);
    },
    longMs,
  );

  it(
    "ends when it is deleted; its media stay",
    async () => {
      expect((await lab.run(["disk", "delete", "d"])).status).toBe(2);
      await lab.must(["disk", "unexport", "d"]);
      await lab.must(["disk", "delete", "d", "--yes"]);
      expect((await lab.run(["disk", "show", "d"])).status).toBe(3);
      expect(contents("n1")[5 * blockBytes]).toBe(99);
    },
    longMs,
  );
});
