// Who gets to an NBD server, and how it begins and ends: if one of these fails, somebody gets in who may
// not, or a server leaves something behind.
//
// - Certificates are made with openssl, for this test alone; the clients are libnbd's and qemu's.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { NbdTls } from "../../control/node/nbd.js";
import { at, digest, diskBytes, image, mib, outcome, path, run, serve, uri } from "./nbd-clients.js";

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
