// The sys server: how a pool machine and its kernel fare.
//
// - STATUS is one JSON document: who it is, since when it is up, its load and memory, what its
//   interfaces and its kernel count. It and KSTAT may be asked by anyone who has the port.
// - KSTAT shows one of the kernel's tables, for people; a letter says which.
// - Source: Amoeba 5 systask (KSTAT) and the letters of the kstat command, in our own choice.

import { inBuffer, letterInExtra } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { text } from "./types.js";

/** What KSTAT can show, by letter. */
export const kstatLetters = {
  a: "all of them",
  c: "counters of the kernel",
  i: "interfaces, with what they dropped",
  n: "neighbours: machines seen on the networks",
  p: "ports that are served here",
  l: "where ports elsewhere were last found",
  r: "routes: FLIP addresses, and where they are",
  t: "threads: calls and services in progress",
} as const;

export const systemTable = defineServer({
  name: "sys",
  summary: "how a pool machine and its kernel fare",
  object: "the machine",
  rights: { read: 0x01, admin: 0x80 },
  replyBytesMax: 256 * 1024,
  standardRights: {
    ...{ info: "anyone", status: "anyone", restrict: [], touch: [], getparams: ["admin"] },
    ...{ setparams: ["admin"], age: ["admin"], copy: ["admin"], destroy: ["admin"] },
  },
  operations: {
    kstat: operation({
      number: 2501,
      summary: "a table of the kernel, as text",
      subject: "server",
      rights: "anyone",
      arguments: {
        table: letterInExtra(
          Object.entries(kstatLetters)
            .map(([letter, what]) => `${letter} ${what}`)
            .join("; "),
        ),
      },
      reply: { text: inBuffer(text, "the table") },
      errors: { STD_ARGBAD: "there is no table of that letter" },
      example: "n1 --table r",
    }),
  },
});
