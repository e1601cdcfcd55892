// Callbacks of operations that are not over, by handle: for RPC threads and for groups.
//
// - A handle's low 15 bits are its place in a table of the kernel, the rest tells one use
//   of the place from the next.
// - The kernel may give a place away again before the host has drained the completion of
//   its last use: both callbacks are kept until each has had its own completion.

const indexMask = 0x7fff;

export class Pending<Done> {
  readonly #done: (Done | undefined)[] = [];
  readonly #handles: number[] = []; // whose callback stands in #done
  /** Callbacks whose place was taken again before their completion was drained, by handle. */
  readonly #overtaken = new Map<number, Done>();

  /** A new handle, and whom to tell when it ends. */
  add(handle: number, done: Done): void {
    const index = handle & indexMask;
    const before = this.#done[index];
    if (before !== undefined) this.#overtaken.set(this.#handles[index] as number, before);
    this.#done[index] = done;
    this.#handles[index] = handle;
  }

  /** Whom to tell that a handle has ended; nobody any more after this. */
  take(handle: number): Done | undefined {
    const index = handle & indexMask;
    if (this.#handles[index] !== handle) {
      const overtaken = this.#overtaken.get(handle);
      this.#overtaken.delete(handle);
      return overtaken;
    }
    const done = this.#done[index];
    this.#done[index] = undefined;
    return done;
  }

  /** Another callback for a handle that goes on; answers the one before. */
  replace(handle: number, done: Done | undefined): Done | undefined {
    const index = handle & indexMask;
    const before = this.#done[index];
    this.#done[index] = done;
    return before;
  }
}
