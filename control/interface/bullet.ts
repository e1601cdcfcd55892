// The Bullet server: immutable files, a capability for each.
//
// - Whoever makes a file sends it in one call or in many and commits it; from then on it never
//   changes. MODIFY, INSERT and DELETE of a committed file make a new one from it, which is
//   changed until it is committed in turn. Until then it can be changed and destroyed only, and
//   it is discarded when nobody does anything with it for ten minutes.
// - Numbers, flags and rules are the original's; a call of the original carries at most
//   BULLET_TRANSFER_BYTES. Ours carry up to BULLET_PIECE_BYTES: `length` in the buffer is ours.
// - The 64-bit operations are ours, for files beyond 2 GiB: a position is an int64 at the start
//   of the buffer. FSCK answers what it found, DISK_COMPACT what it moved, as JSON; the original's
//   clients, which give no buffer for it, are not disturbed.
// - VERIFY is ours: who keeps copies of a file learns that they are the same, and that one has
//   rotted, without moving a byte of it.
// - Streams, whole files: control/stub/files.ts.
// - Source: Amoeba 5 bullet server (manual section L, b_*), amoeba.md 6.1.

import { inBuffer, inExtra, inOffset, inPrivate, inSize } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { boolean, bytes, document, int32, int64, optional, uint32 } from "./types.js";

/** Most bytes of a file in one call between ours. */
export const BULLET_PIECE_BYTES = 1024 * 1024;
/** Most bytes in one call of the original's: a message of twenty fragments. */
export const BULLET_TRANSFER_BYTES = 29768;

/** The file is complete: from now on it can be read, and never changes. */
export const BULLET_COMMIT = 1;
/** With COMMIT: answer when it is on the medium. */
export const BULLET_SAFETY = 2;
/** Of FSCK: mend what can be mended. */
export const BULLET_REPAIR = 1;
/** Of VERIFY: read all of the file from the medium. */
export const BULLET_READ_ALL = 1;

const flags = () => inExtra("1: commit it; 3: and answer when it is on the medium", { otherwise: 0 });
const position = () => inOffset("first byte", { otherwise: 0 });
const longPosition = () => inBuffer(int64, "first byte");
const count = () => inSize("bytes wanted, up to 65535", { otherwise: 65535 });
const length = () =>
  inBuffer(optional(uint32), `bytes wanted, up to ${BULLET_PIECE_BYTES}; counts before count`);
const file = () => inPrivate("the file");
const data = (what: string) => inBuffer(bytes, what);

const medium = {
  STD_SYSERR:
    "the bytes on the medium are not those that were written, or the server met an error of its own",
};
const room = {
  ...medium,
  STD_NOSPACE: "the medium, or its table of files, is full",
  STD_NOMEM: "the server has no memory for another file that is not committed",
  STD_NOTNOW: "the machine is being emptied and takes no new files, or the medium is being repaired",
};
const outside = { STD_ARGBAD: "the position lies before the file's begin or behind its end" };
const unread = {
  ...medium,
  STD_CAPBAD: "the file is gone or not committed, or the capability was never of this server",
  STD_NOTNOW: "the medium is being repaired",
};

