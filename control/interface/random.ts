// The random server: random bytes for whoever asks, from the machine's own source.
//
// - No rights are asked for: a port is enough, as in the original.
// - Source: Amoeba 5 random server.

import { inBuffer, inSize } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { bytes } from "./types.js";

/** Most bytes of one call. */
export const RANDOM_BYTES_MAX = 1024;

export const randomTable = defineServer({
  name: "random",
  summary: "random bytes from a machine's own source",
  object: "the source",
  rights: { read: 0x01, admin: 0x80 },
  standardRights: {
    ...{ info: "anyone", restrict: [], touch: [], status: ["read"], getparams: ["admin"] },
    ...{ setparams: ["admin"], age: ["admin"], copy: ["admin"], destroy: ["admin"] },
  },
  operations: {
    get: operation({
      number: 2600,
      summary: "so many random bytes",
      subject: "server",
      rights: "anyone",
      arguments: { count: inSize(`bytes wanted, 1 to ${RANDOM_BYTES_MAX}`, { otherwise: 16 }) },
      reply: { data: inBuffer(bytes, "the bytes") },
      errors: { STD_ARGBAD: `1 to ${RANDOM_BYTES_MAX} bytes can be had in one call` },
      example: "n1 --count 32",
    }),
  },
});
