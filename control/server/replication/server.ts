// The replication server: rounds in the background, and what control/interface/replication.ts
// says can be asked.
//
// - A round follows the one before after the interval, some earlier, some later; sooner when a
//   reader has said that a copy is damaged, or when the one before could not see all.
// - Rounds never overlap. Several replication servers of a pool may: each replaces a set only while
//   it is the one that it has looked at, and destroys what it made for nothing.
// - It keeps nothing that must outlive it: the sets say how many copies there are to be.

import { STD_NOTFOUND, STD_NOTNOW } from "../../../core-wasm/status.js";
import type { Capability } from "../../capability/capability.js";
import type { ServerIdentity } from "../../capability/secrets.js";
import { setOf } from "../../capability/set.js";
import { type Names, objectKey } from "../../files/places.js";
import { type After, pause } from "../../group/timer.js";
import {
  REPLICATION_DRY,
  REPLICATION_VERIFY,
  type ReplicationReport,
  replicationTable,
} from "../../interface/replication.js";
import type { CallOptions } from "../../kernel/calls.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Objects } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";
import { Copies } from "./copies.js";
import { limitsDefault, Round, type RoundEnd, type RoundLimits } from "./round.js";

export interface ReplicationOptions extends ServerIdentity {
  readonly kernel: Kernel;
  /** The names to look after, as they are found now. */
  readonly names: () => Promise<Names>;
  /** Bullet servers that may get copies, as they are known now: capabilities of the servers, to create. */
  readonly servers: () => Promise<readonly Capability[]>;
  readonly random: (bytes: number) => Uint8Array;
  readonly after: After;
  readonly failed: (error: unknown) => void;
  /** Told what a round did that did something, or met a problem. */
  readonly told?: (report: ReplicationReport) => void;
  /** Every file is to have at least so many copies; default 1: what the sets say counts alone. */
  readonly copies?: number;
  /** Between two rounds; default 60,000 ms. 0: rounds only when they are asked for. */
  readonly intervalMs?: number;
  /** A server that is away for longer is replaced; default 300,000 ms. */
  readonly graceMs?: number;
  /** Every copy is read whole once in such a time; default a day. */
  readonly verifyMs?: number;
  /** Bytes that are copied or read in a second, at most; default 32 MiB. */
  readonly bytesPerSecond?: number;
  readonly limits?: Partial<RoundLimits>;
  readonly call?: CallOptions;
  /** Milliseconds that never go back; default: the kernel's clock. */
  readonly now?: () => number;
}

const suspectsMax = 1024;
const soonMs = 1000;
const firstMs = 5000;
const paceLeastMs = 5;
const everything: RoundLimits["verifyBytes"] = Number.POSITIVE_INFINITY;

export class ReplicationServer {
  readonly #options: ReplicationOptions;
  readonly #server: Server<typeof replicationTable.operations, never>;
  readonly #copies: Copies;
  readonly #now: () => number;
  #suspects = new Set<string>();
  #from: RoundEnd = { files: 0, verified: 0 };
  #verifiedAt: number | null = null;
  #last: ReplicationReport | null = null;
  #endedAt = 0;
  #rounds = 0;
  #isRunning = false;
  #isAwaited = false;
  #turn: Promise<unknown> = Promise.resolve();
  #forget: () => void = () => undefined;
  #freeAt = 0;
  #closed = false;

