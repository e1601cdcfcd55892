// Several venuses and a vice in one process, in virtual time.
//
// - The network can be cut, slow, deaf to breaks, lose answers; mounts and vice are killed, and their power
//   ends. Time passes when a test says so, or when somebody waits who needs it.

import { createHash } from "node:crypto";
import { recordSchema } from "../../../control/interface/file-records.js";
import { statusName } from "../../../control/kernel/errors.js";
import { newVolume } from "../../../control/server/vice/state.js";
import { ViceVolume } from "../../../control/server/vice/volume.js";
import { Refused } from "../../../control/stub/refused.js";
import type { CallVice, Came, Values } from "../../../control/venus/link.js";
import type { PermitMode } from "../../../control/venus/permit.js";
import { type MountMode, Venus } from "../../../control/venus/venus.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import type { FileSystem } from "../../../drivers/file-system.js";
import type { Invalidation } from "../../../drivers/fuse/encode.js";
import { MemoryFolder } from "../../../drivers/memory/folder.js";
import { KernelSide } from "./kernel-side.js";

const newDigest = () => createHash("sha256");
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

export class FilesWorld {
  readonly random = new SeededRandom(3);
  readonly viceFolder = new MemoryFolder({ random: new SeededRandom(1) });
  readonly mounts: Mount[] = [];
  milliseconds = 0;
  /** Whether mounts ask for permits. */
  permit: PermitMode = "auto";
  volume: ViceVolume;
  /** Calls that vice was asked. */
  calls: string[] = [];
  readonly failures: unknown[] = [];
  readonly #semantics: "session" | "strict";
  #late: { readonly at: number; readonly happen: () => void }[] = [];

  constructor(semantics: "session" | "strict" = "session") {
    this.#semantics = semantics;
    this.volume = this.#open();
  }

  #open(): ViceVolume {
    const facts = { name: "v", semantics: this.#semantics, identity: "77", generation: "0011223344556677" };
    return new ViceVolume(
      {
        ...{ number: 1, folder: this.viceFolder, newDigest, random: this.bytes },
        time: () => 1000 + this.milliseconds / 1000,
        now: () => this.milliseconds,
        after: (_, action) => {
          queueMicrotask(action);
          return () => undefined;
        },
        tell: async (port, ids) => {
          const mount = this.mounts.find((each) => each.port[0] === port[0]);
          if (mount === undefined || mount.isCut || mount.isDeaf) return false;
          await new Promise<void>((resolve) => {
            mount.venus.break(ids, resolve);
          });
          return true;
        },
        hurry: async (port, fence) => {
          const mount = this.mounts.find((each) => each.port[0] === port[0]);
          if (mount === undefined || mount.isCut || mount.isDeaf) return false;
          mount.venus.hurry(fence);
          return true;
        },
      },
      newVolume(facts, 0, [1000, 0]),
    );
  }

  bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => this.random.next() >>> 24);

  /** Vice is killed and comes back. */
  restartVice(): void {
    this.volume.close();
    this.viceFolder.kill();
    this.viceFolder.restart();
    this.volume = this.#open();
  }

  mount(bytesMax?: number, mode?: MountMode): Mount {
    const mount = new Mount(this, this.mounts.length + 1, bytesMax, mode);
    this.mounts.push(mount);
    return mount;
  }

  /** Lets everything happen that can happen now. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 300; turn++) await Promise.resolve();
  }

  /** Time passes. */
  async pass(milliseconds: number, step = 100): Promise<void> {
    for (let left = milliseconds; left > 0; left -= step) {
      this.milliseconds += Math.min(step, left);
      this.#late = this.#late.filter(({ at, happen }) => {
        if (at > this.milliseconds) return true;
        happen();
        return false;
      });
      for (const { venus } of this.mounts) if (venus.nextMs() <= 0) venus.tick();
      await this.settle();
    }
  }

  /** What happens after a while: a slow network. */
  later(milliseconds: number, happen: () => void): void {
    if (milliseconds === 0) happen();
    else this.#late.push({ at: this.milliseconds + milliseconds, happen });
  }

  /** Somebody waits for a permit, or a slow network. */
  get isWaiting(): boolean {
    return this.#late.length > 0 || this.mounts.some(({ venus }) => venus.link.waiting > 0);
  }

  async serve(operation: string, given: Values): Promise<Values> {
    const { volume } = this;
    const bytesOf = (name: string) => given[name] as Uint8Array;
    const session = () => volume.session(bytesOf("session"));
    this.calls.push(operation);
    switch (operation) {
      case "hello":
        return { hello: json(await volume.hello(bytesOf("uuid"), bytesOf("port"), String(given.machine))) };
      case "getstatus":
        return { statuses: json(volume.statuses(session(), (given.ids as { ids: number[] }).ids)) };
      case "entries": {
        const after = new TextDecoder().decode(bytesOf("after"));
        return { entries: json(volume.entries(session(), Number(given.directory), after)) };
      }
      case "fetch": {
        session();
        const [object, version] = [Number(given.object), Number(given.version)];
        return { data: volume.fetch(object, version, Number(given.position), Number(given.length)) };
      }
      case "past": {
        session();
        const after = new TextDecoder().decode(bytesOf("after"));
        return { past: json(volume.past(Number(given.moment), Number(given.object), after)) };
      }
      case "versions": {
        session();
        const name = new TextDecoder().decode(bytesOf("name"));
        return { versions: json(volume.versions(Number(given.directory), name, Number(given.after))) };
      }
      case "send":
        return {
          next: volume.send(session(), Number(given.record), Number(given.position), bytesOf("data")),
        };
      case "reintegrate": {
        const records = (json(given.records) as { records: unknown[] }).records.map((each) =>
          recordSchema.parse(each),
        );
        return { reintegrated: json(await volume.reintegrate(session(), records)) };
      }
      case "permit":
        return { fence: await volume.permits.answer(session(), Number(given.fence)) };
      case "keep":
        session();
        return {};
      default:
        throw new Error(`vice has no operation ${operation}`);
    }
  }
}

