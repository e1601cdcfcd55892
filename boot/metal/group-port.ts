// The name of the machine's group, and the ports that follow from it: control/cli/group-name.ts and
// control/interface/group.ts are the same under Linux.
//
// - group=NAME on the command line: 1 to 6 bytes are the port, padded with zeros, 12 hex digits are its
//   bytes; of a longer name, up to 55 bytes, the port begins its SHA-256.
// - A group that is joined has the name that its creator wrote.

import { PORT_BYTES } from "../../core-wasm/wire/formats";
import { value, valueLength } from "./command-line";
import { portOneWay, sha256Short } from "./kernel";
import { hexDigit } from "./networks";

const NAME_MOST: u32 = 256;

export const groupPort = memory.data(8, 8);
export const groupName = memory.data(256, 8);
export let groupNameLength: u32 = 0;
const derived = memory.data(8, 8);
const digest = memory.data(32, 8);

export function setGroupName(from: usize, length: u32): void {
  groupNameLength = min(length, NAME_MOST);
  memory.copy(groupName, from, groupNameLength);
}

function isHex(from: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) if (hexDigit(load<u8>(from + (i as usize)) as u32) > 15) return false;
  return length == 2 * PORT_BYTES;
}

/** Is there a group on the command line? */
export function groupWanted(): bool {
  return value("group=") != 0;
}

/** Reads the name. False: it is none. */
export function groupNamed(): bool {
  const name = value("group=");
  const length = valueLength;
  setGroupName(name, length);
  if (length <= PORT_BYTES) memory.copy(groupPort, name, length);
  else if (isHex(name, length)) {
    for (let i: u32 = 0; i < PORT_BYTES; i++) {
      const at = name + ((2 * i) as usize);
      const byte = (hexDigit(load<u8>(at) as u32) << 4) | hexDigit(load<u8>(at, 1) as u32);
      store<u8>(groupPort + (i as usize), byte as u8);
    }
  } else {
    if (sha256Short(name, length as i32, digest) < 0) return false;
    memory.copy(groupPort, digest, PORT_BYTES);
  }
  return load<u64>(groupPort) != 0;
}

/** The get-port of a purpose, with a number mixed in; good until the next call. */
export function derivedPort(from: usize, purpose: u32, number: u32): usize {
  memory.copy(derived, from, PORT_BYTES);
  store<u8>(derived, load<u8>(derived, 5) ^ (purpose as u8), 5);
  store<u8>(derived, load<u8>(derived, 4) ^ (number as u8), 4);
  portOneWay(derived, derived);
  return derived;
}