  /** Begins to serve; the first round is soon. Throws ProteusError when a table of the kernel is full. */
  constructor(options: ReplicationOptions) {
    const { kernel, getPort, key, own, random, failed, graceMs = 300_000, call } = options;
    this.#options = options;
    this.#now = options.now ?? (() => kernel.turnedAt / 1000);
    this.#copies = new Copies({ kernel, graceMs, now: this.#now, ...(call === undefined ? {} : { call }) });
    this.#server = new Server<typeof replicationTable.operations, never>({
      ...{ kernel, getPort, key, failed, table: replicationTable, threads: 4 },
      objects: new Objects<never>({ random, own }),
      info: () => "replication server",
      status: () => this.#status(),
      handlers: {
        run: async (_asked, { flags }) => {
          if (this.#isAwaited) refuse(STD_NOTNOW);
          const dry = (flags & REPLICATION_DRY) !== 0;
          return {
            report: await this.#inTurn({ dry, whole: true, read: (flags & REPLICATION_VERIFY) !== 0 }),
          };
        },
        report: () => ({ report: this.#last ?? refuse(STD_NOTFOUND) }),
        damaged: (_asked, { file }) => {
          this.#suspect(file);
          return {};
        },
      },
    });
    this.#later(Math.min(firstMs, this.#interval));
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  /** A capability of the server. */
  capability(rights?: number): Capability {
    return this.#server.capability(0, rights);
  }

  get #interval(): number {
    return this.#options.intervalMs ?? 60_000;
  }

  // ---- when ------------------------------------------------------------------------------

  #later(milliseconds: number): void {
    if (this.#interval === 0 || this.#closed) return;
    this.#forget();
    const [lot = 128] = this.#options.random(1);
    const wait = Math.ceil(milliseconds * (0.875 + lot / 1024));
    this.#forget = this.#options.after(wait, () => {
      this.#inTurn({ dry: false, whole: false, read: false }).catch(this.#options.failed);
    });
  }

  #suspect({ port, private: part }: Capability): void {
    const key = objectKey(setOf({ port, private: part.slice() }));
    if (this.#suspects.has(key)) return;
    if (this.#suspects.size >= suspectsMax) refuse(STD_NOTNOW);
    this.#suspects.add(key);
    if (!this.#isRunning) this.#later(soonMs);
  }

  /** A round when those before it have ended. */
  #inTurn(how: RoundKind): Promise<ReplicationReport> {
    this.#isAwaited = this.#isRunning;
    const round = this.#turn.then(() => this.#round(how));
    this.#turn = round.catch(() => undefined);
    return round;
  }

  // ---- a round ---------------------------------------------------------------------------

  async #round({ dry, whole, read }: RoundKind): Promise<ReplicationReport> {
    this.#isAwaited = false;
    this.#isRunning = true;
    this.#forget();
    const suspects = this.#suspects;
    if (!dry) this.#suspects = new Set();
    let wait = this.#interval;
    try {
      const { copies = 1, limits } = this.#options;
      await this.#copies.begin(await this.#known());
      const from = whole || suspects.size > 0 ? { files: 0, verified: this.#from.verified } : this.#from;
      const round = new Round({
        ...{ names: this.#options.names, dry, suspects, least: copies, now: this.#now, copies: this.#copies },
        from: read ? { files: 0, verified: 0 } : from,
        pace: (bytes) => this.#pace(bytes),
        isOver: () => this.#closed,
        limits: { ...limitsDefault, ...limits, ...this.#reading(read, dry, limits) },
      });
      const end = await round.run();
      const report = round.findings.report();
      if (!dry) this.#ended(report, end);
      if (!report.complete) wait = Math.min(wait, soonMs);
      return report;
    } finally {
      this.#isRunning = false;
      this.#later(this.#suspects.size > 0 ? soonMs : wait);
    }
  }

  /** How many bytes a round may have read. */
  #reading(read: boolean, dry: boolean, limits: Partial<RoundLimits> = {}): Pick<RoundLimits, "verifyBytes"> {
    if (read) return { verifyBytes: everything };
    const { verifyMs = 86_400_000 } = this.#options;
    const isDue = this.#verifiedAt === null || this.#now() - this.#verifiedAt >= verifyMs;
    return { verifyBytes: isDue && !dry ? (limits.verifyBytes ?? limitsDefault.verifyBytes) : 0 };
  }

  #ended(report: ReplicationReport, end: RoundEnd): void {
    this.#rounds++;
    this.#last = report;
    this.#endedAt = this.#now();
    if (report.verified.copies > 0 && end.verified === 0) this.#verifiedAt = this.#now();
    this.#from = end;
    if (report.acts.length + report.problems.length > 0) this.#options.told?.(report);
  }

  async #known(): Promise<readonly Capability[]> {
    try {
      return await this.#options.servers();
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      return []; // what is there is looked at all the same
    }
  }

  /** Ends when that many bytes may have passed at the rate. */
  async #pace(bytes: number): Promise<void> {
    const { bytesPerSecond = 32 * 1024 * 1024, after } = this.#options;
    const now = this.#now();
    this.#freeAt = Math.max(now, this.#freeAt) + (bytes / bytesPerSecond) * 1000;
    const wait = this.#freeAt - now;
    if (wait >= paceLeastMs && !this.#closed) await pause(after, Math.ceil(wait));
  }

  #status(): string {
    const last = this.#last;
    if (last === null) return "no round has ended yet";
    const ago = Math.round((this.#now() - this.#endedAt) / 1000);
    return [
      `rounds ${this.#rounds}, the last ended ${ago} s ago and took ${last.seconds.toFixed(1)} s`,
      `files ${last.files}, with all copies ${last.whole}${last.complete ? "" : "; not all were seen yet"}`,
      `copies made or mended ${last.copied.copies}, of ${last.copied.bytes} bytes`,
      `copies read whole ${last.verified.copies}, of ${last.verified.bytes} bytes`,
      `problems ${last.problems.length + last.more.problems}`,
      ...last.problems.slice(0, 10).map(({ path, code, why }) => `  ${path}: ${code}: ${why}`),
      `damaged copies told by readers ${this.#suspects.size}`,
    ].join("\n");
  }

  /** Ends; a round that is under way goes on to the end of its file. */
  close(): void {
    this.#closed = true;
    this.#forget();
    this.#server.close();
  }
}

interface RoundKind {
  readonly dry: boolean;
  /** From the first file on. */
  readonly whole: boolean;
  /** Every copy is read whole. */
  readonly read: boolean;
}
