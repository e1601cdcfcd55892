// Who may do what with the machine's disk server and with its medium: port, key and generation, which lie on
// the medium in front of each copy's checksum (member-record.ts), so that the medium's capability, which the
// members of its storage have in their records, is good after the power was away.
//
// - The machine has no other place that outlives its power. Who has the medium has its data, and the secret
//   of the storage, anyway.
// - The server's own generation is made at boot: capabilities for it end with the machine's life.
// - Guesses are bounded together with those at segments: objects.ts.

import { STORAGE_OBJECT } from "../../build/metal/interface";
import { STD_CAPBAD, STD_NOTNOW, STD_OK } from "../../core-wasm/status";
import { object, OBJECT_MAX, PORT_BYTES, PRIVATE_BYTES, rights } from "../../core-wasm/wire/capability";
import { KEYED_GENERATION_BYTES, KEYED_KEY_BYTES } from "../../core-wasm/wire/formats";
import { random } from "./host";
import { keyedDecode, keyedEncode, keyedPrepare, portOneWay } from "./kernel";
import { guessedWrong, mayGuess } from "./objects";

/** The one medium that a machine has. */
export const MEDIUM: u32 = 1;
const MAGIC: u32 = 0x54454d50; // "PMET" in memory
const ATTACHED: usize = 4;
const PORT: usize = 8;
const KEY: usize = 16;
const GENERATION: usize = 48;

const prepared = memory.data(64, 8); // KEYED_PREPARED_BYTES
const ofStorage = memory.data(64, 8);
const pieces = memory.data(64, 8);
const own = memory.data(8, 8);
/** Of each object the private part that was genuine last. */
const seen = memory.data(32, 8);
let identity: usize = 0;

/** What a medium says at `at`, or a new identity there. */
export function identityRead(at: usize): void {
  identity = at;
  memory.fill(seen, 0, 32);
  if (load<u32>(at) != MAGIC) {
    store<u32>(at, MAGIC);
    store<u32>(at, 0, ATTACHED);
    random(at + PORT, PORT_BYTES as i32);
    random(at + KEY, (KEYED_KEY_BYTES + KEYED_GENERATION_BYTES) as i32);
  }
  if (load<u64>(own) == 0) random(own, KEYED_GENERATION_BYTES as i32);
  keyedPrepare(at + KEY, prepared);
}

/** The server's get-port; 0: it has none yet. */
export function diskPort(): usize {
  return identity == 0 ? 0 : identity + PORT;
}

/** The medium is an object of the server. */
export function isAttached(): bool {
  return load<u32>(identity, ATTACHED) != 0;
}

/** The capabilities of the medium so far end. */
export function setAttached(yes: bool): void {
  store<u32>(identity, yes ? 1 : 0, ATTACHED);
  mediumRenew();
}

export function mediumRenew(): void {
  random(identity + GENERATION, KEYED_GENERATION_BYTES as i32);
  memory.fill(seen, 0, 32);
}

function generationOf(number: u32): usize {
  return number == MEDIUM ? identity + GENERATION : own;
}

/** Writes the private part of an object with these rights. */
export function diskPart(number: u32, kept: u32, out: usize): void {
  keyedEncode(number as i32, kept as i32, prepared, generationOf(number), out);
}

/** The rights of a genuine private part; STD_CAPBAD, or STD_NOTNOW after too many that were not. */
export function diskVerify(at: usize, now: f64): i32 {
  const number = object(at);
  const known = number == 0 || (number == MEDIUM && isAttached());
  const place = seen + (known && number == MEDIUM ? 16 : 0);
  if (known && memory.compare(place, at, PRIVATE_BYTES) == 0) return rights(at) as i32;
  if (!mayGuess(now)) return STD_NOTNOW;
  const given = known ? keyedDecode(at, prepared, generationOf(number)) : -1;
  if (given < STD_OK) {
    guessedWrong();
    return STD_CAPBAD;
  }
  memory.copy(place, at, PRIVATE_BYTES);
  return given;
}

/** The capability of the storage with this secret: control/server/disk/identity.ts. */
export function storageCapability(secret: usize, kept: u32, out: usize): void {
  const label = memory.data<u8>([0x73, 0x74, 0x6f, 0x72, 0x61, 0x67, 0x65, 0x00]); // storage
  const bytes: u32 = 2 * PORT_BYTES + KEYED_KEY_BYTES + KEYED_GENERATION_BYTES;
  keyedPrepare(secret, ofStorage);
  let number = OBJECT_MAX;
  for (let at: u32 = 0; at + PORT_BYTES <= bytes; at += PORT_BYTES) {
    keyedEncode(number as i32, 0, ofStorage, label, out);
    memory.copy(pieces + (at as usize), out + ((PRIVATE_BYTES - PORT_BYTES) as usize), PORT_BYTES);
    number--;
  }
  const key = pieces + (PORT_BYTES as usize);
  portOneWay(pieces, out);
  keyedPrepare(key, ofStorage);
  const generation = key + (KEYED_KEY_BYTES as usize);
  keyedEncode(STORAGE_OBJECT as i32, kept as i32, ofStorage, generation, out + (PORT_BYTES as usize));
}
