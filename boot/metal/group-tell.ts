// What the machine says of its group on the console, a line each: who it is there, and what hinders it.
//
// - One buffer for all of them: a line is said before the next one begins.

import { say } from "./console";
import { putView } from "./group-describe";
import { me } from "./group-here";
import { groupName, groupNameLength } from "./group-port";
import { put, putBytes, putNumber, textBegin, textLength } from "./text";

const WORDS: u32 = 640;
const words = memory.data(640, 8); // a name, and the ids of 64 members

function begin(what: string): void {
  textBegin(words, WORDS);
  put("group ");
  putBytes(groupName, groupNameLength);
  put(": ");
  put(what);
}

export function tell(what: string): void {
  begin(what);
  say(words, textLength());
}

/** How it became or stays which member, and of which. */
export function tellMember(how: string, view: u64): void {
  begin(how);
  putNumber(me as u64);
  put(" of ");
  putView(view);
  say(words, textLength());
}
