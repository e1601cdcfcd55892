// The judge of segments, fed with histories that are right and with ones that are wrong in one
// place: what it misses, no run of the simulator can find.

import { beforeEach, describe, expect, it } from "vitest";
import {
  Generation,
  Home,
  judgeAttempt,
  SegmentModel,
  type Span,
} from "../../../simulation/checkers/segments.js";

let home: Home;
let segment: SegmentModel;
let generation: Generation;
let found: string[];
const never = Number.POSITIVE_INFINITY;
const span = (begin: number, end = begin + 1): Span => ({ begin, end });
const of = (...bytes: number[]) => Uint8Array.from(bytes);

beforeEach(() => {
  home = new Home("server, boot 1", 2);
  segment = new SegmentModel(home, 8, span(0));
  home.segments.add(segment);
  generation = new Generation();
  found = [];
});

/** A call at a time, with rights and the answer that came. */
function asked(
  at: number,
  outcome: string,
  { rights = 3 as number | null, needs = 1, may = [] as string[] } = {},
) {
  judgeAttempt(
    { segment, generation, what: "read", span: span(at), rights, needs, may },
    outcome,
    (checker) => {
      found.push(checker);
    },
  );
  return found;
}

describe("the judge of segments", () => {
  it("takes what was written last, zeros where nothing was, and either of two that overlap", () => {
    const done = segment.writing(0, of(1, 2));
    segment.written(done, "OK");
    const open = segment.writing(1, of(9, 9));
    segment.written(open, "RPC_FAILURE");
    for (const bytes of [of(1, 2, 0), of(1, 9, 9), of(1, 9, 0)])
      expect(segment.hasRead(segment.reading(5, 0, 3), bytes)).toBeNull();
    const read = segment.reading(6, 3, 2);
    segment.written(segment.writing(3, of(7)), "OK");
    expect(segment.hasRead(read, of(7, 0))).toBeNull();
  });

  it("finds bytes that were lost, made up, or came back", () => {
    segment.written(segment.writing(0, of(1, 2)), "OK");
    expect(segment.hasRead(segment.reading(5, 0, 2), of(1, 0))).toContain("byte 1 is 0");
    segment.written(segment.writing(0, of(3, 4)), "OK");
    expect(segment.hasRead(segment.reading(6, 0, 2), of(1, 4))).toContain("byte 0 is 1");
    segment.written(segment.writing(0, of(5)), "RPC_NOTFOUND");
    expect(segment.hasRead(segment.reading(7, 0, 1), of(5))).toContain("which nobody wrote");
    expect(segment.hasRead(segment.reading(8, 4, 9), of(0, 0))).toContain("2 bytes were read");
  });

  it("knows how long a segment may be while it grows", () => {
    segment.growing(10);
    expect(segment.hasRead(segment.reading(1, 0, 20), new Uint8Array(9))).toBeNull();
    segment.grown(10, "OK");
    expect(segment.hasRead(segment.reading(2, 0, 20), new Uint8Array(9))).not.toBeNull();
    expect(segment.hasRead(segment.reading(3, 0, 20), new Uint8Array(11))).not.toBeNull();
  });

  it("finds a segment that answers after its end, and one that ends without a reason", () => {
    expect(asked(5, "STD_CAPBAD")).toEqual(["segments"]);
    found = [];
    const destroy = span(10, 12);
    segment.destroying(destroy);
    expect(asked(10, "STD_CAPBAD")).toEqual([]);
    segment.destroyed(destroy, "OK");
    expect(asked(11, "STD_CAPBAD")).toEqual([]);
    expect(asked(13, "OK")).toEqual(["segments"]);
  });

  it("finds a capability that counts after it was revoked, or was refused before", () => {
    const revocation = span(10, 12);
    generation.revoking(revocation);
    expect(asked(9, "OK")).toEqual([]);
    expect(asked(11, "OK")).toEqual([]);
    generation.revoked(revocation, "OK");
    expect(asked(11, "OK")).toEqual([]);
    expect(asked(13, "STD_CAPBAD")).toEqual([]);
    expect(segment.isGone(99)).toBe(false);
    expect(asked(13, "STD_DENIED", { rights: 1, needs: 2 })).toEqual(["revocation"]);
    found = [];
    expect(asked(13, "OK")).toEqual(["revocation"]);
    found = [];
    generation = new Generation();
    expect(asked(13, "OK")).toEqual([]);
  });

  it("leaves open what became of a revocation without an answer, until something proves it", () => {
    const revocation = span(10, never);
    generation.revoking(revocation);
    generation.revoked(revocation, "RPC_FAILURE");
    expect(asked(20, "OK")).toEqual([]);
    expect(asked(22, "STD_CAPBAD")).toEqual([]);
    expect(asked(24, "OK")).toEqual(["revocation"]);
    found = [];
    generation = new Generation();
    generation.revoking(revocation);
    generation.revoked(revocation, "STD_DENIED");
    expect(asked(20, "STD_CAPBAD")).toEqual(["segments"]);
  });

  it("finds a segment that outlives its machine's boot", () => {
    home.goneAt = 20;
    expect(asked(19, "OK")).toEqual([]);
    expect(asked(21, "STD_CAPBAD")).toEqual([]);
    expect(asked(21, "OK")).toEqual(["segments"]);
  });

  it("counts ages, and what may be one", () => {
    for (const at of [10, 20, 30]) home.ages.add(span(at));
    expect(segment.isGone(40)).toBe(true);
    const touch = span(15);
    segment.touching(touch);
    expect([segment.isGone(40), segment.mayBeGone(40)]).toEqual([false, true]);
    segment.touched(touch, "OK");
    expect([segment.isGone(40), segment.mayBeGone(40)]).toEqual([false, false]);
    home.ages.add(span(35, never));
    expect([segment.isGone(50), segment.mayBeGone(50)]).toEqual([false, true]);
  });

  it("finds rights that nobody gave, and rights that were taken", () => {
    expect(asked(1, "OK", { needs: 2 })).toEqual([]);
    expect(asked(1, "STD_DENIED", { rights: 1, needs: 2 })).toEqual([]);
    expect(asked(1, "STD_CAPBAD", { rights: null })).toEqual([]);
    expect(asked(1, "OK", { rights: 1, needs: 2 })).toEqual(["rights"]);
    expect(asked(1, "STD_DENIED", { rights: 3, needs: 2 })).toEqual(["rights", "rights"]);
    expect(asked(1, "OK", { rights: null })).toEqual(["rights", "rights", "rights"]);
    expect(asked(1, "STD_SYSERR").at(-1)).toBe("answers");
  });
});
