// The files of a Bullet server as objects: what the server loop and the standard operations see.
//
// - Object 0 is the server, every other one a committed file or a draft. Numbers, generations and
//   ages are the engine's; a draft becomes a file with its number and generation.
// - Drafts do not age: their own sweep takes them.

import { STD_CAPBAD } from "../../../core-wasm/status.js";
import type { ObjectTable } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import type { Drafts, OpenFile } from "./drafts.js";
import type { FileEngine, FileEntry } from "./engine.js";
import type { OnMedium } from "./statuses.js";

/** An object: a file, or a draft. */
export type BulletFile =
  | { readonly kind: "file"; readonly entry: FileEntry }
  | { readonly kind: "draft"; readonly open: OpenFile };

export class FileTable implements ObjectTable<BulletFile> {
  lifetime = 24;
  readonly #engine: FileEngine;
  readonly #drafts: Drafts;
  readonly #onMedium: OnMedium;
  readonly #renewed: () => void;

  /** @param renewed told when the server's own generation is another */
  constructor(engine: FileEngine, drafts: Drafts, onMedium: OnMedium, renewed: () => void = () => undefined) {
    this.#engine = engine;
    this.#drafts = drafts;
    this.#onMedium = onMedium;
    this.#renewed = renewed;
  }

  get count(): number {
    return this.#engine.usage().files + this.#drafts.count;
  }

  get highest(): number {
    return this.#engine.usage().inodes;
  }

  get(object: number): BulletFile | undefined {
    const open = this.#drafts.get(object);
    if (open !== undefined) return { kind: "draft", open };
    const entry = this.#engine.entry(object);
    return entry === undefined ? undefined : { kind: "file", entry };
  }

  generation(object: number): Uint8Array | undefined {
    if (object === 0) return this.#engine.generation;
    return this.#drafts.get(object)?.draft.generation ?? this.#engine.entry(object)?.generation;
  }

  /** Refused for a draft: to destroy it ends its capabilities. */
  async renew(object: number): Promise<void> {
    if (this.#drafts.get(object) !== undefined) refuse(STD_CAPBAD);
    await this.#onMedium(() => this.#engine.renew(object));
    if (object === 0) this.#renewed();
  }

  touch(object: number): void {
    if (this.#engine.entry(object) !== undefined) this.#engine.setAge(object, 0);
  }

  age(object: number): number | undefined {
    return this.#drafts.get(object) === undefined ? this.#engine.entry(object)?.age : undefined;
  }

  grow(): number[] {
    const old: number[] = [];
    for (const { number, age } of [...this.#engine.files()]) {
      this.#engine.setAge(number, age + 1);
      if (age + 1 > this.lifetime) old.push(number);
    }
    return old;
  }

  async remove(object: number): Promise<BulletFile | undefined> {
    const found = this.get(object);
    if (found?.kind === "draft")
      await this.#drafts.use(found.open, async () => this.#drafts.discard(found.open));
    else if (found !== undefined) await this.#onMedium(() => this.#engine.remove(object));
    return found;
  }
}
