// The segment server: memory on a pool machine, a capability for each piece.
//
// - Contiguous, zero when created, within the region that the machine set aside at boot.
// - CREATE and WRITE are the original's; READ and SIZE are the file interface, as there. GROW
//   was a system call of the original; the number is ours. `length` in the buffer is ours:
//   without it READ gives at most 65,535 bytes, as `size` says.
// - MAP is ours: it says where a process of the same machine finds the segment's bytes
//   (control/node/segment-map.ts maps them). A read-only map is sealed: nobody else can write
//   into those pages. What is mapped stays so until GROW or DESTROY, which cut off who has it.
// - Programs on the same kernel map without a call: SegmentServer.map.
// - Source: Amoeba 5 process server (segments), bullet server (READ, SIZE).

import { inBuffer, inOffset, inOffsetUnsigned, inPrivate, inSize } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { boolean, bytes, capability, optional, string, uint32 } from "./types.js";

/** Most bytes of one READ or WRITE; longer ones are done in pieces (control/stub/segments.ts). */
export const SEGMENT_PIECE_BYTES = 1024 * 1024;
/** Object numbers are this and a counter from 1: the letter S, as in the original. */
export const SEGMENT_OBJECT_BASE = 0x53 << 16;

const range = { STD_ARGBAD: "the range does not lie in the segment, or is longer than 1 MiB" };
const room = {
  STD_NOSPACE: "the machine has no room for a segment of that size",
  STD_ARGBAD: "that is no size for it",
};

export const segmentTable = defineServer({
  name: "segment",
  summary: "memory on a pool machine: contiguous, of any size, a capability for each piece",
  object: "a segment",
  rights: { read: 0x01, write: 0x02, create: 0x04, delete: 0x08, admin: 0x80 },
  requestBytesMax: SEGMENT_PIECE_BYTES + 64,
  replyBytesMax: SEGMENT_PIECE_BYTES + 64,
  standardRights: {
    ...{ info: [], restrict: [], touch: [], status: ["read"], getparams: ["admin"], setparams: ["admin"] },
    ...{ age: ["admin"], copy: ["create"], destroy: ["delete"] },
  },
  operations: {
    create: operation({
      number: 2306,
      summary: "make a segment of so many bytes: zeros, or a copy of another one's bytes",
      subject: "server",
      rights: ["create"],
      arguments: {
        bytes: inOffset("its size"),
        source: inBuffer(optional(capability), "whose bytes it begins with; it may be on another machine"),
      },
      reply: { segment: inPrivate("the new segment, with all rights") },
      errors: {
        ...room,
        STD_NOTFOUND: "the source cannot be reached",
        STD_NOTNOW: "the machine is being emptied: it takes no new segments",
      },
      example: "n1 --bytes 65536",
    }),
    grow: operation({
      number: 2320,
      summary: "make it longer; what it held stays, what is new is zeros, maps of other processes end",
      rights: ["write"],
      arguments: { bytes: inOffset("its new size, not less than it has") },
      errors: { ...room, STD_NOTNOW: "it is mapped by the agent itself, and cannot grow where it lies" },
      example: "SEGMENT --bytes 131072",
    }),
    read: operation({
      number: 2006,
      summary: "bytes of the segment; fewer than wanted when it ends before",
      rights: ["read"],
      arguments: {
        position: inOffsetUnsigned("first byte", { otherwise: 0 }),
        count: inSize("bytes wanted, up to 65535", { otherwise: 65535 }),
        length: inBuffer(optional(uint32), `bytes wanted, up to ${SEGMENT_PIECE_BYTES}; counts before count`),
      },
      reply: { data: inBuffer(bytes, "the bytes") },
      errors: range,
      example: "SEGMENT --position 0 --count 100",
    }),
    write: operation({
      number: 2307,
      summary: "put bytes into the segment",
      rights: ["write"],
      arguments: {
        position: inOffsetUnsigned("first byte", { otherwise: 0 }),
        data: inBuffer(bytes, "the bytes"),
      },
      errors: range,
      example: "SEGMENT --position 0 --data hello",
    }),
    map: operation({
      number: 2321,
      summary: "where a process of the same machine can map its bytes",
      rights: ["read"],
      arguments: {
        write: inBuffer(optional(boolean), "for writing too; takes the right to write"),
      },
      reply: {
        bytes: inBuffer(uint32, "its size; it begins where the file does"),
        path: inBuffer(string(64), "the file, as long as the agent lives and the segment is mapped"),
        tag: inBuffer(string(64), "part of the file's name: /memfd:proteus-TAG"),
        boot: inBuffer(string(64), "the boot id of that machine"),
      },
      errors: {
        STD_COMBAD:
          "the machine cannot share memory: its agent runs without Proteus's native part, or without /proc",
        STD_ARGBAD: "it has no bytes",
        STD_NOTNOW:
          "it is mapped the other way (only to read, or to write by one who may), or by the agent itself",
        STD_NOSPACE: "there is no room for it on whole pages, or as many are mapped as may be",
        STD_NOMEM: "the machine's system has no memory or no descriptor for it",
      },
      example: "SEGMENT --write",
    }),
    size: operation({
      number: 2007,
      summary: "its size",
      rights: ["read"],
      reply: { bytes: inOffset("its size") },
      example: "SEGMENT",
    }),
  },
});
