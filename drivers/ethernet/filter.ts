// The socket filter: which frames a process gets to see, as a classic BPF program.
//
// - Passes FLIP frames (ethertype 0x8146) to this process's own MAC address, to everyone,
//   and to the multicast groups it joined; never a frame that it sent itself.
// - Decides by source address, not by direction: frames that another process sends through
//   the same interface do pass.
// - A frame of a VLAN whose tag the card has taken off is not ours.
// - Every comparison returns in line, so no jump is longer than a program of any size allows.

export const FLIP_ETHERTYPE = 0x8146;

/** With more groups than this all multicast passes; the kernel sorts it out. */
export const FILTER_GROUPS_MAX = 256;

const BROADCAST = new Uint8Array(6).fill(0xff);

// linux/filter.h
const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const JUMP_EQUAL = 0x15;
const JUMP_SET = 0x45;
const RETURN = 0x06;
const VLAN_TAG_PRESENT = 0xfffff000 + 48;
const WHOLE_FRAME = 0x40000;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/** Returns `verdict` when the 6 bytes at `offset` are `address`; goes on otherwise. */
function whenAddress(offset: number, address: Uint8Array, verdict: number): readonly Instruction[] {
  const view = new DataView(address.buffer, address.byteOffset, 6);
  return [
    [LOAD_WORD, 0, 0, offset],
    [JUMP_EQUAL, 0, 3, view.getUint32(0)],
    [LOAD_HALF, 0, 0, offset + 4],
    [JUMP_EQUAL, 0, 1, view.getUint16(4)],
    [RETURN, 0, 0, verdict],
  ];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  const view = new DataView(bytes.buffer);
  program.forEach(([code, jumpTrue, jumpFalse, k], index) => {
    view.setUint16(index * 8, code, little);
    view.setUint8(index * 8 + 2, jumpTrue);
    view.setUint8(index * 8 + 3, jumpFalse);
    view.setUint32(index * 8 + 4, k, little);
  });
  return bytes;
}

/** Goes on with FLIP frames; others do not pass. */
const flipOnly: readonly Instruction[] = [
  [LOAD_HALF, 0, 0, 12],
  [JUMP_EQUAL, 1, 0, FLIP_ETHERTYPE],
  [RETURN, 0, 0, 0],
  [LOAD_WORD, 0, 0, VLAN_TAG_PRESENT],
  [JUMP_EQUAL, 1, 0, 0],
  [RETURN, 0, 0, 0],
];

/**
 * The program for a process with MAC address `own` that joined `groups`: bytes of an array
 * of struct sock_filter in this machine's byte order (see bpf(4), linux/filter.h).
 */
export function frameFilter(own: Uint8Array, groups: readonly Uint8Array[]): Uint8Array {
  const program: Instruction[] = [
    ...flipOnly,
    ...whenAddress(6, own, 0),
    ...whenAddress(0, own, WHOLE_FRAME),
    ...whenAddress(0, BROADCAST, WHOLE_FRAME),
  ];
  if (groups.length > FILTER_GROUPS_MAX) {
    program.push([LOAD_BYTE, 0, 0, 0], [JUMP_SET, 0, 1, 1], [RETURN, 0, 0, WHOLE_FRAME]);
  } else {
    for (const group of groups) program.push(...whenAddress(0, group, WHOLE_FRAME));
  }
  program.push([RETURN, 0, 0, 0]);
  return encode(program);
}

/** The program for a tap: every FLIP frame, whoever sent it. */
export function tapFilter(): Uint8Array {
  return encode([...flipOnly, [RETURN, 0, 0, WHOLE_FRAME]]);
}

/**
 * The program of who boots machines (raw.ts): FLIP, what DHCP servers answer (UDP to port 68, IPv4
 * without options), questions for IPv6 routers and what these say (ICMPv6 133 and 134).
 */
export function bootFilter(): Uint8Array {
  return encode([
    [LOAD_HALF, 0, 0, 12],
    [JUMP_EQUAL, 14, 0, FLIP_ETHERTYPE],
    [JUMP_EQUAL, 2, 0, 0x0800],
    [JUMP_EQUAL, 6, 0, 0x86dd],
    [RETURN, 0, 0, 0],
    [LOAD_BYTE, 0, 0, 23],
    [JUMP_EQUAL, 0, 2, 17],
    [LOAD_HALF, 0, 0, 36],
    [JUMP_EQUAL, 7, 0, 68],
    [RETURN, 0, 0, 0],
    [LOAD_BYTE, 0, 0, 20],
    [JUMP_EQUAL, 0, 3, 58],
    [LOAD_BYTE, 0, 0, 54],
    [JUMP_EQUAL, 2, 0, 133],
    [JUMP_EQUAL, 1, 0, 134],
    [RETURN, 0, 0, 0],
    [RETURN, 0, 0, WHOLE_FRAME],
  ]);
}
