// `proteus fs mount CELL FOLDER` and `fs mount --all FOLDER`: a root of folders, and over each volume's
// folder a mount by a program of its own.
//
// - Cells are looked for again and again, seldom when nothing comes, soon when somebody misses a name. What
//   was there once stays: a cell that is away is read from its volumes' caches.
// - A joined cell's file is kept up to date with what its servers say.

import { join } from "node:path";
import { cellNameForm } from "../../interface/cell.js";
import { usageError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type CellsRoot, mountCellsRoot } from "../../node/fs/cells-root.js";
import { serveMount } from "../../node/fs/control-socket.js";
import { keepCell, knownCell, knownCells, knownCellsFolder } from "../../node/fs/known-cells.js";
import { startKernel } from "../../node/start.js";
import { type Cell, findCells, knownWith, volumesOf } from "../../stub/cells.js";
import { locateTimeout } from "../calling.js";
import { untilStopped } from "../foreground.js";
import { emit, fail, narrate } from "../output.js";
import { kernelBytes } from "../package-files.js";
import { CellPrograms, programsMax } from "./cell-programs.js";
import type { RootStatus } from "./cells-status.js";
import { cachingOf, type MountOptions, machineOf } from "./mount.js";
import { removeMount, socketOf, targetOf, writeMount } from "./mounts.js";
import { clearAbandoned } from "./umount.js";
import { cacheOf, cellUnknown } from "./which.js";

const memoryBytes = 32 * 1024 * 1024;
const lookMsFirst = 2000;
const lookMsMax = 15_000;
/** Who misses a name has it looked for, this long after the last look at the earliest. */
const missedMs = 1000;
const findMs = 750;
const settleMs = 15_000;

class MountedCells {
  readonly cells = new Map<string, Cell>();
  readonly #here = new Set<string>();
  readonly #folder = knownCellsFolder();
  readonly #kernel: Kernel;
  readonly #only: string | undefined;
  readonly #options: MountOptions;
  readonly #target: string;
  readonly programs: CellPrograms;
  #isFull = false;
  #looked = 0;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = lookMsFirst;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(kernel: Kernel, only: string | undefined, target: string, options: MountOptions) {
    this.#kernel = kernel;
    this.#only = only;
    this.#options = options;
    this.#target = target;
    this.programs = new CellPrograms(wordsFor(options));
    const known = only === undefined ? knownCells(this.#folder) : [knownCell(this.#folder, only)];
    for (const cell of known) if (cell !== undefined) this.cells.set(cell.name, cell);
  }

