// What all parts of the machine's membership know of it. group.ts sets it.
//
// - `gid` below zero: no member. `hasState`: what the group had when we joined is here, so this member
//   stands for the group.

export let gid: i32 = -1;
export let me: u32 = 0;
export let hasState: bool = false;
/** Members that the group must have to go on after a crash; silence after which one is dead (0: usual). */
export let minimum: u32 = 1;
export let detectMs: u32 = 0;

export function hereMember(newGid: i32, id: u32): void {
  gid = newGid;
  me = id;
  hasState = false;
}

export function hereState(on: bool): void {
  hasState = on;
}

export function hereConfigure(newMinimum: u32, newDetectMs: u32): void {
  minimum = newMinimum;
  detectMs = newDetectMs;
}
