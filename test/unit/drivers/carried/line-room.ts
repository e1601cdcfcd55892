// Machines and a slow serial line in virtual time: from event to event, so that minutes of a line
// take no longer than what happens in them.
//
// - The line has the queue, MTU, weight and window that a real one of its speed has
//   (drivers/serial), and each byte takes its ten bits. The bytes of SLIP and CRC are counted, not made.
// - Bytes that noise damages cost their message: a share `loss` of messages, by a seed.
// - `counted` tells what went over the line since it was last asked, by kind.

import { trans } from "../../../../control/kernel/calls.js";
import { Kernel } from "../../../../control/kernel/kernel.js";
import { Service } from "../../../../control/kernel/service.js";
import { CarriedDevice } from "../../../../drivers/carried/device.js";
import { decodeMessage, frameOf } from "../../../../drivers/carried/message.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryLan } from "../../../../drivers/memory/lan.js";
import { lineFacts } from "../../../../drivers/serial/line.js";
import { LineQueue } from "../../../../drivers/serial/queue.js";
import { EventQueue } from "../../../../simulation/engine/events.js";
import { getPort, layersOf } from "../../../simulation/pairs.js";
import { module } from "../../kernel/booted.js";

/** Two ENDs, a CRC, and a few escapes. */
const framingBytes = 10;
/** From the last bit of a message until its kernel sees it. */
const hostUs = 1000;
const quietTurns = 6;

export interface LineOptions {
  /** Bits a second. */
  readonly speed: number;
  /** Share of messages that noise takes. */
  readonly loss?: number;
  readonly seed?: number;
}

/** What a call came to. */
export interface CallResult {
  readonly error: string | null;
  readonly data: Uint8Array;
  readonly seconds: number;
}

/** Machines, their wires and their time. */
export class LineRoom {
  now = 0;
  readonly #events = new EventQueue();
  readonly #kernels: Kernel[] = [];
  readonly #random = new SeededRandom(1);
  readonly #counts = new Map<string, number>();

  readonly schedule = (microseconds: number, action: () => void): void =>
    this.#events.add(this.now + Math.max(1, Math.ceil(microseconds)), action);

  kernel(): Kernel {
    const kernel = new Kernel({
      module,
      clock: () => this.now,
      random: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = this.#random.next() >>> 24;
      },
      limits: { memoryBytes: 24 * 1024 * 1024, clientKernels: 8, duplicateWindow: 1024 },
    });
    this.#kernels.push(kernel);
    return kernel;
  }

  /** Puts machines on an Ethernet. */
  ethernet(...kernels: readonly Kernel[]): void {
    const lan = new MemoryLan({ schedule: this.schedule, latencyMicroseconds: 50 });
    for (const [index, kernel] of kernels.entries()) kernel.attach(lan.port(`lan:${index}`));
  }

  /** Joins two machines by a serial line. */
  line(left: Kernel, right: Kernel, { speed, loss = 0, seed = 1 }: LineOptions): void {
    const random = new SeededRandom(seed);
    const { mtu, weight, receiveFrames } = lineFacts(speed);
    const device = (station: number, other: () => CarriedDevice): CarriedDevice => {
      let freeAt = 0;
      const queue = new LineQueue({
        speed,
        now: () => this.now / 1000,
        later: (milliseconds, action) => this.#later(milliseconds * 1000, action),
        write: (message) => {
          this.#count(message);
          freeAt = Math.max(freeAt, this.now) + ((message.length + framingBytes) * 1e7) / speed;
          const lost = random.chance(loss);
          this.schedule(freeAt + hostUs - this.now, () => {
            if (!lost) other().accept(message);
          });
        },
      });
      return new CarriedDevice({
        ...{ name: `line:${station}`, station: Uint8Array.of(10, 0, 0, station), trusted: true, slots: 64 },
        ...{ mtu, weight, receiveFrames },
        carrier: {
          send: (message) => {
            const taken = queue.add(message);
            if (!taken) this.#up("refused");
            return taken;
          },
          ...{ keepAlive: () => {}, damaged: () => 0, close: () => {} },
        },
      });
    };
    const a: CarriedDevice = device(1, () => b);
    const b: CarriedDevice = device(2, () => a);
    left.attach(a);
    right.attach(b);
  }

  #later(microseconds: number, action: () => void): () => void {
    let wanted = true;
    this.schedule(microseconds, () => {
      if (wanted) action();
    });
    return () => {
      wanted = false;
    };
  }

  #up(kind: string, by = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by);
  }

  #count(bytes: Uint8Array): void {
    this.#up("messages");
    this.#up("bytes", bytes.length + framingBytes);
    const message = decodeMessage(bytes);
    if (message === null) return;
    const { fragment, flip, rpc } = layersOf(frameOf(message));
    const data = fragment?.type === "DATA" || fragment?.type === "CHECKED";
    this.#up(data ? (rpc?.type ?? flip?.type ?? "DATA") : (fragment?.type ?? "?"));
  }

  /** What went over lines since the last question, by kind. */
  counted(): Record<string, number> {
    const counts = Object.fromEntries(this.#counts);
    this.#counts.clear();
    return counts;
  }

  /** Runs until it is so, at most so many seconds. */
  async run(done: () => boolean, seconds: number): Promise<boolean> {
    const until = this.now + seconds * 1e6;
    while (!done()) {
      let happened = 0;
      for (const kernel of this.#kernels) happened += kernel.turn(0);
      if (happened > 0) {
        for (let i = 0; i < quietTurns; i++) await null;
        continue;
      }
      const deadlines = this.#kernels.map((kernel) => kernel.nextDeadline());
      const next = Math.max(this.now, Math.min(this.#events.next, ...deadlines));
      if (next > until) return done();
      this.now = next;
      while (this.#events.next <= this.now) this.#events.fire();
    }
    return true;
  }

  /** Makes a call and runs until it is over. */
  async call(from: Kernel, port: Uint8Array, data: Uint8Array, seconds = 600): Promise<CallResult> {
    const [result] = await this.calls([{ from, port, data }], seconds);
    if (result === undefined) throw new Error("no call was made");
    return result;
  }

  /** Makes calls at the same time and runs until all are over. */
  async calls(
    wanted: readonly { readonly from: Kernel; readonly port: Uint8Array; readonly data: Uint8Array }[],
    seconds = 600,
  ): Promise<readonly CallResult[]> {
    const began = this.now;
    const results: (CallResult | null)[] = wanted.map(() => null);
    for (const [index, { from, port, data }] of wanted.entries()) {
      const end = (error: string | null, reply: Uint8Array): void => {
        results[index] = { error, data: reply, seconds: (this.now - began) / 1e6 };
      };
      trans(from, { port, command: 1 }, data).then(
        (reply) => end(null, reply.data),
        (error: unknown) => end((error as { code?: string }).code ?? String(error), new Uint8Array(0)),
      );
    }
    await this.run(() => results.every((each) => each !== null), seconds);
    return results.map((each) => each ?? { error: "endless", data: new Uint8Array(0), seconds });
  }
}

/** A server that answers with what it was sent, and counts. */
export function echoAt(kernel: Kernel): { readonly port: Uint8Array; readonly executed: () => number } {
  let count = 0;
  const service = new Service(kernel, getPort, (request, reply) => {
    count++;
    reply(request.length);
  });
  return { port: service.putPort, executed: () => count };
}
