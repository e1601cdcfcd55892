// A volume and clients of it for tests: records made with few words, contents sent, in one process.

import { createHash } from "node:crypto";
import type { FileRecord, Outcome } from "../../../../control/interface/file-records.js";
import { EMPTY_HASH, type FileStatus, idOf, ROOT_ID } from "../../../../control/interface/file-status.js";
import type { HelloDocument, Policy } from "../../../../control/interface/vice.js";
import { fromHex } from "../../../../control/kernel/bytes.js";
import type { Merge } from "../../../../control/server/vice/readying.js";
import { newVolume } from "../../../../control/server/vice/state.js";
import { ViceVolume } from "../../../../control/server/vice/volume.js";
import { Refused } from "../../../../control/stub/refused.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryFolder, PowerCut } from "../../../../drivers/memory/folder.js";

export const sha256 = (text: string): string =>
  text === "" ? EMPTY_HASH : createHash("sha256").update(text, "latin1").digest("hex");

type Given<R> = R extends unknown ? Omit<R, "n" | "time" | "checked"> : never;
type Loose = Given<FileRecord> & { readonly checked?: boolean };

/** An error is what the power's end looks like, to the volume or to its clients; others are thrown on. */
export function mustBeCut(error: unknown): void {
  const isCut = error instanceof PowerCut || (error as Error).message === new PowerCut().message;
  if (!isCut && !(error instanceof Refused)) throw error;
}

export class ViceWorld {
  readonly random = new SeededRandom(5);
  readonly folder: MemoryFolder;
  readonly told: [port: string, ids: readonly number[]][] = [];
  /** Fences of holders that were told to hurry. */
  readonly hurried: number[] = [];
  /** Whether clients hear of breaks. */
  hears = true;
  milliseconds = 0;
  volume: ViceVolume;

  constructor(
    folder = new MemoryFolder({ random: new SeededRandom(1) }),
    semantics: "session" | "strict" = "session",
    readonly policy: Policy = "both",
    readonly merge?: Merge,
  ) {
    this.folder = folder;
    this.volume = this.open(semantics);
  }

  open(semantics: "session" | "strict" = "session"): ViceVolume {
    const { policy, merge } = this;
    const facts = { name: "v", semantics, policy, identity: "00", generation: "0011223344556677" };
    return new ViceVolume(
      {
        ...{ number: 1, folder: this.folder, merge, newDigest: () => createHash("sha256") },
        random: (bytes) => Uint8Array.from({ length: bytes }, () => this.random.next() >>> 24),
        time: () => 1000 + this.milliseconds / 1000,
        now: () => this.milliseconds,
        after: (_, action) => {
          queueMicrotask(action);
          return () => undefined;
        },
        tell: async (port, ids) => {
          this.told.push([Buffer.from(port).toString("hex"), ids]);
          return this.hears;
        },
        hurry: async (_, fence) => {
          this.hurried.push(fence);
          return this.hears;
        },
      },
      newVolume(facts, 0, [1000, 0]),
    );
  }

  /** Paths and contents, as a client would find them: conflict names with what is random left out. */
  tree(directory = ROOT_ID, before = ""): Record<string, string> {
    const { objects, names } = this.volume.state;
    const found: Record<string, string> = {};
    for (const [name, id] of [...(names.get(directory) ?? [])].sort()) {
      const row = objects.get(id);
      if (row === undefined || row.gone !== undefined) throw new Error(`${name} has no object`);
      const path = `${before}${name}`;
      if ((row.mode & 0o170000) === 0o040000) {
        found[`${path}/`] = "";
        Object.assign(found, this.tree(id, `${path}/`));
      } else if (row.target !== undefined) found[path] = `-> ${row.target}`;
      else found[path] = Buffer.from(this.volume.fetch(id, row.version, 0, 1000)).toString("latin1");
    }
    return found;
  }

  /** Reasons of the conflicts that are listed. */
  get conflicts(): readonly string[] {
    return [...this.volume.state.conflicts.values()].map(({ why }) => why);
  }
}

