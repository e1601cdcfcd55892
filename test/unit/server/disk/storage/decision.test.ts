// Who has a valid copy, decided from what is on the media: in histories of members that are lost and come
// back, of writes, of servers that crash and of media that are changed for blank ones. If one of these
// fails, a stale member wins, a write that was acknowledged is lost, or a resync runs the wrong way.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MemberFound } from "../../../../../control/server/disk/member/port.js";
import type { MemberEntry, MemberRecord } from "../../../../../control/server/disk/member/record.js";
import {
  acksNeeded,
  type Decision,
  decide,
  generationIn,
  type Seen,
} from "../../../../../control/server/disk/storage/decision.js";
import { emptyMap, mark, runsOf, union } from "../../../../../control/server/disk/storage/extents.js";
import { recordOf } from "../fake-storage.js";

const blocks = 8 * 1024;
const extents = 8;
const age = recordOf({ blocks }).storage.age;

type Step =
  | { readonly kind: "down" | "up" | "blank"; readonly place: number }
  | { readonly kind: "write"; readonly extent: number; readonly reaches: number }
  | { readonly kind: "crash" | "serve" };

/** A medium: its record, and the number of the last write in each extent. */
interface Medium {
  record: MemberRecord | null;
  data: number[];
}

/** A model of members and of whoever serves them, with whole extents for writes. */
class History {
  readonly media: Medium[];
  readonly isUp: boolean[];
  /** What was acknowledged, and what else may be there. */
  readonly acked: number[] = new Array<number>(extents).fill(0);
  readonly maybe: Set<number>[] = Array.from({ length: extents }, () => new Set([0]));
  /** Places that are in sync for the server; null: nobody serves. */
  inSync: Set<number> | null = null;
  epoch = 0;
  #count = 0;

  constructor(readonly first: MemberRecord) {
    this.media = first.members.map(({ id }) => ({
      record: { ...first, member: id },
      data: new Array<number>(extents).fill(0),
    }));
    this.isUp = first.members.map(() => true);
  }

  get isWitness(): boolean[] {
    return this.first.members.map((entry) => entry.isWitness);
  }

  decide(): Decision {
    const seen = this.media.map(({ record }, place): Seen => {
      const id = this.first.members[place]?.id ?? age;
      const found: MemberFound =
        record === null ? { kind: "blank", blocks, isEmpty: true } : { kind: "member", blocks, record };
      return { id, found: this.isUp[place] ? found : null };
    });
    return decide(seen, { age, mayKeep: false });
  }

  /** Serves, when it is allowed; brings everybody who answers into sync, as the decision says. */
  serve(): void {
    if (this.inSync !== null) return;
    const decision = this.decide();
    if (decision.kind !== "serve") {
      this.checkRefusal(decision);
      return;
    }
    this.epoch++;
    const source = decision.inSync[0] ?? 0;
    const from = this.media[source]?.data ?? [];
    // Nothing that was acknowledged is missing on any copy that counts, outside of what is looked at.
    for (const place of decision.inSync)
      for (let at = 0; at < extents; at++) {
        const value = this.media[place]?.data[at] ?? -1;
        expect(this.maybe[at], `extent ${at} of member ${place}`).toContain(value);
        expect(value).toBe(from[at]);
      }
    for (let at = 0; at < extents; at++) this.maybe[at] = new Set([from[at] ?? 0]);
    const inSync = new Set(decision.inSync);
    let turn =
      decision.isTurning || decision.chief.members.some((each, place) => this.#isLost(each, place, inSync));
    for (const { place, lack } of decision.targets) {
      const medium = this.media[place];
      if (medium === undefined) continue;
      const map =
        lack.mode === "none" ? emptyMap(blocks) : lack.mode === "extents" ? lack.extents : fullMap(blocks);
      for (const run of runsOf(map, blocks))
        for (let at = run.block / 1024; at < (run.block + run.blocks) / 1024; at++)
          medium.data[at] = from[at] ?? 0;
      expect(medium.data, `target ${place} by ${lack.mode}`).toEqual([...from]);
      inSync.add(place);
      turn ||= lack.mode === "all-blank";
    }
    this.inSync = inSync;
    this.#record(decision.chief, turn, emptyMap(blocks), decision.unsure);
  }

  #isLost(entry: MemberEntry, place: number, inSync: ReadonlySet<number>): boolean {
    return !entry.isWitness && entry.state === "in-sync" && !inSync.has(place);
  }

