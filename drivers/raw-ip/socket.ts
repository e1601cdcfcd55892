// A raw IPv4 socket of the package raw-socket: packets of one IP protocol, out and in.
//
// - `send` hands a packet to the system at once, or says that there was no room: the package's own
//   queue takes one packet a trip through the event loop, which would be the link's speed.
// - `probe` asks whether a packet of that size may leave at all, without being cut: `fits` is false
//   where the system knows that the path, or the interface, is narrower.
// - ip(7), raw(7).

import { RawIpError } from "./errors.js";

const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
/** Packets larger than the path are cut by this machine, never by a router. */
const discoverWant = 1;
/** They are refused. */
const discoverDo = 2;
const receiveBufferBytes = 1024 * 1024;
const packetBytesMax = 65_535;
const ipHeaderMin = 20;

interface PackageSocket {
  on(event: "message", listener: (packet: Buffer, source: string) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  setOption(level: number, option: number, value: number): void;
  close(): void;
  readonly wrap: {
    send(bytes: Buffer, offset: number, length: number, address: string, sent: () => void): void;
  };
}

interface RawSocketPackage {
  createSocket(options: { protocol: number; addressFamily: number; bufferSize: number }): PackageSocket;
  readonly AddressFamily: { readonly IPv4: number };
}

/** What came with a packet of ours: everything behind its IP header; null when it is cut. */
export function payloadOf(packet: Buffer): Buffer | null {
  const header = ((packet[0] ?? 0) & 0x0f) * 4;
  return header >= ipHeaderMin && packet.length > header ? packet.subarray(header) : null;
}

/** See the head of this file. */
export class RawSocket {
  readonly #socket: PackageSocket;
  #closed = false;

  private constructor(socket: PackageSocket) {
    this.#socket = socket;
  }

  /** Opens it. Rejects with RAW_IP_UNAVAILABLE or RAW_IP_NO_PERMISSION. */
  static async open(
    protocol: number,
    received: (payload: Buffer, source: string) => void,
  ): Promise<RawSocket> {
    let loaded: RawSocketPackage;
    try {
      loaded = (await import("node-raw-socket")) as unknown as RawSocketPackage;
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      const why = /NODE_MODULE_VERSION/.test(said)
        ? `it was built for another version of Node.js than ${process.version}`
        : said.split("\n")[0];
      throw new RawIpError(
        "RAW_IP_UNAVAILABLE",
        `the package raw-socket cannot be used: ${why}`,
        "it needs a C compiler when it is installed: npm rebuild node-raw-socket",
        { cause },
      );
    }
    let socket: PackageSocket;
    try {
      socket = loaded.createSocket({
        ...{ protocol, addressFamily: loaded.AddressFamily.IPv4, bufferSize: packetBytesMax },
      });
    } catch (cause) {
      throw new RawIpError(
        "RAW_IP_NO_PERMISSION",
        `no permission to open a raw IP socket: ${(cause as Error).message}`,
        "run it with sudo, or grant the right once: sudo setcap cap_net_raw+ep $(readlink -f $(which node))",
        { cause },
      );
    }
    socket.on("error", () => {});
    socket.on("message", (packet, source) => {
      const payload = payloadOf(packet);
      if (payload !== null) received(payload, source);
    });
    socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, discoverWant);
    socket.setOption(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
    return new RawSocket(socket);
  }

  /** False: the system did not take it. */
  send(payload: Buffer, to: string): boolean {
    return this.#send(payload, to) === null;
  }

  #send(payload: Buffer, to: string): Error | null {
    if (this.#closed) return new Error("closed");
    try {
      this.#socket.wrap.send(payload, 0, payload.length, to, () => {});
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  /** Sends zeros; an error when there is no way to the address at all. */
  probe(payloadBytes: number, to: string): { readonly fits: boolean; readonly error: Error | null } {
    this.#socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, discoverDo);
    const error = this.#send(Buffer.alloc(payloadBytes), to);
    this.#socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, discoverWant);
    const tooLong = error !== null && /too long|EMSGSIZE/i.test(error.message);
    return { fits: error === null, error: tooLong ? null : error };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
