// Kinds of storages, and a life of one: a life that fails says what happened before.

import type { FakeOptions } from "../unit/server/disk/fake-storage.js";
import type { Fault } from "./disk-faults.js";
import { RealMember, realDigests } from "./disk-medium.js";
import { DiskLife, type Habits } from "./disks.js";

export const kinds: readonly FakeOptions[] = [
  { members: 3 },
  { members: 2, witnesses: 1 },
  { members: 3, facts: { ack: "quorum" } },
  { members: 4, witnesses: 1, facts: { ack: "quorum" } },
];

/** Members on disks: everything but the wire is what runs on machines. */
export const real: FakeOptions = {
  blocks: 2048,
  medium: (time, random, blocks) => new RealMember(time, random, blocks),
  digests: realDigests,
};

/** A life with so many faults. */
export async function live(
  options: FakeOptions,
  count: number,
  faults?: readonly Fault[],
  habits?: Habits,
): Promise<DiskLife> {
  const life = new DiskLife({ ...options, policy: { retryMaxMs: 1000, ...options.policy } }, faults, habits);
  try {
    await life.run(count);
    return life;
  } catch (error) {
    const log = life.servers.flatMap((each, at) => each.log.map((line) => `${line} (server ${at + 1})`));
    const events = life.trace.filter((line) => !line.includes("request failed"));
    const lines = [...events, ...log].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    const status = JSON.stringify(life.current.storage.status().members);
    throw new Error([String(error), ...lines.slice(-90), ...life.media(), status].join("\n"), {
      cause: error,
    });
  }
}
