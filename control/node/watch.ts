// Looks after a node while it runs, every few seconds: keeps the totals of counters that
// wrap, and logs what an administrator should see: frames lost, tables full, an interface
// that went down or whose MTU was changed.
//
// - What happened in one look is one line, however often it happened.

import type { Device, DeviceCounters } from "../../drivers/device.js";
import { type LinkState, linkState } from "../../drivers/ethernet/link-state.js";
import type { CounterName, Counters } from "../kernel/counters.js";
import type { Log } from "./log.js";

export interface Watched {
  readonly kernel: { counters(): Counters };
  readonly interfaces: readonly Pick<Device, "name" | "mtu" | "counters" | "weight">[];
}

/** What the system says of an interface; null when it knows none of that name. */
export type LinkReader = (name: string) => LinkState | null;

const everyMs = 10_000;

/** Counters that should stand still, with what it means when they do not. */
const worrying: Readonly<Partial<Record<CounterName, string>>> = {
  tableFull: "a table of the kernel was full",
  transmitFailed: "frames were not taken by a network",
  kernelsForgotten: "client kernels were forgotten: calls they repeat now fail",
  broadcastsDropped: "broadcasts were dropped: there were too many",
  groupHistoryFull: "a group's history was full",
};

export class Watch {
  readonly #watched: Watched;
  readonly #log: Log;
  readonly #link: LinkReader;
  readonly #sample: () => void;
  #counters: Counters;
  readonly #devices = new Map<string, DeviceCounters>();
  readonly #links = new Map<string, LinkState>();
  #timer: NodeJS.Timeout | undefined;

  /** `sample` is called at each look. */
  constructor(watched: Watched, log: Log, sample: () => void, link: LinkReader = linkState) {
    this.#watched = watched;
    this.#log = log;
    this.#sample = sample;
    this.#link = link;
    this.#counters = watched.kernel.counters();
    for (const device of watched.interfaces) {
      this.#devices.set(device.name, device.counters());
      this.#links.set(device.name, { up: true, mtu: device.mtu });
    }
  }

  /** Looks now and then until `close`. */
  start(): void {
    this.#timer = setInterval(() => this.look(), everyMs);
    this.#timer.unref();
  }

  /** Looks once. */
  look(): void {
    this.#sample();
    this.#kernel();
    for (const device of this.#watched.interfaces) {
      this.#drops(device);
      // A wire that is no Ethernet says its weight; the system has no link of its name.
      if (device.weight === undefined) this.#state(device.name, device.mtu);
    }
  }

  #kernel(): void {
    const now = this.#watched.kernel.counters();
    for (const [name, words] of Object.entries(worrying) as [CounterName, string][]) {
      const more = (now[name] - this.#counters[name]) >>> 0;
      if (more > 0) this.#log.warn({ counter: name, more }, words);
    }
    this.#counters = now;
  }

  #drops(device: Watched["interfaces"][number]): void {
    const { name } = device;
    const now = device.counters();
    const before = this.#devices.get(name) ?? now;
    const received = now.receiveDropped - before.receiveDropped;
    const sent = now.sendDropped - before.sendDropped;
    if (received > 0 || sent > 0) this.#log.warn({ interface: name, received, sent }, "frames were lost");
    this.#devices.set(name, now);
  }

  #state(name: string, mtu: number): void {
    const now = this.#link(name);
    const before = this.#links.get(name);
    if (now === null || before === undefined) return;
    if (before.up && !now.up) this.#log.error({ interface: name }, "the interface is down");
    if (!before.up && now.up) this.#log.info({ interface: name }, "the interface is up again");
    if (now.mtu !== before.mtu && now.mtu !== mtu)
      this.#log.warn({ interface: name, was: mtu, is: now.mtu }, "the MTU was changed: start the node again");
    this.#links.set(name, now);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
