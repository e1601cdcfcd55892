// Frames as a pcap file, for Wireshark, tshark and tcpdump. See pcapng.ts for the format that
// also knows interfaces, directions and losses.
//
// - Little-endian, microseconds, link type Ethernet. Times are the caller's: of the day, or
//   virtual ones.
// - Source: draft-ietf-opsawg-pcap, PCAP Capture File Format.

const linkEthernet = 1;
const snapBytes = 1 << 18;

/** The head of the file. */
export function pcapHead(): Uint8Array {
  const head = new DataView(new ArrayBuffer(24));
  head.setUint32(0, 0xa1b2c3d4, true);
  head.setUint16(4, 2, true);
  head.setUint16(6, 4, true);
  head.setUint32(16, snapBytes, true);
  head.setUint32(20, linkEthernet, true);
  return new Uint8Array(head.buffer);
}

/** One frame, seen at so many whole microseconds. */
export function pcapRecord(at: number, frame: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + frame.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, Math.floor(at / 1_000_000), true);
  view.setUint32(4, at % 1_000_000, true);
  view.setUint32(8, frame.length, true);
  view.setUint32(12, frame.length, true);
  record.set(frame, 16);
  return record;
}
