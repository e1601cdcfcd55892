// Capability sets: several capabilities that stand for one thing, for example the same file on
// different servers. Whoever uses the thing takes the first that works.
//
// - At most MEMBERS_MAX members. `initial` is how many there were to be when the set was made,
//   `final` how many are in it now. A member that is not `current` is known to be out of date:
//   it is tried last.
// - Values only: the wire type is interface/types.ts, failing over is stub/directories.ts.
// - Source: Amoeba 5 capset.h, cs_* (manual section L).

import { type Capability, capabilityBytes } from "./capability.js";

/** Most members of a set. */
export const MEMBERS_MAX = 8;

export interface CapabilitySetMember {
  readonly capability: Capability;
  readonly current: boolean;
}

export interface CapabilitySet {
  readonly initial: number;
  readonly final: number;
  readonly members: readonly CapabilitySetMember[];
}

/** The set of these capabilities, the best first. Throws RangeError for none, or for too many. */
export function setOf(...capabilities: readonly Capability[]): CapabilitySet {
  const { length } = capabilities;
  if (length < 1 || length > MEMBERS_MAX)
    throw new RangeError(`a capability set has 1 to ${MEMBERS_MAX} members, not ${length}`);
  const members = capabilities.map((capability) => ({ capability, current: true }));
  return { initial: length, final: length, members };
}

/** In the order in which they are tried: current ones first. */
export function inOrder({ members }: CapabilitySet): Capability[] {
  if (members.every((member) => member.current)) return members.map(({ capability }) => capability);
  const current = members.filter((member) => member.current);
  const old = members.filter((member) => !member.current);
  return [...current, ...old].map(({ capability }) => capability);
}

export function sameCapability(one: Capability, other: Capability): boolean {
  const [a, b] = [capabilityBytes(one), capabilityBytes(other)];
  return a.every((byte, index) => byte === b[index]);
}

/** True when the capability is one of the set's. */
export const includes = ({ members }: CapabilitySet, capability: Capability): boolean =>
  members.some((member) => sameCapability(member.capability, capability));

/** True when both have the same capabilities in the same order. */
export const sameSet = (one: CapabilitySet, other: CapabilitySet): boolean =>
  one.members.length === other.members.length &&
  one.members.every(({ capability }, index) => {
    const against = other.members[index];
    return against !== undefined && sameCapability(capability, against.capability);
  });

/** The set with another capability in the place of each; members that become null are left out. */
export function mapSet(
  set: CapabilitySet,
  change: (capability: Capability) => Capability | null,
): CapabilitySet {
  const members = set.members.flatMap(({ capability, current }) => {
    const changed = change(capability);
    return changed === null ? [] : [{ capability: changed, current }];
  });
  return { initial: set.initial, final: members.length, members };
}
