// The sys server of the machine; control/interface/system.ts is its table, and its numbers come from
// there. What anyone may ask: INFO, STATUS, KSTAT.
//
// - It gives out no capability, so everything that takes a right is answered with STD_DENIED, and
//   what is no operation of the table with STD_COMBAD.

import {
  STANDARD_FIRST,
  STANDARD_INFO,
  STANDARD_LAST,
  STANDARD_STATUS,
  SYS_KSTAT,
} from "../../build/metal/interface";
import { STD_ARGBAD, STD_COMBAD, STD_DENIED, STD_OK } from "../../core-wasm/status";
import { command, headerExtra, headerSize, setHeaderSize, setStatus } from "../../core-wasm/wire/header";
import { now } from "./host";
import { replyWith } from "./services";
import { putName, putStatus } from "./status";
import { putTable } from "./tables";
import { put, textBegin, textLength } from "./text";

export function systemServe(header: usize, data: usize, capacity: u32): void {
  const asked = command(header);
  let status: i32 = STD_OK;
  let most = capacity;
  textBegin(data, capacity);
  if (asked == STANDARD_INFO) {
    if (headerSize(header) > 0) most = headerSize(header);
    put("metal machine ");
    putName();
  } else if (asked == STANDARD_STATUS) putStatus(now());
  else if (asked == SYS_KSTAT) status = putTable(headerExtra(header)) ? STD_OK : STD_ARGBAD;
  else status = asked >= STANDARD_FIRST && asked <= STANDARD_LAST ? STD_DENIED : STD_COMBAD;
  const length = status == STD_OK ? min(textLength(), most) : 0;
  setStatus(header, status);
  setHeaderSize(header, length & 0xffff);
  replyWith(data, length);
}
