// The parts of group communication, opened at boot and woken by time.
//
// - The way of a packet: receive.ts → sequencer.ts or member.ts → deliver.ts; of a message of
//   ours: calls.ts → requests.ts. Coming and going: join.ts, admit.ts, watch.ts, recovery.ts.

import * as layout from "../layout";
import { segmentsReclaim } from "../memory/segments";
import { couriersOpen, couriersReclaim } from "./couriers";
import {
  Group,
  TIMERS,
  TIMER_PACE,
  TIMER_PHASE,
  TIMER_REPAIR,
  TIMER_SEND,
  groupAt,
  groupCapacity,
  groupsOpen,
  isSequencer,
  memberAt,
  isJoining,
} from "./groups";
import { joinExpired } from "./join";
import { memberExpired } from "./member";
import { operationsOpen } from "./operations";
import { groupPacketsOpen, paceOn } from "./packets";
import { groupReceiveOpen } from "./receive";
import { recoveryExpired } from "./recovery";
import { requestsExpired } from "./requests";
import { sequencerExpired } from "./sequencer";
import { watchExpired } from "./watch";

/** Boot: `own` is this kernel's FLIP address, timers are the ids from `timers` on. */
export function groupOpen(groups: u32, timers: u32, operations: u32, own: u64): void {
  groupsOpen(groups, timers, own);
  operationsOpen(operations);
  couriersOpen();
  groupPacketsOpen();
  groupReceiveOpen();
}

/** What was transmitted has left: memory that lay in it is free. */
export function groupReclaim(): void {
  couriersReclaim();
  segmentsReclaim();
}

/** A timer of a group ran out. */
export function groupExpired(id: u32): void {
  const group = groupAt(id / TIMERS);
  if (group.state == layout.GROUP_STATE_FREE) return;
  switch (id % TIMERS) {
    case TIMER_SEND:
      requestsExpired(group);
      return;
    case TIMER_REPAIR:
      if (isSequencer(group)) sequencerExpired(group);
      else memberExpired(group);
      return;
    case TIMER_PHASE:
      if (isJoining(group)) joinExpired(group);
      else recoveryExpired(group);
      return;
    case TIMER_PACE:
      paceOn(group);
      return;
    default:
      watchExpired(group);
  }
}

/** True for the address of a member of a group of ours. */
export function groupKnows(address: u64): bool {
  for (let i: u32 = 0; i < groupCapacity; i++) if (hasMember(groupAt(i), address)) return true;
  return false;
}

function hasMember(group: Group, address: u64): bool {
  if (group.state == layout.GROUP_STATE_FREE || group.members == 0) return false;
  for (let i: u32 = 0; i < group.membersMax; i++) if (memberAt(group, i).address == address) return true;
  return false;
}
