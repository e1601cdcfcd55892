// The end of a membership: everything that waits ends, everything that was kept is given back.
//
// - Nobody is told: grp_end says DEAD before, a leave has been ordered, a reset goes on without us.

import { couriersForget } from "./couriers";
import { receivesEnd } from "./deliver";
import { Group, groupFree } from "./groups";
import { Record, historyFree, recordRelease } from "./history";
import { earlyForget } from "./member";
import { Operation, operationEnd } from "./operations";
import { paceStop } from "./packets";
import { assembliesForget } from "./receive";
import { requestsFail } from "./requests";

/** Ends it here; what waits ends with `status`, a send with BC_FAIL. The others are not told. */
export function groupEnd(group: Group, status: i32): void {
  while (group.waiting != 0) {
    const operation = changetype<Operation>(group.waiting);
    group.waiting = operation.next;
    if (operation.record != 0) recordRelease(changetype<Record>(operation.record));
    operationEnd(operation, status, 0, 0);
  }
  requestsFail(group);
  receivesEnd(group, status);
  paceStop(group);
  couriersForget(group.myAddress);
  assembliesForget(group);
  if (group.members != 0) for (let i: u32 = 0; i < group.membersMax; i++) earlyForget(group, i);
  historyFree(group);
  groupFree(group);
}
