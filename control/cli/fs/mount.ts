// `proteus fs mount` of one volume, and what is done to a mount: status, log, disconnect, connect.
//
// - A mount's program runs in the foreground until it is told to stop or the mount is taken off; its
//   cache stays, and the next mount begins warm.

import { hostname } from "node:os";
import { z } from "zod";
import { FolderError } from "../../../drivers/folder.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import { type MountWord, serveMount } from "../../node/fs/control-socket.js";
import { knownCell, knownCellsFolder } from "../../node/fs/known-cells.js";
import { mountVolume } from "../../node/fs/mount.js";
import { startKernel } from "../../node/start.js";
import { type PermitMode, permitModes } from "../../venus/permit.js";
import type { MountMode } from "../../venus/venus.js";
import type { CallingOptions } from "../calling.js";
import { untilStopped } from "../foreground.js";
import { emit, fail, narrate } from "../output.js";
import { kernelBytes } from "../package-files.js";
import { parseSize } from "../quantity.js";
import { table } from "../table.js";
import { asked } from "./asking.js";
import { rootsText, statusOfRoots } from "./cells-status.js";
import { hoardLines } from "./hoard.js";
import {
  mountsHere,
  removeMount,
  requireMount,
  rootsHere,
  socketOf,
  targetOf,
  writeMount,
} from "./mounts.js";
import { shownName } from "./names.js";
import { verifyAskedSchema } from "./verify.js";
import { whichVolume } from "./which.js";

export interface MountOptions extends CallingOptions {
  readonly volume?: string | undefined;
  readonly cache?: string | undefined;
  readonly cacheSize?: string | undefined;
  readonly mode?: string | undefined;
  readonly permit: string;
  readonly machine?: string | undefined;
}

const memoryBytes = 64 * 1024 * 1024;
const cacheBytesDefault = 10 * 1024 ** 3;
const modes = ["replica", "on-demand"] as const satisfies readonly MountMode[];
const machineForm = /[^A-Za-z0-9._-]/g;

/** What a machine is called, as conflict copies can be. */
export const machineOf = ({ machine }: Pick<MountOptions, "machine">): string =>
  (machine ?? process.env.PROTEUS_NODE ?? hostname()).replace(machineForm, "-").slice(0, 32);

type CachingOptions = Pick<MountOptions, "mode" | "cacheSize" | "permit">;

/** How a mount caches, as its options say. Throws a usage error. */
export function cachingOf({ mode: wanted, cacheSize, permit: word }: CachingOptions): {
  readonly mode: MountMode | undefined;
  readonly cacheBytes: number;
  readonly permit: PermitMode;
} {
  const mode = modes.find((each) => each === wanted);
  if (wanted !== undefined && mode === undefined)
    throw usageError(`"${wanted}" is no mode of a mount`, `it is one of ${modes.join(", ")}`);
  const permit = permitModes.find((each) => each === word);
  if (permit === undefined)
    throw usageError(`"${word}" is no word of --permit`, `it is one of ${permitModes.join(", ")}`);
  const bound = mode === "replica" ? Number.POSITIVE_INFINITY : cacheBytesDefault;
  return { permit, mode, cacheBytes: cacheSize === undefined ? bound : parseSize(cacheSize, 2 ** 53) };
}

export async function mount(vice: string, mountpoint: string, options: MountOptions): Promise<void> {
  const target = targetOf(mountpoint);
  const { mode, cacheBytes, permit } = cachingOf(options);
  const stopped = untilStopped();
  const running = await startKernel({
    ...{ wasm: kernelBytes(), interfaces: options.interface, say: narrate, failed: stopped.fail },
    ...{ endHost: true, limits: { memoryBytes } },
  });
  running.spin(false); // most of what it waits for are the programs on the mount
  try {
    const known = (name: string) => knownCell(knownCellsFolder(), name);
    const { capability, name, cache } = await whichVolume(running.kernel, vice, known, options);
    const mounted = await mountVolume({
      ...{ kernel: running.kernel, capability, source: name, target, cache },
      ...{ machine: machineOf(options), cacheBytes, mode, permit },
      failed: (error) => fail(error),
    });
    const socket = serveMount(socketOf(target), async (word: MountWord, argument: unknown) => {
      if (word === "hoard-add" || word === "hoard-remove")
        return mounted.pin(z.string().parse(argument), word === "hoard-add");
      if (word === "verify") return mounted.verify(verifyAskedSchema.parse(argument));
      if (word === "hoard-list") return { pins: await mounted.pins() };
      if (word === "log") return { records: await mounted.log() };
      if (word === "end") {
        mounted.unmount().catch(() => undefined); // who waits for its end hears of it
        return {};
      }
      if (word === "disconnect") mounted.disconnect();
      if (word === "connect") mounted.connect();
      return mounted.status();
    });
    try {
      writeMount({ target, volume: name, cache });
      const ready = {
        ...{ volume: name, target, cache, passthrough: mounted.passthrough, pid: process.pid },
        socket: socketOf(target),
      };
      emit("fs mount", options.json, ready, () => `${name} is mounted at ${target}`);
      await Promise.race([stopped.promise, mounted.ended]);
      await mounted.unmount();
    } finally {
      socket.close();
      removeMount(target);
    }
    await running.finish();
  } catch (error) {
    throw error instanceof FolderError ? unusable(error) : error;
  } finally {
    running.close();
  }
}