  /** When it refuses, there is a reason: too few answer, or none of them has all that was acknowledged. */
  checkRefusal(decision: Decision): void {
    if (decision.kind === "split") throw new Error("a majority never splits");
    if (decision.kind !== "no-copy") return;
    const places = this.media.flatMap(({ record }, place) =>
      this.isUp[place] && record !== null && !this.isWitness[place] ? [place] : [],
    );
    const all = places.filter((place) =>
      this.acked.every((value, at) => (this.media[place]?.data[at] ?? -1) >= value),
    );
    const isInSync = (place: number) => {
      const { record } = this.media[place] ?? {};
      const newest = this.media.every((each) => !each.record?.history.includes(record?.generation ?? 0n));
      return newest && record?.members[place]?.state === "in-sync";
    };
    expect(all.filter(isInSync)).toEqual([]);
  }

  /** The record of now, on everybody who answers: who is not in sync is out. */
  #record(before: MemberRecord, isTurning: boolean, activity = emptyMap(blocks), marks = activity): void {
    const { inSync, epoch } = this;
    if (inSync === null) return;
    const turned = {
      generation: generationIn(epoch, 2 * ++this.#count),
      history: [before.generation, ...before.history].slice(0, 16),
    };
    const members = before.members.map((entry, place): MemberEntry => {
      if (entry.isWitness || inSync.has(place)) return { ...entry, state: "in-sync", lacks: null };
      const since = entry.state === "out" ? entry.since : before.generation;
      return { ...entry, state: "out", since, lacks: union(blocks, entry.lacks, marks) };
    });
    const record = { ...before, members, epoch, activity, ...(isTurning ? turned : {}) };
    this.media.forEach((medium, place) => {
      const id = members[place]?.id ?? age;
      if (this.isUp[place] && (this.isWitness[place] || inSync.has(place)))
        medium.record = { ...record, member: id };
    });
  }

  get #now(): MemberRecord | null {
    for (const place of this.inSync ?? []) return this.media[place]?.record ?? null;
    return null;
  }

  down(place: number): void {
    this.isUp[place] = false;
    const { inSync } = this;
    const before = this.#now;
    if (inSync === null || before === null) return;
    const votes = this.isUp.filter((isUp, at) => isUp && this.media[at]?.record !== null).length;
    const isLast = inSync.size === 1 && inSync.has(place);
    if (votes * 2 <= this.media.length || isLast) {
      this.inSync = null;
      return;
    }
    if (inSync.delete(place)) this.#record(before, true);
  }

  up(place: number): void {
    this.isUp[place] = true;
    this.inSync = null; // opened anew: decide() says what the one who came back lacks
    this.serve();
  }

  /** Changed for a blank one, while everybody else is in sync: else there may be no copy left. */
  blank(place: number): void {
    const medium = this.media[place];
    const ones = this.isWitness.filter((isWitness, at) => !isWitness && at !== place).length;
    const others = [...(this.inSync ?? [])].filter((at) => at !== place).length;
    if (medium === undefined || others < ones || this.isUp.includes(false)) return;
    medium.record = null;
    medium.data = new Array<number>(extents).fill(0);
    this.inSync = null;
    this.serve();
  }

  /** A write; the server crashes in the middle of it when it reaches only some. */
  write(extent: number, reaches: number): void {
    const { inSync } = this;
    const before = this.#now;
    if (inSync === null || before === null) return;
    const value = ++this.#count;
    const activity = emptyMap(blocks);
    mark(activity, blocks, extent * 1024, 1024);
    const places = [...inSync].sort((a, b) => a - b);
    const reached = places.slice(0, Math.min(places.length, 1 + (reaches % (places.length + 1))));
    this.#record(before, false, activity);
    for (const place of reached) {
      const medium = this.media[place];
      if (medium !== undefined) medium.data[extent] = value;
    }
    this.maybe[extent]?.add(value);
    if (reached.length < places.length) {
      this.inSync = null; // crashed
      return;
    }
    this.acked[extent] = value;
    this.maybe[extent] = new Set([value]);
    this.#record(this.#now ?? before, false);
  }
}

const place = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom("down", "up", "up", "blank") as fc.Arbitrary<"up">, place }),
  fc.record({ kind: fc.constant("write" as const), extent: fc.nat(extents - 1), reaches: fc.nat(5) }),
  fc.record({ kind: fc.constantFrom("crash", "serve", "serve") as fc.Arbitrary<"serve"> }),
);

