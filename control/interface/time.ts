// The time server: what time it is on a machine.
//
// - Universal time: seconds since 1970 in 32 bits without a sign (until 2106), milliseconds
//   beside them. `daylight` is 0: the original's field for summer time.
// - SET moves what this server tells, not the clock of the machine under it.
// - Source: Amoeba 5 tod server.

import { inExtra, inOffsetUnsigned, inSize } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";

const moment = {
  seconds: inOffsetUnsigned("seconds since 1970, universal time"),
  milliseconds: inSize("milliseconds of the second"),
  daylight: inExtra("1 in summer time; always 0 here"),
};

export const timeTable = defineServer({
  name: "time",
  summary: "what time it is on a machine",
  object: "the clock",
  rights: { read: 0x01, write: 0x02, admin: 0x80 },
  standardRights: {
    ...{ info: "anyone", restrict: [], touch: [], status: ["read"], getparams: ["admin"] },
    ...{ setparams: ["admin"], age: ["admin"], copy: ["admin"], destroy: ["admin"] },
  },
  operations: {
    get: operation({
      number: 2400,
      summary: "the time",
      subject: "server",
      rights: "anyone",
      reply: moment,
      example: "n1",
    }),
    set: operation({
      number: 2401,
      summary: "move the time that this server tells; the machine's clock stays as it is",
      subject: "server",
      rights: ["write"],
      arguments: {
        seconds: moment.seconds,
        milliseconds: inSize("milliseconds of the second", { otherwise: 0 }),
        daylight: inExtra("not used", { otherwise: 0 }),
      },
      errors: { STD_ARGBAD: "a second has 0 to 999 milliseconds" },
      example: "n1 --seconds 1700000000",
    }),
  },
});
