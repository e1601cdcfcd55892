// Frames as a pcapng file: what pcap has, and for each frame its interface and direction, and
// at the end how many frames each interface lost.
//
// - Little-endian, microseconds since 1970, link type Ethernet; an interface's number is its
//   place in the head. Functions give blocks to be written one behind the other.
// - Source: draft-ietf-opsawg-pcapng, PCAP Next Generation Capture File Format.

const sectionHeader = 0x0a0d0d0a;
const interfaceDescription = 1;
const enhancedPacket = 6;
const interfaceStatistics = 5;

const byteOrderMagic = 0x1a2b3c4d;
const linkEthernet = 1;
const snapBytes = 1 << 18;

const optionEnd = 0;
const optionUserApplication = 4;
const optionName = 2;
const optionTimeResolution = 9;
const optionFlags = 2;
const optionReceived = 4;
const optionDropped = 5;
const inbound = 1;
const outbound = 2;

const words = (bytes: number): number => Math.ceil(bytes / 4) * 4;

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** A block: type, length, `fixed`, `data` padded to words, options, length again. */
function block(type: number, fixed: Uint8Array, data: Uint8Array, options: readonly Option[]): Uint8Array {
  const optionBytes = options.reduce((sum, { value }) => sum + 4 + words(value.length), 4);
  const length = 12 + fixed.length + words(data.length) + optionBytes;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  bytes.set(fixed, 8);
  bytes.set(data, 8 + fixed.length);
  let at = 8 + fixed.length + words(data.length);
  for (const { code, value } of [...options, { code: optionEnd, value: new Uint8Array(0) }]) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + words(value.length);
  }
  view.setUint32(at, length, true);
  return bytes;
}

const nothing = new Uint8Array(0);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The head of the file: who wrote it, and its interfaces. */
export function pcapngHead(application: string, interfaces: readonly string[]): Uint8Array[] {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, byteOrderMagic, true);
  view.setUint16(4, 1, true); // version 1.0
  view.setBigInt64(8, -1n, true); // the section's length is not known yet
  const head = block(sectionHeader, section, nothing, [
    { code: optionUserApplication, value: text(application) },
  ]);
  const described = new Uint8Array(8);
  new DataView(described.buffer).setUint16(0, linkEthernet, true);
  new DataView(described.buffer).setUint32(4, snapBytes, true);
  const descriptions = interfaces.map((name) =>
    block(interfaceDescription, described, nothing, [
      { code: optionName, value: text(name) },
      { code: optionTimeResolution, value: Uint8Array.of(6) },
    ]),
  );
  return [head, ...descriptions];
}

function timeHalves(view: DataView, at: number, timeUs: number): void {
  view.setUint32(at, Math.floor(timeUs / 2 ** 32), true);
  view.setUint32(at + 4, timeUs % 2 ** 32, true);
}

/** One frame, seen at so many whole microseconds since 1970; `outgoing` undefined: not known. */
export function pcapngRecord(
  interfaceNumber: number,
  timeUs: number,
  outgoing: boolean | undefined,
  frame: Uint8Array,
): Uint8Array {
  const fixed = new Uint8Array(20);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, interfaceNumber, true);
  timeHalves(view, 4, timeUs);
  view.setUint32(12, frame.length, true);
  view.setUint32(16, frame.length, true);
  const flags =
    outgoing === undefined ? [] : [{ code: optionFlags, value: u32(outgoing ? outbound : inbound) }];
  return block(enhancedPacket, fixed, frame, flags);
}

/** What an interface counted, at the end of the file. */
export function pcapngStatistics(
  interfaceNumber: number,
  timeUs: number,
  counted: { readonly received: number; readonly dropped: number },
): Uint8Array {
  const fixed = new Uint8Array(12);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, interfaceNumber, true);
  timeHalves(view, 4, timeUs);
  return block(interfaceStatistics, fixed, nothing, [
    { code: optionReceived, value: u64(counted.received) },
    { code: optionDropped, value: u64(counted.dropped) },
  ]);
}
