// A group as one of its members describes it to others, and how two descriptions compare.
//
// - A description is what this member knows now; another may be a few messages ahead.

import type { GroupDocument } from "../interface/group.js";
import { toHex } from "../kernel/bytes.js";
import type { Kernel } from "../kernel/kernel.js";
import type { GroupConfiguration } from "./configuration.js";
import { membersOf } from "./view.js";

/** What a member says of its group; null when the kernel knows no such group. */
export function describe(
  kernel: Kernel,
  gid: number,
  { name, minimum }: GroupConfiguration,
): GroupDocument | null {
  const info = kernel.groups.info(gid);
  if (info === null) return null;
  const members = membersOf(info.view).flatMap((id) => {
    const member = kernel.groups.member(gid, id);
    if (member === null) return [];
    const { state, expect, silentMs, address, rpcAddress } = member;
    return [{ id, state, expect, silentMs, address: toHex(address), kernel: toHex(rpcAddress) }];
  });
  return {
    name,
    port: toHex(info.port),
    state: info.state,
    incarnation: info.incarnation,
    sequencer: info.sequencer,
    answeredBy: info.myId,
    resilience: info.resilience,
    minimum,
    membersMax: info.membersMax,
    messageBytesMax: 2 ** info.logMessage,
    expect: info.expect,
    next: info.next,
    unstable: info.unstable,
    history: { used: info.historyUsed, slots: 2 ** info.logHistory },
    members,
  };
}

const sequencerOf = ({ members, sequencer }: GroupDocument): string =>
  members.find(({ id }) => id === sequencer)?.address ?? "";

/**
 * True when `other` is another part of a broken group than `own`, and the one that goes on:
 * the larger, and of equals the one whose sequencer has the lower address.
 */
export function yieldsTo(own: GroupDocument, other: GroupDocument): boolean {
  if (other.state !== "normal" || other.port !== own.port) return false;
  const [mine, theirs] = [sequencerOf(own), sequencerOf(other)];
  if (mine === theirs) return false;
  if (own.members.length !== other.members.length) return other.members.length > own.members.length;
  return theirs < mine;
}
