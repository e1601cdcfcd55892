// The wires of a lab: for each impaired link two taps, and what comes in at one goes out
// at the other, late, twice, out of order or damaged (drivers/fault/line.ts).
//
// - Whole Ethernet frames, whatever is in them: every protocol is treated alike.
// - `turn` does what is to be done now and says how long nothing will be; it never waits.
// - A frame that the other side's queue has no room for is lost, as at a switch.

import { FaultLine, HEALTHY_LINE, type LineFaults } from "../../drivers/fault/line.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import type { WireFaults, WireNames } from "./impairment-plan.js";

/** A wire as it is asked for: between which taps, and what it does. */
export interface Wire extends WireNames {
  readonly faults: WireFaults;
}

/** What a relay needs of a tap. */
export interface WireEnd {
  readonly name: string;
  read(bytes: Uint8Array): number;
  write(frame: Uint8Array): boolean;
  close(): void;
}

interface Way<End extends WireEnd> {
  readonly from: End;
  readonly to: End;
  readonly line: FaultLine;
}

interface OpenWire<End extends WireEnd> {
  readonly ends: readonly [End, End];
  readonly ways: readonly [Way<End>, Way<End>];
}

const frameBytesMax = 65_536;
/** Frames that one end may bring in a turn: the others have their turn too. */
const burst = 64;

/** See the head of this file. */
export class WireRelay<End extends WireEnd> {
  readonly #wires = new Map<string, OpenWire<End>>();
  readonly #buffer = Buffer.alloc(frameBytesMax);
  #lost = 0;

  /** `open` makes an end; `seed` is for the dice of the wire's two ways. */
  constructor(
    private readonly open: (name: string) => End,
    private readonly seed: () => number,
  ) {}

  get ends(): End[] {
    return [...this.#wires.values()].flatMap(({ ends }) => ends);
  }

  /** Frames that found no room at the other side. */
  get lost(): number {
    return this.#lost;
  }

  /** These wires and no others; gives the names of those that are new. What `open` throws leaves all as it was. */
  set(wires: readonly Wire[]): string[] {
    const opened: string[] = [];
    try {
      for (const wire of wires) {
        if (this.#wires.has(wire.bridge)) continue;
        this.#wires.set(wire.bridge, this.#make(wire));
        opened.push(wire.bridge);
      }
    } catch (error) {
      for (const name of opened) this.#close(name);
      throw error;
    }
    const wanted = new Set(wires.map(({ bridge }) => bridge));
    for (const name of [...this.#wires.keys()]) if (!wanted.has(name)) this.#close(name);
    for (const { bridge, faults } of wires)
      for (const { line } of this.#wires.get(bridge)?.ways ?? []) line.setFaults(lineFaults(faults));
    return opened;
  }

  /** Moves what is due; gives the microseconds until something is, 0 when there is more to do at once. */
  turn(now: number): number {
    let most = Number.POSITIVE_INFINITY;
    for (const { ways } of this.#wires.values())
      for (const { from, to, line } of ways) {
        const more = this.#read(from, line, now);
        for (let frame = line.take(now); frame !== null; frame = line.take(now))
          if (!to.write(frame)) this.#lost++;
        most = more ? 0 : Math.min(most, (line.nextDue() ?? Number.POSITIVE_INFINITY) - now);
      }
    return Math.max(0, most);
  }

  close(): void {
    for (const name of [...this.#wires.keys()]) this.#close(name);
  }

  /** Takes what an end has; true when it may have more. */
  #read(from: End, line: FaultLine, now: number): boolean {
    for (let count = 0; count < burst; count++) {
      const length = from.read(this.#buffer);
      if (length === 0) return false;
      line.offer(Uint8Array.prototype.slice.call(this.#buffer, 0, length), now);
    }
    return true;
  }

  #make({ node, network }: Wire): OpenWire<End> {
    const a = this.open(node);
    let b: End;
    try {
      b = this.open(network);
    } catch (error) {
      a.close();
      throw error;
    }
    const way = (from: End, to: End): Way<End> => ({
      from,
      to,
      line: new FaultLine(new SeededRandom(this.seed())),
    });
    return { ends: [a, b], ways: [way(a, b), way(b, a)] };
  }

  #close(name: string): void {
    for (const end of this.#wires.get(name)?.ends ?? []) end.close();
    this.#wires.delete(name);
  }
}

function lineFaults({ delayMs, ...faults }: WireFaults): LineFaults {
  return { ...HEALTHY_LINE, ...faults, delayMicroseconds: delayMs * 1000 };
}
