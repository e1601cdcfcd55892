// The objects of the machine's segment server: numbers, what vouches for their capabilities, ages. As
// control/stub/objects.ts, with the keyed scheme of control/capability/scheme.ts, in fixed places.
//
// - Object 0 is the server itself. Others have a value above 0; their numbers are given out in turn.
// - The key is made at boot: capabilities end with the machine's life, as its memory does.
// - Capabilities that are not genuine are looked at GUESSES_A_SECOND times, whoever sends them; past
//   that only those that were genuine before count, others are answered with STD_NOTNOW.

import { KEYED_GENERATION_BYTES, KEYED_KEY_BYTES } from "../../core-wasm/wire/formats";
import { object, PRIVATE_BYTES, RIGHTS_ALL, rights } from "../../core-wasm/wire/capability";
import { STD_CAPBAD, STD_NOTNOW, STD_OK } from "../../core-wasm/status";
import { random } from "./host";
import { keyedDecode, keyedEncode, keyedPrepare } from "./kernel";
import { take } from "./memory";

export const OBJECTS_MOST: u32 = 256;
export const LIFETIME_MOST: u32 = 255;
const GUESSES_A_SECOND: f64 = 1000;
const GUESSES_AT_ONCE: f64 = 256;

@unmanaged
class Entry {
  /** 0: there is no such object. */
  value: i32;
  age: u32;
  generation: u64;
  /** The private part that was genuine last: eight bytes and two. */
  seen: u64;
  seenEnd: u32;
  hasSeen: bool;
}

let entries: usize = 0;
const prepared = memory.data(64, 8); // KEYED_PREPARED_BYTES
const part = memory.data(16, 8);

export let lifetime: u32 = 24;
export let objectsCount: u32 = 0;
let base: u32 = 0;
let last: u32 = 0;
let guesses: f64 = GUESSES_AT_ONCE;
let guessedAt: f64 = 0;

function entryAt(place: u32): Entry {
  return changetype<Entry>(entries + offsetof<Entry>() * (place as usize));
}

function newGeneration(entry: Entry): void {
  const at = changetype<usize>(entry) + offsetof<Entry>("generation");
  random(at, KEYED_GENERATION_BYTES as i32);
  entry.hasSeen = false;
}

/** Numbers are `first` and something from 1 to OBJECTS_MOST. False: there is no room. */
export function objectsOpen(first: u32): bool {
  entries = take(offsetof<Entry>() * ((OBJECTS_MOST + 1) as usize));
  if (entries == 0) return false;
  base = first;
  const key = memory.data(32, 8); // KEYED_KEY_BYTES
  random(key, KEYED_KEY_BYTES as i32);
  keyedPrepare(key, prepared);
  memory.fill(key, 0, KEYED_KEY_BYTES);
  newGeneration(entryAt(0));
  return true;
}

/** The place of a number; OBJECTS_MOST + 1: there is none. */
function placeOf(number: u32): u32 {
  if (number == 0) return 0;
  const place = number - base;
  return place > 0 && place <= OBJECTS_MOST && entryAt(place).value != 0 ? place : OBJECTS_MOST + 1;
}

/** A new object with this value; its number, 0: there are as many as there may be. */
export function objectAdd(value: i32): u32 {
  if (objectsCount == OBJECTS_MOST) return 0;
  do last = (last % OBJECTS_MOST) + 1;
  while (entryAt(last).value != 0);
  const entry = entryAt(last);
  entry.value = value;
  entry.age = 0;
  newGeneration(entry);
  objectsCount++;
  return base + last;
}

/** What an object is; 0: the server itself, or nothing. */
export function objectValue(number: u32): i32 {
  const place = placeOf(number);
  return place == 0 || place > OBJECTS_MOST ? 0 : entryAt(place).value;
}

export function objectSet(number: u32, value: i32): void {
  const place = placeOf(number);
  if (place > 0 && place <= OBJECTS_MOST) entryAt(place).value = value;
}

export function objectRemove(number: u32): void {
  const place = placeOf(number);
  if (place == 0 || place > OBJECTS_MOST) return;
  entryAt(place).value = 0;
  objectsCount--;
}

export function objectTouch(number: u32): void {
  const place = placeOf(number);
  if (place <= OBJECTS_MOST) entryAt(place).age = 0;
}

/** Ends all capabilities to an object. */
export function objectRenew(number: u32): void {
  const place = placeOf(number);
  if (place <= OBJECTS_MOST) newGeneration(entryAt(place));
}

/** The number of the object at a place from 1 to OBJECTS_MOST; 0: there is none. */
export function objectAt(place: u32): u32 {
  return entryAt(place).value == 0 ? 0 : base + place;
}

export function ageAt(place: u32): u32 {
  return entryAt(place).age;
}

/** Makes the object at a place a step older; true: it is too old. */
export function growAt(place: u32): bool {
  const entry = entryAt(place);
  entry.age++;
  return entry.age > lifetime;
}

export function setLifetime(ages: u32): void {
  lifetime = ages;
}

/** Writes the private part of an object with these rights. */
export function partMake(number: u32, kept: u32, out: usize): void {
  const entry = entryAt(placeOf(number));
  store<u64>(part, entry.generation);
  keyedEncode(number as i32, (kept & RIGHTS_ALL) as i32, prepared, part, out);
}

/** Whether one more capability that was not seen before may be looked at. */
export function mayGuess(now: f64): bool {
  guesses = min(GUESSES_AT_ONCE, guesses + ((now - guessedAt) * GUESSES_A_SECOND) / 1e6);
  guessedAt = now;
  return guesses >= 1;
}

export function guessedWrong(): void {
  guesses -= 1;
}

/** The rights of a genuine private part; STD_CAPBAD, or STD_NOTNOW after too many that were not. */
export function partVerify(at: usize, now: f64): i32 {
  const place = placeOf(object(at));
  const known = place <= OBJECTS_MOST;
  const entry = entryAt(known ? place : 0);
  const begin = load<u64>(at);
  const end = load<u16>(at, PRIVATE_BYTES - 2) as u32;
  if (known && entry.hasSeen && ((entry.seen ^ begin) | ((entry.seenEnd ^ end) as u64)) == 0)
    return rights(at) as i32;
  if (!mayGuess(now)) return STD_NOTNOW;
  store<u64>(part, entry.generation);
  const given = known ? keyedDecode(at, prepared, part) : -1;
  if (given < STD_OK) {
    guessedWrong();
    return STD_CAPBAD;
  }
  entry.seen = begin;
  entry.seenEnd = end;
  entry.hasSeen = true;
  return given;
}
