// `proteus disk branch list`, `show`, `export`, `delete`: what a member had that lost a split brain.
//
// - `export` writes the member's disk as it was: what the branch keeps over what the disk has now. Every
//   block is compared with the digest that the member had: those that the disk has changed since are
//   counted, and make it exit with 6.
// - A file is new, and there whole or not at all.

import { randomBytes } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { BRANCH_BLOCKS, BRANCH_HOLE, BRANCH_KEPT, DISK_BLOCK_BYTES } from "../../interface/disk.js";
import { fromHex } from "../../kernel/bytes.js";
import { Digests } from "../../kernel/digests.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { Kernel } from "../../kernel/kernel.js";
import { after } from "../../node/timer.js";
import { digestSeed } from "../../server/disk/member/member.js";
import { DIGEST_BYTES } from "../../server/disk/member/port.js";
import { RemoteDisk } from "../../server/disk/remote-disk.js";
import { bytesText } from "../files/report.js";
import { emit, narrate } from "../output.js";
import { kernelBytes } from "../package-files.js";
import { sizeText } from "../quantity.js";
import { table } from "../table.js";
import { branchDocument, branchesOf, type FoundBranch, findBranch } from "./branches.js";
import { confirm } from "./confirm.js";
import {
  capabilityOfStorage,
  type DiskOptions,
  type DiskSession,
  diskCalls,
  findStorage,
  onDisks,
  patiently,
} from "./session.js";

export async function listBranches(name: string, options: DiskOptions): Promise<void> {
  await onDisks(options, async (session) => {
    const found = await branchesOf(session, name);
    emit("disk branch list", options.json, { name, branches: found.map(branchDocument) }, () =>
      found.length === 0
        ? ""
        : table(
            ["BRANCH", "MEMBER", "TIME", "KEPT", "STATE", "KEPT BY"],
            found.map((each) => [
              ...[each.id, `${each.node}:${each.path}`, new Date(each.time).toISOString()],
              ...[bytesText(each.kept), stateOf(each), each.holder.node],
            ]),
          ),
    );
  });
}

const stateOf = ({ state, percent }: FoundBranch): string => (state === "kept" ? "kept" : `${percent} %`);

export async function showBranch(name: string, text: string, options: DiskOptions): Promise<void> {
  await onDisks(options, async (session) => {
    const found = await findBranch(session, name, text);
    emit("disk branch show", options.json, branchDocument(found), () =>
      [
        `${found.id}: what ${found.node}:${found.path} had of its own of ${found.name}`,
        `begun ${new Date(found.time).toISOString()}, ${stateOf(found)}, on ${found.holder.node}`,
        `${bytesText(found.kept)} kept, of a disk of ${sizeText(found.size)}, age ${found.age}`,
        `generation ${found.generation}; ${found.other} went on`,
        `proteus disk branch export ${found.name} ${found.id} -o FILE writes it as a whole disk`,
      ].join("\n"),
    );
  });
}

export interface BranchDeleteOptions extends DiskOptions {
  readonly yes: boolean;
}

export async function deleteBranch(name: string, text: string, options: BranchDeleteOptions): Promise<void> {
  await onDisks(options, async (session) => {
    const found = await findBranch(session, name, text);
    const { id, holder, node, path } = found;
    await confirm(
      id,
      `Deleting branch ${id} of ${name} ends what ${node}:${path} had of its own`,
      options.yes,
    );
    await diskCalls(session, holder.capability).debranch({ age: ageOf(found), branch: id });
    const document = { deleted: id, disk: found.name, holder: holder.node };
    emit("disk branch delete", options.json, document, () => `branch ${id} of ${name} is gone`);
  });
}

const ageOf = ({ age }: FoundBranch): Uint8Array => fromHex(age) ?? new Uint8Array(16);

// ---- exported --------------------------------------------------------------------------

export interface BranchExportOptions extends DiskOptions {
  readonly output: string;
}

export async function exportBranch(name: string, text: string, options: BranchExportOptions): Promise<void> {
  await onDisks(options, async (session) => {
    const found = await findBranch(session, name, text);
    if (found.state !== "kept")
      throw new ProteusError({
        code: "DISK_BRANCH",
        exit: exitCodes.degraded,
        message: `branch ${found.id} of ${name} is not whole yet`,
        why: `${found.percent} % of it is kept`,
        unchanged: "no file was made",
        hint: `wait until proteus disk branch list ${name} says that it is kept`,
      });
    const changed = await inNewFile(options.output, (file) => writeImage(session, found, file));
    const document = {
      ...{ disk: found.name, branch: found.id, file: options.output, bytes: found.size },
      ...{ kept: found.kept, changed: changed * DISK_BLOCK_BYTES },
    };
    if (changed > 0) {
      process.exitCode = exitCodes.degraded;
      narrate(
        `disk branch: ${bytesText(document.changed)} that the member had in common with the disk were written ` +
          "since: they are as the disk has them now",
      );
    }
    emit("disk branch export", options.json, document, () => `${options.output}: ${sizeText(found.size)}`);
  });
}

