// What passes an interface of a lab's machine, frame by frame: tcpdump takes it, the
// project's own dissector reads it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kernelBytes } from "../../control/cli/package-files.js";
import { OfflineKernel } from "../../control/kernel/offline.js";
import { type Dissection, dissect } from "../../control/kernel/wire.js";
import type { LabRunner, Running } from "./lab-runner.js";
import { until, within } from "./programs.js";

const fileHeaderBytes = 24;
const frameHeaderBytes = 16;
const lengthAt = 8;
const magicLittleEndian = 0xa1b2c3d4;

let kernel: OfflineKernel | undefined;

/** Reads a pcap file while it grows. */
class Frames {
  readonly seen: Dissection[] = [];
  readonly #path: string;
  #at = fileHeaderBytes;

  constructor(path: string) {
    this.#path = path;
  }

  /** The frames that were written since the last time. */
  more(): Dissection[] {
    kernel ??= new OfflineKernel(kernelBytes());
    const bytes = readFileSync(this.#path);
    if (bytes.length < fileHeaderBytes) return [];
    if (bytes.readUInt32LE() !== magicLittleEndian) throw new Error(`${this.#path} is no capture`);
    const before = this.seen.length;
    while (this.#at + frameHeaderBytes <= bytes.length) {
      const begin = this.#at + frameHeaderBytes;
      const end = begin + bytes.readUInt32LE(this.#at + lengthAt);
      if (end > bytes.length) break;
      this.seen.push(dissect(kernel, bytes.subarray(begin, end)));
      this.#at = end;
    }
    return this.seen.slice(before);
  }
}

let taken = 0;

/** A capture that runs. */
export class Capture {
  readonly #frames: Frames;
  readonly #running: Running;

  private constructor(path: string, running: Running) {
    this.#frames = new Frames(path);
    this.#running = running;
  }

  /** Begins; resolves once nothing that passes is missed. */
  static async start(lab: LabRunner, node: string, name = "eth0"): Promise<Capture> {
    const path = join(lab.folder, `${node}-${taken++}.pcap`);
    const words = ["-i", name, "-n", "-U", "--immediate-mode", "-B", "32768", "-Z", "root", "-w", path];
    const running = lab.start(["lab", "exec", node, "--", "tcpdump", ...words, "ether", "proto", "0x8146"]);
    let said = "";
    running.child.stderr?.on("data", (text: string) => {
      said += text;
    });
    await until(`tcpdump on ${node}`, () => {
      if (running.child.exitCode !== null) throw new Error(`tcpdump ended: ${said}`);
      return said.includes("listening on") || undefined;
    });
    return new Capture(path, running);
  }

  /** Ends once `last` has passed; gives every frame. Throws when frames were missed. */
  async stop(last: (frame: Dissection) => boolean): Promise<Dissection[]> {
    await until("the last frame of the capture", () => this.#frames.more().some(last) || undefined);
    this.#running.child.kill("SIGINT");
    const { stderr } = await within("the end of tcpdump", this.#running.outcome);
    if (!/^0 packets dropped by kernel$/m.test(stderr)) throw new Error(`frames were missed:\n${stderr}`);
    this.#frames.more();
    return this.#frames.seen;
  }
}
