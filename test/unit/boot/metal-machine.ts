// A metal machine in this process: kernel.wasm and metal.wasm on one memory, as the shim runs them,
// with models of its devices in place of QEMU's.
//
// - Time is the test's clock, randomness seeded; a turn is a call of `turn`.
// - The serial port is text: what it said, and what is typed next.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../control/cli/package-files.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { module as kernelModule } from "../kernel/booted.js";
import type { NetDevice } from "./net-device.js";
import type { PciBus } from "./pci-bus.js";

const metalModule = new WebAssembly.Module(readFileSync(join(packageRoot, "build/release/metal.wasm")));
const placeBase = 0xfeb00000;
const placeBytes = 512;
const serial = 0x3f8;
const commandLine = 64;
export const physicalBase = 0x200000;

interface Metal {
  start(): void;
  turn(now: number): number;
  transmit(network: number, head: number, headLength: number, body: number, bodyLength: number): number;
  log(pointer: number, length: number): void;
  entropyFill(pointer: number, length: number): number;
}

export interface MetalOptions {
  readonly memoryMebibytes?: number;
  /** The words of its command line. */
  readonly line?: string;
  readonly clock: () => number;
  readonly seed?: number;
  /** Its devices, by place; made when its memory is there. */
  readonly devices?: (memory: WebAssembly.Memory) => ReadonlyMap<number, NetDevice>;
  /** Its PCI bus, where it has one. */
  readonly pci?: (memory: WebAssembly.Memory) => PciBus;
  /** Its processor gives random bytes; else metal.wasm must find some. */
  readonly rdrand?: boolean;
}

export class MetalMachine {
  readonly memory: WebAssembly.Memory;
  readonly devices: ReadonlyMap<number, NetDevice>;
  readonly pci: PciBus | undefined;
  /** What the host was told of the last frames: network, sent, whole length. */
  readonly frames: (readonly [number, number, number])[] = [];
  watchdogSeconds = 0;
  /** What it has said, with newlines. */
  said = "";
  /** What it is about to read. */
  typed = "";
  /** Times it asked to be started anew. */
  resets = 0;
  readonly #metal: Metal;
  readonly #clock: () => number;

  constructor(options: MetalOptions) {
    const { memoryMebibytes = 14, line = "", clock, seed = 4711, devices, pci, rdrand = true } = options;
    this.#clock = clock;
    this.memory = new WebAssembly.Memory({ initial: memoryMebibytes * 16 });
    this.devices = devices?.(this.memory) ?? new Map();
    this.pci = pci?.(this.memory);
    const generator = new SeededRandom(seed);
    const random = (pointer: number, length: number): void => {
      if (!rdrand) {
        if (this.#metal.entropyFill(pointer, length) === 0) throw new Error("panic: no randomness");
        return;
      }
      const bytes = new Uint8Array(this.memory.buffer, pointer, length);
      for (let i = 0; i < length; i++) bytes[i] = generator.next() >>> 24;
    };
    const env = {
      memory: this.memory,
      random,
      transmit: (...words: [number, number, number, number, number]) => this.#metal.transmit(...words),
      log: (pointer: number, length: number) => this.#metal.log(pointer, length),
      trap: (code: number) => {
        throw new Error(`kernel assertion ${code}`);
      },
    };
    const kernel = new WebAssembly.Instance(kernelModule, { env }).exports;
    const host = {
      now: clock,
      reset: () => {
        this.resets++;
      },
      watchdog: (seconds: number) => {
        this.watchdogSeconds = seconds;
      },
      frame: (network: number, sent: number, pointer: number, length: number, whole: number) => {
        if ((pointer >>> 0) + length > this.memory.buffer.byteLength) throw new Error("a frame outside");
        this.frames.push([network, sent, whole]);
      },
      fence: () => undefined,
      physical: (pointer: number) => BigInt(physicalBase + (pointer >>> 0)),
      port_in: (port: number, bytes: number) => this.#portIn(port, bytes),
      port_out: (port: number, bytes: number, value: number) => this.#portOut(port, bytes, value >>> 0),
      register_load: (address: bigint, bytes: number) => {
        const onBus = this.pci?.load(Number(address), bytes);
        if (onBus !== undefined) return onBus;
        const found = this.#deviceAt(Number(address));
        return found === undefined ? -1 : found.device.load(found.at, bytes);
      },
      register_store: (address: bigint, bytes: number, value: number) => {
        const at = Number(address) - physicalBase;
        if (at > -physicalBase && at < this.memory.buffer.byteLength) throw new Error("a register in memory");
        if (this.pci?.store(Number(address), bytes, value >>> 0)) return;
        const found = this.#deviceAt(Number(address));
        found?.device.store(found.at, value >>> 0);
      },
    };
    const imports = { env, host, kernel: kernel as Record<string, WebAssembly.ImportValue> };
    this.#metal = new WebAssembly.Instance(metalModule, imports).exports as unknown as Metal;
    new Uint8Array(this.memory.buffer).set(new TextEncoder().encode(line), commandLine);
  }

  #deviceAt(address: number): { device: NetDevice; at: number } | undefined {
    const device = this.devices.get(Math.floor((address - placeBase) / placeBytes));
    return device === undefined ? undefined : { device, at: (address - placeBase) % placeBytes };
  }

  #portIn(port: number, bytes: number): number {
    if (this.pci !== undefined && port >= 0xcf8 && port <= 0xcff) return this.pci.portIn(port, bytes);
    if (port === serial + 5) return 0x60 | (this.typed === "" ? 0 : 1);
    if (port !== serial) return 0xff;
    const byte = this.typed.charCodeAt(0);
    this.typed = this.typed.slice(1);
    return byte;
  }

  #portOut(port: number, bytes: number, value: number): void {
    if (port >= 0xcf8 && port <= 0xcff) this.pci?.portOut(port, bytes, value);
    if (port === serial && this.#lineControl === 0x03) this.said += String.fromCharCode(value);
    if (port === serial + 3) this.#lineControl = value;
  }
  #lineControl = 0;

  start(): void {
    this.#metal.start();
  }

  /** One turn; when the next is wanted, as metal.wasm answers it. */
  turn(): number {
    for (const device of this.devices.values()) device.receive();
    this.pci?.receive();
    return this.#metal.turn(this.#clock());
  }

  /** The document of the line that says that it serves. */
  served(): { name: string; kind: string; servers: Readonly<Record<"echo" | "sys", string>> } {
    const line = this.said.split("\r\n").find((each) => each.startsWith("serves "));
    if (line === undefined) throw new Error(`it does not serve; it said: ${this.said}`);
    return JSON.parse(line.slice("serves ".length));
  }
}