/** A client: its session and its log. */
export class Client {
  hello: HelloDocument | null = null;
  readonly outcomes: Outcome[] = [];
  readonly statuses = new Map<number, FileStatus>();
  #n = 0;
  #counter = 0;
  #batch: FileRecord[] = [];
  #contents = new Map<number, string>();

  constructor(
    readonly world: ViceWorld,
    readonly machine: string,
    readonly checked = false,
  ) {}

  async begin(): Promise<this> {
    const uuid = new Uint8Array(16).fill(this.machine.charCodeAt(0));
    const port = new Uint8Array(6).fill(this.machine.charCodeAt(0));
    this.hello = await this.world.volume.hello(uuid, port, this.machine);
    this.#n = this.hello.last;
    this.#counter = this.hello.last; // one record makes one object at most
    return this;
  }

  get session() {
    return this.world.volume.session(fromHex(this.hello?.session ?? "") ?? new Uint8Array(8));
  }

  /** An id of its own. */
  id(): number {
    return idOf(this.hello?.venus ?? 0, ++this.#counter);
  }

  record(given: Loose): number {
    const n = ++this.#n;
    // Later records have later times.
    this.#batch.push({ checked: this.checked, ...given, n, time: [2000 + n, 0] } as FileRecord);
    return n;
  }

  make(name: string, directory = ROOT_ID, mode = 0o100644, more: object = {}): number {
    const id = this.id();
    this.record({ op: "make", id, directory, name, mode, uid: 1, gid: 1, ...more } as Loose);
    return id;
  }

  mkdir(name: string, directory = ROOT_ID): number {
    return this.make(name, directory, 0o040755);
  }

  symlink(name: string, target: string, directory = ROOT_ID): number {
    return this.make(name, directory, 0o120777, { target });
  }

  store(
    id: number,
    text: string,
    { base = 0, baseText, mtime = 3000 }: { base?: number; baseText?: string; mtime?: number } = {},
  ): number {
    const content = { size: text.length, hash: sha256(text), mtime: [mtime, 0] as const };
    const known = baseText === undefined ? {} : { baseHash: sha256(baseText) };
    const n = this.record({ op: "store", id, base, ...known, ...content } as Loose);
    this.#contents.set(n, text);
    return n;
  }

  remove(name: string, id: number, base = 0, directory = ROOT_ID): number {
    return this.record({ op: "remove", id, directory, name, base });
  }

  rename(name: string, id: number, newName: string, more: object = {}): number {
    const places = { directory: ROOT_ID, to: ROOT_ID, over: 0, overBase: 0, exchange: false };
    return this.record({ op: "rename", id, name, newName, ...places, ...more });
  }

  chmod(id: number, mode: number, base = 0, more: object = {}): number {
    return this.record({ op: "setattr", id, base, mode, ...more } as Loose);
  }

  /** Ships what there is; answers what became of it. */
  async ship(): Promise<readonly Outcome[]> {
    const { volume } = this.world;
    for (const [n, text] of this.#contents)
      if (text !== "") volume.send(this.session, n, 0, new Uint8Array(Buffer.from(text, "latin1")));
    const records = this.#batch;
    const { outcomes, statuses } = await volume.reintegrate(this.session, records);
    for (const status of statuses) this.statuses.set(status.id, status);
    this.outcomes.push(...outcomes);
    this.#batch = [];
    this.#contents = new Map();
    return outcomes;
  }

  /** What was not shipped, thrown away; its numbers are used again. */
  forget(): void {
    this.#n -= this.#batch.length;
    this.#batch = [];
    this.#contents = new Map();
  }

  /** Asks for the permit, or gives one back. */
  permit(fence = 0): Promise<number> {
    return this.world.volume.permits.answer(this.session, fence);
  }

  get batch(): readonly FileRecord[] {
    return this.#batch;
  }

  version(id: number): number {
    return this.world.volume.state.objects.get(id)?.version ?? 0;
  }
}
