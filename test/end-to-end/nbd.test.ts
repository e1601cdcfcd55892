// Real NBD clients at our server: if one of these fails, an operating system's own tools do not get
// back what they wrote.
//
// - The server runs here, its disks are in memory; the clients are Debian's: nbdinfo, nbdcopy, qemu-img,
//   qemu-io, fio, nbdkit, and the file system tools on images that went through.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../control/server/disk/disk.js";
import { DiskError } from "../../control/server/disk/errors.js";
import { MemoryDisk } from "../unit/server/disk/memory-disk.js";
import {
  at,
  digest,
  disk,
  diskBytes,
  dropped,
  failures,
  image,
  mib,
  type Outcome,
  outcome,
  path,
  run,
  serve,
  servers,
  uri,
} from "./nbd-clients.js";

describe("nbdinfo", () => {
  it("sees size, contexts and what the server can", async () => {
    await serve();
    const { exports } = JSON.parse(await run("nbdinfo", "--json", uri())) as {
      exports: readonly Record<string, unknown>[];
    };
    expect(exports[0]).toMatchObject({
      "export-name": "d",
      "export-size": diskBytes,
      description: "a disk of this test",
      contexts: ["base:allocation", "proteus:dirty"],
      is_read_only: false,
      can_cache: true,
      can_df: true,
      can_fast_zero: true,
      can_flush: true,
      can_fua: true,
      can_multi_conn: true,
      can_trim: true,
      can_zero: true,
      block_size_minimum: 1,
      block_size_preferred: 4096,
      block_size_maximum: 32 * mib,
    });
  });

  it("lists every export, and finds the only one without its name", async () => {
    const server = await serve();
    expect(await run("nbdinfo", "--size", uri(""))).toBe(`${diskBytes}\n`);
    server.add({ name: "small", disk: new MemoryDisk(1), isReadOnly: true });
    const list = await run("nbdinfo", "--list", uri(""));
    expect(list).toContain('export="d"');
    expect(list).toContain('export="small"');
    expect((await outcome("nbdinfo", uri("other"))).code).not.toBe(0);
    await run("nbdinfo", "--is", "read-only", uri("small"));
  });

  it("maps holes, and what is out of sync", async () => {
    await serve();
    await disk.write(16, Buffer.alloc(16 * BLOCK_BYTES, 1), { durable: false });
    for (let block = 8; block < 12; block++) disk.dirty.add(block);
    const map = async (context: string) =>
      (
        JSON.parse(await run("nbdinfo", "--json", `--map=${context}`, uri())) as {
          length: number;
          type: number;
        }[]
      ).map(({ length, type }) => [length / BLOCK_BYTES, type]);
    const rest = diskBytes / BLOCK_BYTES;
    expect(await map("base:allocation")).toEqual([
      [16, 3],
      [16, 0],
      [rest - 32, 3],
    ]);
    expect(await map("proteus:dirty")).toEqual([
      [8, 0],
      [4, 1],
      [rest - 12, 0],
    ]);
  });
});

describe("nbdcopy", () => {
  it.each([1, 4])("gets back what it wrote, over %i connections", async (connections) => {
    await serve();
    const from = image("from");
    const many = [`--connections=${connections}`, `--requests=${16}`];
    await run("nbdcopy", ...many, "--flush", from, uri());
    await run("nbdcopy", ...many, uri(), at("to"));
    expect(digest(at("to"))).toBe(digest(from));
    const [, hole] = await disk.extents(0, diskBytes / BLOCK_BYTES);
    expect(hole).toMatchObject({ isHole: true }); // what was a hole there is one here
    expect(disk.calls.flush).toBeGreaterThan(0);
    expect([dropped, failures]).toEqual([[], []]);
  });

  it("copies between two of our servers, in requests of any size", async () => {
    await serve();
    const other = new MemoryDisk(diskBytes / BLOCK_BYTES);
    await serve({ listen: { kind: "tcp", port: 0 }, exports: [{ name: "o", disk: other }] });
    const from = image("from");
    await run("nbdcopy", "--request-size=33554432", from, uri());
    await run("nbdcopy", "--request-size=4096", uri(), `nbd://127.0.0.1:${servers[1]?.port}/o`);
    await run("nbdcopy", `nbd://127.0.0.1:${servers[1]?.port}/o`, at("to"));
    expect(digest(at("to"))).toBe(digest(from));
  });
});