  /** Looks for cells once; whether there is something new. */
  async find(timeoutMs: number): Promise<boolean> {
    this.#looked = performance.now();
    const kernel = this.#kernel;
    const also = [...this.cells.values()].flatMap(({ name, servers }) =>
      servers.map(({ server }) => ({ cell: name, server })),
    );
    const found = await findCells({ via: kernel, maker: kernel, timeoutMs, cell: this.#only, also });
    this.#here.clear();
    let isNew = false;
    for (const each of found) {
      this.#here.add(each.name);
      const known = this.cells.get(each.name);
      const now = knownWith(known, each);
      if (JSON.stringify(now) === JSON.stringify(known)) continue;
      isNew = true;
      this.cells.set(now.name, now);
      if (knownCell(this.#folder, now.name) !== undefined) keepCell(this.#folder, now);
    }
    return isNew;
  }

  /** Shows all that is known, and has its volumes mounted. */
  async show(root: CellsRoot): Promise<void> {
    const all = [...this.cells.values()].flatMap((cell) => this.#volumes(cell));
    const empty = this.#only === undefined ? [...this.cells.keys()].map((name) => [name]) : [];
    await root.show([
      ...empty.map((path) => ({ path, isVolume: false })),
      ...all.map(({ path }) => ({ path, isVolume: true })),
    ]);
    for (const { name, target, capability } of all) {
      const cache = cacheOf(name, capability, this.#options.cache);
      if (this.programs.have({ target, name, cache }, capability) || this.#isFull) continue;
      this.#isFull = true;
      narrate(
        `more than ${programsMax} volumes: the others are not mounted; mount fewer cells, each by name`,
      );
    }
  }

  #volumes(cell: Cell) {
    const above = this.#only === undefined ? [cell.name] : [];
    return volumesOf(cell).map(({ name, folder, capability }) => {
      const path = [...above, folder];
      return { name, folder, capability, path, target: join(this.#target, ...path) };
    });
  }

  /** Looks on, from now on. */
  follow(root: CellsRoot): void {
    this.#timer = setTimeout(() => this.#look(root), this.#waitMs);
  }

  #look(root: CellsRoot): void {
    this.#timer = undefined;
    this.#looking = this.find(findMs)
      .then(async (isNew) => {
        this.#waitMs = isNew ? lookMsFirst : Math.min(this.#waitMs * 1.5, lookMsMax);
        if (isNew && !this.#isClosed) await this.show(root);
      })
      .catch((error: unknown) => void fail(error))
      .then(() => {
        if (!this.#isClosed) this.follow(root);
      });
  }

  missed(name: string, root: CellsRoot): void {
    if (!cellNameForm.test(name) || this.#isClosed || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#waitMs = lookMsFirst;
    const wait = Math.max(0, missedMs - (performance.now() - this.#looked));
    this.#timer = setTimeout(() => this.#look(root), wait);
  }

  status(): RootStatus {
    const cells = [...this.cells.values()].map((cell) => ({
      ...{ name: cell.name, answers: this.#here.has(cell.name) },
      joined: knownCell(this.#folder, cell.name) !== undefined,
      volumes: this.#volumes(cell).map(({ folder, target }) => ({
        ...{ name: folder, target, state: this.programs.state(target) },
      })),
    }));
    return { cells };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.programs.end();
  }
}

/** What each volume's program is told besides its volume. */
const wordsFor = (options: MountOptions): readonly string[] => [
  ...["--machine", machineOf(options), "--timeout", "1s"],
  ...(options.cacheSize === undefined ? [] : ["--cache-size", options.cacheSize]),
  ...(options.mode === undefined ? [] : ["--mode", options.mode]),
  ...["--permit", options.permit],
  ...options.interface.flatMap((name) => ["--interface", name]),
];

/** Mounts a cell, or with undefined all of the network. */
export async function mountCells(
  only: string | undefined,
  mountpoint: string,
  options: MountOptions,
): Promise<void> {
  const target = targetOf(mountpoint);
  cachingOf(options); // or each volume's program would refuse it, again and again
  if (only === undefined && options.volume !== undefined)
    throw usageError(
      "--all and --volume do not go together",
      "name the cell: fs mount CELL FOLDER --volume NAME",
    );
  const stopped = untilStopped();
  const running = await startKernel({
    ...{ wasm: kernelBytes(), interfaces: options.interface, say: narrate, failed: stopped.fail },
    ...{ endHost: true, limits: { memoryBytes } },
  });
  running.spin(false);
  try {
    const mounted = new MountedCells(running.kernel, only, target, options);
    await mounted.find(Math.min(locateTimeout(options), 2000));
    if (only !== undefined && !mounted.cells.has(only)) throw cellUnknown(only);
    await clearAbandoned(target);
    let root: CellsRoot | null = null;
    root = await mountCellsRoot({
      ...{ target, source: only ?? "cells", failed: (error: unknown) => void fail(error) },
      missed: (name) => {
        if (root !== null) mounted.missed(name, root);
      },
    });
    let tell: () => void = () => undefined;
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const socket = serveMount(socketOf(target), async (word) => {
      if (word === "end") tell();
      else if (word !== "status") throw new Error("a root knows no such word");
      return mounted.status();
    });
    try {
      writeMount({ target, volume: only ?? "cells", cache: options.cache ?? "", isRoot: true });
      await mounted.show(root);
      mounted.follow(root);
      await settled(mounted.programs, Promise.race([stopped.promise, told, root.ended]));
      const ready = { target, pid: process.pid, socket: socketOf(target), ...mounted.status() };
      emit("fs mount", options.json, ready, () => readyText(target, mounted.status()));
      await Promise.race([stopped.promise, told, root.ended]);
    } finally {
      socket.close();
      await mounted.close();
      await root.unmount();
      removeMount(target);
    }
    await running.finish();
  } finally {
    running.close();
  }
}

/** Ends when every program has mounted its volume or failed to, or `over` ends, or it takes too long. */
async function settled(programs: CellPrograms, over: Promise<void>): Promise<void> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  over.then(end, end);
  const deadline = performance.now() + settleMs;
  while (!programs.areSettled && !isOver && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

function readyText(target: string, { cells }: RootStatus): string {
  const volumes = cells.flatMap((each) => each.volumes);
  const there = volumes.filter(({ state }) => state === "mounted").length;
  const names = cells.map(({ name }) => name).join(", ") || "no cell yet";
  return `${names}: ${there} of ${volumes.length} volumes are mounted below ${target}`;
}
