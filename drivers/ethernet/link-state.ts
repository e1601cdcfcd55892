// What the system says of an interface now: whether it is up, and its MTU. Asked by ioctl, so that it is
// the interface of this process's own network namespace.
//
// - Not /sys/class/net: that shows the namespace in which it was mounted, and on a machine of a lab
//   the host's interface of the same name.
// - Needs no right; null when there is no such interface, or no way to ask.

import { IFREQ_BYTES, LITTLE, loadCalls, SIOCGIFFLAGS, SIOCGIFMTU } from "./koffi-calls.js";

export interface LinkState {
  /** Switched on, and with a carrier. */
  readonly up: boolean;
  /** Bytes of a frame's payload. */
  readonly mtu: number;
}

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const nameBytesMax = 15;

export function linkState(name: string): LinkState | null {
  const encoded = new TextEncoder().encode(name);
  if (encoded.length === 0 || encoded.length > nameBytesMax) return null;
  try {
    const calls = loadCalls();
    const socket = calls.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return null;
    try {
      const request = new Uint8Array(IFREQ_BYTES);
      const view = new DataView(request.buffer);
      request.set(encoded);
      if (calls.ioctl(socket, SIOCGIFMTU, request) < 0) return null;
      const mtu = view.getInt32(16, LITTLE);
      if (calls.ioctl(socket, SIOCGIFFLAGS, request) < 0) return null;
      const flags = view.getUint16(16, LITTLE);
      return { up: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0, mtu };
    } finally {
      calls.close(socket);
    }
  } catch {
    return null; // koffi has nothing for this machine
  }
}