describe("qemu", () => {
  it("sees, converts and compares images", async () => {
    await serve();
    const from = image("from");
    const info = JSON.parse(await run("qemu-img", "info", "--output=json", uri())) as Record<string, unknown>;
    expect(info).toMatchObject({ format: "raw", "virtual-size": diskBytes });
    await run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", from, uri());
    expect(await run("qemu-img", "compare", "-f", "raw", "-F", "raw", from, uri())).toContain("identical");
    await run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", uri(), at("copy.qcow2"));
    await run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", from, at("copy.qcow2"));
  });

  it("writes a qcow2 image of its own onto the disk, and finds it whole", async () => {
    await serve();
    await run("qemu-img", "create", "-f", "qcow2", uri(), "32M");
    await run("qemu-io", "-f", "qcow2", "-c", "write -P 17 1M 3M", "-c", "flush", uri());
    await run("qemu-io", "-f", "qcow2", "-c", "read -P 17 1M 3M", uri());
    expect(await run("qemu-img", "check", "-f", "qcow2", uri())).toContain("No errors");
  });

  it("reads the patterns that it wrote, discarded and zeroed, at odd places too", async () => {
    await serve();
    const commands = [
      ["write -P 7 513 3000", "read -P 7 513 3000", "read -P 0 0 513"],
      ["write -P 9 0 8M", "discard 1M 2M", "read -P 0 1M 2M", "read -P 9 3M 5M"],
      ["write -z 1000 99999", "read -P 0 1000 99999", "read -P 9 100999 4k"],
      ["write -z -u 4M 1M", "read -P 0 4M 1M", "write -f -P 3 4100 10", "read -P 3 4100 10"],
      ["aio_write -P 1 16M 1M", "aio_write -P 2 17M 1M", "aio_flush", "read -P 2 17M 1M"],
    ];
    const asked = commands.flat().flatMap((command) => ["-c", command]);
    const said = await run("qemu-io", "-f", "raw", ...asked, "-c", "flush", uri());
    expect(said).not.toMatch(/fail|error/i);
    expect(disk.durable).toBeGreaterThan(0);
  });

  it("goes on where a disk was taken over by another server meanwhile", async () => {
    await serve();
    let calls = 0;
    disk.before = () =>
      ++calls === 20 ? Promise.reject(new DiskError("DISK_FENCED", "it is served elsewhere")) : undefined;
    const options = `driver=nbd,path=${path},export=d,reconnect-delay=20`;
    const writes = Array.from({ length: 40 }, (_, index) => ["-c", `write -P ${index + 1} ${index}M 64k`]);
    const reads = writes.map((_, index) => ["-c", `read -P ${index + 1} ${index}M 64k`]);
    const said = await run("qemu-io", "--image-opts", ...writes.flat(), ...reads.flat(), options);
    expect(said).not.toMatch(/fail|error/i);
    expect(dropped).toEqual(["the disk is not served here any more"]);
  });

  it("may not change what is read-only", async () => {
    await serve({ exports: [{ name: "d", disk, isReadOnly: true }] });
    await run("qemu-io", "-r", "-f", "raw", "-c", "read -P 0 0 4k", uri());
    const { stdout, stderr } = await outcome("qemu-io", "-f", "raw", "-c", "write 0 4k", uri());
    expect(stdout + stderr).toMatch(/denied|read-only|not permitted/i);
    expect(disk.calls.write).toBe(0);
  });
});

describe("fio", () => {
  it.each([
    ["4k", 32, 1],
    ["3k", 8, 2],
    ["1m", 4, 1],
  ])("verifies what it wrote in pieces of %s, %i at a time, in %i jobs", async (size, depth, jobs) => {
    await serve();
    const part = diskBytes / 4 / jobs;
    await run(
      "fio",
      "--name=x",
      "--ioengine=nbd",
      `--uri=${uri()}`,
      "--rw=randwrite",
      `--bs=${size}`,
      `--iodepth=${depth}`,
      `--numjobs=${jobs}`,
      `--size=${part}`,
      `--offset_increment=${part}`,
      "--verify=crc32c",
      "--verify_fatal=1",
      "--fsync=64",
    );
    expect([dropped, failures]).toEqual([[], []]);
  });

  it("that is killed leaves the server to others", async () => {
    await serve();
    const args = ["--name=x", "--ioengine=nbd", `--uri=${uri()}`, "--rw=randwrite", "--iodepth=32"];
    const load = spawn("fio", [...args, "--size=32m", "--time_based", "--runtime=60"], { stdio: "ignore" });
    while (disk.calls.write < 2000) await new Promise((resolve) => setImmediate(resolve));
    load.kill("SIGKILL");
    await once(load, "exit");
    await run("qemu-io", "-f", "raw", "-c", "write -P 5 40M 1M", "-c", "read -P 5 40M 1M", uri());
  });
});

describe("a file system", () => {
  it("made on an image, filled and carried through the server is clean", async () => {
    await serve();
    const from = at("fs");
    mkdirSync(at("files/deep"), { recursive: true });
    for (let file = 0; file < 50; file++)
      writeFileSync(at(`files/deep/${file}`), Buffer.alloc(file * 1000, file));
    writeFileSync(from, "");
    truncateSync(from, diskBytes);
    await run("mke2fs", "-q", "-t", "ext4", "-d", at("files"), from);
    await run("nbdcopy", "--connections=4", from, uri());
    await run("qemu-img", "convert", "-f", "raw", "-O", "raw", uri(), at("back"));
    await run("e2fsck", "-f", "-n", at("back"));
    expect(digest(at("back"))).toBe(digest(from));
  });
});

describe("nbdkit", () => {
  /** nbdkit in front of our server, while one command runs. */
  const through = (
    filters: readonly string[],
    settings: readonly string[],
    command: string,
  ): Promise<Outcome> =>
    outcome(
      "nbdkit",
      ...["--exit-with-parent", "-U", "-", ...filters.map((filter) => `--filter=${filter}`)],
      ...["nbd", `socket=${path}`, "export=d", ...settings, "--run", command],
    );

  it("passes through all that we can, in requests of its own sizes", async () => {
    await serve();
    const from = image("from");
    const settings = ["shared=true", "maxlen=98304"];
    expect(await through(["blocksize"], settings, `nbdcopy ${from} "$uri"`)).toMatchObject({ code: 0 });
    expect(await through([], ["shared=true"], `nbdcopy "$uri" ${at("to")}`)).toMatchObject({ code: 0 });
    expect(digest(at("to"))).toBe(digest(from));
  });

  it("fails requests between, and a client that tries again ends up with the right bytes", async () => {
    await serve();
    const from = image("from");
    const settings = ["error-rate=2%", "retries=20", "retry-delay=1", "retry-exponential=no"];
    const copied = await through(["retry", "error"], settings, `nbdcopy ${from} "$uri"`);
    expect(copied.code, copied.stderr).toBe(0);
    await run("nbdcopy", uri(), at("to"));
    expect(digest(at("to"))).toBe(digest(from));
  });
});
