// Whether this machine creates its group when none is found: control/group/founding.ts under Linux,
// whose candidates this one meets.
//
// - A candidate draws some of the candidates' places and listens there while it asks at the others; of
//   those that see each other the lowest number wins.
// - Members that wait for the group's state keep everybody from creating it.
// - The winner's places stay for a moment: a late candidate meets it, or its group.

import {
  CANDIDATE_PLACES,
  CANDIDATE_PLACES_EACH,
  GROUP_DESCRIBE,
  GROUP_PORT_ANY,
  GROUP_PORT_CANDIDATE,
  GROUP_PORT_ENTERING,
} from "../../build/metal/interface";
import { ask, answered, answerLength, answerStatus, askStop, heard, smallAnswer } from "./group-asks";
import { derivedPort, groupPort } from "./group-port";
import { random } from "./host";
import { listenAt, reserve, serverClose } from "./services";
import { SERVER_CANDIDATE } from "./status";

const LOOK_MS: u32 = 1000;
const DEAD_MS: u32 = 1000;
const NUMBER: u32 = 8;

/** What a candidate answers: eight bytes. */
export const candidate = memory.data(8, 8);
let drawn: u32 = 0; // a bit for each place

export function foundOpen(): bool {
  for (let i: u32 = 0; i < CANDIDATE_PLACES_EACH; i++)
    if (!reserve(SERVER_CANDIDATE + i, 1, 256)) return false;
  return true;
}

/** Begins: places 0 and 1 of the calls look for the group, the others for candidates. */
export function foundBegin(now: f64): void {
  random(candidate, NUMBER as i32);
  drawn = 0;
  for (let i: u32 = 0; i < CANDIDATE_PLACES_EACH; i++) {
    let place = (load<u8>(candidate + (i as usize)) as u32) % CANDIDATE_PLACES;
    while ((drawn >> place) & 1) place = (place + 1) % CANDIDATE_PLACES;
    drawn |= (1 as u32) << place;
    listenAt(SERVER_CANDIDATE + i, derivedPort(groupPort, GROUP_PORT_CANDIDATE, place), now);
  }
  find(0, GROUP_PORT_ANY, 0, now);
  find(1, GROUP_PORT_ENTERING, 0, now);
  let index: u32 = 2;
  for (let place: u32 = 0; place < CANDIDATE_PLACES; place++) {
    if ((drawn >> place) & 1) continue;
    find(index, GROUP_PORT_CANDIDATE, place, now);
    index++;
  }
}

function find(index: u32, purpose: u32, number: u32, now: f64): void {
  const command = purpose == GROUP_PORT_CANDIDATE ? 0 : GROUP_DESCRIBE;
  const port = derivedPort(groupPort, purpose, number);
  ask(index, port, command, 0, candidate, 0, 0, 0, LOOK_MS, DEAD_MS, now);
}

const CALLS: u32 = 2 + CANDIDATE_PLACES - CANDIDATE_PLACES_EACH;

/** Has everybody answered, or had the time to? */
export function foundOver(): bool {
  for (let i: u32 = 0; i < CALLS; i++) if (!answered(i)) return false;
  return true;
}

/** There is no group, and no candidate with a lower number. */
export function foundWon(): bool {
  if (answerStatus(0) >= 0 || heard(1)) return false;
  for (let i: u32 = 2; i < CALLS; i++) {
    const lower = memory.compare(smallAnswer(i), candidate, NUMBER as usize) < 0;
    if (heard(i) && answerLength(i) == NUMBER && lower) return false;
  }
  return true;
}

/** Listens as a candidate no more. */
export function foundEnd(now: f64): void {
  for (let i: u32 = 2; i < CALLS; i++) askStop(i, now);
  for (let i: u32 = 0; i < CANDIDATE_PLACES_EACH; i++) serverClose(SERVER_CANDIDATE + i, now);
}
