// What is pinned: the names that a person has pinned, and all that is below what they lead to now.
//
// - A pin is a name in a directory, not an object: an editor that renames a new file over a pinned one
//   makes the new one pinned. The directory is watched for that. A replica is a volume whose root is pinned.
// - Objects are counted by the names that keep them, so a file with two names stays while one of them is
//   below a pin. Told of every change of a name row; asks nobody.
// - What has lost its last such name counts as kept until `settle`: a rename takes a name away before it
//   gives the next one.

import { ROOT_ID } from "../interface/file-status.js";

/** Directory and name of the pin of the whole volume. */
export const ROOT_PIN: readonly [directory: number, name: string] = [0, ""];

export const pinKey = (directory: number, name: string): string => `${directory}/${name}`;

type Names = ReadonlyMap<number, ReadonlyMap<string, number>>;

export class Kept {
  /** Told of what becomes kept or watched, of kept objects whose rows are others, and of what is not kept. */
  readonly told: ((id: number, isKept: boolean) => void)[] = [];
  readonly #names: Names;
  readonly #pins = new Map<number, Set<string>>();
  readonly #counts = new Map<number, number>();
  readonly #loose = new Set<number>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** Something waits for `settle`. */
  get isLoose(): boolean {
    return this.#loose.size > 0;
  }

  has(id: number): boolean {
    return this.#counts.has(id) || this.#loose.has(id);
  }

  /** Whether a directory has pinned names. */
  isWatched(directory: number): boolean {
    return this.#pins.has(directory);
  }

  isPinned(directory: number, name: string): boolean {
    return this.#pins.get(directory)?.has(name) === true;
  }

  /** The objects that are kept, and the directories that are watched. */
  *ids(): Generator<number> {
    yield* this.#counts.keys();
    for (const directory of this.#pins.keys())
      if (directory !== ROOT_PIN[0] && !this.#counts.has(directory)) yield directory;
  }

  *kept(): Generator<number> {
    yield* this.#counts.keys();
  }

  pin(directory: number, name: string, isPinned: boolean): void {
    if (this.isPinned(directory, name) === isPinned) return;
    const own = this.#pins.get(directory) ?? new Set<string>();
    if (isPinned) this.#pins.set(directory, own.add(name));
    else if (own.delete(name) && own.size === 0) this.#pins.delete(directory);
    const id = directory === ROOT_PIN[0] ? ROOT_ID : this.#names.get(directory)?.get(name);
    if (isPinned && directory !== ROOT_PIN[0]) this.#tell(directory, true);
    if (id === undefined) return;
    if (isPinned) this.#more(id);
    else this.#less(id);
  }

  /** A name has another object; 0: none. Called when the row is so already. */
  named(directory: number, name: string, before: number, after: number): void {
    if (before === after || this.#pins.size === 0) return;
    const times = (this.has(directory) ? 1 : 0) + (this.isPinned(directory, name) ? 1 : 0);
    for (let time = 0; time < times; time++) {
      if (before !== 0) this.#less(before);
      if (after !== 0) this.#more(after);
    }
  }

  /** An object's row is another one. */
  touched(id: number): void {
    if (this.#counts.has(id) || this.isWatched(id)) this.#tell(id, true);
  }

  /** What no name keeps any more is not kept, nor what is below it. */
  settle(): void {
    for (const id of this.#loose) {
      this.#loose.delete(id);
      this.#tell(id, false);
      for (const child of this.#names.get(id)?.values() ?? []) this.#less(child);
    }
  }

  #tell(id: number, isKept: boolean): void {
    for (const each of this.told) each(id, isKept);
  }

  #more(first: number): void {
    const found = [first];
    for (let id = found.pop(); id !== undefined; id = found.pop()) {
      const count = this.#counts.get(id) ?? 0;
      this.#counts.set(id, count + 1);
      if (count > 0 || this.#loose.delete(id)) continue; // what is below it is counted already
      this.#tell(id, true);
      for (const child of this.#names.get(id)?.values() ?? []) found.push(child);
    }
  }

  #less(id: number): void {
    const count = this.#counts.get(id) ?? 0;
    if (count > 1) this.#counts.set(id, count - 1);
    else if (count === 1) {
      this.#counts.delete(id);
      this.#loose.add(id);
    }
  }
}
