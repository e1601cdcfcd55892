// Clients of a disk under a scenario: programs from Debian that write, and know afterwards what has to
// be there.
//
// - `Load` writes at random with fio, again and again, and each run verifies all that it wrote; and it
//   puts one of two file systems after the other over the first part of the disk (qemu-img).
// - `Ledger` writes one block after the other with qemu-io and remembers which were acknowledged: so
//   it can be killed, or its export, and what was acknowledged is known all the same.
// - The disk from its first byte on: the file system, fio's part, the ledger.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./lab-runner.js";
import { within } from "./programs.js";

export const MiB = 1024 * 1024;
export const fileSystemBytes = 8 * MiB;
const loadBytes = 6 * MiB;
const ledgerAt = fileSystemBytes + loadBytes;
const pieceBytes = 4096;
const pieces = 512;
export const diskBytes = ledgerAt + pieces * pieceBytes;
/** A client may wait for as long as the disk makes it wait; one that takes longer hangs. */
const clientMs = 90_000;

/** A program of the system that runs: its process, and what it said when it ended. */
export interface Client {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
}

export function client(command: readonly string[], cwd?: string): Client {
  const [program = "", ...rest] = command;
  const child = spawn(program, rest, { cwd, stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdin.on("error", () => undefined); // it ended, and says why
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ status: code ?? 128, stdout, stderr }));
  });
  ended.catch(() => undefined); // told to whoever waits for it
  return { child, ended };
}

/** Waits for one that must succeed. */
async function succeeded(command: readonly string[], { child, ended }: Client): Promise<string> {
  try {
    const { status, stdout, stderr } = await within(command.join(" "), ended, clientMs);
    if (status === 0) return stdout;
    throw new Error(`${command.join(" ")} ended with ${status}\n${stderr}\n${stdout}`);
  } finally {
    child.kill("SIGKILL");
  }
}

/** Runs one that must succeed. */
export const must = (...command: readonly string[]): Promise<string> => succeeded(command, client(command));

/** Two file systems of other files, in a folder: each fills the first part of a disk. */
export async function makeFileSystems(folder: string): Promise<readonly string[]> {
  const make = async (letter: string): Promise<string> => {
    const tree = join(folder, `tree-${letter}`);
    mkdirSync(tree, { recursive: true });
    for (let file = 0; file < 40; file++)
      writeFileSync(join(tree, `${letter}${file}`), Buffer.alloc(4000 * file, `${letter}${file} `));
    const image = join(folder, `image-${letter}`);
    await must("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, image, `${fileSystemBytes / MiB}M`);
    return image;
  };
  return Promise.all(["a", "b"].map(make));
}

export interface LoadOptions {
  readonly uri: string;
  /** For what fio writes down. */
  readonly folder: string;
  readonly images: readonly string[];
  /** False: what is in the file system stays, as for clients that are killed while they write. */
  readonly hasFileSystem?: boolean;
}

/** What several clients write until they are told to end. */
export class Load {
  /** The file system that was put on the disk last; null: the one before. */
  image: string | null = null;
  readonly #options: LoadOptions;
  readonly #running = new Set<Client>();
  readonly #all: Promise<unknown>;
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { hasFileSystem = true } = options;
    this.#all = Promise.all([this.#verify(), hasFileSystem ? this.#overwrite() : undefined]);
    this.#all.catch(() => {
      this.#isOver = true; // told by `end`
    });
  }

  /** Ends when a run has begun and ended after this call, without a wrong byte or an error. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }

  /** As somebody does who pulls the plug of the clients' machine. */
  kill(): void {
    this.#isOver = true;
    for (const { child } of this.#running) child.kill("SIGKILL");
  }

  async #run(command: readonly string[]): Promise<void> {
    const running = client(command, this.#options.folder);
    this.#running.add(running);
    try {
      await succeeded(command, running);
    } finally {
      this.#running.delete(running);
    }
  }

  async #verify(): Promise<void> {
    const { uri } = this.#options;
    while (!this.#isOver)
      await this.#run([
        ...["fio", "--name=load", "--ioengine=nbd", `--uri=${uri}`, "--rw=randwrite", "--bs=4k-64k"],
        ...[`--offset=${fileSystemBytes}`, `--size=${loadBytes}`, "--iodepth=8", "--fsync=32"],
        ...["--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--rate_iops=120"],
        ...["--verify_state_save=0", "--randrepeat=0"],
      ]);
  }

  async #overwrite(): Promise<void> {
    const { uri, images } = this.#options;
    for (let turn = 1; !this.#isOver; turn++) {
      const image = images[turn % images.length] ?? "";
      await this.#run([
        ...["qemu-img", "convert", "-n", "-r", "4M", "-t", "writeback", "-f", "raw", "-O", "raw"],
        ...[image, uri],
      ]);
      this.image = image;
    }
  }
}

