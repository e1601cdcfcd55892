// Frames that who boots machines sends and understands: DHCP's question and offer, the question for an
// IPv6 router and our answer to it. Pure.
//
// - The question is how other DHCP servers are found: one as any computer asks, one as firmware does
//   that boots over the network, since there are servers for these alone.
// - The answer of a "router" says that it is none and knows no prefix: iPXE waits 13 s for one when
//   nobody answers. It goes to the machine that asked and to nobody else.
// - Source: RFC 768, 791, 2131, 2132, 4578 (client architecture), 4443, 4861 4.2.

const bootRequest = 1;
const bootReply = 2;
const cookie = 0x63825363;
const options = 236 + 4;
const dhcpAt = 14 + 20 + 8;
const flipType = 0x8146;

export type Heard =
  | { readonly kind: "flip"; readonly mac: string }
  | { readonly kind: "offer"; readonly transaction: number; readonly server: string }
  | { readonly kind: "solicit"; readonly mac: string; readonly from: Uint8Array }
  | { readonly kind: "router"; readonly mac: string };

export const macText = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

const address = (bytes: Uint8Array): string => bytes.join(".");

/** The ones' complement of the ones' complement sum of 16-bit words, from `sum` on. */
function checksum(bytes: Uint8Array, sum = 0): number {
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A DHCPDISCOVER of a machine with this MAC address; `firmware`: one that boots over the network. */
export function discover(mac: Uint8Array, transaction: number, firmware: boolean): Uint8Array {
  const more = firmware
    ? [
        ...[93, 2, 0, 0],
        ...[60, 9],
        ...Buffer.from("PXEClient"),
        ...[97, 17, 0],
        ...Array<number>(16).fill(0),
      ]
    : [];
  const message = Buffer.alloc(300);
  message[0] = bootRequest;
  message[1] = 1; // Ethernet
  message[2] = 6;
  message.writeUInt32BE(transaction, 4);
  message.writeUInt16BE(0x8000, 10); // answer to everybody
  message.set(mac, 28);
  message.writeUInt32BE(cookie, 236);
  message.set([...[53, 1, 1], ...[55, 4, 1, 3, 66, 67], ...more, 255], options);
  const frame = Buffer.alloc(dhcpAt + message.length);
  frame.fill(0xff, 0, 6);
  frame.set(mac, 6);
  frame.writeUInt16BE(0x0800, 12);
  frame.set([0x45, 0], 14);
  frame.writeUInt16BE(frame.length - 14, 16);
  frame.set([64, 17], 22);
  frame.fill(0xff, 30, 34);
  frame.writeUInt16BE(checksum(frame.subarray(14, 34)), 24);
  frame.writeUInt16BE(68, 34);
  frame.writeUInt16BE(67, 36);
  frame.writeUInt16BE(8 + message.length, 38); // without a checksum, as UDP allows
  frame.set(message, dhcpAt);
  return frame;
}

/** "I am no router": to the machine `mac` with the link-local address `to`. */
export function noRouter(own: Uint8Array, mac: Uint8Array, to: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(14 + 40 + 16);
  frame.set(mac, 0);
  frame.set(own, 6);
  frame.writeUInt16BE(0x86dd, 12);
  frame[14] = 0x60;
  frame.writeUInt16BE(16, 18);
  frame.set([58, 255], 20);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = own;
  frame.set([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f], 22);
  frame.set(to, 38);
  frame[54] = 134; // a router's advertisement: no lifetime, nothing to be had by DHCPv6
  const sum = checksum(frame.subarray(54), 16 + 58 + (~checksum(frame.subarray(22, 54)) & 0xffff));
  frame.writeUInt16BE(sum, 56);
  return frame;
}

/** What a frame is; undefined: nothing of interest. */
export function understand(bytes: Uint8Array): Heard | undefined {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (frame.length < 54) return undefined;
  const mac = macText(frame.subarray(6, 12));
  const type = frame.readUInt16BE(12);
  if (type === flipType) return { kind: "flip", mac };
  if (type === 0x86dd) {
    if (frame[20] !== 58 || frame.length < 62) return undefined;
    if (frame[54] === 133) return { kind: "solicit", mac, from: frame.subarray(22, 38) };
    return frame[54] === 134 ? { kind: "router", mac } : undefined;
  }
  if (type !== 0x0800 || frame[14] !== 0x45 || frame.length < dhcpAt + options) return undefined;
  if (frame.readUInt16BE(34) !== 67 || frame[dhcpAt] !== bootReply) return undefined;
  const transaction = frame.readUInt32BE(dhcpAt + 4);
  return { kind: "offer", transaction, server: address(frame.subarray(26, 30)) };
}
