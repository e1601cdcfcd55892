// Names at directory servers: one alone, or several together, as pool machines run them
// (control/node/directory.ts), each with its store on the disk; clients that look up and append
// through control/stub/directories.ts, as any program does.

import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { type Capability, capabilityHex, capabilityOf } from "../../../capability/capability.js";
import { passingSecrets } from "../../../capability/secrets.js";
import { setOf } from "../../../capability/set.js";
import { fromHex } from "../../../kernel/bytes.js";
import { type NodeDirectory, startDirectory } from "../../../node/directory.js";
import { Directories } from "../../../stub/directories.js";
import { beginOf, type FileSystemUnderTest } from "../system.js";
import { kernelOf } from "./echo.js";

const names = 64;
const readyMs = 30_000;
const againMs = 50;
const capabilityBytes = 16;

const nameOf = (member: number): string => `m${member}`;
/** What all members of a case share: nothing of it outlives the case. */
const digest = (text: string): Uint8Array => new Uint8Array(createHash("sha256").update(text).digest());
const secrets = () => passingSecrets((bytes) => digest(`secret of ${bytes} bytes`).subarray(0, bytes));

const failed = (error: unknown): void => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
};

/** The root, once it was made. */
async function rootOf(directory: NodeDirectory): Promise<Capability> {
  const deadline = performance.now() + readyMs;
  for (;;) {
    try {
      return directory.root();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await setTimeout(againMs);
    }
  }
}

export const directory: FileSystemUnderTest = {
  async serve(job) {
    const { folder, member, members } = job;
    const running = await kernelOf(job);
    const started = await startDirectory({
      ...{ kernel: running.kernel, name: nameOf(member), state: folder, secrets, failed },
      members: Array.from({ length: members }, (_, each) => nameOf(each)),
    });
    if (started === undefined) throw new Error("this machine has no directory server");
    const root = capabilityHex(await rootOf(started));
    const stop = async () => {
      await started.leave();
      await running.finish();
    };
    return { facts: { root }, stop };
  },
  async connect(job, { root = "" }) {
    const { test, clients } = job;
    const running = await kernelOf(job);
    const bytes = fromHex(root) ?? new Uint8Array(0);
    const directories = new Directories(running.kernel, setOf(capabilityOf(bytes)), { pause: setTimeout });
    const set = (number: number) =>
      setOf(capabilityOf(digest(`object ${number}`).subarray(0, capabilityBytes)));
    for (let name = 0; name < names; name++) await directories.append(`/n${name}`, set(name));
    let turn = 0;
    const lookup = () => directories.lookup(`/n${turn++ % names}`);
    const update = () => directories.append(`/u${++turn}`, set(turn));
    return {
      begins: Array.from({ length: clients }, () => beginOf(test === "lookup" ? lookup : update)),
      close: () => running.finish(),
    };
  },
};
