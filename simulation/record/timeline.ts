// A timeline of a run as Chrome trace events, which Perfetto opens: a track for every machine
// with its boots, crashes, calls and deliveries, and one for the faults.
//
// - Times are virtual microseconds; the format's own unit.
// - Events are handed to `write` as they come, as text: nothing grows here.
// - Source: Trace Event Format, Google 2016: phases M, i, X, b, e.

const process = 1;
const faultTrack = 0;

export type Details = Readonly<Record<string, string | number | boolean>>;

export class Timeline {
  readonly #now: () => number;
  readonly #write: (text: string) => void;
  #first = true;
  #ids = 0;

  /** `now`: the world's time; `write` takes the file's text piece by piece. */
  constructor(now: () => number, write: (text: string) => void) {
    this.#now = now;
    this.#write = write;
    this.#write('{"displayTimeUnit":"ms","traceEvents":[');
    this.#event({ ph: "M", name: "process_name", args: { name: "Proteus" } });
    this.#name(faultTrack, "faults");
  }

  #event(event: object): void {
    this.#write(`${this.#first ? "\n" : ",\n"}${JSON.stringify({ pid: process, ...event })}`);
    this.#first = false;
  }

  #name(track: number, name: string): void {
    this.#event({ ph: "M", name: "thread_name", tid: track, args: { name } });
    this.#event({ ph: "M", name: "thread_sort_index", tid: track, args: { sort_index: track } });
  }

  /** A machine gets a track; `index` is its place in the world. */
  machine(index: number, name: string): void {
    this.#name(index + 1, name);
  }

  /** Something happened on a machine. */
  mark(machine: number, name: string, args: Details = {}): void {
    this.#event({ ph: "i", s: "t", name, ts: this.#now(), tid: machine + 1, args });
  }

  /** Something begins on a machine; the answer is to be given to `end`. Such things may overlap. */
  begin(machine: number, kind: string, name: string, args: Details = {}): number {
    const id = ++this.#ids;
    this.#event({ ph: "b", cat: kind, id, name, ts: this.#now(), tid: machine + 1, args });
    return id;
  }

  end(machine: number, kind: string, name: string, id: number, args: Details = {}): void {
    this.#event({ ph: "e", cat: kind, id, name, ts: this.#now(), tid: machine + 1, args });
  }

  /** A fault that lasts for so many microseconds, 0 for one that only happens. */
  fault(name: string, lasting: number, args: Details): void {
    const id = ++this.#ids;
    const ts = this.#now();
    const event = { cat: "fault", name, tid: faultTrack };
    if (lasting === 0) this.#event({ ...event, ph: "i", s: "g", ts, args });
    else {
      this.#event({ ...event, ph: "b", id, ts, args });
      this.#event({ ...event, ph: "e", id, ts: ts + lasting });
    }
  }

  /** The end of the file. */
  close(): void {
    this.#write("\n]}\n");
  }
}
