// Bare frames go back to who sent them: what `proteus bench boot` compares calls with. Only on a
// machine whose command line has reflect=on.
//
// - The frames are those of drivers/ethernet/floor.ts: "flor" behind the Ethernet header, then a
//   kind. A PING is answered with a PONG, anything else is not: two such machines do not keep a frame
//   between them for ever.

import { ETHERNET_HEADER, ETHERTYPE_FLIP, FRAME_MINIMUM } from "../../core-wasm/wire/formats";
import { value } from "./command-line";
import { startsWith } from "./text";

const MAGIC: u32 = 0x726f6c66; // "flor"
const KIND: usize = 4;
const PING: u8 = 1;
const PONG: u8 = 2;

let on: bool = false;

export function reflectOpen(): void {
  const wanted = value("reflect=");
  on = wanted != 0 && startsWith(wanted, 2, "on");
}

/** Turns a frame that is to go back into its answer; false: it is none of these. */
export function reflects(mac: usize, frame: usize, length: u32): bool {
  if (!on || length < FRAME_MINIMUM) return false;
  const type = ((load<u8>(frame, 12) as u32) << 8) | (load<u8>(frame, 13) as u32);
  const body = frame + (ETHERNET_HEADER as usize);
  if (type != ETHERTYPE_FLIP || load<u32>(body) != MAGIC || load<u8>(body + KIND) != PING) return false;
  memory.copy(frame, frame + 6, 6);
  memory.copy(frame + 6, mac, 6);
  store<u8>(body + KIND, PONG);
  return true;
}
