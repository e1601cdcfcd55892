// Several venuses and a vice in one process, in virtual time, with a network that can be cut; and what a
// kernel asks of a mount, with few words.

import { createHash } from "node:crypto";
import { recordSchema } from "../../../control/interface/file-records.js";
import { ROOT_ID } from "../../../control/interface/file-status.js";
import { statusName } from "../../../control/kernel/errors.js";
import { newVolume } from "../../../control/server/vice/state.js";
import { ViceVolume } from "../../../control/server/vice/volume.js";
import { Refused } from "../../../control/stub/refused.js";
import type { CallVice, Came, Values } from "../../../control/venus/link.js";
import { type MountMode, Venus } from "../../../control/venus/venus.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import type { FileAnswer, FileRequest, FileSystem } from "../../../drivers/file-system.js";
import type { Invalidation } from "../../../drivers/fuse/encode.js";
import { MemoryFolder } from "../../../drivers/memory/folder.js";

const newDigest = () => createHash("sha256");
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

export class FilesWorld {
  readonly random = new SeededRandom(3);
  readonly viceFolder = new MemoryFolder({ random: new SeededRandom(1) });
  readonly mounts: Mount[] = [];
  milliseconds = 0;
  volume: ViceVolume;
  /** Calls that vice was asked. */
  calls: string[] = [];
  readonly failures: unknown[] = [];
  readonly #semantics: "session" | "strict";

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
  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 100) {
      this.milliseconds += 100;
      for (const { venus } of this.mounts) if (venus.nextMs() <= 0) venus.tick();
      await this.settle();
    }
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
      case "keep":
        session();
        return {};
      default:
        throw new Error(`vice has no operation ${operation}`);
    }
  }
}

const isError = (answer: FileAnswer): answer is Extract<FileAnswer, { kind: "error" }> =>
  answer.kind === "error";

/** What a kernel asks of a file system, with few words. */
export abstract class KernelSide {
  protected abstract readonly fileSystem: FileSystem;
  protected abstract settle(): Promise<void>;

  async ask(request: Partial<FileRequest> & { kind: FileRequest["kind"] }): Promise<FileAnswer> {
    let answer: FileAnswer | undefined;
    this.fileSystem.handle({ node: ROOT_ID, uid: 0, gid: 0, pid: 1, ...request } as FileRequest, (given) => {
      // Names are read while they are told, as the kernel's buffer is filled.
      answer = given.kind === "names" ? { kind: "names", names: [...given.names] } : given;
    });
    for (let turn = 0; answer === undefined && turn < 50; turn++) await this.settle();
    if (answer === undefined) throw new Error(`no answer to ${request.kind}`);
    return answer;
  }

  async must<Kind extends FileAnswer["kind"]>(
    kind: Kind,
    request: Partial<FileRequest> & { kind: FileRequest["kind"] },
  ): Promise<Extract<FileAnswer, { kind: Kind }>> {
    const answer = await this.ask(request);
    if (answer.kind !== kind)
      throw new Error(`${request.kind}: ${isError(answer) ? answer.errno : answer.kind}`);
    return answer as Extract<FileAnswer, { kind: Kind }>;
  }

  /** The node at a path, as the kernel walks there. */
  async walk(path: string): Promise<number> {
    let node = ROOT_ID;
    for (const name of path.split("/").filter((each) => each !== ""))
      node = (await this.must("entry", { kind: "lookup", node, name })).attributes.node;
    return node;
  }

  async #parent(path: string): Promise<{ node: number; name: string }> {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    return { node: await this.walk(parts.join("/")), name };
  }

  /** Writes a file anew and closes it; answers what close says. */
  async write(path: string, text: string): Promise<number> {
    const { node, handle } = await this.openNew(path);
    const data = new Uint8Array(Buffer.from(text));
    await this.must("written", { kind: "write", node, handle, position: 0, data });
    const flushed = await this.ask({ kind: "flush", node, handle });
    await this.ask({ kind: "release", node, handle });
    return isError(flushed) ? flushed.errno : 0;
  }

  async openNew(path: string): Promise<{ node: number; handle: number }> {
    const { node: parent, name } = await this.#parent(path);
    const found = await this.ask({ kind: "lookup", node: parent, name });
    if (found.kind === "entry") {
      const { node } = found.attributes;
      return { node, handle: (await this.must("opened", { kind: "open", node, flags: 0o1001 })).handle };
    }
    const made = await this.must("created", { kind: "create", node: parent, name, flags: 1, mode: 0o644 });
    return { node: made.entry.attributes.node, handle: made.opened.handle };
  }

  async read(path: string): Promise<string> {
    const node = await this.walk(path);
    const { handle } = await this.must("opened", { kind: "open", node, flags: 0 });
    const { data } = await this.must("data", { kind: "read", node, handle, position: 0, bytes: 1_000_000 });
    const text = Buffer.from(data).toString();
    await this.ask({ kind: "release", node, handle });
    return text;
  }

  async list(path = ""): Promise<string[]> {
    const node = await this.walk(path);
    const { handle } = await this.must("opened", { kind: "opendir", node, flags: 0 });
    const { names } = await this.must("names", {
      kind: "readdir",
      node,
      handle,
      position: 0,
      bytes: 1e6,
      plus: true,
    });
    return [...names]
      .map(({ name }) => name)
      .filter((name) => name !== "." && name !== "..")
      .sort();
  }

  async #error(request: Partial<FileRequest> & { kind: FileRequest["kind"] }): Promise<number> {
    const answer = await this.ask(request);
    return isError(answer) ? answer.errno : 0;
  }

  async mkdir(path: string): Promise<number> {
    return this.#error({ kind: "mkdir", ...(await this.#parent(path)), mode: 0o755 });
  }

  async remove(path: string, kind: "unlink" | "rmdir" = "unlink"): Promise<number> {
    return this.#error({ kind, ...(await this.#parent(path)) });
  }

  async rename(from: string, to: string, flags = 0): Promise<number> {
    const target = await this.#parent(to);
    const given = { to: target.node, newName: target.name, flags };
    return this.#error({ kind: "rename", ...(await this.#parent(from)), ...given });
  }

  /** A whole tree as this mount shows it. */
  async tree(path = ""): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const name of await this.list(path)) {
      const below = path === "" ? name : `${path}/${name}`;
      const node = await this.walk(below);
      const { attributes } = await this.must("attributes", { kind: "getattr", node });
      if ((attributes.mode & 0o170000) !== 0o040000) found[below] = await this.read(below);
      else Object.assign(found, { [`${below}/`]: "" }, await this.tree(below));
    }
    return found;
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
  readonly invalidated: Invalidation[] = [];
  #boots = 1;
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
    this.folder = new MemoryFolder({ random: new SeededRandom(number) });
    this.venus = this.#open();
  }

  protected get fileSystem(): FileSystem {
    return this.venus;
  }

  protected settle(): Promise<void> {
    return this.world.settle();
  }

  readonly #call: CallVice = (operation, given, done) => {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    const answered = (came: Came): void => {
      this.underWay--;
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
  };

  #open(): Venus {
    const { world } = this;
    return new Venus({
      ...{ folder: this.folder, newDigest, random: world.bytes, call: this.#call, port: this.port },
      now: () => [5000 + Math.floor(world.milliseconds / 1000), world.milliseconds % 1000],
      clock: () => world.milliseconds,
      ...{ machine: `m${this.number}`, boot: `boot ${this.#boots}` },
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
    if (how === "kill") this.folder.kill();
    else {
      this.folder.cut();
      this.#boots++;
    }
    this.folder.restart();
    this.venus = this.#open();
  }
}
