// Maps a segment of this machine into a process beside the agent: bytes without a copy.
//
// - The agent says where (MAP of control/interface/segment.ts); here it is checked that what lies
//   there is that memory: the machine's boot id, and the file's own name once it is open. Numbers
//   of another machine or PID namespace name nothing, or something else.
// - Bytes that are mapped for writing are the segment's own, and change at any time. Those mapped
//   for reading follow the segment; where this program writes it gets a copy of that page for
//   itself, and the segment does not change.
// - A map outlives segment and agent: it keeps what they held last, and nothing follows.

import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { type Addon, loadAddon } from "../../drivers/ethernet/addon.js";
import { errnoOf } from "../../drivers/ethernet/errors.js";
import { bootId, memoryName } from "../../drivers/shared-memory/pages.js";
import type { Capability } from "../capability/capability.js";
import { segmentTable } from "../interface/segment.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "../stub/client.js";

export interface MapOptions extends CallOptions {
  /** For writing too, which takes that right; default false. */
  readonly write?: boolean;
}

/** A segment that is mapped. */
export interface SegmentMap {
  /** Its bytes; empty after close(). */
  readonly bytes: Uint8Array;
  close(): void;
}

/** Where a segment of this machine lies. */
export interface SegmentPlace {
  readonly path: string;
  readonly bytes: number;
  readonly tag: string;
}

interface Told extends SegmentPlace {
  readonly boot: string;
}

const pathForm = /^\/proc\/[1-9]\d{0,9}\/fd\/\d{1,9}$/;
const tagForm = /^[0-9a-f]{32}$/;
const what = "the segment cannot be mapped";

const elsewhere = (why: string, cause?: unknown): ProteusError =>
  new ProteusError({
    code: "SEGMENT_ELSEWHERE",
    exit: exitCodes.notFound,
    message: what,
    why,
    unchanged: "the segment's bytes are as they were",
    hint: "map it on the machine of its agent, outside of other containers; from here use segment read and write",
    cause,
  });

function refused(cause: unknown): ProteusError {
  const errno = errnoOf(cause);
  const given = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const code = errno === 0 ? given : getSystemErrorName(-errno);
  if (code === "ENOENT") return elsewhere("no process that this one can see has it", cause);
  const denied = code === "EACCES" || code === "EPERM";
  return new ProteusError({
    code: denied ? "SEGMENT_NO_PERMISSION" : "SEGMENT_SYSTEM",
    exit: denied ? exitCodes.denied : exitCodes.failed,
    message: what,
    why: cause instanceof Error ? cause.message : String(cause),
    unchanged: "the segment's bytes are as they were",
    hint: denied
      ? "run it as the agent's user with the agent's rights, or as root; or use segment read and write"
      : "the system refused; segment read and write go without a map",
    cause,
  });
}

/** Opens what the agent named, if it is that: a descriptor. */
function open({ path, tag, boot }: Told, write: boolean): number {
  if (!pathForm.test(path) || !tagForm.test(tag)) {
    throw new ProteusError({
      code: "ANSWER_WRONG",
      exit: exitCodes.failed,
      message: what,
      why: "its server names no memory of a process",
      unchanged: "nothing was opened",
      hint: "check that the capability is one of a segment server of this version",
    });
  }
  if (bootId() !== boot) throw elsewhere("it is on another machine");
  const other = () => elsewhere("what this process sees there is something else");
  let descriptor: number;
  try {
    // Before it is opened, too: opening what is no memory could wait, or do something.
    if (readlinkSync(path) !== memoryName(tag)) throw other();
    descriptor = openSync(path, (write ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK);
  } catch (error) {
    throw error instanceof ProteusError ? error : refused(error);
  }
  if (readlinkSync(`/proc/self/fd/${descriptor}`) === memoryName(tag)) return descriptor;
  closeSync(descriptor);
  throw other();
}

async function ask(
  via: Kernel | Transact,
  segment: Capability,
  { write = false, ...options }: MapOptions,
): Promise<Told> {
  return stub(via, segmentTable, segment, options).map(write ? { write } : {});
}

/**
 * Where a segment of this machine lies, for programs that map it by themselves. Rejects as
 * mapSegment does.
 */
export async function findSegment(
  via: Kernel | Transact,
  segment: Capability,
  options: MapOptions = {},
): Promise<SegmentPlace> {
  const told = await ask(via, segment, options);
  closeSync(open(told, options.write === true));
  const { path, bytes, tag } = told;
  return { path, bytes, tag };
}

function ownAddon(): Addon {
  const addon = loadAddon();
  if (typeof addon !== "string") return addon;
  throw new ProteusError({
    code: "SEGMENT_NO_ADDON",
    exit: exitCodes.failed,
    message: "this program cannot map segments",
    why: addon,
    unchanged: "nothing was sent",
    hint: "install a C compiler and run `npm rebuild`, or use segment read and write",
  });
}

/**
 * Maps a segment of this machine. Rejects as a stub does, with SEGMENT_ELSEWHERE when its memory
 * cannot be seen from here, SEGMENT_NO_PERMISSION when this process may not open it.
 *
 * @example
 * const { bytes, close } = await mapSegment(kernel, segment, { write: true });
 * bytes[0] = 1;
 * close();
 */
export async function mapSegment(
  kernel: Kernel,
  segment: Capability,
  options: MapOptions = {},
): Promise<SegmentMap> {
  const addon = ownAddon();
  const write = options.write === true;
  const told = await ask(kernel, segment, options);
  const descriptor = open(told, write);
  try {
    const buffer = addon.map(descriptor, told.bytes, write);
    return { bytes: new Uint8Array(buffer), close: () => addon.unmap(buffer) };
  } catch (error) {
    throw errnoOf(error) === 0 ? error : refused(error);
  } finally {
    closeSync(descriptor);
  }
}
