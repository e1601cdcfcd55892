// One round: looks at every file below the root, and makes good what is missing.
//
// - The order of a repair: copies are made and are durable; then the set under the name is
//   replaced, if it is still the one that was looked at; then what was made for nothing is
//   destroyed. A crash in between leaves a file without a name, which ageing takes.
// - Bounded: so many files, so many copies a round; bytes are copied and read at a limited rate.
//   Files are read whole in turn, a part of them each round.
// - Only files that this round has made are ever destroyed.

import { type Capability, capabilityHex } from "../../capability/capability.js";
import { type CapabilitySet, sameSet, setOf } from "../../capability/set.js";
import { forEach } from "../../files/each.js";
import { type Names, objectKey } from "../../files/places.js";
import { ProteusError } from "../../kernel/errors.js";
import { type Copies, codeOf, portOf } from "./copies.js";
import { type Found, nextSet, type Plan, planFor, type Repair, wantedOf } from "./plan.js";
import { Findings } from "./report.js";
import { type Named, survey } from "./survey.js";

export interface RoundOptions {
  readonly names: () => Promise<Names>;
  readonly copies: Copies;
  readonly dry: boolean;
  /** Every file is to have at least so many. */
  readonly least: number;
  /** Copies that somebody could not read (objectKey): they are read whole. */
  readonly suspects: ReadonlySet<string>;
  /** Takes the time that so many bytes are to take. */
  readonly pace: (bytes: number) => Promise<void>;
  /** True when no further file is to be begun. */
  readonly isOver: () => boolean;
  /** Files that earlier rounds have seen, and those that they have read whole. */
  readonly from: { readonly files: number; readonly verified: number };
  readonly limits: RoundLimits;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

export interface RoundLimits {
  readonly files: number;
  readonly copies: number;
  readonly verifyBytes: number;
}

export const limitsDefault: RoundLimits = {
  files: 20_000,
  copies: 1000,
  verifyBytes: 1024 * 1024 * 1024,
};
const concurrency = 4;

/** Where the next round begins. */
export type RoundEnd = RoundOptions["from"];

export class Round {
  readonly findings: Findings;
  readonly #options: RoundOptions;
  /** Sets that were replaced, so that other names of the same file get the same. */
  readonly #replaced = new Map<string, Promise<CapabilitySet | null>>();
  #names: Names | null = null;
  #turn = 0;
  #copiesLeft: number;
  #verifyLeft: number;
  #place = 0; // in the walk
  #verified = 0; // so far were all copies read whole

  constructor(options: RoundOptions) {
    this.#options = options;
    this.findings = new Findings(options.dry, options.now);
    this.#copiesLeft = options.limits.copies;
    this.#verifyLeft = options.limits.verifyBytes;
    this.#verified = options.from.verified;
  }