/** Blocks that were written one after the other, each durably, and which of them were acknowledged. */
export class Ledger {
  /** What a piece holds, of those whose write was acknowledged. */
  readonly #acknowledged = new Map<number, number>();
  /** What was sent and not answered: it is there, or it is not. */
  readonly #open = new Map<number, Set<number>>();
  #running: Client | null = null;
  #writing: Promise<void> = Promise.resolve();
  #isOver = false;
  #count = 0;

  get count(): number {
    return this.#acknowledged.size;
  }

  start(uri: string): void {
    this.#isOver = false;
    const running = client(["qemu-io", "-f", "raw", uri]);
    this.#running = running;
    this.#writing = this.#write(running);
    this.#writing.catch(() => undefined); // told by `end`
  }

  /** Writes no more; rejects when a write failed. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
    this.#running?.child.stdin?.end("quit\n");
    await this.#running?.ended;
  }

  kill(): void {
    this.#isOver = true;
    this.#running?.child.kill("SIGKILL");
  }

  async #write(running: Client): Promise<void> {
    while (!this.#isOver) {
      const piece = (this.#count * 37) % pieces;
      const value = (this.#count++ % 255) + 1;
      const open = this.#open.get(piece) ?? new Set();
      this.#open.set(piece, open.add(value));
      const offset = ledgerAt + piece * pieceBytes;
      const said = await this.#ask(running, `write -f -P ${value} ${offset} ${pieceBytes}\n`);
      if (!said.includes(`wrote ${pieceBytes}/${pieceBytes}`)) throw new Error(`qemu-io: ${said}`);
      this.#acknowledged.set(piece, value);
      this.#open.delete(piece);
    }
  }

  /** What it says until it asks for the next command. */
  #ask({ child, ended }: Client, command: string): Promise<string> {
    let stop = (): void => undefined;
    const answer = new Promise<string>((resolve, reject) => {
      let text = "";
      const hear = (more: string): void => {
        text += more;
        if (/ops\/sec\)|failed|error/.test(text)) resolve(text);
      };
      child.stdout?.on("data", hear);
      child.stderr?.on("data", hear);
      stop = () => {
        child.stdout?.off("data", hear);
        child.stderr?.off("data", hear);
      };
      ended.then(
        ({ status, stderr }) => reject(new Error(`qemu-io ended with ${status}: ${stderr}`)),
        reject,
      );
    });
    child.stdin?.write(command);
    return within(`qemu-io: ${command}`, answer, clientMs).finally(stop);
  }

  /** Throws when a copy of the disk lacks what was acknowledged. */
  check(copy: string): void {
    const bytes = readFileSync(copy);
    for (const [piece, value] of this.#acknowledged) {
      const at = ledgerAt + piece * pieceBytes;
      const found = bytes.subarray(at, at + pieceBytes);
      const may = [value, ...(this.#open.get(piece) ?? [])];
      if (may.some((each) => found.equals(Buffer.alloc(pieceBytes, each)))) continue;
      throw new Error(`what was acknowledged is lost: byte ${at} on is ${found[0]}, not ${may.join(" or ")}`);
    }
  }
}
