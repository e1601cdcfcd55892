// Whether a group exists already, and who creates it when several programs want to at once.
//
// - A program that wants to create a group listens to some of the group's candidate places
//   while it asks the others; of those that see each other the lowest number wins.
// - Two with the same places would not see each other, and both would win: each draws 4 of 32,
//   which are the same ones once in 35,960 times. With one place each it was once in 32.
// - A second is spent on looking: on a machine that has much else to do an answer may take
//   long, and two groups of one name never become one again.
// - Members that wait for the group's state are not the group: when nobody has it, they leave,
//   and until then nobody creates or joins. Otherwise joiners could keep each other for ever in
//   a group whose founder died before it gave anybody its state.
// - The winner looks once more whether the group exists meanwhile. The places stay served
//   for a moment after that, so that a late candidate meets either the winner or its group.

import { STD_OK } from "../../core-wasm/status.js";
import {
  anyMemberPort,
  CANDIDATE_PLACES,
  CANDIDATE_PLACES_EACH,
  candidatePort,
  enteringPort,
  GROUP_DESCRIBE,
  type GroupDocument,
} from "../interface/group.js";
import { toHex } from "../kernel/bytes.js";
import { trans } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { Service } from "../kernel/service.js";
import { answering } from "../stub/answers.js";
import { describeGroup } from "../stub/group.js";
import type { After } from "./timer.js";

/** An answer takes a millisecond; a machine under load may keep one waiting. */
const lookMs = 500;
const lookLongMs = 1000;
const lookAgainMs = 300;
const lingerMs = 2000;

export interface FoundingOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  readonly port: Uint8Array;
}

/** The group as a member describes it; null when no member answers in the time. */
export async function findGroup(
  kernel: Kernel,
  port: Uint8Array,
  locateTimeoutMs = lookMs,
): Promise<GroupDocument | null> {
  try {
    return await describeGroup(kernel, anyMemberPort(kernel, port), { locateTimeoutMs, deadMs: 1000 });
  } catch (error) {
    if (error instanceof ProteusError) return null;
    throw error;
  }
}

/** True when a member waits for the group's state. */
export async function hasEntering(
  kernel: Kernel,
  port: Uint8Array,
  locateTimeoutMs = lookMs,
): Promise<boolean> {
  const putPort = kernel.publicPort(enteringPort(kernel, port));
  try {
    await trans(kernel, { port: putPort, command: GROUP_DESCRIBE }, undefined, {
      locateTimeoutMs,
      deadMs: 1000,
    });
    return true;
  } catch (error) {
    if (error instanceof ProteusError) return false;
    throw error;
  }
}

/** True when we may create the group; false: another one does, or has done so. */
export async function mayCreate(options: FoundingOptions): Promise<boolean> {
  const { kernel, after, random, port } = options;
  const number = random(8);
  const own = placesOf(number);
  const respond = () => ({ status: STD_OK, data: number });
  const handler = answering(respond, () => undefined);
  const services = own.map(
    (place) =>
      new Service(kernel, candidatePort(kernel, port, place), handler, { threads: 2, requestBytesMax: 64 }),
  );
  const close = () => {
    for (const service of services) service.close();
  };
  const others = Array.from({ length: CANDIDATE_PLACES }, (_, place) => place).filter(
    (place) => !own.includes(place),
  );
  const [found, entered, ...numbers] = await Promise.all([
    findGroup(kernel, port, lookLongMs),
    hasEntering(kernel, port, lookLongMs),
    ...others.map((other) => numberAt(kernel, port, other)),
  ]);
  const ours = toHex(number);
  const lost = found !== null || entered || numbers.some((other) => other !== null && other < ours);
  const won = !lost && (await findGroup(kernel, port, lookAgainMs)) === null;
  if (won) after(lingerMs, close);
  else close();
  return won;
}

/** The places of a candidate with this number: always as many, so that none has all of another's. */
function placesOf(number: Uint8Array): readonly number[] {
  const drawn = new Set<number>();
  for (const byte of number.subarray(0, CANDIDATE_PLACES_EACH)) {
    let place = byte % CANDIDATE_PLACES;
    while (drawn.has(place)) place = (place + 1) % CANDIDATE_PLACES;
    drawn.add(place);
  }
  return [...drawn];
}

/** The number of the candidate at a place; null when there is none. */
async function numberAt(kernel: Kernel, port: Uint8Array, place: number): Promise<string | null> {
  const putPort = kernel.publicPort(candidatePort(kernel, port, place));
  try {
    const options = { locateTimeoutMs: lookLongMs, deadMs: 1000, replyBytesMax: 64 };
    return toHex((await trans(kernel, { port: putPort }, undefined, options)).data);
  } catch (error) {
    if (error instanceof ProteusError) return null;
    throw error;
  }
}
