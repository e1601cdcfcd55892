// `proteus disk list` and `show`: which disks there are, and how one fares.
//
// - `show --json` is a document for programs: what it has is fixed (control/interface/storage.ts).
// - Both tell of branches: what members had that lost a split brain (branches.ts).
// - `--wait in-sync` ends when the disk is ok and every member has everything.

import { setTimeout as pause } from "node:timers/promises";
import type { Described } from "../../interface/storage.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import { bytesText } from "../files/report.js";
import { emit, narrate } from "../output.js";
import { sizeText } from "../quantity.js";
import { table } from "../table.js";
import { branchDocument, branchRemark, findBranches } from "./branches.js";
import {
  type DiskOptions,
  type DiskSession,
  describe,
  findStorage,
  findStorages,
  onDisks,
} from "./session.js";

import { scrubText } from "./settings.js";

const watchMs = 1000;
const waitMs = 250;

export async function list(options: DiskOptions): Promise<void> {
  await onDisks(options, async (session) => {
    const found = await findStorages(session);
    const branches = await findBranches(session);
    const disks = await Promise.all(
      found.map(async (each) => {
        const { name, age, nodes } = each;
        const known = await describe({ ...session, patienceMs: 1 }, each).catch(() => null);
        return {
          ...{ name, age, nodes, size: known?.storage.size ?? null, state: known?.storage.state ?? "failed" },
          node: known?.node ?? null,
          branches: branches.filter((branch) => branch.age === age).length,
        };
      }),
    );
    emit("disk list", options.json, { disks }, () =>
      disks.length === 0
        ? ""
        : table(
            ["NAME", "SIZE", "STATE", "SERVED BY", "BRANCHES", "AGE"],
            disks.map(({ name, size, state, node, branches: kept, age }) => [
              ...[name, size === null ? "?" : sizeText(size), state, node ?? "nobody", kept, age],
            ]),
          ),
    );
  });
}

export interface ShowOptions extends DiskOptions {
  readonly watch: boolean;
  readonly wait?: string | undefined;
}

const isWhole = ({ storage }: Described): boolean =>
  storage.state === "ok" && storage.members.every(({ state }) => state === "in-sync");

export async function show(name: string, options: ShowOptions): Promise<void> {
  const { watch, wait, json } = options;
  if (wait !== undefined && wait !== "in-sync")
    throw usageError(`nothing is called "${wait}" that a disk could be waited for`, "--wait in-sync");
  await onDisks(options, async (session) => {
    if (wait !== undefined) await untilWhole(session, name);
    const storage = await findStorage(session, name);
    for (;;) {
      const [described, kept] = await Promise.all([describe(session, storage), findBranches(session)]);
      const branches = kept.filter(({ age }) => age === storage.age);
      const document = { ...described.storage, branches: branches.map(branchDocument) };
      emit("disk show", json, document, () => [text(described), ...branches.map(branchRemark)].join("\n"));
      if (!watch) {
        if (described.storage.state !== "ok") process.exitCode = exitCodes.degraded;
        return;
      }
      await pause(watchMs);
      if (!json) process.stdout.write("\n");
    }
  });
}

/** Ends when the disk is whole; DISK_WAIT when it is not in time. */
export async function untilWhole(session: DiskSession, name: string): Promise<void> {
  const end = Date.now() + session.patienceMs;
  let why = "nobody serves it";
  while (Date.now() < end) {
    try {
      const left = Math.max(1, Math.min(2000, end - Date.now()));
      const described = await describe(
        { ...session, patienceMs: left },
        await findStorage({ ...session, patienceMs: left }, name),
      );
      if (isWhole(described)) return;
      const { state, members } = described.storage;
      why = `it is ${state}: ${members.map((each) => `${each.node} ${each.state} ${each.percent} %`).join(", ")}`;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      why = error.why ?? error.message;
    }
    await pause(waitMs);
  }
  throw new ProteusError({
    code: "DISK_WAIT",
    exit: exitCodes.degraded,
    message: `the disk ${name} is not in sync yet`,
    why,
    unchanged: "it goes on by itself",
    hint: `wait longer: proteus disk show ${name} --wait in-sync --timeout 10m`,
  });
}

function text({ storage, node, algorithm, epoch, witnesses, dirtyMap, remarks, upkeep }: Described): string {
  const { name, age, size, state, generation, members } = storage;
  const rows = members.map((each) => [
    ...[each.node, each.path, each.state, bytesText(each.dirtyBytes), `${Math.floor(each.percent)} %`],
  ]);
  return [
    `${name}: ${state}, ${sizeText(size)}, ${algorithm}, served by ${node} (epoch ${epoch})`,
    `age ${age}, generation ${generation}`,
    table(["MACHINE", "PATH", "STATE", "LACKS", "IN SYNC"], rows),
    ...witnesses.map((each) => `witness ${each.node} ${each.path}`),
    scrubText(upkeep),
    ...(dirtyMap === "" || /^\.*$/.test(dirtyMap) ? [] : ["", picture(dirtyMap)]),
    ...remarks,
  ].join("\n");
}

const pictureWidth = 64;

/** What members lack, from the first block to the last: `.` nothing, 1 to 9 for how much of it. */
function picture(map: string): string {
  const lines: string[] = [];
  for (let at = 0; at < map.length; at += pictureWidth) lines.push(`  ${map.slice(at, at + pictureWidth)}`);
  return ["what members lack, from the first byte to the last (. nothing, 9 all of it):", ...lines].join(
    "\n",
  );
}

/** Says on a terminal's error stream what a disk waits for. */
export function narrateState({ storage }: Described): void {
  narrate(`disk ${storage.name}: ${storage.state}`);
}
