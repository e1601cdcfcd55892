// Groups as people read them: one in full, and several in a table.
//
// - Pure: what a member answered is laid out, nothing is asked.

import type { GroupDocument } from "../interface/group.js";
import { table } from "./table.js";

/** A group with its members. */
export function groupText(group: GroupDocument): string {
  const { name, port, state, incarnation, sequencer, resilience, minimum, membersMax, history } = group;
  const members = group.members.map(({ id, state: is, expect, silentMs, address }) => {
    const role = [id === sequencer ? "sequencer" : "", id === group.answeredBy ? "answered" : ""];
    return [id, is, expect, silentMs, address, role.filter((word) => word !== "").join(", ")];
  });
  return [
    `group ${name} (port ${port})  state ${state}  incarnation ${incarnation}  sequencer ${sequencer}`,
    `members ${members.length} of ${membersMax}  resilience ${resilience}  minimum ${minimum}`,
    `history ${history.used} of ${history.slots}  next message ${group.next}  largest ${group.messageBytesMax} bytes`,
    table(["MEMBER", "STATE", "EXPECTS", "SILENT MS", "ADDRESS", ""], members),
  ].join("\n");
}

/** One line a group. */
export function groupsText(groups: readonly GroupDocument[]): string {
  const rows = groups.map((group) => {
    const { name, port, state, sequencer, members, incarnation, history, resilience, minimum } = group;
    const used = `${history.used}/${history.slots}`;
    return [name, port, state, members.length, sequencer, incarnation, used, resilience, minimum];
  });
  const head = [
    "GROUP",
    "PORT",
    "STATE",
    "MEMBERS",
    "SEQUENCER",
    "INCARNATION",
    "HISTORY",
    "RESILIENCE",
    "MINIMUM",
  ];
  return table(head, rows);
}
