// A machine: its MAC addresses last, its kernels come and go.
//
// - Each boot is a new instance of kernel.wasm with a new kernel id. A crash drops the kernel
//   where it stands: what was not on the wire is lost, nobody is told.
// - Pause and slowness keep it from taking turns; frames go on to arrive at its cards until
//   these are full. A clock that jumps is the kernel's only: the world's time does not.
// - Programs ask `after` for later: what they wanted is forgotten when they crash.

import { Kernel } from "../../control/kernel/kernel.js";
import type { Limits } from "../../control/kernel/limits.js";
import { COMPLETION_CONSUMED, LAYOUT_ADDRESS, LAYOUT_COMPLETIONS } from "../../core-wasm/layout.js";
import { HASH_BOOT, HASH_COMPLETED } from "./hash.js";
import type { Lan, Socket } from "./lan.js";
import { type CallEnd, type CallRequest, callOn, type Handler, serveOn } from "./programs.js";
import { SECOND, type World } from "./world.js";

/** Few entries of everything: hundreds of kernels fit, and tables do run full. */
export const smallLimits: Partial<Limits> = {
  memoryBytes: 6 * 1024 * 1024,
  networks: 4,
  neighbours: 64,
  routes: 128,
  locations: 256,
  locates: 32,
  frames: 256,
  threads: 64,
  ports: 64,
  portCache: 64,
  clientKernels: 32,
  duplicateWindow: 4096,
  forgottenKernels: 256,
  stashBytes: 65536,
  groups: 2,
  groupOperations: 64,
  groupBytes: 65536,
};

export interface MachineOptions {
  readonly limits?: Partial<Limits>;
  /** Networks of these indexes are not trusted. */
  readonly untrusted?: readonly number[];
  readonly mtu?: number;
}

export class Machine {
  kernel: Kernel | null = null;
  boots = 0;
  /** It waits for a turn. */
  dirty = false;
  /** When it wants its next turn, by the world's time. */
  due = Number.POSITIVE_INFINITY;
  /** What its programs do after every boot. */
  onBoot: (() => void) | null = null;
  /** Called just before its kernel is gone. */
  onCrash: (() => void) | null = null;
  /** What a turn that did something costs; 0 on a machine of ordinary speed. */
  slowMicroseconds = 0;
  /** What its clock is ahead of the world's. */
  clockAhead = 0;
  readonly sockets: readonly Socket[];
  #readyAt = 0;
  #stalled = false;
  #ring = 0;
  #consumed = 0;

  constructor(
    readonly world: World,
    readonly index: number,
    readonly name: string,
    readonly lans: readonly Lan[],
    readonly options: MachineOptions,
  ) {
    const wake = (): void => this.wake();
    this.sockets = lans.map((lan) => lan.socket(name, world.nextMac(), wake, options.mtu));
  }

  /** Asks for a turn now. */
  wake(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.world.wants(this);
  }

  readonly #clock = (): number => this.world.now + this.clockAhead;

  boot(): Kernel {
    if (this.kernel !== null) throw new Error(`${this.name} runs already`);
    const { world } = this;
    const kernel = new Kernel({
      module: world.module,
      clock: this.#clock,
      monotonic: true,
      random: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = world.random.next();
      },
      limits: { ...smallLimits, ...this.options.limits },
      wake: () => this.wake(),
    });
    for (const [index, socket] of this.sockets.entries()) {
      kernel.attach(socket.open(this.#clock), { trusted: !this.options.untrusted?.includes(index) });
    }
    this.#ring = kernel.view.getUint32(LAYOUT_ADDRESS + 4 * LAYOUT_COMPLETIONS, true);
    this.#consumed = 0;
    this.kernel = kernel;
    this.boots++;
    world.hash.event(HASH_BOOT, world.now, this.index, this.boots);
    this.wake();
    this.onBoot?.();
    return kernel;
  }

  /** The power goes. */
  crash(): void {
    if (this.kernel === null) return;
    this.onCrash?.();
    for (const socket of this.sockets) socket.device?.close();
    this.kernel = null;
    this.due = Number.POSITIVE_INFINITY;
    this.#readyAt = 0;
    this.slowMicroseconds = 0;
    this.world.hash.event(HASH_BOOT, this.world.now, this.index, -this.boots);
  }

  /**
   * Takes no turn until then. `busy`: in the middle of something, so that its kernel does not
   * take the gap for time that others were silent; else it had gone to sleep.
   */
  pause(until: number, busy: boolean): void {
    if (this.kernel === null) return;
    this.#readyAt = Math.max(this.#readyAt, until);
    this.#stalled = busy;
  }

  /** Awake and as fast as others again. */
  recover(): void {
    this.#readyAt = 0;
    this.slowMicroseconds = 0;
    this.wake();
  }

  /** Its clock jumps. */
  jump(microseconds: number): void {
    this.clockAhead = Math.max(-this.world.now, this.clockAhead + microseconds);
    this.wake();
  }

  /** The kernel, which must run. */
  get running(): Kernel {
    if (this.kernel === null) throw new Error(`${this.name} is down`);
    return this.kernel;
  }

  /** Runs `action` later, unless this machine has crashed by then. */
  after(microseconds: number, action: () => void): void {
    const { kernel } = this;
    this.world.after(microseconds, () => {
      if (this.kernel === kernel) action();
    });
  }

  /** Begins a call; `done` gets its end, unless this machine crashes first. */
  begin(request: CallRequest, done: (end: CallEnd) => void): number {
    return callOn(this, request, done);
  }

  /** Makes a call and runs the world until it ends, at most `limit` microseconds. */
  call(request: CallRequest, limit = 120 * SECOND): CallEnd {
    let end: CallEnd | null = null;
    this.begin(request, (given) => {
      end = given;
    });
    this.world.run(() => end !== null, limit);
    if (end === null) throw new Error(`the call did not end within ${limit / SECOND} s`);
    return end;
  }

  /** So many threads wait for requests to a get-port, from now until the next crash. */
  serve(getPort: Uint8Array, threads: number, capacity: number, handler: Handler, borrow = false): void {
    for (let i = 0; i < threads; i++) serveOn(this, getPort, capacity, handler, borrow);
  }

  /** One turn of its kernel; for the world only. */
  takeTurn(): void {
    const { kernel, world } = this;
    this.dirty = false;
    if (kernel === null) return;
    if (this.#readyAt > world.now) {
      this.due = this.#readyAt;
      return;
    }
    if (!this.#stalled) kernel.rested(this.#clock());
    this.#stalled = false;
    const work = kernel.turn(0);
    if (this.kernel !== kernel) return;
    this.#hashCompletions(kernel);
    if (work > 0) {
      if (this.slowMicroseconds > 0) this.#readyAt = world.now + this.slowMicroseconds;
      this.wake();
    }
    this.due = kernel.nextDeadline() - this.clockAhead;
  }

  #hashCompletions(kernel: Kernel): void {
    const consumed = kernel.view.getUint32(this.#ring + COMPLETION_CONSUMED, true);
    if (consumed === this.#consumed) return;
    this.world.hash.event(HASH_COMPLETED, this.world.now, this.index, consumed);
    this.world.activity++;
    this.#consumed = consumed;
  }
}
