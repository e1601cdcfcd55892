// Taps on the interfaces of a machine behind ssh: `proteus capture local --feed` runs there and
// sends what it takes; here it is shown and written as if the taps were here.
//
// - On the way: pcapng, whose head ends with a first block of statistics for each interface;
//   the last blocks of statistics say what was lost there.
// - It ends there when its standard input ends: when `finish` is called, or the connection
//   breaks. ssh is in a session of its own: Ctrl-C at the terminal is for us alone.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { PcapngReader } from "../../drivers/capture/pcapng-read.js";
import type { Tap, TapFrame } from "../../drivers/tap.js";
import { WaitingFrames } from "../../drivers/waiting-frames.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { toolEnvironment } from "../lab/tools.js";
import { type Remote, sshMissing } from "../machine/ssh.js";

const finishMs = 10_000;
const wordsMax = 4000;

class RemoteTap implements Tap {
  readonly #waiting = new WaitingFrames();
  /** As the other side counted at the end. */
  droppedThere = 0;
  /** Nobody waits for more: what does not fit is not lost. */
  finishing = false;

  constructor(readonly name: string) {}

  take(frame: TapFrame): void {
    if (!this.finishing || this.#waiting.hasRoom) this.#waiting.take(frame);
  }

  wake(): void {
    this.#waiting.wake();
  }

  poll(): readonly TapFrame[] {
    return this.#waiting.poll();
  }

  watch(callback: (() => void) | null): void {
    this.#waiting.watch(callback);
  }

  dropped(): number {
    return this.droppedThere + this.#waiting.overrun;
  }

  close(): void {
    this.#waiting.watch(null);
  }
}

/** A capture that runs on another machine. */
export class RemoteCapture {
  readonly taps: RemoteTap[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #remote: Remote;
  readonly #reader = new PcapngReader();
  readonly #closed: Promise<void>;
  #words = "";
  #listens = false;
  #finishing = false;
  #fault: Error | null = null;

  private constructor(remote: Remote, interfaceName: string | undefined, changed: () => void) {
    this.#remote = remote;
    const target = interfaceName === undefined ? "local" : `local:${interfaceName}`;
    const [tool = "", ...rest] = remote.program(["capture", target, "--feed"]);
    this.#child = spawn(tool, rest, {
      detached: true,
      env: toolEnvironment(),
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stdin.on("error", () => {}); // its end says more
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-wordsMax);
    });
    this.#child.stdout.on("data", (bytes: Buffer) => {
      this.#hear(bytes);
      changed();
    });
    this.#closed = new Promise((resolve) => {
      this.#child.on("error", (error: NodeJS.ErrnoException) => {
        this.#fault ??= error.code === "ENOENT" ? sshMissing() : error;
        resolve();
      });
      this.#child.on("close", (code) => {
        this.#end(code ?? 128);
        resolve();
      });
    });
  }

  /**
   * Begins; resolves when it listens there. `lost` is told when it ends without having been told
   * to. Rejects with REMOTE_…, or with what Proteus there says.
   */
  static async start(
    remote: Remote,
    interfaceName: string | undefined,
    lost: (error: unknown) => void,
  ): Promise<RemoteCapture> {
    return new Promise((resolve, reject) => {
      const capture: RemoteCapture = new RemoteCapture(remote, interfaceName, () => {
        if (capture.#listens) resolve(capture);
      });
      capture.#closed.then(() => {
        if (capture.#fault === null) return;
        reject(capture.#fault);
        lost(capture.#fault);
      });
    });
  }

  #hear(bytes: Buffer): void {
    try {
      for (const block of this.#reader.push(bytes)) {
        if (block.kind === "interface") this.taps.push(new RemoteTap(block.name));
        else if (block.kind === "frame") this.taps[block.place]?.take(block);
        else {
          this.#listens = true;
          const tap = this.taps[block.place];
          if (tap !== undefined) tap.droppedThere = block.dropped;
        }
      }
    } catch (error) {
      this.#fault ??= this.#broken(error instanceof Error ? error.message : String(error));
      this.#child.kill("SIGKILL");
    }
    for (const tap of this.taps) tap.wake();
  }

  #broken(why: string): ProteusError {
    return new ProteusError({
      ...{ code: "REMOTE_LOST", exit: exitCodes.unreachable, why },
      message: `the capture on ${this.#remote.name} broke off`,
      unchanged: "what was captured before is shown and written; what was lost there is not known",
      hint: `see that this works: ssh ${this.#remote.destination} true`,
    });
  }

  #end(status: number): void {
    const orderly = status === exitCodes.ok || status === exitCodes.degraded;
    if (orderly && this.#finishing) return;
    this.#fault ??= this.#listens
      ? this.#broken(this.#words.trim().split("\n").at(-1) || `it ended with ${status}`)
      : this.#remote.failure({ status, output: "", errors: this.#words }, "proteus capture");
  }

  /** Ends it there; resolves when all that it had taken is here. Rejects with REMOTE_LOST. */
  async finish(): Promise<void> {
    this.#finishing = true;
    for (const tap of this.taps) tap.finishing = true;
    this.#child.stdin.end();
    const timer = setTimeout(() => this.kill(), finishMs);
    await this.#closed;
    clearTimeout(timer);
    if (this.#fault !== null) throw this.#fault;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
