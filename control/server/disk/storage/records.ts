// Writes what the server knows onto every member's medium: who is in sync, and in which generation.
//
// - `commit` ends when a record of the state at the call, or a later one, is on every member that is
//   not out and on at least as many members as may serve. So nobody who serves later takes a stale
//   member for a valid one.
// - Members in sync come first: a generation that only others know would make every copy a stale one.
// - One round at a time; what changes meanwhile goes into the next. A member that does not answer is
//   waited for until it is taken out, or answers again.
// - `progress` is for what nobody waits for: how much resync has still to do.

import { DiskError } from "../errors.js";
import type { MemberEntry, MemberRecord } from "../member/record.js";
import type { Core } from "./core.js";
import { emptyMap, mark, union } from "./extents.js";
import type { MemberLink } from "./member-link.js";

interface Waiting {
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: DiskError) => void;
}

/** The extents that a member lacks or may lack; null for one that lacks nothing. */
export function lacksOf(member: MemberLink, blocks: number): Uint8Array | null {
  if (member.entry.isWitness || member.entry.state === "in-sync") return null;
  const map = emptyMap(blocks);
  for (const dirty of [member.copy, member.check])
    for (let from = 0; ; ) {
      const run = dirty.next(from, blocks);
      if (run === null) break;
      mark(map, blocks, run.block, run.blocks);
      from = run.block + run.blocks;
    }
  return map;
}

export class Records {
  readonly #core: Core;
  #wanted = 0;
  #urgent = 0;
  #recorded = 0;
  #isRunning = false;
  #waiting: Waiting[] = [];
  /** The last generation that every member in sync has, with those before it. */
  #base: Pick<MemberRecord, "generation" | "history"> | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The server begins with what the members in sync have. */
  begin({ generation, history }: Pick<MemberRecord, "generation" | "history">): void {
    this.#base = { generation, history };
  }

  /** What a medium is adopted with: nothing that the members in sync do not know yet. */
  adoptionFor(entry: MemberEntry): MemberRecord {
    return { ...this.recordFor(entry), ...this.#base };
  }

  /** Records the state of now. */
  commit(): Promise<void> {
    this.#urgent = ++this.#wanted;
    this.#start();
    const done = this.settled();
    done.catch(() => undefined); // whoever waits is told; others need not be
    return done;
  }

  progress(): void {
    this.#wanted++;
    this.#start();
  }

  /** Ends when every commit that has begun has ended. */
  settled(): Promise<void> {
    const { ended } = this.#core;
    if (ended !== null) return Promise.reject(ended);
    const version = this.#urgent;
    if (this.#recorded >= version) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ version, resolve, reject }));
  }

  get isSettled(): boolean {
    return this.#recorded >= this.#urgent;
  }

  end(error: DiskError): void {
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting = [];
  }

  /** What is recorded now, for one of the members. */
  recordFor(entry: MemberEntry): MemberRecord {
    const { facts, members, epoch, server, generation, history, isClean, upkeep } = this.#core;
    const earlier = members.find((member) => member.entry === entry)?.earlier ?? null;
    return {
      storage: facts,
      member: entry.id,
      members: members.map((member) => ({ ...member.entry, lacks: lacksOf(member, facts.blocks) })),
      ...{ epoch, server, generation, history, isClean, upkeep },
      // What is not settled yet: the member forgets the rest of what an earlier life has left.
      activity: union(facts.blocks, this.#core.unsure, earlier),
    };
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(): Promise<void> {
    const core = this.#core;
    while (this.#recorded < this.#wanted && core.ended === null) {
      const version = this.#wanted;
      const changed = core.changed.wait();
      const { generation, history } = core;
      const members = [...core.members];
      const isThere = new Set<MemberLink>();
      const isMissed = (member: MemberLink): boolean =>
        member.isAttached && !member.entry.isWitness && !isThere.has(member);
      const update = async (some: readonly MemberLink[]): Promise<void> => {
        await Promise.all(
          some.map(async (member) => {
            if (await this.#update(member, generation)) isThere.add(member);
          }),
        );
      };
      const isFirst = ({ entry }: MemberLink): boolean => entry.state === "in-sync" && !entry.isWitness;
      const first = members.filter(isFirst);
      await update(first);
      if (core.ended !== null) return;
      if (!first.some(isMissed) && core.generation === generation) {
        this.#base = { generation, history };
        await update(members.filter((member) => !first.includes(member)));
      }
      if (core.ended !== null) return;
      const count = isThere.size;
      if (count >= core.needed && !members.some(isMissed) && core.generation === generation) {
        this.#recorded = version;
        const done = this.#waiting.filter((each) => each.version <= version);
        this.#waiting = this.#waiting.filter((each) => each.version > version);
        for (const { resolve } of done) resolve();
      } else if (version === this.#wanted) await changed;
    }
  }

  async #update(member: MemberLink, generation: bigint): Promise<boolean> {
    if (member.link === "down" || !this.#isBound(member)) return false;
    const record = this.recordFor(member.entry);
    try {
      await this.#core.ask(member, (port) => port.update(record));
      member.generation = generation;
      return true;
    } catch (error) {
      if (error instanceof DiskError && error.code !== "DISK_SILENT" && error.code !== "DISK_FENCED")
        this.#core.lose(member, error);
      return false;
    }
  }

  /** A member that answers and is out is about to be classified: its record is left as it is until then. */
  #isBound(member: MemberLink): boolean {
    return member.entry.isWitness || member.entry.state !== "out";
  }
}
