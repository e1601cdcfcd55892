// Views: which members a group has, a bit for each.
//
// - The kernel gives a view with every delivery; nothing here knows how it came about.

/** The ids in a view, ascending. */
export function membersOf(view: bigint): number[] {
  const ids: number[] = [];
  for (let id = 0; view >> BigInt(id) > 0n; id++) if ((view >> BigInt(id)) & 1n) ids.push(id);
  return ids;
}

/** True when at most half of the members of one view are in the next: the others may go on without us. */
export function isMinority(before: bigint, now: bigint): boolean {
  return 2 * membersOf(before & now).length <= membersOf(before).length;
}