  /** Resolves with where the next round begins. Rejects only for what is no error of the world. */
  async run(): Promise<RoundEnd> {
    const { from, limits, isOver } = this.#options;
    const { findings } = this;
    let isCut = false;
    const some = async function* (this: Round): AsyncGenerator<readonly [number, Named]> {
      const names = await this.#options.names();
      this.#names = names;
      const walk = survey({
        names,
        listed: () => findings.listed(),
        failed: (path, error) => findings.failed(path, error),
      });
      for await (const named of walk) {
        const place = this.#place++;
        if (place < from.files) continue;
        if (place >= from.files + limits.files || this.#copiesLeft <= 0 || isOver()) {
          isCut = true;
          this.#place = place;
          return;
        }
        yield [place, named];
      }
    };
    try {
      await forEach(some.call(this), concurrency, ([place, named]) => this.#file(place, named));
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      findings.failed("/", error);
      return from;
    }
    findings.complete = !isCut;
    const verified = this.#verifyLeft > 0 && !isCut ? 0 : this.#verified;
    return { files: isCut ? this.#place : 0, verified };
  }

  async #file(place: number, named: Named): Promise<void> {
    const { path, set } = named;
    try {
      const found = await this.#look(place, set);
      const plan = planFor(found, wantedOf(set, this.#options.least));
      await this.#follow(named, plan);
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      this.findings.failed(path, error);
    }
  }

  async #look(place: number, set: CapabilitySet): Promise<readonly Found[]> {
    const { copies, suspects, pace } = this.#options;
    const isDue = place >= this.#options.from.verified && this.#verifyLeft > 0;
    const found = await Promise.all(
      set.members.map(async ({ capability, current }): Promise<Found> => {
        const read = isDue || suspects.has(objectKey(setOf(capability)));
        const finding = await copies.find(capability, read);
        if (read && finding.kind === "good") {
          this.findings.verified(finding.bytes);
          this.#verifyLeft -= Math.max(1, finding.bytes);
          await pace(finding.bytes);
        }
        return { capability, current, finding };
      }),
    );
    if (isDue) this.#verified = Math.max(this.#verified, place + 1);
    return found;
  }

  async #follow(named: Named, plan: Plan): Promise<void> {
    const { findings } = this;
    if (plan.kind === "none") {
      findings.other();
      return;
    }
    findings.file(plan.kind === "whole");
    if (plan.kind === "problem") findings.problem(named.path, plan.code, plan.why);
    if (plan.kind !== "repair") return;
    if (this.#options.dry) this.#foresee(named, plan);
    else await this.#repair(named, plan);
  }

  // ---- what would be done ----------------------------------------------------------------

  #foresee({ path, set, changeable }: Named, repair: Repair): void {
    const { findings } = this;
    const { rotten, missing } = repair;
    const bytes = bytesOf(repair);
    for (const { capability } of rotten) findings.act(path, "mend", capability, "it has rotted", bytes);
    if (missing + repair.bad.length === 0) return;
    if (!changeable) {
      this.#narrowed(path);
      return;
    }
    const places = this.#places(repair).slice(0, missing);
    for (const server of places) findings.act(path, "copy", server, whyCopy(repair), bytes);
    if (places.length < missing) this.#short(path, repair, missing - places.length);
    const next = nextSet(set, repair, { mended: rotten, made: places });
    if (next !== null) this.#tell(path, next);
  }

  // ---- doing it --------------------------------------------------------------------------

  async #repair(named: Named, repair: Repair): Promise<void> {
    const { path, set, changeable } = named;
    const mended = await this.#mend(path, repair);
    const unmended = repair.rotten.length - mended.length;
    const missing = repair.missing + unmended;
    if (missing + repair.bad.length === 0 && repair.good.every(({ current }) => current)) {
      this.findings.mended();
      return;
    }
    if (!changeable) {
      this.#narrowed(path);
      return;
    }
    const key = set.members.map(({ capability }) => capabilityHex(capability)).join();
    const before = this.#replaced.get(key);
    if (before !== undefined) {
      const other = await before;
      if (other !== null && (await this.#replace(path, set, other)) === "yes") this.findings.mended();
      return; // what the other name could not have, the next round tries for both
    }
    const replaced = this.#renew(named, repair, mended, missing);
    this.#replaced.set(key, replaced);
    await replaced;
  }

  /** Makes what is missing and gives the name the new set; null when it stays as it is. */
  async #renew(
    { path, set }: Named,
    repair: Repair,
    mended: readonly Found[],
    missing: number,
  ): Promise<CapabilitySet | null> {
    const made = await this.#make(path, repair, mended, missing);
    const next = nextSet(set, repair, { mended, made });
    if (next === null) return null;
    const isDone = await this.#replace(path, set, next.set);
    if (isDone === "no") for (const each of made) await this.#options.copies.destroy(each);
    if (isDone !== "yes") return null;
    this.#tell(path, next);
    if (made.length >= missing) this.findings.mended();
    return next.set;
  }

  async #mend(path: string, { good, rotten }: Repair): Promise<readonly Found[]> {
    const mended: Found[] = [];
    for (const each of rotten) {
      const [source] = good;
      if (source === undefined || !("bytes" in source.finding)) break;
      const { bytes } = source.finding;
      try {
        if (!(await this.#options.copies.mend(each, source))) continue;
        mended.push(each);
        this.findings.act(path, "mend", each.capability, "it had rotted", bytes);
        this.findings.copied(bytes);
      } catch (error) {
        if (!(error instanceof ProteusError)) throw error;
        this.findings.failed(path, error);
      }
      this.#copiesLeft--;
      await this.#options.pace(bytes);
    }
    return mended;
  }

  async #make(
    path: string,
    repair: Repair,
    mended: readonly Found[],
    missing: number,
  ): Promise<readonly Capability[]> {
    const made: Capability[] = [];
    const places = this.#places(repair);
    let last: unknown;
    for (let at = 0; at < places.length && made.length < missing && this.#copiesLeft > 0; at++) {
      const server = places[at];
      const source = [...repair.good, ...mended][0];
      if (server === undefined || source === undefined || !("bytes" in source.finding)) break;
      const { bytes } = source.finding;
      this.#copiesLeft--;
      try {
        made.push(await this.#options.copies.copy(server, source));
        this.findings.act(path, "copy", server, whyCopy(repair), bytes);
        this.findings.copied(bytes);
        await this.#options.pace(bytes);
      } catch (error) {
        if (!(error instanceof ProteusError)) throw error;
        last = error;
      }
    }
    if (made.length < missing) this.#short(path, repair, missing - made.length, last);
    return made;
  }

  /** no: the name stands for something else now, or cannot be changed. perhaps: nobody knows. */
  async #replace(path: string, seen: CapabilitySet, set: CapabilitySet): Promise<"yes" | "no" | "perhaps"> {
    const names = this.#names ?? (await this.#options.names());
    try {
      if (sameSet(await names.lookup(path), seen)) {
        await names.replace(path, set, seen);
        return "yes";
      }
      this.findings.problem(path, "REPLICATION_CHANGED", "somebody has changed the name meanwhile");
      return "no";
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      this.findings.failed(path, error);
      return codeOf(error) === "NAME_UNCERTAIN" ? "perhaps" : "no";
    }
  }

  /** Servers that may take another copy, those first whose turn it is. */
  #places({ good, rotten, standing }: Repair): readonly Capability[] {
    const taken = new Set([...good, ...rotten, ...standing].map(({ capability }) => portOf(capability)));
    const free = this.#options.copies.servers.filter((server) => !taken.has(portOf(server)));
    const first = free.length === 0 ? 0 : this.#turn++ % free.length;
    return [...free.slice(first), ...free.slice(0, first)];
  }