/** The kernel's side of one mount. */
export class Mount extends KernelSide {
  readonly port: Uint8Array;
  readonly folder: MemoryFolder;
  venus: Venus;
  /** No network. */
  isCut = false;
  /** Answers of vice come, breaks do not. */
  isDeaf = false;
  /** Vice refuses operations with these statuses. */
  readonly refuses = new Map<string, number>();
  /** The next answer of vice is lost, after it was done. */
  loseAnswer = "";
  /** How long a call takes. */
  slowMs = 0;
  /** Whether it asks for permits, from the next start on. */
  permit: PermitMode;
  readonly invalidated: Invalidation[] = [];
  #boots = 1;
  /** How often it was started anew. */
  #life = 0;
  /** Calls that are not answered, and the most that there were. */
  underWay = 0;
  mostUnderWay = 0;

  constructor(
    readonly world: FilesWorld,
    readonly number: number,
    readonly bytesMax = Number.POSITIVE_INFINITY,
    /** Of the next start. */
    public mode?: MountMode,
  ) {
    super();
    this.port = new Uint8Array(6).fill(number);
    this.permit = world.permit;
    this.folder = new MemoryFolder({ random: new SeededRandom(number) });
    this.venus = this.#open();
  }

  protected get fileSystem(): FileSystem {
    return this.venus;
  }

  protected settle(): Promise<void> {
    return this.world.settle();
  }

  protected override async pass(): Promise<void> {
    if (this.world.isWaiting) await this.world.pass(20, 20);
  }

  protected override get isWaiting(): boolean {
    return this.world.isWaiting;
  }

  readonly #call: CallVice = (operation, given, done) => {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    const life = this.#life;
    const answered = (came: Came): void => {
      this.underWay--;
      if (life !== this.#life) return; // who asked was killed
      try {
        done(came);
      } catch (error) {
        this.world.failures.push(error);
      }
    };
    if (this.isCut) {
      queueMicrotask(() => answered({ code: "RPC_NOTFOUND" }));
      return;
    }
    const refused = this.refuses.get(operation);
    if (refused !== undefined) {
      this.world.calls.push(operation);
      queueMicrotask(() => answered({ code: statusName(refused) ?? "STD_SYSERR" }));
      return;
    }
    if (this.slowMs === 0) this.#serve(operation, given, answered);
    else
      this.world.later(this.slowMs, () => {
        if (this.isCut) answered({ code: "RPC_FAILURE" });
        else this.#serve(operation, given, answered);
      });
  };

  #serve(operation: string, given: Values, answered: (came: Came) => void): void {
    this.world.serve(operation, given).then(
      (reply) => {
        const isLost = this.loseAnswer === operation;
        if (isLost) this.loseAnswer = "";
        answered(this.isCut || isLost ? { code: "RPC_FAILURE" } : { reply });
      },
      (error: unknown) => {
        if (error instanceof Refused) answered({ code: statusName(error.status) ?? "STD_SYSERR" });
        else {
          this.world.failures.push(error);
          answered({ code: "STD_SYSERR" });
        }
      },
    );
  }

  #open(): Venus {
    const { world } = this;
    return new Venus({
      ...{ folder: this.folder, newDigest, random: world.bytes, call: this.#call, port: this.port },
      now: () => [5000 + Math.floor(world.milliseconds / 1000), world.milliseconds % 1000],
      clock: () => world.milliseconds,
      ...{ machine: `m${this.number}`, boot: `boot ${this.#boots}`, permit: this.permit },
      bytesMax: this.bytesMax,
      ...(this.mode === undefined ? {} : { mode: this.mode }),
      invalidate: (what, done) => {
        this.invalidated.push(...what);
        queueMicrotask(done);
      },
      failed: (error) => world.failures.push(error),
    });
  }

  /** kill -9, or the end of the power. */
  restart(how: "kill" | "cut" = "kill"): void {
    this.#life++;
    if (how === "kill") this.folder.kill();
    else {
      this.folder.cut();
      this.#boots++;
    }
    this.folder.restart();
    this.venus = this.#open();
  }
}
