// Leases: why a member may answer a look-up from its own memory, without asking anybody.
//
// - An update is acknowledged when every member of the group has it. A member that was left out
//   of the group, and does not know it, would answer without it. So a member answers only while it
//   holds a lease: a majority has granted it within the last LEASE_MS.
// - Who grants one promises: as long as it lasts I take part in no acknowledgement from which its
//   holder is missing. Every acknowledgement takes a majority, so one of those who granted is in it.
// - A holder counts from before it asked, a granter from when it was asked, and longer by
//   GRANT_MARGIN: that covers clocks that differ by as much in speed. Nothing here compares the
//   time of two machines. A member that was just started keeps still as long as a grant of its
//   former life may last.
// - Source: C. Gray and D. Cheriton, leases (1989).

/** How long a lease lasts for its holder, milliseconds. */
export const LEASE_MS = 1200;
/** How often it is renewed. */
export const RENEW_MS = 350;
/** A granter counts so much longer. */
const GRANT_MARGIN = 1.25;
const grantMs = LEASE_MS * GRANT_MARGIN;
/** What a member that has just started waits before it takes part in acknowledgements. */
export const QUIET_MS = grantMs;

/** What a member has granted to others. */
export class Grants {
  readonly #until = new Map<string, number>();

  /** Grants a lease to the membership of that name. */
  grant(holder: string, now: number): void {
    this.#until.set(holder, now + grantMs);
  }

  /** Its holder has given it up. */
  release(holder: string): void {
    this.#until.delete(holder);
  }

  /** How long, ms, until nobody but these can hold a lease of ours. */
  waitMs(present: ReadonlySet<string>, now: number): number {
    let wait = 0;
    for (const [holder, until] of this.#until) {
      if (until <= now) this.#until.delete(holder);
      else if (!present.has(holder)) wait = Math.max(wait, until - now);
    }
    return wait;
  }
}
