// Random operations on a volume and on a model of one, a map of contents: both must agree, also
// after the volume was opened again, compacted and checked.
//
// - Two sizes of content, so that drafts in memory and on the medium, contents with checksums in
//   the slot and in blocks of their own, and equal contents all come up.

import { expect } from "vitest";
import { VolumeError } from "../../../../control/server/bullet/volume/errors.js";
import type { Draft } from "../../../../control/server/bullet/volume/types.js";
import type { FileVolume } from "../../../../control/server/bullet/volume/volume.js";
import type { BlockDevice } from "../../../../drivers/block.js";
import type { SeededRandom } from "../../../../drivers/fault/random.js";
import { contentOf, isSame, MiB, made, open, whole } from "./volumes.js";

interface OpenDraft {
  readonly draft: Draft;
  content: Uint8Array;
}

const splice = (content: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array =>
  Uint8Array.from(Buffer.concat([content.subarray(0, at), insert, content.subarray(at + remove)]));

export class ModelRun {
  readonly files = new Map<number, Uint8Array>();
  readonly counts: Record<string, number> = {};
  #drafts: OpenDraft[] = [];
  #volume: FileVolume;

  private constructor(
    readonly device: BlockDevice,
    readonly random: SeededRandom,
    volume: FileVolume,
    readonly sizes: readonly number[],
  ) {
    this.#volume = volume;
  }

  static async begin(
    device: BlockDevice,
    random: SeededRandom,
    { inodes = 24, sizes = [0, 600, 9000, 60_000, 400_000] }: { inodes?: number; sizes?: number[] } = {},
  ): Promise<ModelRun> {
    return new ModelRun(device, random, await made(device, inodes), sizes);
  }

  #content(): Uint8Array {
    const size = this.sizes[this.random.below(this.sizes.length)] ?? 0;
    // Seldom a length or a content of its own: equal ones are to meet.
    return contentOf(this.random.chance(0.5) ? size : this.random.below(size + 1), this.random.below(3));
  }

  #file(): number | undefined {
    return [...this.files.keys()][this.random.below(Math.max(1, this.files.size))];
  }

  async step(): Promise<void> {
    const steps = [
      "begin",
      "change",
      "change",
      "change",
      "commit",
      "commit",
      "read",
      "remove",
      "care",
    ] as const;
    const step = steps[this.random.below(steps.length)] ?? "read";
    try {
      await this.#do(step);
      this.counts[step] = (this.counts[step] ?? 0) + 1;
    } catch (error) {
      // Full is an answer; whether it is a true one is another test's matter.
      if (!(error instanceof VolumeError) || !/^VOLUME_(FULL|INODES|NOMEM)$/.test(error.code)) throw error;
      this.counts[error.code] = (this.counts[error.code] ?? 0) + 1;
    }
  }

  async #do(step: "begin" | "change" | "commit" | "read" | "remove" | "care"): Promise<void> {
    if (step === "begin") return this.#begin();
    if (step === "care") return this.#care();
    const open = this.#drafts[this.random.below(Math.max(1, this.#drafts.length))];
    if (step === "change") return open && this.#change(open);
    if (step === "commit") return open && this.#commit(open);
    const number = this.#file();
    if (number === undefined) return;
    if (step === "read") {
      const content = this.files.get(number) ?? new Uint8Array(0);
      const at = this.random.below(content.length + 1);
      const length = this.random.below(100_000);
      const read = await this.#volume.read(number, at, length);
      expect(isSame(read, content.subarray(at, at + length))).toBe(true);
    } else {
      this.files.delete(number);
      await this.#volume.remove(number);
    }
  }

  async #begin(): Promise<void> {
    const from = this.random.chance(0.5) ? this.#file() : undefined;
    const draft = await this.#volume.draft(from);
    const content = from === undefined ? undefined : this.files.get(from);
    this.#drafts.push({ draft, content: content ?? new Uint8Array(0) });
  }

  async #change(open: OpenDraft): Promise<void> {
    const { draft, content } = open;
    const at = this.random.below(content.length + 1);
    const data = this.#content();
    const kind = this.random.below(3);
    if (kind === 0) {
      await draft.write(at, data);
      open.content = splice(content, at, data.length, data);
    } else if (kind === 1) {
      await draft.insert(at, data);
      open.content = splice(content, at, 0, data);
    } else {
      const count = this.random.below(content.length - at + 1);
      await draft.cut(at, count);
      open.content = splice(content, at, count, new Uint8Array(0));
    }
    expect(draft.bytes).toBe(open.content.length);
  }

  async #commit(open: OpenDraft): Promise<void> {
    if (this.random.chance(0.2)) open.draft.discard();
    else {
      const { number } = await open.draft.commit({ durable: this.random.chance(0.5) });
      this.files.set(number, open.content);
    }
    this.#drafts = this.#drafts.filter((each) => each !== open);
  }

  async #care(): Promise<void> {
    const kind = this.random.below(4);
    const number = this.#file();
    if (kind === 0) {
      await this.#volume.close();
      this.#drafts = [];
      this.#volume = await open(this.device, MiB, this.random.below(1000));
      expect(this.#volume.report).toMatchObject({ clean: true, brokenCopies: 0, misplaced: [] });
    } else if (kind === 1) await this.#volume.compact();
    else if (kind === 2) expect((await this.#volume.check({ repair: false })).clean).toBe(true);
    else if (number !== undefined) await this.#volume.renew(number);
    await this.judge();
  }

  /** Everything is as in the model; without drafts, also what is free. */
  async judge(): Promise<void> {
    const found = [...this.#volume.files()];
    expect(found.map(({ number }) => number)).toEqual([...this.files.keys()].sort((a, b) => a - b));
    for (const { number } of found)
      expect(isSame(await whole(this.#volume, number), this.files.get(number) ?? new Uint8Array(0))).toBe(
        true,
      );
  }

  /** Removes everything: then all is free, and in one piece. */
  async end(): Promise<void> {
    await this.judge();
    for (const { draft } of this.#drafts) draft.discard();
    await Promise.all([...this.files.keys()].map((number) => this.#volume.remove(number)));
    const { capacityBytes, freeBytes, largestFreeBytes, drafts, files } = this.#volume.usage();
    expect([freeBytes, largestFreeBytes, drafts, files]).toEqual([capacityBytes, capacityBytes, 0, 0]);
    await this.#volume.close();
  }
}
