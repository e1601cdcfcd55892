// What a round has found and done, as it becomes known.
//
// - Bounded, so that it fits a reply: what is not listed is counted.
// - Decides nothing, and changes nothing.

import type { Capability } from "../../capability/capability.js";
import type {
  ReplicationAct,
  ReplicationActKind,
  ReplicationProblem,
  ReplicationReport,
} from "../../interface/replication.js";
import { toHex } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";

/** What is listed of acts and of problems, at most. */
const listedMax = 64;
/** Longer ones are cut: a path has up to 4 KiB, and all must fit into a reply. */
const textMax = 400;

const cut = (text: string): string => (text.length <= textMax ? text : `${text.slice(0, textMax - 1)}…`);

export class Findings {
  complete = false;
  readonly #dry: boolean;
  readonly #now: () => number;
  readonly #began: number;
  readonly #counts = { directories: 0, files: 0, others: 0, whole: 0 };
  readonly #verified = { copies: 0, bytes: 0 };
  readonly #copied = { copies: 0, bytes: 0 };
  readonly #acts: ReplicationAct[] = [];
  readonly #problems: ReplicationProblem[] = [];
  readonly #more = { acts: 0, problems: 0 };

  constructor(dry: boolean, now: () => number) {
    this.#dry = dry;
    this.#now = now;
    this.#began = now();
  }

  listed(): void {
    this.#counts.directories++;
  }

  other(): void {
    this.#counts.others++;
  }

  file(whole: boolean): void {
    this.#counts.files++;
    if (whole) this.#counts.whole++;
  }

  /** A file that was not whole has all its copies now. */
  mended(): void {
    this.#counts.whole++;
  }

  verified(bytes: number): void {
    this.#verified.copies++;
    this.#verified.bytes += bytes;
  }

  copied(bytes: number): void {
    this.#copied.copies++;
    this.#copied.bytes += bytes;
  }

  act(path: string, act: ReplicationActKind, { port }: Capability, why: string, bytes: number): void {
    if (this.#acts.length >= listedMax) this.#more.acts++;
    else this.#acts.push({ path: cut(path), act, server: toHex(port), why: cut(why), bytes });
  }

  problem(path: string, code: string, why: string): void {
    if (this.#problems.length >= listedMax) this.#more.problems++;
    else this.#problems.push({ path: cut(path), code, why: cut(why) });
  }

  failed(path: string, error: unknown): void {
    if (error instanceof ProteusError) this.problem(path, error.code, error.why ?? error.message);
    else this.problem(path, "REPLICATION_LIMIT", error instanceof Error ? error.message : String(error));
  }

  report(): ReplicationReport {
    return {
      ...{ schema: 1, dry: this.#dry, complete: this.complete },
      seconds: Math.max(0, this.#now() - this.#began) / 1000,
      ...this.#counts,
      ...{ verified: { ...this.#verified }, copied: { ...this.#copied } },
      ...{ acts: [...this.#acts], problems: [...this.#problems], more: { ...this.#more } },
    };
  }
}
