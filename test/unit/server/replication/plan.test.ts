// What is decided about the copies of a file, for any findings. If this fails, a repair takes a
// good copy out of a set, or makes more or fewer than there are to be.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MEMBERS_MAX } from "../../../../control/capability/set.js";
import { type Finding, type Found, nextSet, planFor } from "../../../../control/server/replication/plan.js";

const findings = fc.constantFrom<Finding>(
  { kind: "good", hash: "aa", bytes: 1 },
  { kind: "rotten", hash: "aa", bytes: 1 },
  { kind: "gone", why: "it is gone" },
  { kind: "away", why: "no answer", lost: false },
  { kind: "away", why: "no answer", lost: true },
  { kind: "closed", why: "denied" },
  { kind: "foreign" },
);
const members = fc.array(fc.record({ finding: findings, current: fc.boolean() }), {
  minLength: 1,
  maxLength: MEMBERS_MAX,
});
const capability = (number: number) => ({
  port: new Uint8Array(6).fill(number),
  private: new Uint8Array(10).fill(number),
});

describe("a plan", () => {
  it("keeps what is good or may be, makes what is missing, and comes to rest", () => {
    fc.assert(
      fc.property(
        members,
        fc.integer({ min: 1, max: MEMBERS_MAX }),
        fc.integer({ min: 0, max: MEMBERS_MAX }),
        fc.boolean(),
        (given, wanted, available, mends) => {
          const found = given.map((each, at): Found => ({ ...each, capability: capability(at) }));
          const plan = planFor(found, wanted);
          const goods = found.filter(({ finding }) => finding.kind === "good");
          if (goods.length === 0) expect(plan.kind).not.toBe("repair");
          if (plan.kind !== "repair") return;
          const mended = mends ? plan.rotten : [];
          const missing = plan.missing + plan.rotten.length - mended.length;
          const made = Array.from({ length: Math.min(missing, available) }, (_, at) => capability(100 + at));
          const before = {
            ...{ initial: wanted, final: found.length },
            members: found.map(({ capability: of, current }) => ({ capability: of, current })),
          };
          const next = nextSet(before, plan, { mended, made });
          if (next === null) return;
          const { set } = next;
          expect(set.final).toBe(set.members.length);
          expect(set.members.length).toBeLessThanOrEqual(MEMBERS_MAX);
          const kept = new Set(set.members.map((member) => member.capability));
          for (const each of [...goods, ...mended, ...plan.standing]) expect(kept).toContain(each.capability);
          const useful = goods.length + mended.length + plan.standing.length + made.length;
          if (made.length > 0) expect(useful).toBeLessThanOrEqual(Math.max(wanted, found.length));
          if (useful < wanted) expect(set.members.length).toBeGreaterThanOrEqual(found.length);
          // Looked at again with nothing new, it stays as it is.
          const after = set.members.map((member): Found => {
            const was = found.find(({ capability: of }) => of === member.capability);
            const good: Finding = { kind: "good", hash: "aa", bytes: 1 };
            const isGood = was === undefined || mended.includes(was);
            return { ...member, finding: isGood ? good : was.finding };
          });
          const again = planFor(after, wanted);
          if (again.kind === "repair") expect(nextSet(set, again, { mended: [], made: [] })).toBe(null);
        },
      ),
      { numRuns: 400 },
    );
  });
});
