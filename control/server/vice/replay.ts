// One record of a client's log applied to a volume: by the table of conflicts in docs/FILES.md, whose
// numbers stand here.
//
// - What a record believes is compared with what is so, by object and by name. A checked record that does
//   not fit is refused with what a local file system would say; ESTALE: its maker looked at something
//   that is not so any more, and should look again. A record of disconnected work is never refused for
//   a conflict: it is done another way, kept under another name, or listed.
// - Pure: a draft in, a draft out.
// - Throws Lie for what no honest client sends.

import type { FileRecord, Outcome } from "../../interface/file-records.js";
import type { Became, ReplayGiven } from "./replaying.js";
import { Storing } from "./storing.js";

export { Lie } from "./replaying.js";

class Replay extends Storing {
  apply(record: FileRecord): Became {
    switch (record.op) {
      case "make":
        return this.make(record);
      case "link":
        return this.link(record);
      case "remove":
        return this.remove(record);
      case "rename":
        return this.rename(record);
      case "store":
        return this.store(record);
      case "setattr":
        return this.setattr(record);
      case "setxattr":
        return this.setxattr(record);
    }
  }
}

/** Applies a record to a draft; answers what became of it. Throws Lie. */
export function replay(given: ReplayGiven, record: FileRecord): Outcome {
  return { n: record.n, ...new Replay(given).apply(record) };
}
