// What the tests of real NBD clients share: a folder, a disk in memory, our server, and clients that run
// to their end. A file that imports this gets a new folder and disk for each of its tests.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { type NbdServeOptions, type NbdServer, serveNbd } from "../../control/node/nbd.js";
import { BLOCK_BYTES } from "../../control/server/disk/disk.js";
import { MemoryDisk } from "../unit/server/disk/memory-disk.js";

export const mib = 1024 * 1024;
export const diskBytes = 64 * mib;
const patienceMs = 60_000;

let folder = "";
export let path = "";
export let disk: MemoryDisk;
export let servers: NbdServer[] = [];
export let dropped: string[] = [];
export let failures: unknown[] = [];

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

export async function serve(options: Partial<NbdServeOptions> = {}): Promise<NbdServer> {
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

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a client to its end. */
export function outcome(command: string, ...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { timeout: patienceMs, maxBuffer: 64 * mib, cwd: folder };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** The same, for one that has to succeed; answers what it says. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await outcome(command, ...args);
  expect(code, `${command} ${args.join(" ")}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

export const uri = (name = "d"): string => `nbd+unix:///${name}?socket=${path}`;
export const at = (name: string): string => join(folder, name);
export const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

/** A file of bytes that do not repeat, with a hole in it. */
export function image(name: string): string {
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
