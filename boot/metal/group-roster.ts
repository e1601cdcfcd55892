// The group's place on the roster, where groups are found by somebody who knows no name:
// control/server/group/roster.ts, by number of place until one is free or our group's own.
//
// - Looked for once, when the machine first has the group's state; served as long as it runs.

import { GROUP_DESCRIBE, GROUP_PORT_ROSTER, ROSTER_PLACES } from "../../build/metal/interface";
import { answered, answerLength, ask, heard, ROSTER_ASK } from "./group-asks";
import { isOfGroup } from "./group-describe";
import { derivedPort, groupPort } from "./group-port";
import { listenAt, reserve } from "./services";
import { SERVER_ROSTER } from "./status";

const LOCATE_MS: u32 = 200;
const DEAD_MS: u32 = 1000;
const ANSWER: u32 = 512; // the front of a document, with its port

const roster = memory.data<u8>([0x72, 0x6f, 0x73, 0x74, 0x65, 0x72]); // roster
const answer = memory.data(512, 8);
let tried: u32 = 0;
let looking: bool = false;
let claimed: bool = false;

export function rosterOpen(requestBytes: u32): bool {
  return reserve(SERVER_ROSTER, 1, requestBytes);
}

function place(): usize {
  let sum: u32 = 7;
  for (let i: usize = 0; i < 6; i++) sum = (sum * 31 + (load<u8>(groupPort + i) as u32)) % 65521;
  return derivedPort(roster, GROUP_PORT_ROSTER, ((sum % ROSTER_PLACES) + tried) % ROSTER_PLACES);
}

/** Looks for a place, the first time. */
export function rosterClaim(now: f64): void {
  if (looking || claimed) return;
  looking = true;
  ask(ROSTER_ASK, place(), GROUP_DESCRIBE, 0, answer, 0, answer, ANSWER, LOCATE_MS, DEAD_MS, now);
}

/** Goes on looking. */
export function rosterTurn(now: f64): void {
  if (!looking || !answered(ROSTER_ASK)) return;
  looking = false;
  if (!heard(ROSTER_ASK) || isOfGroup(answer, min(answerLength(ROSTER_ASK), ANSWER))) {
    claimed = true;
    listenAt(SERVER_ROSTER, place(), now);
  } else if (++tried < ROSTER_PLACES) rosterClaim(now);
}
