// The command line that the boot protocol gave: words of the form key=value, blanks between them.
//
// - The shim has put it at COMMAND_LINE (boot/shim/shim.c), below everything of the kernel's.
// - name=n1 what the machine is called; pool=P the pool that it announces itself to (none: it does
//   not); group=G the group that it is a member of (none); network=MAC,MAC which interfaces become
//   networks, in that order (all, as the bus has them); console=off says nothing on the serial port;
//   watchdog=SECONDS is how long a turn may take (0: for ever).
// - Words of others (QEMU adds some for Linux) are passed over.

import { startsWith } from "./text";

const COMMAND_LINE: usize = 64;
const COMMAND_LINE_MAX: u32 = 896;

/** Length of the value that was found last. */
export let valueLength: u32 = 0;

/** Where the value of `key=` is, 0 when there is none; valueLength says how long. */
export function value(key: string): usize {
  let at: u32 = 0;
  while (at < COMMAND_LINE_MAX && load<u8>(COMMAND_LINE + (at as usize)) != 0) {
    const from = COMMAND_LINE + (at as usize);
    let length: u32 = 0;
    while (at + length < COMMAND_LINE_MAX && load<u8>(from + (length as usize)) > 0x20) length++;
    if (startsWith(from, length, key)) {
      valueLength = length - (key.length as u32);
      return from + (key.length as usize);
    }
    at += length + 1;
  }
  return 0;
}
