// The LAN in memory of a lab without namespaces: one process that repeats frames.
//
// - A socket for each interface of each node (drivers/memory/hub.ts has the format).
//   Several programs of a node connect to the same one; the first gets the interface's
//   MAC address, the next ones a locally administered one of their own.
// - A frame goes to every other connection on its network; who it is for, they decide.
// - A connection that does not read loses frames, as at a switch.
// - A second socket beside each is for taps: they are shown every frame that leaves or reaches
//   the interface, take no address and send nothing (drivers/memory/hub-tap.ts).
// - Each direction of a link has the impairments and the rate that the topology says;
//   between programs of one interface there is no link.
// - Orders (orders.ts): {node, on} cuts or joins the links of a node; {topology} changes
//   the networks, and nothing of an interface that stays the same.

import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { FaultLine, HEALTHY_LINE, type LineFaults } from "../../drivers/fault/line.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { encodeMessage, type HubGreeting, MessageReader, tapPath } from "../../drivers/memory/hub.js";
import { tapHead } from "../../drivers/memory/hub-tap.js";
import { machinesOf } from "./daemons.js";
import { isHealthy } from "./impairments.js";
import { impairmentsOf } from "./links.js";
import { order, takeOrders } from "./orders.js";
import { type LabInterface, systemInterfacesOf } from "./plan.js";
import { rateBits } from "./rate.js";
import type { Topology } from "./topology.js";

const backlogBytesMax = 4 * 1024 * 1024;

export interface HubPaths {
  /** The socket of an interface. */
  readonly interfaceSocket: (node: string, name: string) => string;
  readonly controlSocket: string;
}

/** One direction of a link; while nothing is wrong with it, frames pass at once. */
class HubLine {
  readonly #line = new FaultLine(new SeededRandom(randomBytes(4).readInt32LE()));
  #healthy = true;
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly emit: (frame: Uint8Array) => void) {}

  setFaults(faults: LineFaults, healthy: boolean): void {
    this.#healthy = healthy;
    this.#line.setFaults(faults);
  }

  offer(frame: Uint8Array): void {
    if (this.#healthy && this.#line.size === 0) {
      this.emit(frame);
      return;
    }
    this.#line.offer(frame, performance.now() * 1000);
    this.#pump();
  }

  #pump(): void {
    const now = performance.now() * 1000;
    for (let frame = this.#line.take(now); frame !== null; frame = this.#line.take(now)) this.emit(frame);
    const due = this.#line.nextDue();
    if (this.#timer !== null || due === null) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#pump();
      },
      Math.ceil((due - now) / 1000),
    );
  }
}

/** A program that only looks, and how many frames it was too slow for. */
interface TapPort {
  readonly socket: Socket;
  dropped: number;
}

/** An interface of a node, and the programs that have connected to it. */
interface Attached {
  readonly node: string;
  readonly link: LabInterface;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  readonly tapServer: Server;
  readonly taps: Set<TapPort>;
  readonly addresses: Set<string>;
  readonly toNetwork: HubLine;
  readonly toNode: HubLine;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(path, () => resolve());
  });
}

/** Random, unicast, locally administered. */
function localAddress(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.toString("hex").replace(/..(?=.)/g, "$&:");
}

function lineFaults(topology: Topology, node: string, link: LabInterface): [LineFaults, boolean] {
  const impairments = impairmentsOf(topology, { node, network: link.network });
  const { delayMs, rate: own, ...faults } = impairments;
  const rate = own ?? link.rate;
  return [
    {
      ...HEALTHY_LINE,
      ...faults,
      delayMicroseconds: delayMs * 1000,
      rate: rate === null ? null : rateBits(rate),
    },
    isHealthy(impairments) && rate === null,
  ];
}

/** Is this the same interface, but for its rate? */
const sameInterface = ({ rate: _, ...a }: LabInterface, { rate: __, ...b }: LabInterface): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

class Hub {
  readonly #attached = new Map<string, Attached>();
  readonly #cut = new Set<string>();

  constructor(private readonly socketOf: HubPaths["interfaceSocket"]) {}

  setPower(node: string, on: boolean): void {
    if (on) this.#cut.delete(node);
    else this.#cut.add(node);
  }

  async setTopology(topology: Topology): Promise<void> {
    const wanted = new Map<string, { node: string; link: LabInterface }>(
      machinesOf(topology).flatMap((node) =>
        systemInterfacesOf(topology, node).map(
          (link) => [`${node.name}/${link.name}`, { node: node.name, link }] as const,
        ),
      ),
    );
    for (const [key, attached] of this.#attached) {
      const now = wanted.get(key);
      if (now === undefined || !sameInterface(now.link, attached.link)) await this.#detach(key, attached);
    }
    for (const [key, { node, link }] of wanted) {
      const attached = this.#attached.get(key) ?? (await this.#attach(key, node, link));
      const [faults, healthy] = lineFaults(topology, node, link);
      attached.toNetwork.setFaults(faults, healthy);
      attached.toNode.setFaults(faults, healthy);
    }
  }

