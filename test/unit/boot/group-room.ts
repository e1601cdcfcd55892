// Metal machines and Linux members of one group on a LAN in memory, in virtual time.
//
// - A Linux member is a Replica whose state is the lines that it was given, as `group join` has it:
//   with nothing in a snapshot but which lines were applied.
// - Whoever is in `off` has no turns: its power is cut, or it stands still.

import { groupPort } from "../../../control/cli/group-name.js";
import { Replica, type ReplicaEvent, type ReplicaOptions } from "../../../control/group/replica.js";
import type { After } from "../../../control/group/timer.js";
import type { Kernel } from "../../../control/kernel/kernel.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { Room } from "../kernel/booted.js";
import { MetalMachine, type MetalOptions, physicalBase } from "./metal-machine.js";
import { NetDevice } from "./net-device.js";

const limits = { memoryBytes: 16 * 1024 * 1024, threads: 128, locates: 64, ports: 256 };
const decoder = new TextDecoder();

export interface LinuxMember {
  readonly kernel: Kernel;
  readonly replica: Replica;
  /** Seqno, member and text of each line. */
  readonly lines: (readonly [number, number, string])[];
  readonly events: ReplicaEvent[];
  readonly submit: (text: string) => Promise<unknown>;
}

export class MetalGroupRoom {
  readonly room = new Room();
  readonly machines: MetalMachine[] = [];
  readonly off = new Set<MetalMachine | Kernel>();
  readonly #random = new SeededRandom(11);

  readonly random = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => this.#random.next() & 0xff);

  readonly after: After = this.room.after;

  kernel(): Kernel {
    return this.room.attached(limits);
  }

  metal(line: string, options: Partial<MetalOptions> = {}): MetalMachine {
    const number = this.machines.length;
    const machine = new MetalMachine({
      clock: () => this.room.clock.now,
      line,
      seed: 100 + number,
      devices: (memory) =>
        new Map([
          [
            3,
            new NetDevice({ memory, physicalBase, port: this.room.lan.port(`metal${number}`), version: 2 }),
          ],
        ]),
      ...options,
    });
    this.machines.push(machine);
    machine.start();
    return machine;
  }

  /** A Linux member of the group; `more` for one that is other than usual. */
  async linux(name: string, create: boolean, more: Partial<ReplicaOptions> = {}): Promise<LinuxMember> {
    const kernel = this.kernel();
    const lines: (readonly [number, number, string])[] = [];
    const events: ReplicaEvent[] = [];
    const opening = Replica.open({
      ...{ kernel, after: this.after, random: this.random, port: groupPort(name), name, create, open: true },
      machine: {
        apply: (command, seqno, member) => {
          lines.push([seqno, member, decoder.decode(command)]);
          return new Uint8Array();
        },
        snapshot: () => new Uint8Array(),
        restore: () => undefined,
      },
      event: (event) => events.push(event),
      ...more,
    });
    const replica = await this.settled(opening);
    const submit = (text: string) => replica.submit(new TextEncoder().encode(text));
    return { kernel, replica, lines, events, submit };
  }

  #turns(): void {
    for (let more = true; more; ) {
      more = this.room.kernels.some((kernel) => !this.off.has(kernel) && kernel.turn(0) > 0);
      for (const machine of this.machines) if (!this.off.has(machine) && machine.turn() === 0) more = true;
    }
  }

  /** Runs until `done` says so; throws when it does not within so many virtual milliseconds. */
  async until(what: string, done: () => boolean, milliseconds = 10_000): Promise<void> {
    for (let left = 4 * milliseconds; !done(); left--) {
      if (left <= 0)
        throw new Error(`not within ${milliseconds} ms: ${what}; said:\n${this.machines[0]?.said ?? ""}`);
      this.room.clock.advance(250);
      this.#turns();
      if (left % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  run(milliseconds: number): Promise<void> {
    const end = this.room.clock.now + milliseconds * 1000;
    return this.until("time goes by", () => this.room.clock.now >= end, milliseconds + 1);
  }

  async settled<Value>(promise: Promise<Value>, milliseconds = 20_000): Promise<Value> {
    let over = false;
    const end = () => {
      over = true;
    };
    promise.then(end, end);
    await this.until("a promise is settled", () => over, milliseconds);
    return promise;
  }
}

/** What the monitor answers to a line. */
export async function typed(room: MetalGroupRoom, machine: MetalMachine, line: string): Promise<string> {
  const before = machine.said.length;
  machine.typed = `${line}\r`;
  await room.run(2);
  return machine.said.slice(before);
}

/** Seqno, member and text of the last lines, as the machine's monitor shows them. */
export async function messages(
  room: MetalGroupRoom,
  machine: MetalMachine,
): Promise<(readonly [number, number, string])[]> {
  const shown = await typed(room, machine, "messages");
  return [...shown.matchAll(/^(\d+) {2}(\d+) {2}data {2}(.*?)\r?$/gm)].map(([, seqno, member, text]) => [
    Number(seqno),
    Number(member),
    text ?? "",
  ]);
}
