// A member's record in a request or reply: its wire type alone, without what a medium has around it.

import { Cursor, Malformed } from "../../interface/types.js";
import type { MemberRecord } from "./member/record.js";
import { isSound, memberRecord } from "./member/record-codec.js";

/** Throws Unfit when it does not fit. */
export function recordBytes(record: MemberRecord): Uint8Array {
  const bytes = new Uint8Array(memberRecord.size(record));
  memberRecord.write(new Cursor(bytes), record);
  return bytes;
}

/** The record, of bytes of its own; null when it is none. */
export function recordFrom(bytes: Uint8Array): MemberRecord | null {
  try {
    const cursor = new Cursor(bytes);
    const record = memberRecord.read(cursor);
    return cursor.at === bytes.length && isSound(record) ? record : null;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}