const unusable = (error: FolderError): ProteusError =>
  new ProteusError({
    code: error.code,
    exit: exitCodes.failed,
    message: "the cache's folder cannot be used",
    why: error.message,
    unchanged: "nothing was mounted",
    hint: "another mount may have it: name another folder with --cache",
    cause: error,
  });

export async function status(
  mountpoint: string | undefined,
  { json }: { readonly json: boolean },
): Promise<void> {
  const at = mountpoint === undefined ? undefined : targetOf(mountpoint);
  const roots = rootsHere().filter(({ target }) => at === undefined || target === at);
  const mounts =
    mountpoint === undefined
      ? mountsHere()
      : roots.length > 0
        ? mountsHere().filter(({ target }) => target.startsWith(`${at}/`))
        : [requireMount(mountpoint)];
  const shown = await Promise.all(
    mounts.map(async ({ target, volume, cache }) => ({
      target,
      volume,
      cache,
      ...(await asked(target, "status")),
    })),
  );
  const cells = await statusOfRoots(roots);
  const shownRoots = cells.length === 0 ? {} : { roots: cells };
  emit("fs status", json, { mounts: shown, ...shownRoots }, () =>
    [...(shown.length === 0 ? [] : [statusText(shown)]), ...rootsText(cells)].join("\n"),
  );
}

function statusText(mounts: readonly Readonly<Record<string, unknown>>[]): string {
  const cell = (value: unknown): string => (value === undefined ? "-" : String(value));
  const rows = mounts.map((each) => [
    ...[each.target, each.volume, each.state, permitOf(each.permit)?.state, each.records].map(cell),
    ...[each.promises, each.objects, each.bytes, each.bytesMax ?? undefined, each.open].map(cell),
    cell(each.cache),
  ]);
  const notes = mounts.flatMap(({ target, notes: own, reason, stuck, hoard, permit }) => [
    ...(typeof reason === "string" && reason !== "" ? [`${cell(target)}: ${reason}`] : []),
    ...permitLines(cell(target), permit),
    ...stuckLines(cell(target), stuck),
    ...hoardLines(cell(target), hoard),
    ...(Array.isArray(own) ? own.map((note) => `${cell(target)}: ${cell(note)}`) : []),
  ]);
  const heads = [
    "MOUNT",
    "VOLUME",
    "STATE",
    "PERMIT",
    "RECORDS",
    "PROMISES",
    "OBJECTS",
    "BYTES",
    "OF",
    "OPEN",
    "CACHE",
  ];
  return [table(heads, rows), ...notes].join("\n");
}

const permitSchema = z.object({
  state: z.enum(["none", "held", "yielding"]),
  fence: z.number(),
  seconds: z.number(),
  mode: z.enum(permitModes),
});
const permitOf = (permit: unknown) => permitSchema.safeParse(permit).data;

/** Which permit a mount holds. */
function permitLines(target: string, permit: unknown): readonly string[] {
  const { state = "none", fence = 0, seconds = 0 } = permitOf(permit) ?? {};
  const how = state === "held" ? "" : ", somebody else asks for it";
  return state === "none" ? [] : [`${target}: permit ${fence}, held for ${seconds} s${how}`];
}

const stuckSchema = z.object({ code: z.string(), hint: z.string(), times: z.number(), nextMs: z.number() });

/** What to do about a log that vice refuses. */
function stuckLines(target: string, stuck: unknown): readonly string[] {
  const { success, data } = stuckSchema.safeParse(stuck);
  if (!success) return [];
  const { code, hint, times, nextMs } = data;
  const when = `refused ${times} times, tried again in ${Math.ceil(nextMs / 1000)} s`;
  return [`${target}: the server refuses the log with ${code} (${when}); next: ${hint}`];
}

const logSchema = z.object({
  records: z.array(
    z.object({
      ...{ sequence: z.number(), op: z.string(), id: z.number(), name: z.string(), time: z.number() },
      ...{ offered: z.boolean(), applied: z.boolean(), bytes: z.number() },
    }),
  ),
});

/** The records of a mount that vice has not taken. */
export async function log(mountpoint: string, { json }: { readonly json: boolean }): Promise<void> {
  const { target } = requireMount(mountpoint);
  const parsed = logSchema.safeParse(await asked(target, "log"));
  if (!parsed.success)
    throw new ProteusError({
      code: "FS_NOT_MOUNTED",
      exit: exitCodes.unreachable,
      message: `the mount at ${target} does not answer`,
      unchanged: "its log",
      hint: "try again; proteus fs status says how it fares",
    });
  const records = parsed.data.records.map((each) => ({ ...each, name: shownName(each.name) }));
  const heads = ["RECORD", "TIME", "OPERATION", "OBJECT", "NAME", "BYTES", "STATE"];
  emit("fs log", json, { target, records }, () =>
    records.length === 0
      ? ""
      : table(
          heads,
          records.map(({ sequence, time, op, id, name, bytes, offered }) => [
            ...[`${sequence}`, new Date(time * 1000).toISOString(), op, `${id}`, name],
            ...[op === "store" ? `${bytes}` : "-", offered ? "under way" : "waits"],
          ]),
        ),
  );
}

/** Has a mount act as if there were no network, or go on with it. */
export async function change(
  word: "disconnect" | "connect",
  mountpoint: string,
  { json }: { readonly json: boolean },
): Promise<void> {
  const { target } = requireMount(mountpoint);
  const { state } = await asked(target, word);
  emit(`fs ${word}`, json, { target, state }, () => `${target}: ${String(state)}`);
}
