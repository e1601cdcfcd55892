// Venus as a server: where vice says that promises are broken. docs/FILES.md says how it all works.
//
// - The port is new at every start and known to vice alone; whoever knows it can make venus ask again,
//   and no more.
// - BREAK is answered when nothing older than the break is shown to anybody on the machine.
// - HURRY is answered when it was heard: from then on nothing is changed without asking vice. The permit
//   comes back by vice's operation PERMIT, when the log is shipped.

import { inBuffer } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { document } from "./types.js";
import { uint53 } from "./uint53.js";

export const venusTable = defineServer({
  name: "venus",
  summary: "the cache of a volume on a machine: hears of what grew stale",
  object: "the cache",
  rights: { admin: 0x80 },
  operations: {
    break: operation({
      number: 2930,
      summary: "these objects are not as they were told; without ids: none is",
      subject: "server",
      rights: "anyone",
      arguments: { ids: inBuffer(document, '{"ids": [...]}') },
    }),
    probe: operation({
      number: 2931,
      summary: "whether it is there",
      subject: "server",
      rights: "anyone",
    }),
    hurry: operation({
      number: 2932,
      summary: "somebody else asks: ship the log, and give the permit back",
      subject: "server",
      rights: "anyone",
      arguments: { fence: inBuffer(uint53, "the permit's number") },
    }),
  },
});