  #short(path: string, { wanted }: Repair, missing: number, last?: unknown): void {
    const reason =
      last instanceof ProteusError
        ? `the last said: ${last.why ?? last.message}`
        : "no other Bullet server is known and answers";
    this.findings.problem(path, "REPLICATION_SHORT", `${missing} of ${wanted} copies are missing: ${reason}`);
  }

  #narrowed(path: string): void {
    this.findings.problem(
      path,
      "REPLICATION_NARROWED",
      "the row gives fewer rights than the copies have, or may not be changed",
    );
  }

  #tell(path: string, { dropped, marked }: { dropped: readonly Found[]; marked: readonly Found[] }): void {
    for (const { capability, finding } of dropped)
      this.findings.act(path, "drop", capability, whyBad(finding), 0);
    for (const { capability, finding } of marked)
      this.findings.act(path, "mark", capability, whyBad(finding), 0);
  }
}

const bytesOf = ({ good }: Repair): number => {
  const [first] = good;
  return first !== undefined && "bytes" in first.finding ? first.finding.bytes : 0;
};

const whyBad = (finding: Found["finding"]): string =>
  "why" in finding
    ? finding.why
    : finding.kind === "rotten"
      ? "it has rotted and could not be mended"
      : finding.kind;

function whyCopy({ bad, rotten, good, standing, wanted }: Repair): string {
  const [first] = bad;
  if (first !== undefined && "why" in first.finding) return `instead of one: ${first.finding.why}`;
  if (rotten.length > 0) return "instead of one that has rotted";
  return `there were ${good.length + standing.length} of ${wanted}`;
}
