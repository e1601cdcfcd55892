// Many wait for what one wait tells: that a version is certain. At most one wait is under way, and
// one comes behind it, for the newest version that anybody asked for meanwhile.

interface Wait {
  version: number;
  promise: Promise<void>;
}

export class Waits {
  readonly #wait: (version: number) => Promise<void>;
  #now: Wait | null = null;
  #next: Wait | null = null;

  /** @param wait ends when a version is certain; rejects when it cannot become so */
  constructor(wait: (version: number) => Promise<void>) {
    this.#wait = wait;
  }

  /** Ends when that version is certain, as `wait` does. */
  async until(version: number): Promise<void> {
    if (this.#now !== null && this.#now.version >= version) return this.#now.promise;
    if (this.#next !== null) {
      this.#next.version = Math.max(this.#next.version, version);
      return this.#next.promise;
    }
    const wait: Wait = { version, promise: Promise.resolve() };
    const before = this.#now?.promise;
    if (before !== undefined) this.#next = wait;
    else this.#now = wait;
    wait.promise = this.#run(wait, before);
    return wait.promise;
  }

  async #run(wait: Wait, before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined);
    if (this.#next === wait) [this.#now, this.#next] = [wait, null];
    await this.#wait(wait.version).finally(() => {
      if (this.#now === wait) this.#now = null;
    });
  }
}
