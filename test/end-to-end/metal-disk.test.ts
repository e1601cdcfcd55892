// A machine without an operating system as a member of a disk of which two Linux machines have the others: a
// real one in QEMU, on the network of a lab. It loses its power, misses writes, comes back, and nobody tells it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { client, MiB } from "./disk-clients.js";
import { isRoot, Programs, until } from "./programs.js";

const file = `networks: { lan0: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0] }
  m1: { kind: metal, networks: [lan0], disk: { size: 20M } }
`;
const size = 16 * MiB;

interface Shown {
  readonly state: string;
  readonly members: readonly { readonly node: string; readonly state: string; readonly dirtyBytes: number }[];
}

describe.runIf(isRoot)("a disk of two Linux machines and a metal machine", () => {
  const pool = new Programs();
  afterAll(() => pool.close());
  const disk = async (...words: string[]): Promise<string> =>
    (await pool.lab.must(["disk", ...words])).stdout;
  /** Exit status 6 says that it is not whole, which it may be. */
  const shown = async (): Promise<Shown> => {
    const { status, stdout, stderr } = await pool.lab.run(["disk", "show", "d", "--json"]);
    if (status !== 0 && status !== 6) throw new Error(`disk show ended with ${status}: ${stderr}`);
    return JSON.parse(stdout) as Shown;
  };
  const ofMetal = ({ members }: Shown) => members.find(({ node }) => node === "m1");

  it("is whole again after the metal machine was off, with the same bytes on its medium", async () => {
    const path = join(pool.lab.folder, "disk.yaml");
    writeFileSync(path, file);
    await pool.up(path);
    const places = ["n1", "n2"].map((node) => join(pool.lab.folder, node));
    const members = [`n1:${places[0]}`, `n2:${places[1]}`, "m1:/disk"].flatMap((each) => ["--member", each]);
    await disk("create", "d", "--size", `${size}`, ...members);
    const socket = join(pool.lab.folder, "d.sock");
    await disk("export", "d", "--nbd", `unix:${socket}`);
    const write = async (...commands: string[]): Promise<void> => {
      const words = commands.flatMap((each) => ["-c", each]);
      const { status, stderr } = await client([
        "qemu-io",
        "-f",
        "raw",
        `nbd+unix:///d?socket=${socket}`,
        ...words,
      ]).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    };
    await write("write -P 0x5a 0 1M", "write -P 0x11 9M 64k", "flush");
    await pool.lab.must(["lab", "kill", "m1"]);
    await write("write -P 0x77 512k 128k", "write -P 0x22 12M 4k", "flush");
    await until("m1 to be missed", async () => (ofMetal(await shown())?.state === "down" ? true : undefined));
    const { dirtyBytes = 0 } = ofMetal(await shown()) ?? {};
    expect(dirtyBytes).toBeGreaterThanOrEqual(132 * 1024);
    expect(dirtyBytes).toBeLessThan(size); // what it missed, not all that there is
    await pool.lab.must(["lab", "start", "m1"]);
    await disk("show", "d", "--wait", "in-sync", "--timeout", "60s");
    expect(ofMetal(await shown())).toMatchObject({ state: "in-sync", dirtyBytes: 0 });
    await write("read -P 0x77 512k 128k", "read -P 0x22 12M 4k", "read -P 0x11 9M 64k");
    await disk("verify", "d");
    await disk("unexport", "d");
    const [one, ...others] = [...places, join(pool.folderOf("m1"), "disk.image")].map((each) =>
      readFileSync(each).subarray(0, size),
    );
    for (const other of others) expect(other.equals(one ?? Buffer.alloc(0))).toBe(true);
    await disk("delete", "d", "--yes");
    const { disks } = JSON.parse(await disk("list", "--json")) as { disks: readonly unknown[] };
    expect(disks).toEqual([]);
  });
});