/** A map that names every extent. */
function fullMap(all: number): Uint8Array {
  const map = emptyMap(all);
  mark(map, all, 0, all);
  return map;
}

describe("what is decided from the media", () => {
  it.each([
    { members: 3, witnesses: 0 },
    { members: 2, witnesses: 1 },
    { members: 4, witnesses: 0 },
  ])("keeps all that was acknowledged, and lets no stale member win ($members and $witnesses)", (kind) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
        const history = new History(recordOf({ ...kind, blocks }));
        history.serve();
        for (const each of steps) {
          if ("place" in each) {
            const at = each.place % history.media.length;
            if (each.kind === "blank" && !history.isWitness[at]) history.blank(at);
            else if (each.kind === "down") history.down(at);
            else history.up(at);
          } else if (each.kind === "write") history.write(each.extent, each.reaches);
          else if (each.kind === "crash") history.inSync = null;
          else history.serve();
        }
        for (const [at] of history.media.entries()) history.isUp[at] = true;
        history.inSync = null;
        history.serve();
        expect(history.inSync, "served when everybody is back").not.toBeNull();
      }),
      { numRuns: 150 },
    );
  });

  it("never takes a blank or foreign medium for a source, nor its vote", () => {
    const record = recordOf({ blocks, members: 2 });
    const [one, two] = record.members;
    if (one === undefined || two === undefined) throw new Error("no members");
    const good: MemberFound = { kind: "member", blocks, record };
    const blank: MemberFound = { kind: "blank", blocks, isEmpty: false };
    const storage = { ...record.storage, age: new Uint8Array(16).fill(99) };
    const foreign: MemberFound = { kind: "member", blocks, record: { ...record, storage, member: two.id } };
    for (const found of [blank, foreign]) {
      const seen = [
        { id: one.id, found: good },
        { id: two.id, found },
      ];
      expect(decide(seen, { age, mayKeep: true })).toMatchObject({ kind: "wait", votes: 1, needed: 2 });
      const alone = { ...record, storage: { ...record.storage, serve: "any" as const } };
      seen[0] = { id: one.id, found: { ...good, record: alone } };
      expect(decide(seen, { age, mayKeep: true })).toMatchObject({
        kind: "serve",
        inSync: [0],
        targets: [{ place: 1, lack: { mode: "all-blank" } }],
      });
    }
    expect(decide([{ id: two.id, found: blank }], { age, mayKeep: true }).kind).toBe("wait");
  });

  it("tells a split brain from a stale member", () => {
    const base = recordOf({ blocks, members: 2, facts: { serve: "any" } });
    const withOut = (own: number, out: number, generation: bigint): MemberRecord => {
      const members = base.members.map(
        (entry, at): MemberEntry =>
          at === out ? { ...entry, state: "out", since: 1n, lacks: fullMap(blocks) } : entry,
      );
      const member = base.members[own]?.id ?? age;
      return { ...base, member, members, generation, history: generation === 1n ? [] : [1n] };
    };
    const both = (one: MemberRecord, other: MemberRecord): Decision =>
      decide(
        [one, other].map((record) => ({ id: record.member, found: { kind: "member", blocks, record } })),
        { age, mayKeep: false },
      );
    const [left, right] = [withOut(0, 1, 50n), withOut(1, 0, 60n)];
    expect(both(left, right)).toMatchObject({
      kind: "split",
      sides: [{ members: [left.member] }, { members: [right.member] }],
    });
    // The right one served too, and nothing was written there: it is behind.
    expect(both(left, withOut(1, 0, 1n))).toMatchObject({
      kind: "serve",
      inSync: [0],
      targets: [{ place: 1 }],
    });
  });

  it("asks for acknowledgements that any majority has to meet", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), (voters, some) => {
        const inSync = Math.min(voters, some);
        const needed = acksNeeded("quorum", inSync, voters);
        const majority = Math.floor(voters / 2) + 1;
        const others = voters - inSync;
        // A majority without any of the first `needed` in sync: it has none of those in sync at all.
        const without = Math.min(inSync - needed, inSync) + others;
        expect(without >= majority && inSync - needed > 0).toBe(false);
        expect(acksNeeded("one", inSync, voters)).toBe(1);
        expect(acksNeeded("all", inSync, voters)).toBe(inSync);
      }),
    );
  });
});