/** A file that is there whole, or not at all. */
async function inNewFile<Result>(path: string, work: (file: FileHandle) => Promise<Result>): Promise<Result> {
  const file = await open(path, "wx", 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw new ProteusError({
      code: "DISK_IMAGE",
      exit: exitCodes.failed,
      message: `${path} cannot be made`,
      why: cause.code === "EEXIST" ? "there is something of that name" : cause.message,
      unchanged: "what is there",
      hint: "give another place, with room for the whole disk: -o FILE",
      cause,
    });
  });
  try {
    const result = await work(file);
    await file.sync();
    await file.close();
    return result;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

/** The disk of the member; answers how many blocks are not as it had them. */
async function writeImage(session: DiskSession, found: FoundBranch, file: FileHandle): Promise<number> {
  const calls = diskCalls(session, found.holder.capability);
  const age = ageOf(found);
  const digests = new Digests(digestKernel());
  const seed = digestSeed({ age });
  const disk = new Now(session, found);
  let changed = 0;
  await file.truncate(found.size);
  const blocks = found.size / DISK_BLOCK_BYTES;
  for (let block = 0; block < blocks; block += BRANCH_BLOCKS) {
    const piece = await patiently(session, () => calls.branch({ block, age, branch: found.id }));
    const image = new Uint8Array(piece.states.length * DISK_BLOCK_BYTES);
    const isThere = placed(image, piece);
    for (const { at, end } of runsOf(isThere, false))
      await disk.read(block + at, image.subarray(at * DISK_BLOCK_BYTES, end * DISK_BLOCK_BYTES));
    changed += digests.differing(image, piece.digests, seed).length;
    const isZero = new Uint8Array(isThere.length).map((_, at) =>
      image.subarray(at * DISK_BLOCK_BYTES, (at + 1) * DISK_BLOCK_BYTES).every((byte) => byte === 0) ? 1 : 0,
    );
    for (const { at, end } of runsOf(isZero, false))
      await writeAll(
        file,
        image.subarray(at * DISK_BLOCK_BYTES, end * DISK_BLOCK_BYTES),
        (block + at) * DISK_BLOCK_BYTES,
      );
  }
  return changed;
}

/** A kernel that is on no network, for digests. */
const digestKernel = (): Kernel =>
  new Kernel({
    module: new WebAssembly.Module(kernelBytes()),
    clock: () => 0,
    random: (bytes) => void bytes.set(randomBytes(bytes.length)),
  });

interface Piece {
  readonly states: Uint8Array;
  readonly digests: Uint8Array;
  readonly data: Uint8Array;
}

/** Puts what a branch says into an image; answers which blocks are the disk's to say. */
function placed(image: Uint8Array, { states, digests, data }: Piece): Uint8Array {
  let from = 0;
  return states.map((state, at) => {
    if (state === BRANCH_KEPT) {
      image.set(data.subarray(from, from + DISK_BLOCK_BYTES), at * DISK_BLOCK_BYTES);
      from += DISK_BLOCK_BYTES;
      return 1;
    }
    const isZeros = digests.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES).every((byte) => byte === 0);
    return state === BRANCH_HOLE || isZeros ? 1 : 0;
  });
}

/** Runs of blocks that are so, or are not. */
function* runsOf(marks: Uint8Array, isSo: boolean): Generator<{ at: number; end: number }> {
  for (let at = 0; at < marks.length; at++) {
    if ((marks[at] === 1) !== isSo) continue;
    const from = at;
    while (at + 1 < marks.length && (marks[at + 1] === 1) === isSo) at++;
    yield { at: from, end: at + 1 };
  }
}

async function writeAll(file: FileHandle, data: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < data.length; )
    done += (await file.write(data, done, data.length - done, at + done)).bytesWritten;
}

/** The disk as it is now; looked for when it is needed. */
class Now {
  readonly #session: DiskSession;
  readonly #found: FoundBranch;
  #disk: Promise<RemoteDisk> | null = null;

  constructor(session: DiskSession, found: FoundBranch) {
    this.#session = session;
    this.#found = found;
  }

  async read(block: number, buffer: Uint8Array): Promise<void> {
    this.#disk ??= this.#open();
    const disk = await this.#disk;
    const room = Math.max(0, disk.blocks - block) * DISK_BLOCK_BYTES; // the disk may be smaller
    if (room > 0) await disk.read(block, buffer.subarray(0, room));
  }

  async #open(): Promise<RemoteDisk> {
    const { via, patienceMs } = this.#session;
    const storage = await findStorage(this.#session, this.#found.age);
    return RemoteDisk.open({
      ...{ via, capability: capabilityOfStorage(storage), random: randomBytes, after },
      ...{ now: () => performance.now(), waitMs: patienceMs },
    });
  }
}
