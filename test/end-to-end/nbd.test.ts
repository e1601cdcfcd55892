// Real NBD clients at our server: if one of these fails, an operating system's own tools do not get
// back what they wrote, or somebody gets in who may not.
//
// - The server runs here, its disks are in memory; the clients are Debian's: nbdinfo, nbdcopy, qemu-img,
//   qemu-io, fio, nbdkit, and the file system tools on images that went through.
// - Certificates are made with openssl, for this test alone.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type NbdServeOptions, type NbdServer, type NbdTls, serveNbd } from "../../control/node/nbd.js";
import { BLOCK_BYTES } from "../../control/server/disk/disk.js";
import { MemoryDisk } from "../unit/server/disk/memory-disk.js";

const mib = 1024 * 1024;
const diskBytes = 64 * mib;
const patienceMs = 60_000;

let folder = "";
let path = "";
let disk: MemoryDisk;
let servers: NbdServer[] = [];
let dropped: string[] = [];
let failures: unknown[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "proteus-nbd-"));
  path = join(folder, "socket");
  disk = new MemoryDisk(diskBytes / BLOCK_BYTES);
  [servers, dropped, failures] = [[], [], []];
});

afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true });
});

async function serve(options: Partial<NbdServeOptions> = {}): Promise<NbdServer> {
  const server = await serveNbd({
    listen: { kind: "unix", path },
    exports: [{ name: "d", disk, description: "a disk of this test" }],
    dropped: (why) => dropped.push(why),
    failed: (error) => failures.push(error),
    ...options,
  });
  servers.push(server);
  return server;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client to its end. */
function outcome(command: string, ...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { timeout: patienceMs, maxBuffer: 64 * mib, cwd: folder };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** The same, for one that has to succeed; answers what it says. */
async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await outcome(command, ...args);
  expect(code, `${command} ${args.join(" ")}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

const uri = (name = "d"): string => `nbd+unix:///${name}?socket=${path}`;
const at = (name: string): string => join(folder, name);
const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

/** A file of bytes that do not repeat, with a hole in it. */
function image(name: string): string {
  const bytes = Buffer.alloc(20 * mib);
  for (let offset = 0, value = 1; offset < bytes.length; offset += 4) {
    value = (Math.imul(value, 1664525) + 1013904223) | 0;
    bytes.writeInt32LE(value, offset);
  }
  bytes.fill(0, 5 * mib, 9 * mib);
  writeFileSync(at(name), bytes);
  truncateSync(at(name), diskBytes);
  return at(name);
}

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

describe("TLS", () => {
  const files = (name: string): NbdTls => ({
    cert: readFileSync(at(`${name}.pem`)),
    key: readFileSync(at(`${name}.key`)),
    clientAuthority: readFileSync(at("ca.pem")),
    required: true,
  });

  /** A folder as libnbd's clients want it. */
  const client = (name: string, certificate: string): string => {
    mkdirSync(at(name));
    writeFileSync(at(`${name}/ca-cert.pem`), readFileSync(at("ca.pem")));
    writeFileSync(at(`${name}/client-cert.pem`), readFileSync(at(`${certificate}.pem`)));
    writeFileSync(at(`${name}/client-key.pem`), readFileSync(at(`${certificate}.key`)));
    return at(name);
  };

  beforeEach(async () => {
    const made = (name: string, ...more: readonly string[]) =>
      run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        at(`${name}.key`),
        "-out",
        at(`${name}.pem`),
        "-subj",
        `/CN=${name}`,
        ...more,
      );
    await made("ca");
    await made("stranger");
    for (const name of ["server", "client"])
      await made(
        name,
        "-CA",
        at("ca.pem"),
        "-CAkey",
        at("ca.key"),
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
      );
  });

  it("serves clients with a certificate, and nobody else", async () => {
    const { port } = await serve({ listen: { kind: "tcp", port: 0 }, tls: files("server") });
    const place = (with_: string): string => `nbds://localhost:${port}/d?tls-certificates=${with_}`;
    const good = place(client("good", "client"));
    expect(await run("nbdinfo", good)).toContain("with TLS");
    const from = image("from");
    await run("nbdcopy", "--connections=3", from, good);
    await run("nbdcopy", good, at("to"));
    expect(digest(at("to"))).toBe(digest(from));

    expect((await outcome("nbdinfo", place(client("bad", "stranger")))).code).not.toBe(0);
    const plain = await outcome("nbdinfo", `nbd://localhost:${port}/d`);
    expect(plain.code).not.toBe(0);
    expect((await outcome("nbdinfo", "--list", `nbd://localhost:${port}/`)).stdout).not.toContain('"d"');
  });

  it("is for who wants it where it is only offered", async () => {
    const tls = { ...files("server"), required: false };
    const { port } = await serve({ listen: { kind: "tcp", port: 0 }, tls });
    const good = client("good", "client");
    expect(await run("nbdinfo", `nbd://localhost:${port}/d`)).toContain("without TLS");
    expect(await run("nbdinfo", `nbds://localhost:${port}/d?tls-certificates=${good}`)).toContain("with TLS");
  });

  it("is spoken by qemu too", async () => {
    const { port } = await serve({ listen: { kind: "tcp", port: 0 }, tls: files("server") });
    const credentials = `tls-creds-x509,id=t,dir=${client("good", "client")},endpoint=client`;
    const options = `driver=nbd,host=localhost,port=${port},export=d,tls-creds=t`;
    const commands = ["-c", "write -P 4 1000 9M", "-c", "read -P 4 1000 9M"];
    const said = await run("qemu-io", "--object", credentials, "--image-opts", ...commands, options);
    expect(said).not.toMatch(/fail|error/i);
  });
});

describe("a server in another process", () => {
  const program = join(import.meta.dirname, "nbd-export.mjs");
  /** It says where it listens. */
  const said = async ({ stdout }: ChildProcess): Promise<void> => {
    if (stdout === null) throw new Error("no output is read");
    await once(stdout, "data");
  };

  it("serves a file at a socket that it inherited, and ends in order", async () => {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const bound = listener.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    writeFileSync(at("medium"), "");
    truncateSync(at("medium"), diskBytes);
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const args = [program, "descriptor:3", `file:${at("medium")}`];
    const server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit", fd] });
    listener.close(); // the child has it
    try {
      await said(server);
      const from = image("from");
      await run("nbdcopy", "--connections=2", "--flush", from, `nbd://127.0.0.1:${port}/disk0`);
      server.kill("SIGTERM");
      expect(await once(server, "exit")).toEqual([0, null]);
      expect(digest(at("medium"))).toBe(digest(from));
    } finally {
      server.kill("SIGKILL");
    }
  });

  it("that was killed leaves a socket that the next one takes over", async () => {
    const start = async () => {
      const server = spawn(process.execPath, [program, `unix:${path}`, "memory:4"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await said(server);
      return server;
    };
    const first = await start();
    first.kill("SIGKILL");
    await once(first, "exit");
    expect(existsSync(path)).toBe(true);
    const second = await start();
    expect(await run("nbdinfo", "--size", uri("disk0"))).toBe(`${4 * mib}\n`);
    second.kill("SIGTERM");
    expect(await once(second, "exit")).toEqual([0, null]);
    expect(existsSync(path)).toBe(false);
  });
});
