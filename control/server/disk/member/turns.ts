// Work that is done one after the other, in the order in which it came.
//
// - Work that fails fails alone.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does it when everything that came before has ended. */
  take<Value>(work: () => Promise<Value>): Promise<Value> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
