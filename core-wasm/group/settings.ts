// The settings of a group: timers, retries, and from which size on a message is large.
//
// - What grp_set gave, or the standard: ours in a group that is all ours, the original's
//   while an original is in it, whose timers a setting can only lengthen.
// - They stand behind the group's record, a u32 each, 0 for the standard.
// - Source: spec 5.1, grp_set; defaults of 5.3.

import * as layout from "../layout";
import { Group, SETTINGS, isPure } from "./groups";

export function groupSet(group: Group, setting: i32, value: u32): bool {
  if (setting <= 0 || (setting as u32) >= SETTINGS) return false;
  store<u32>(changetype<usize>(group) + offsetof<Group>() + (setting as usize) * 4, value);
  return true;
}

/** A setting: what grp_set gave, or the standard. Milliseconds, bytes or a number. */
export function groupSetting(group: Group, setting: i32): u32 {
  const given = load<u32>(changetype<usize>(group) + offsetof<Group>() + (setting as usize) * 4);
  if (isPure(group)) return given != 0 ? given : standardOurs(setting);
  const original = standardOriginal(setting);
  return setting == layout.GROUP_SET_LARGE && given != 0 ? given : max<u32>(given, original);
}

function standardOurs(setting: i32): u32 {
  switch (setting) {
    case layout.GROUP_SET_SYNC_MS:
      return 20;
    case layout.GROUP_SET_REPLY_MS:
      return 50;
    case layout.GROUP_SET_ALIVE_MS:
      return 200;
    case layout.GROUP_SET_RESET_MS:
      return 400;
    case layout.GROUP_SET_LOCATE_MS:
      return 1500;
    case layout.GROUP_SET_RETRIES:
      return 3;
    case layout.GROUP_SET_LARGE:
      return 10000;
    default:
      return 700; // GROUP_SET_DETECT_MS
  }
}

function standardOriginal(setting: i32): u32 {
  switch (setting) {
    case layout.GROUP_SET_SYNC_MS:
      return 8000;
    case layout.GROUP_SET_REPLY_MS:
      return 1000;
    case layout.GROUP_SET_ALIVE_MS:
      return 10000;
    case layout.GROUP_SET_RESET_MS:
      return 2000;
    case layout.GROUP_SET_LOCATE_MS:
      return 3000;
    case layout.GROUP_SET_LARGE:
      return 10000;
    case layout.GROUP_SET_RETRIES:
      return 10;
    default:
      return 100000; // GROUP_SET_DETECT_MS: ten silences of ten seconds
  }
}
