// What went wrong with parts of a tree while the rest was done.
//
// - A failure is an error that a user can understand. Anything else is a bug, and ends the work.
// - When no server answers, it was waited for already: the rest would fail alike, and is left.

import { exitCodes, ProteusError } from "../kernel/errors.js";

export interface Failure {
  readonly path: string;
  /** Stable, for programs. */
  readonly code: string;
  readonly message: string;
  readonly why?: string;
}

/** What was left out, and why. */
export interface Skipped {
  readonly path: string;
  readonly why: string;
}

export interface FailureReport {
  readonly failed: number;
  /** At most a thousand of them. */
  readonly failures: readonly Failure[];
  readonly skippedCount: number;
  readonly skipped: readonly Skipped[];
  /** No server answered any more: the rest was not tried. */
  readonly givenUp: boolean;
}

/** So many are kept; all are counted. */
const keptMax = 1000;

/** Ends the work on a tree: what is left would fail alike. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
}

/** An error of ours, of a driver, or of the system: with a code, and words for a user. */
function isKnown(error: unknown): error is Error & { readonly code: string } {
  if (error instanceof ProteusError) return true;
  if (!(error instanceof Error)) return false;
  const { code, hint, syscall } = error as Error & { code?: unknown; hint?: unknown; syscall?: unknown };
  return typeof code === "string" && (typeof hint === "string" || typeof syscall === "string");
}

export class Failures {
  readonly #list: Failure[] = [];
  readonly #skipped: Skipped[] = [];
  #count = 0;
  #skippedCount = 0;
  #givenUp = false;
  #first: Error | undefined;

  /** Notes a failure. Throws GivenUp when no server answers, and what is a bug. */
  add(path: string, error: unknown): void {
    if (error instanceof GivenUp) throw error;
    if (!isKnown(error)) throw error;
    const why = error instanceof ProteusError ? error.why : undefined;
    this.#count++;
    this.#first ??= error;
    if (this.#list.length < keptMax)
      this.#list.push({
        path,
        code: error.code,
        message: error.message,
        ...(why === undefined ? {} : { why }),
      });
    if (!(error instanceof ProteusError) || error.exit !== exitCodes.unreachable) return;
    this.#givenUp = true;
    throw new GivenUp(error.message, { cause: error });
  }

  skip(path: string, why: string): void {
    this.#skippedCount++;
    if (this.#skipped.length < keptMax) this.#skipped.push({ path, why });
  }

  /** Runs something that may fail; answers whether it did not. */
  async around(path: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.add(path, error);
      return false;
    }
  }

  /** Runs work on a whole tree: what was given up is in the report, and not thrown. */
  async until(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
    }
  }

  /**
   * Runs work on a tree, several things of it at a time: what it notes is in the order of the
   * tree afterwards, whatever ended first.
   */
  async inOrder(work: () => Promise<unknown>): Promise<void> {
    const [failed, skipped] = [this.#list.length, this.#skipped.length];
    try {
      await this.until(work);
    } finally {
      this.#list.push(...this.#list.splice(failed).sort(byPlace));
      this.#skipped.push(...this.#skipped.splice(skipped).sort(byPlace));
    }
  }

  /** The first error as it was thrown. */
  get first(): Error | undefined {
    return this.#first;
  }

  get count(): number {
    return this.#count;
  }

  get report(): FailureReport {
    return {
      ...{ failed: this.#count, failures: this.#list, skipped: this.#skipped },
      ...{ skippedCount: this.#skippedCount, givenUp: this.#givenUp },
    };
  }
}

/** A directory before what is in it, and all of that before its next sibling. */
function byPlace(
  { path: one }: { readonly path: string },
  { path: other }: { readonly path: string },
): number {
  const [a, b] = [one.replaceAll("/", "\0"), other.replaceAll("/", "\0")];
  return a < b ? -1 : a > b ? 1 : 0;
}
