// Wakes a thread that sleeps in poll(2): an eventfd, and a word that both threads see, so that nobody
// makes a system call to find out that nothing has happened.
//
// - Whoever has put something where the other looks calls `wake`; the other looks after `taken` said
//   that there is something. What is put before the wake is seen after it.

import { type FuseCalls, fuseCalls } from "./calls.js";

export class Wake {
  readonly descriptor: number;
  readonly word: SharedArrayBuffer;
  readonly #seen: Int32Array;
  readonly #calls: FuseCalls;
  readonly #bytes = new Uint8Array(8);

  /** One of its own, or the other thread's, from what `share` gave. */
  constructor(shared?: { readonly descriptor: number; readonly word: SharedArrayBuffer }) {
    this.#calls = fuseCalls();
    this.descriptor = shared?.descriptor ?? this.#calls.eventfd();
    this.word = shared?.word ?? new SharedArrayBuffer(4);
    this.#seen = new Int32Array(this.word);
    if (this.descriptor < 0) throw new Error(`eventfd: errno ${-this.descriptor}`);
  }

  /** What another thread needs to make the same. */
  share(): { readonly descriptor: number; readonly word: SharedArrayBuffer } {
    return { descriptor: this.descriptor, word: this.word };
  }

  wake(): void {
    if (Atomics.exchange(this.#seen, 0, 1) !== 0) return; // it has not looked since the last one
    this.#bytes.fill(0);
    this.#bytes[0] = 1;
    this.#calls.write(this.descriptor, this.#bytes, 8);
  }

  /** Whether somebody called `wake` since the last time; after a poll it looks at the eventfd too. */
  taken(polled: boolean): boolean {
    if (!polled && Atomics.load(this.#seen, 0) === 0) return false;
    this.#calls.read(this.descriptor, this.#bytes, 8); // a writer may be late: then the next poll is
    Atomics.store(this.#seen, 0, 0);
    return true;
  }

  close(): void {
    this.#calls.close(this.descriptor);
  }
}
