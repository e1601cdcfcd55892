// FLIP over IP: a network of this machine and its configured peers, in packets of an IP protocol
// of its own (253, for experiments, RFC 3692), with raw-socket.
//
// - Unicast only: what is for everyone goes to each peer. A peer is known by its address; packets
//   of others are thrown away and counted.
// - With keys every packet goes through a secure link (drivers/secure-link). Without them anyone on
//   the way can read and forge everything: the network is untrusted in FLIP's sense, unless the
//   caller vouches for it.
// - Fragments fit the narrowest path to a peer, found when it is opened. Should a path become
//   narrower later, this machine cuts the packets and the peer's puts them together.
// - One kernel a machine and protocol: each raw socket of a machine hears all packets, so two of
//   them would be one station to their peers. A name in the network namespace keeps the second out.
// - IPv4.

import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { CarriedDevice, type Carrier } from "../carried/device.js";
import { messageHeaderMax } from "../carried/message.js";
import type { Device } from "../device.js";
import { SecureLink } from "../secure-link/link.js";
import type { KeyPair } from "../secure-link/noise.js";
import { dataOverhead } from "../secure-link/session.js";
import { RawIpError } from "./errors.js";
import { pathMtu, pathMtuMax } from "./path-mtu.js";
import { protocolDefault } from "./protocol.js";
import { RawSocket } from "./socket.js";

export interface RawIpPeer {
  /** IPv4, in dotted decimals. */
  readonly address: string;
  /** Its public key; with `key` of the options. */
  readonly key?: Uint8Array | undefined;
}

export interface RawIpOptions {
  readonly name: string;
  readonly peers: readonly RawIpPeer[];
  /** This machine's keys: everything is encrypted. */
  readonly key?: KeyPair | undefined;
  readonly protocol?: number | undefined;
  /** Bytes of an IP packet; left out: found out. */
  readonly mtu?: number | undefined;
  /** Someone vouches for the network: it counts as trusted without keys too. */
  readonly trusted?: boolean | undefined;
}

const ipHeader = 20;
const weight = 4;
const receiveFrames = 256;
const mtuMin = 576;
/** Any port: nothing is sent to it. */
const discard = 9;
/** A packet of zeros asks for the path's MTU. */
const probeType = 0;

interface Peer {
  readonly address: string;
  readonly station: Uint8Array;
  readonly link: SecureLink | null;
}

const stationOf = (address: string): Uint8Array => Uint8Array.from(address.split("."), Number);
const stationText = (station: Uint8Array): string => station.join(".");

/** The address of this machine that packets to a peer come from. */
function localAddress(peer: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const fail = (cause: Error): void => {
      socket.close();
      const hint = `ip route get ${peer} shows how this machine would send to it`;
      reject(
        new RawIpError("RAW_IP_NO_ROUTE", `there is no way to ${peer}: ${cause.message}`, hint, { cause }),
      );
    };
    socket.once("error", fail);
    socket.connect(discard, peer, () => {
      const { address } = socket.address();
      socket.close();
      resolve(address);
    });
  });
}

/** Takes the name that only one program of this network namespace may have. */
function claim(protocol: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (cause) => {
      const message = `another program of this machine has FLIP over IP protocol ${protocol} open`;
      const hint = "end it, or give each a protocol of its own: +protocol=254 at both ends";
      reject(new RawIpError("RAW_IP_IN_USE", message, hint, { cause }));
    });
    server.listen(`\0proteus-raw-ip-${protocol}`, () => resolve(server.unref()));
  });
}

class RawIpCarrier implements Carrier {
  readonly #peers = new Map<string, Peer>();
  readonly #claimed: Server;
  #socket: RawSocket | null = null;
  #device: CarriedDevice | null = null;
  #strangers = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor({ peers, key }: RawIpOptions, claimed: Server) {
    this.#claimed = claimed;
    for (const peer of peers) this.#peers.set(peer.address, this.#peer(peer, key));
  }

  #peer({ address, key: peerKey }: RawIpPeer, own: KeyPair | undefined): Peer {
    const station = stationOf(address);
    if (own === undefined || peerKey === undefined) return { address, station, link: null };
    const link = new SecureLink({
      ...{ own, peer: peerKey, now: () => performance.now() },
      randomIndex: () => randomBytes(4).readUInt32LE(),
      transmit: (packet) => this.#socket?.send(packet, address) ?? false,
      received: (message) => this.#device?.accept(message, station),
    });
    return { address, station, link };
  }

  /** Begins: the device takes what comes. */
  start(socket: RawSocket, device: CarriedDevice): void {
    this.#socket = socket;
    this.#device = device;
  }

  /** A packet came. */
  arrived(payload: Buffer, source: string): void {
    if (this.#device === null || payload[0] === probeType) return;
    const peer = this.#peers.get(source);
    if (peer === undefined) this.#strangers++;
    else if (peer.link === null) this.#device.accept(payload, peer.station);
    else {
      peer.link.arrived(payload);
      this.#arm(peer.link);
    }
  }

  send(message: Uint8Array, to: Uint8Array | null): boolean {
    if (to !== null) {
      const peer = this.#peers.get(stationText(to));
      return peer !== undefined && this.#sendTo(peer, message);
    }
    let any = false;
    for (const peer of this.#peers.values()) any = this.#sendTo(peer, message) || any;
    return any;
  }

  #sendTo({ link, address }: Peer, message: Uint8Array): boolean {
    if (link === null) return this.#socket?.send(Buffer.from(message), address) ?? false;
    const taken = link.send(message);
    this.#arm(link);
    return taken;
  }

  #arm({ deadline }: SecureLink): void {
    if (deadline === null || deadline >= this.#armedFor) return;
    this.#armedFor = deadline;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, deadline - performance.now()));
    this.#timer.unref();
  }

  #tick(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    for (const { link } of this.#peers.values()) {
      if (link === null) continue;
      link.tick();
      this.#arm(link);
    }
  }

  keepAlive(): void {} // an open socket does as long as it is open

  damaged(): number {
    let sum = this.#strangers;
    for (const { link } of this.#peers.values()) sum += link?.refused ?? 0;
    return sum;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#claimed.close();
  }
}

/** Opens a network. Rejects with a RawIpError. */
export async function openRawIp(options: RawIpOptions): Promise<Device> {
  const { name, peers, key, protocol = protocolDefault } = options;
  const [first] = peers;
  if (first === undefined) throw new RangeError("a network over IP has one peer at least");
  const station = stationOf(await localAddress(first.address));
  const claimed = await claim(protocol);
  const carrier = new RawIpCarrier(options, claimed);
  try {
    const socket = await RawSocket.open(protocol, (payload, source) => carrier.arrived(payload, source));
    try {
      const paths =
        options.mtu === undefined
          ? await Promise.all(peers.map(({ address }) => pathMtu(socket, address)))
          : [options.mtu];
      const path = Math.min(pathMtuMax, ...paths);
      const mtu = path - ipHeader - messageHeaderMax - (key === undefined ? 0 : dataOverhead);
      if (mtu < mtuMin)
        throw new RawIpError(
          "RAW_IP_MTU",
          `packets of ${path} bytes are too short for FLIP`,
          `the path must carry ${mtuMin + path - mtu} bytes at least`,
        );
      const device = new CarriedDevice({
        ...{ name, station, mtu, weight, receiveFrames, carrier },
        trusted: key !== undefined || options.trusted === true,
      });
      carrier.start(socket, device);
      return device;
    } catch (error) {
      socket.close();
      throw error;
    }
  } catch (error) {
    claimed.close();
    throw error;
  }
}