export const bulletTable = defineServer({
  name: "bullet",
  summary: "immutable files: stored whole, never changed, a capability for each",
  object: "a file",
  rights: { create: 0x01, read: 0x02, modify: 0x04, destroy: 0x08, admin: 0x80 },
  requestBytesMax: BULLET_PIECE_BYTES + 64,
  replyBytesMax: BULLET_PIECE_BYTES + 64,
  standardRights: {
    ...{ info: [], restrict: [], touch: [], status: ["read"], getparams: ["admin"], setparams: ["admin"] },
    ...{ age: ["admin"], copy: ["create"], destroy: ["destroy"] },
  },
  operations: {
    create: operation({
      number: 2001,
      summary:
        "make a file that begins with these bytes; called on a file that turns out the same, it is that",
      subject: "either",
      rights: ["create"],
      arguments: { flags: flags(), data: data("its first bytes") },
      reply: { file: file() },
      errors: room,
      example: "n1 --data hello --flags 3",
    }),
    delete: operation({
      number: 2002,
      summary: "take bytes out: of a file that is committed it makes a new one",
      rights: ["read", "modify"],
      arguments: {
        position: position(),
        flags: flags(),
        bytes: inBuffer(int32, "how many; as many as there are"),
      },
      reply: { file: file() },
      errors: { ...room, ...outside },
      example: "FILE --position 1 --bytes 2 --flags 3",
    }),
    check: operation({
      number: 2003,
      summary: "look whether the medium is consistent and every file is what was written (FSCK)",
      subject: "server",
      rights: ["create", "read", "modify", "destroy", "admin"],
      arguments: { flags: inExtra("1: mend what can be mended", { otherwise: 0 }) },
      reply: { report: inBuffer(document, "what was found") },
      errors: { ...medium, STD_NOTNOW: "a check or a compaction is under way" },
      example: "n1",
    }),
    insert: operation({
      number: 2004,
      summary: "put bytes in between: of a file that is committed it makes a new one",
      rights: ["read", "modify"],
      arguments: { position: position(), flags: flags(), data: data("the bytes") },
      reply: { file: file() },
      errors: { ...room, ...outside },
      example: "FILE --position 0 --data hello --flags 3",
    }),
    modify: operation({
      number: 2005,
      summary: "put bytes over what is there and behind it: of a file that is committed it makes a new one",
      rights: ["read", "modify"],
      arguments: { position: position(), flags: flags(), data: data("the bytes") },
      reply: { file: file() },
      errors: { ...room, ...outside },
      example: "FILE --position 5 --data ' there' --flags 3",
    }),
    read: operation({
      number: 2006,
      summary: "bytes of a committed file; fewer than wanted when it ends before",
      rights: ["read"],
      arguments: { position: position(), count: count(), length: length() },
      reply: { data: data("the bytes") },
      errors: { ...unread, ...outside },
      example: "FILE --position 0 --count 100",
    }),
    size: operation({
      number: 2007,
      summary: "how long a committed file is",
      rights: ["read"],
      reply: { bytes: inOffset("its length") },
      errors: { ...unread, STD_OVERFLOW: "it is longer than 2147483647 bytes: size64 tells" },
      example: "FILE",
    }),
    compact: operation({
      number: 2008,
      summary: "bring the free space of the medium together (DISK_COMPACT)",
      subject: "server",
      rights: ["create", "read", "modify", "destroy", "admin"],
      reply: { report: inBuffer(document, "what was moved") },
      errors: { ...medium, STD_NOTNOW: "a compaction or a check is under way" },
      example: "n1",
    }),
    sync: operation({
      number: 2009,
      summary: "answer when all that is committed is on the medium",
      subject: "server",
      rights: [],
      errors: medium,
      example: "n1",
    }),
    read64: operation({
      number: 2050,
      summary: "as read, anywhere in a file of any length",
      rights: ["read"],
      arguments: { position: longPosition(), count: count(), length: length() },
      reply: { data: data("the bytes") },
      errors: { ...unread, ...outside },
      example: "FILE --position 5000000000 --count 100",
    }),
    modify64: operation({
      number: 2051,
      summary: "as modify, anywhere in a file of any length",
      rights: ["read", "modify"],
      arguments: { position: longPosition(), flags: flags(), data: data("the bytes") },
      reply: { file: file() },
      errors: { ...room, ...outside },
      example: "FILE --position 5000000000 --data hello --flags 3",
    }),
    size64: operation({
      number: 2052,
      summary: "how long a committed file is, whatever that is",
      rights: ["read"],
      reply: { bytes: inBuffer(int64, "its length") },
      errors: unread,
      example: "FILE",
    }),
    verify: operation({
      number: 2053,
      summary: "whether a committed file is what was written, its length and the SHA-256 of its content",
      rights: ["read"],
      arguments: {
        flags: inExtra("1: read all of it from the medium; 0: what reads before have found", {
          otherwise: 0,
        }),
      },
      reply: {
        good: inBuffer(boolean, "whether it can be read"),
        bytes: inBuffer(int64, "its length"),
        hash: inBuffer(bytes, "the SHA-256 of what was written"),
      },
      errors: unread,
      example: "FILE --flags 1",
    }),
  },
});
