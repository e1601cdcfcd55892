// The branches that a machine keeps, in its state folder: branches/AGE/ID.branch.
//
// - A file gets its name once its header is on the disk; the folder is flushed then. A file without a
//   name is thrown away when the next one is made.
// - An id is the machine of the member and the last digits of the generation, for people; the same once
//   more is followed by a number. A branch that turned out to keep nothing is removed when it is let go.
// - What is being written is not read, not deleted, and not given to a second one that writes.

import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../kernel/bytes.js";
import { headerFor, isOf, StoredBranch } from "../../server/disk/branch/branch.js";
import { type BranchHeader, branchBlocks } from "../../server/disk/branch/layout.js";
import { DiskError } from "../../server/disk/errors.js";
import { mediumError } from "../../server/disk/member/errors.js";
import type { Branch, Branches, BranchFacts, BranchPiece } from "../../server/disk/storage/branches.js";
import { BranchFile } from "./branch-file.js";

export interface BranchStoreOptions {
  /** Where they are. */
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly time: () => number;
  /** The digests of whole blocks of the storage of an age. */
  readonly digests: (age: string, data: Uint8Array) => Uint8Array;
}

/** A branch that there is. */
export interface KnownBranch {
  readonly id: string;
  readonly header: BranchHeader;
}

interface Writing {
  readonly branch: StoredBranch;
  readonly file: BranchFile;
  readonly path: string;
}

const suffix = ".branch";
const unfinished = ".new";
const agePattern = /^[0-9a-f]{32}$/;
export const branchIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export class BranchStore implements Branches {
  readonly #options: BranchStoreOptions;
  readonly #writing = new Map<string, Writing>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: BranchStoreOptions) {
    this.#options = options;
  }

  #folder(age: string): string {
    if (!agePattern.test(age)) throw new RangeError(`an age is 32 hex digits, not ${age}`);
    return join(this.#options.folder, age);
  }

  #path(age: string, id: string): string {
    if (!branchIdPattern.test(id)) throw new RangeError(`${JSON.stringify(id)} is no id of a branch`);
    return join(this.#folder(age), `${id}${suffix}`);
  }

  /** One after the other; what the system says no to is a DiskError. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error)) throw error;
      if (error.code === "ENOSPC" || error.code === "EDQUOT")
        throw new DiskError("DISK_FULL", `branches: ${error.message}`, [], { cause: error });
      throw mediumError("branches", error);
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  // ---- written -------------------------------------------------------------------------

  create(facts: BranchFacts, isAnew = false): Promise<Branch> {
    return this.#inTurn(async () => {
      const age = toHex(facts.age);
      const known = await this.#known(age);
      const same = known.filter(({ header }) => isOf(header, facts));
      const begun = same.find(({ header }) => header.state === "saving");
      const found = begun ?? (isAnew ? undefined : same.at(-1));
      if (found !== undefined) return this.#write(age, found.id);
      const id = freeId(facts, new Set(known.map((each) => each.id)));
      await this.#make(age, id, headerFor(facts, this.#options.time()));
      return this.#write(age, id);
    });
  }

  async #write(age: string, id: string): Promise<Branch> {
    const path = this.#path(age, id);
    if (this.#writing.has(path)) throw new DiskError("DISK_GONE", `branch ${id} is still being written`);
    const file = await BranchFile.open(path);
    const branch = await StoredBranch.open(file, id).catch(async (error) => {
      await file.close();
      throw error;
    });
    if (branch === null) {
      await file.close();
      throw new DiskError("DISK_MEDIUM", `branch ${id} has no header any more`);
    }
    this.#writing.set(path, { branch, file, path });
    return branch;
  }

  async #make(age: string, id: string, header: BranchHeader): Promise<void> {
    const [folder, path] = [this.#folder(age), this.#path(age, id)];
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await BranchFile.create(`${path}${unfinished}`, branchBlocks(header.blocks));
    try {
      await StoredBranch.make(file, id, header);
    } finally {
      await file.close();
    }
    await rename(`${path}${unfinished}`, path);
    for (const each of [folder, this.#options.folder, join(this.#options.folder, "..")])
      await syncNames(each);
  }

  release(branch: Branch): Promise<void> {
    return this.#inTurn(async () => {
      const held = [...this.#writing.values()].find((each) => each.branch === branch);
      if (held === undefined) return;
      this.#writing.delete(held.path);
      await held.file.close();
      const { state, kept, holes } = held.branch.header;
      if (state === "kept" && kept + holes === 0) await rm(held.path, { force: true });
    });
  }

  // ---- read ----------------------------------------------------------------------------

  /** Of one storage, or of all, in the order of their times. */
  list(age?: string): Promise<readonly KnownBranch[]> {
    return this.#inTurn(async () => {
      const ages = age === undefined ? (await entries(this.#options.folder)).filter(isAge) : [age];
      const all: KnownBranch[] = [];
      for (const each of ages) all.push(...(await this.#known(each)));
      return all;
    });
  }

  async #known(age: string): Promise<KnownBranch[]> {
    const folder = this.#folder(age);
    const found: KnownBranch[] = [];
    for (const name of await entries(folder)) {
      if (name.endsWith(unfinished)) await rm(join(folder, name), { force: true });
      if (!name.endsWith(suffix)) continue;
      const id = name.slice(0, -suffix.length);
      const path = join(folder, name);
      const header = this.#writing.get(path)?.branch.header ?? (await this.#headerIn(path, id));
      if (header !== null) found.push({ id, header });
    }
    return found.sort((a, b) => a.header.time - b.header.time || (a.id < b.id ? -1 : 1));
  }

  async #headerIn(path: string, id: string): Promise<BranchHeader | null> {
    const file = await BranchFile.open(path);
    try {
      return (await StoredBranch.open(file, id))?.header ?? null;
    } finally {
      await file.close();
    }
  }

  /** A piece of a branch that is whole. Rejects with DISK_FOREIGN when there is no such branch. */
  async read(age: string, id: string, block: number): Promise<BranchPiece> {
    const file = await this.#inTurn(() => BranchFile.open(this.#path(age, id)).catch(missing(id)));
    try {
      const branch = await StoredBranch.open(file, id);
      if (branch?.isKept !== true) throw new DiskError("DISK_FOREIGN", `branch ${id} is not whole`);
      return await branch.read(block, (data) => this.#options.digests(age, data));
    } finally {
      await file.close();
    }
  }

  /** Whether there was one. Rejects with DISK_GONE while it is written. */
  delete(age: string, id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const path = this.#path(age, id);
      if (this.#writing.has(path)) throw new DiskError("DISK_GONE", `branch ${id} is being written`);
      if (!(await entries(this.#folder(age))).includes(`${id}${suffix}`)) return false;
      await rm(path, { force: true });
      await syncNames(this.#folder(age));
      return true;
    });
  }
}

const isAge = (name: string): boolean => agePattern.test(name);

function freeId({ node, generation }: BranchFacts, taken: ReadonlySet<string>): string {
  const machine = node.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  const first = `${machine === "" ? "member" : machine}-${generation.toString(16).padStart(16, "0").slice(-8)}`;
  for (let number = 1; ; number++) {
    const id = number === 1 ? first : `${first}-${number}`;
    if (!taken.has(id)) return id;
  }
}

const missing =
  (id: string) =>
  (error: unknown): never => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new DiskError("DISK_FOREIGN", `no branch ${id} is kept here`);
  };

async function entries(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** A name is its folder's content. */
async function syncNames(folder: string): Promise<void> {
  const names = await open(folder, "r");
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}
