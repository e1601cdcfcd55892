// Was there an order of these overlapping operations in which one object, doing one after the
// other, would have answered the same? The search of Wing and Gong with memory, bounded.
//
// - An operation that never answered (a crash, an unknown outcome) has no output and no end:
//   it may have happened at any time after its beginning, or never.
// - The answer is "unknown" when the bound was reached first; a test should count these.
// - Histories over several independent objects are checked object by object: `byObject`.
// - Sources: J. Wing, C. Gong, Testing and Verifying Concurrent Objects, 1993; G. Lowe, Testing
//   for Linearizability, 2017 (the memory of states that led nowhere).

/** One operation as its caller saw it. */
export interface Operation<Input, Output> {
  readonly input: Input;
  /** Not given: it never answered. */
  readonly output?: Output;
  readonly begin: number;
  /** Not given: it never answered. */
  readonly end?: number;
}

/** What the object does. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state after it, or null when this output cannot be; an output not given fits always. */
  readonly step: (state: State, input: Input, output: Output | undefined) => State | null;
  /** The same text for the same state. */
  readonly key: (state: State) => string;
}

export type Linearizable = "yes" | "no" | "unknown";

/** A beginning or an end, in the order of time; a list that entries leave and come back to. */
interface Event<Input, Output> {
  readonly operation: Operation<Input, Output>;
  readonly index: number;
  /** The event of its end; null for an end. */
  readonly end: Event<Input, Output> | null;
  previous: Event<Input, Output> | null;
  next: Event<Input, Output> | null;
}

const never = Number.POSITIVE_INFINITY;

/** The list's head: an event before all others. */
function listed<Input, Output>(history: readonly Operation<Input, Output>[]): Event<Input, Output> {
  const events: { at: number; begins: boolean; event: Event<Input, Output> }[] = [];
  for (const [index, operation] of history.entries()) {
    const end: Event<Input, Output> = { operation, index, end: null, previous: null, next: null };
    const begin: Event<Input, Output> = { operation, index, end, previous: null, next: null };
    events.push({ at: operation.begin, begins: true, event: begin });
    events.push({ at: operation.end ?? never, begins: false, event: end });
  }
  // At the same time a beginning comes first: then the two overlap, which allows more orders.
  events.sort((a, b) => (a.at === b.at ? Number(b.begins) - Number(a.begins) : a.at - b.at));
  const head = { index: -1, end: null, previous: null, next: null } as unknown as Event<Input, Output>;
  let last = head;
  for (const { event } of events) {
    event.previous = last;
    last.next = event;
    last = event;
  }
  return head;
}

function unlink<Input, Output>(event: Event<Input, Output>): void {
  if (event.previous !== null) event.previous.next = event.next;
  if (event.next !== null) event.next.previous = event.previous;
}

function relink<Input, Output>(event: Event<Input, Output>): void {
  if (event.previous !== null) event.previous.next = event;
  if (event.next !== null) event.next.previous = event;
}

/** Operations that have their place already, as bits, and the state that they led to. */
class Seen {
  readonly #bits: Uint32Array;
  readonly #keys = new Set<string>();

  constructor(operations: number) {
    this.#bits = new Uint32Array((operations + 31) >> 5);
  }

  flip(index: number): void {
    const word = index >> 5;
    this.#bits[word] = (this.#bits[word] ?? 0) ^ (1 << (index & 31));
  }

  /** True when the same operations led to the same state before. */
  again(state: string): boolean {
    const key = `${this.#bits.join()}|${state}`;
    if (this.#keys.has(key)) return true;
    this.#keys.add(key);
    return false;
  }
}

/** Whether a history is linearizable, after at most `stepsMax` steps of the search. */
export function linearizable<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  stepsMax = 2_000_000,
): Linearizable {
  const head = listed(history);
  const seen = new Seen(history.length);
  const placed: { readonly event: Event<Input, Output>; readonly before: State }[] = [];
  let answered = history.filter(({ end }) => end !== undefined).length;
  let state = model.initial;
  let event = head.next;
  for (let steps = 0; answered > 0; steps++) {
    if (steps > stepsMax) return "unknown";
    const after = event?.end ? model.step(state, event.operation.input, event.operation.output) : null;
    if (event !== null && event.end !== null && after === null) {
      event = event.next;
      continue;
    }
    if (event !== null && event.end !== null && after !== null) {
      seen.flip(event.index);
      if (seen.again(model.key(after))) {
        seen.flip(event.index);
        event = event.next;
        continue;
      }
      placed.push({ event, before: state });
      state = after;
      unlink(event);
      unlink(event.end);
      if (event.operation.end !== undefined) answered--;
      event = head.next;
      continue;
    }
    // The end of an operation that has no place yet: what was placed last was wrong.
    const last = placed.pop();
    if (last === undefined) return "no";
    if (last.event.end !== null) relink(last.event.end);
    relink(last.event);
    seen.flip(last.event.index);
    if (last.event.operation.end !== undefined) answered++;
    state = last.before;
    event = last.event.next;
  }
  return "yes";
}

/** Object by object: "no" when one is not, "unknown" when one is not known. */
export function byObject<State, Input, Output>(
  history: readonly (Operation<Input, Output> & { readonly object: string })[],
  model: Model<State, Input, Output>,
  stepsMax?: number,
): Linearizable {
  const objects = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const operations = objects.get(operation.object);
    if (operations === undefined) objects.set(operation.object, [operation]);
    else operations.push(operation);
  }
  let answer: Linearizable = "yes";
  for (const operations of objects.values()) {
    const one = linearizable(operations, model, stepsMax);
    if (one === "no") return "no";
    if (one === "unknown") answer = "unknown";
  }
  return answer;
}
