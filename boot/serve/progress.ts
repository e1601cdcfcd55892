// How far each machine has come: asked for an address, loads, booted (its kernel was heard), in the pool
// (a control daemon has heard of it since). Pure; the time is an argument.
//
// - A machine that asks again begins anew. What comes out of order is passed over.
// - Firmware asks several times while it boots; it counts as one question until it loads.

export const bootStates = ["asked", "loading", "booted", "pool"] as const;
export type BootState = (typeof bootStates)[number];

export interface BootStep {
  readonly mac: string;
  readonly state: BootState;
  /** Since it asked, milliseconds. */
  readonly sinceMs: number;
  /** How long our HTTP server had requests of it in hand, milliseconds; of `booted`. */
  readonly servedMs?: number;
}

interface Machine {
  state: BootState;
  readonly asked: number;
  servedMs: number;
}

/** Machines kept at most: whoever makes up addresses does not fill our memory. */
export const machinesMax = 4096;

export class Progress {
  readonly #machines = new Map<string, Machine>();
  readonly #told: (step: BootStep) => void;

  constructor(told: (step: BootStep) => void) {
    this.#told = told;
  }

  /** Those that have asked and not been heard of in the pool. */
  booting(mac: string): boolean {
    const machine = this.#machines.get(mac);
    return machine !== undefined && (machine.state === "asked" || machine.state === "loading");
  }

  state(mac: string): BootState | undefined {
    return this.#machines.get(mac)?.state;
  }

  asked(mac: string, now: number): void {
    const before = this.#machines.get(mac);
    if (before?.state === "asked" || before?.state === "loading") return;
    if (before === undefined && this.#machines.size >= machinesMax) return;
    this.#machines.set(mac, { state: "asked", asked: now, servedMs: 0 });
    this.#told({ mac, state: "asked", sinceMs: 0 });
  }

  loading(mac: string, now: number): void {
    this.#step(mac, "asked", "loading", now);
  }

  served(mac: string, milliseconds: number): void {
    const machine = this.#machines.get(mac);
    if (machine !== undefined) machine.servedMs += milliseconds;
  }

  /** Its kernel was heard. */
  booted(mac: string, now: number): void {
    this.#step(mac, "loading", "booted", now);
  }

  inPool(mac: string, now: number): void {
    this.#step(mac, "booted", "pool", now);
  }

  #step(mac: string, from: BootState, to: BootState, now: number): void {
    const machine = this.#machines.get(mac);
    if (machine === undefined || machine.state !== from) return;
    machine.state = to;
    const sinceMs = Math.round(now - machine.asked);
    const served = to === "booted" ? { servedMs: Math.round(machine.servedMs) } : {};
    this.#told({ mac, state: to, sinceMs, ...served });
  }
}
