// Who is alive. Members watch the sequencer, the sequencer watches all.
//
// - Whoever was silent for a while is asked (ALIVEREQ); the question tells the other that we
//   live, so in a quiet group only members ask. The answer tells what the next number is.
// - In a group of ours silence for GROUP_SET_DETECT_MS, with three questions unanswered, is
//   death: the group is closed and wants a reset. With an original in it, ten times its
//   own ten seconds. Our own pauses do not count: the host's time stands still then.
// - Source: spec 5.4, 6.

import * as layout from "../layout";
import { now } from "../memory/clock";
import { locateStart } from "../flip/locate";
import { GROUP_ALIVEREQ, GROUP_DEAD } from "../wire/group";
import {
  Group,
  MEMBER,
  Member,
  TIMER_WATCH,
  groupTimer,
  isPure,
  isSequencer,
  memberAt,
  isOpen,
} from "./groups";
import { groupSetting } from "./settings";
import { tell, tellAll } from "./packets";
import { groupAbort } from "./recovery";

const POINT_TO_POINT: u32 = 1;

function aliveUs(group: Group): i64 {
  const alive = (groupSetting(group, layout.GROUP_SET_ALIVE_MS) as i64) * 1000;
  return min<i64>(alive, deadUs(group) / 3);
}

/** Silence that is death. */
function deadUs(group: Group): i64 {
  return (groupSetting(group, layout.GROUP_SET_DETECT_MS) as i64) * 1000;
}

/** A third of what is left between the first question and death, so that three fit. */
function period(group: Group): i64 {
  const between = deadUs(group) - aliveUs(group);
  return max<i64>(min<i64>(between / 4, aliveUs(group) / 2), 5000);
}

/** From now on. */
export function watchStart(group: Group): void {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    member.heard = now;
    member.probes = 0;
    member.suspect = 0;
  }
  groupTimer(group, TIMER_WATCH, now + period(group));
}

/** The timer ran out. */
export function watchExpired(group: Group): void {
  if (!isOpen(group)) return;
  let dead = false;
  if (!isSequencer(group)) dead = look(group, group.sequencer);
  else {
    for (let i: u32 = 0; i < group.membersMax; i++) {
      if (i != group.me && memberAt(group, i).state == MEMBER && look(group, i)) dead = true;
    }
  }
  // One that has left has no user who would reset: the members find out from it, not by its silence.
  if (dead && group.state == layout.GROUP_STATE_LEFT) tellAll(group, GROUP_DEAD, 0, 0, 0);
  if (dead) groupAbort(group);
  else groupTimer(group, TIMER_WATCH, now + period(group));
}

/** Looks after one member; true when it is dead. */
function look(group: Group, id: u32): bool {
  const member = memberAt(group, id);
  const silence = now - member.heard;
  // Members ask first; the sequencer only those who do not.
  const patience = isSequencer(group) ? aliveUs(group) + period(group) : aliveUs(group);
  if (silence < patience) return false;
  const most = groupSetting(group, layout.GROUP_SET_RETRIES);
  if (member.probes >= most && silence >= deadUs(group)) {
    member.suspect = 1;
    return true;
  }
  if (isPure(group) || silence >= patience * ((member.probes as i64) + 1)) probe(group, member);
  return false;
}

function probe(group: Group, member: Member): void {
  tell(group, member.address, GROUP_ALIVEREQ, POINT_TO_POINT, 0, 0, isPure(group));
  if (member.probes > 0) locateStart(member.address, group.myAddress, false); // perhaps it is elsewhere
  member.probes++;
}