  async #attach(key: string, node: string, link: LabInterface): Promise<Attached> {
    const attached: Attached = {
      node,
      link,
      server: createServer((socket) => this.#connect(attached, socket)),
      sockets: new Set(),
      tapServer: createServer((socket) => this.#connectTap(attached, socket)),
      taps: new Set(),
      addresses: new Set(),
      toNetwork: new HubLine((frame) => this.#cross(attached, frame)),
      toNode: new HubLine((frame) => this.#arrive(attached, frame)),
    };
    const path = this.socketOf(node, link.name);
    await listen(attached.server, path);
    await listen(attached.tapServer, tapPath(path));
    this.#attached.set(key, attached);
    return attached;
  }

  async #detach(key: string, { server, sockets, tapServer, taps }: Attached): Promise<void> {
    this.#attached.delete(key);
    for (const socket of sockets) socket.destroy();
    for (const { socket } of taps) socket.destroy();
    for (const each of [server, tapServer]) await new Promise((resolve) => each.close(resolve));
  }

  #connect(attached: Attached, socket: Socket): void {
    const { sockets, addresses, link } = attached;
    const address = addresses.has(link.mac) ? localAddress() : link.mac;
    addresses.add(address);
    const reader = new MessageReader();
    sockets.add(socket);
    const greeting: HubGreeting = { network: link.network, mtu: link.mtu, address };
    socket.write(encodeMessage(Buffer.from(JSON.stringify(greeting))));
    socket.on("data", (chunk) => {
      try {
        for (const frame of reader.push(chunk)) this.#repeat(attached, socket, frame);
      } catch {
        socket.destroy();
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      addresses.delete(address);
    });
  }

  #connectTap({ taps, link }: Attached, socket: Socket): void {
    const tap: TapPort = { socket, dropped: 0 };
    taps.add(tap);
    const greeting: HubGreeting = { network: link.network, mtu: link.mtu, address: link.mac };
    socket.write(encodeMessage(Buffer.from(JSON.stringify(greeting))));
    socket.on("error", () => socket.destroy()).on("close", () => taps.delete(tap));
    socket.resume();
  }

  /** Shows a frame to the taps of an interface. */
  #show({ taps }: Attached, frame: Uint8Array, outgoing: boolean): void {
    if (taps.size === 0) return;
    const timeUs = Math.floor((performance.timeOrigin + performance.now()) * 1000);
    for (const tap of taps) {
      if (tap.socket.writableLength >= backlogBytesMax) tap.dropped++;
      else tap.socket.write(encodeMessage(tapHead(timeUs, tap.dropped, outgoing), frame));
    }
  }

  /** A frame of a program: to the others at its interface, and into the link. */
  #repeat(from: Attached, sender: Socket, frame: Buffer): void {
    if (this.#cut.has(from.node)) return;
    this.#show(from, frame, true);
    this.#deliver(from, frame, sender);
    from.toNetwork.offer(frame);
  }

  /** A frame that has come out of a node's link, at the switch. */
  #cross(from: Attached, frame: Uint8Array): void {
    if (this.#cut.has(from.node)) return;
    for (const to of this.#attached.values())
      if (to !== from && to.link.network === from.link.network) to.toNode.offer(frame);
  }

  /** A frame that has come out of the link to a node. */
  #arrive(to: Attached, frame: Uint8Array): void {
    if (this.#cut.has(to.node)) return;
    this.#show(to, frame, false);
    this.#deliver(to, frame);
  }

  #deliver(to: Attached, frame: Uint8Array, except?: Socket): void {
    if (this.#cut.has(to.node) || to.sockets.size === 0) return;
    const message = encodeMessage(frame);
    for (const socket of to.sockets)
      if (socket !== except && socket.writableLength < backlogBytesMax) socket.write(message);
  }
}

/** Serves the networks of a topology until the process ends. Resolves once every socket listens. */
export async function serveHub(topology: Topology, paths: HubPaths): Promise<void> {
  const hub = new Hub(paths.interfaceSocket);
  await hub.setTopology(topology);
  const obey = async (what: unknown): Promise<void> => {
    const { node, on, topology: wanted } = what as { node?: string; on?: boolean; topology?: Topology };
    if (node !== undefined) hub.setPower(node, on === true);
    if (wanted !== undefined) await hub.setTopology(wanted);
  };
  // Last: who finds the control socket finds all the others.
  await listen(takeOrders(obey), paths.controlSocket);
}

/** Asks a running hub to cut or join the links of a node. */
export async function hubPower(controlSocket: string, node: string, on: boolean): Promise<void> {
  await order(controlSocket, { node, on });
}

/** Tells a running hub what its networks are from now on. */
export async function hubTopology(controlSocket: string, topology: Topology): Promise<void> {
  await order(controlSocket, { topology });
}
