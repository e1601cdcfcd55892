// What happens later in virtual time: one heap, by time and then by order of asking.
//
// - Two kinds of events: an action, and a frame that arrives at a receiver. The second
//   needs no closure; both are records that are used again.
// - Times are whole microseconds. Nothing here reads a clock.

import type { Frame } from "./frames.js";

/** Takes a frame that has arrived. The frame stays the caller's. */
export interface Receiver {
  arrive(frame: Frame): void;
}

interface Event {
  at: number;
  order: number;
  action: (() => void) | null;
  receiver: Receiver | null;
  frame: Frame | null;
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class EventQueue {
  /** Actions performed and frames delivered since the beginning. */
  fired = 0;
  /** Of these, actions. */
  actions = 0;
  readonly #heap: Event[] = [];
  readonly #spare: Event[] = [];
  #order = 0;

  /** When the next event is due; Infinity when there is none. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** How many events wait. */
  get size(): number {
    return this.#heap.length;
  }

  add(at: number, action: () => void): void {
    this.#push(at, action, null, null);
  }

  /** A frame arrives at `at`; it is released when the receiver has seen it. */
  deliver(at: number, receiver: Receiver, frame: Frame): void {
    frame.holders++;
    this.#push(at, null, receiver, frame);
  }

  /** Performs the next event. */
  fire(): void {
    const event = this.#take();
    const { action, receiver, frame } = event;
    event.action = null;
    event.receiver = null;
    event.frame = null;
    this.#spare.push(event);
    this.fired++;
    if (action !== null) {
      this.actions++;
      action();
    } else if (receiver !== null && frame !== null) {
      receiver.arrive(frame);
      frame.release();
    }
  }

  #push(at: number, action: (() => void) | null, receiver: Receiver | null, frame: Frame | null): void {
    const order = this.#order++;
    let event = this.#spare.pop();
    if (event === undefined) event = { at, order, action, receiver, frame };
    else {
      event.at = at;
      event.order = order;
      event.action = action;
      event.receiver = receiver;
      event.frame = frame;
    }
    this.#rise(event);
  }

  #rise(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Event;
      if (!before(event, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  #take(): Event {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new Error("no event waits");
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      const below = heap[child] as Event;
      if (!before(below, event)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = event;
  }
}
