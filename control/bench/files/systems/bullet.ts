// Files on a Bullet server: a file of the machine's disk as its medium, made for the case, and
// clients that create and read whole files through control/stub/files.ts, as any program does.
//
// - read-cold: more files than the server's small cache holds, read in turn: none is in its memory
//   when it is asked for.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Capability, capabilityHex, capabilityOf } from "../../../capability/capability.js";
import { fromHex } from "../../../kernel/bytes.js";
import type { Kernel } from "../../../kernel/kernel.js";
import { openBullet } from "../../../node/bullet.js";
import { after } from "../../../node/timer.js";
import { BulletServer } from "../../../server/bullet/server.js";
import { createFile, readFile, wholeFile } from "../../../stub/files.js";
import { beginOf, contentOf, type FileJob, type FileSystemUnderTest, filesOf } from "../system.js";
import { kernelOf } from "./echo.js";

const mediumBytes = 2 * 1024 ** 3;
const cacheBytes = 192 * 1024 * 1024;
const coldCacheBytes = 1024 * 1024;
const coldBytes = 64 * 1024 * 1024;
const coldFilesMost = 4096;
/** Smaller ones are read in one piece, larger ones as streams. */
const smallBytes = 1024 * 1024;
const keyBytes = 32;
const portBytes = 6;

const random = (bytes: number): Uint8Array => randomBytes(bytes);
const failed = (error: unknown): void => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
};

async function readWhole(kernel: Kernel, file: Capability, bytes: number): Promise<void> {
  if (bytes < smallBytes) {
    const { length } = await wholeFile(kernel, file);
    if (length !== bytes) throw new Error(`a file had ${length} bytes instead of ${bytes}`);
    return;
  }
  let got = 0;
  for await (const piece of readFile(kernel, file, { lent: true })) got += piece.length;
  if (got !== bytes) throw new Error(`a file had ${got} bytes instead of ${bytes}`);
}

/** The files that are read in turn: too many for the server's smallest cache when they are to be cold. */
const countOf = ({ test, bytes }: FileJob): number =>
  test === "read-cold" ? Math.min(coldFilesMost, Math.ceil(coldBytes / bytes)) : filesOf(bytes);

export const bullet: FileSystemUnderTest = {
  async serve(job) {
    const { test, folder, clients } = job;
    const { volume, close } = await openBullet({
      ...{ path: join(folder, "bullet"), bytes: mediumBytes, random },
      cacheBytes: test === "read-cold" ? coldCacheBytes : cacheBytes,
    });
    const running = await kernelOf(job);
    const server = new BulletServer({
      ...{ kernel: running.kernel, engine: volume, after, failed, threads: clients + 4 },
      ...{ getPort: random(portBytes), key: random(keyBytes) },
    });
    const stop = async () => {
      await running.finish();
      server.close();
      await close();
    };
    return { facts: { server: capabilityHex(server.capability()) }, stop };
  },
  async connect(job, { server = "" }) {
    const { test, bytes, clients } = job;
    const running = await kernelOf(job);
    const { kernel } = running;
    const to = capabilityOf(fromHex(server) ?? new Uint8Array(0));
    const files: Capability[] = [];
    if (test !== "create")
      for (let file = 0; file < countOf(job); file++)
        files.push(await createFile(kernel, to, contentOf(bytes, file), { durable: false }));
    let turn = 0;
    const read = () => readWhole(kernel, files[turn++ % files.length] ?? to, bytes);
    const create = () => createFile(kernel, to, contentOf(bytes, ++turn), { durable: true });
    return {
      begins: Array.from({ length: clients }, () => beginOf(test === "create" ? create : read)),
      close: () => running.finish(),
    };
  },
};
