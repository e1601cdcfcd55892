// Tells the control daemons how far machines have booted, so that `node list` shows it everywhere.
//
// - Of each machine the latest step only, one at a time, and the first word of a burst at once: whoever
//   makes up MAC addresses costs the daemons a few orders a second, and this program bounded memory.
// - What no daemon takes is said again while it is the latest; nothing waits for it.

import type { BootReport } from "../interface/pool.js";

/** Machines of which something is to be said, at most; those that come then are not reported. */
export const reportsMax = 256;
/** Between two reports, and after one that no daemon took. */
export const reportPauseMs = { said: 50, failed: 1000 } as const;

export interface ReporterOptions {
  readonly send: (report: BootReport) => Promise<void>;
  /** Calls back after so many milliseconds. */
  readonly after: (milliseconds: number, work: () => void) => void;
}

export class BootReporter {
  readonly #options: ReporterOptions;
  readonly #waiting = new Map<string, BootReport>(); // by MAC address
  #busy = false;
  #closed = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  say(report: BootReport): void {
    if (!this.#waiting.has(report.mac) && this.#waiting.size >= reportsMax) return;
    this.#waiting.set(report.mac, report);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const [report] = this.#waiting.values();
    this.#busy = report !== undefined && !this.#closed;
    if (report === undefined || !this.#busy) return;
    this.#options
      .send(report)
      .then(
        () => {
          if (this.#waiting.get(report.mac) === report) this.#waiting.delete(report.mac);
          return reportPauseMs.said;
        },
        () => reportPauseMs.failed,
      )
      .then((pause) => this.#options.after(pause, () => this.#next()));
  }

  /** Says nothing more. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }
}
