// If one of these fails, a directory server may answer without an update that was acknowledged.

import { expect, it } from "vitest";
import { Grants, LEASE_MS, QUIET_MS } from "../../../../control/server/directory/leases.js";

const nobody = new Set<string>();

it("whoever granted a lease waits for its holder longer than that one counts", () => {
  const grants = new Grants();
  grants.grant("a", 1000);
  const wait = grants.waitMs(nobody, 1000);
  // Clocks that differ by a fifth: a holder's slow one against ours.
  expect(wait).toBeGreaterThanOrEqual(LEASE_MS * 1.2);
  expect(grants.waitMs(nobody, 1000 + wait - 1)).toBe(1);
  expect(grants.waitMs(nobody, 1000 + wait)).toBe(0);
  expect(grants.waitMs(nobody, 1000)).toBe(0); // it is forgotten once it is over
});

it("a holder that takes part is not waited for, and neither is one that gave it up", () => {
  const grants = new Grants();
  grants.grant("a", 0);
  grants.grant("b", 500);
  expect(grants.waitMs(new Set(["a", "b"]), 500)).toBe(0);
  expect(grants.waitMs(new Set(["b"]), 500)).toBe(grants.waitMs(nobody, 500) - 500);
  grants.release("b");
  expect(grants.waitMs(new Set(["a"]), 500)).toBe(0);
  expect(grants.waitMs(nobody, 500)).toBeGreaterThan(0);
});

it("a lease that is renewed lasts from then on", () => {
  const grants = new Grants();
  grants.grant("a", 0);
  const first = grants.waitMs(nobody, 0);
  grants.grant("a", 700);
  expect(grants.waitMs(nobody, 700)).toBe(first);
});

it("a member that has just started keeps still for as long as its former life may have granted", () => {
  const grants = new Grants();
  grants.grant("a", 0);
  expect(QUIET_MS).toBeGreaterThanOrEqual(grants.waitMs(nobody, 0));
});
