// The LAN in memory of a lab without namespaces: one process that repeats frames.
//
// - A socket for each interface of each node (drivers/memory/hub.ts has the format).
//   Several programs of a node connect to the same one; the first gets the interface's
//   MAC address, the next ones a locally administered one of their own.
// - A frame goes to every other connection on its network; who it is for, they decide.
// - A connection that does not read loses frames, as at a switch.
// - A second socket beside each is for taps: they are shown every frame of the network that
//   reaches the node's links, take no address and send nothing (drivers/memory/hub-tap.ts).
// - `control`: a line of JSON {node, on} cuts or joins the links of a node, answered by
//   the same line.

import { randomBytes } from "node:crypto";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { encodeMessage, type HubGreeting, MessageReader, tapPath } from "../../drivers/memory/hub.js";
import { tapHead } from "../../drivers/memory/hub-tap.js";
import { interfacesOf, type LabInterface } from "./plan.js";
import type { Topology } from "./topology.js";

const backlogBytesMax = 4 * 1024 * 1024;

interface Port {
  readonly node: string;
  readonly network: string;
  readonly socket: Socket;
}

interface TapPort extends Port {
  dropped: number;
}

export interface HubPaths {
  /** The socket of an interface. */
  readonly interfaceSocket: (node: string, name: string) => string;
  readonly controlSocket: string;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(path, () => resolve());
  });
}

/** Serves the networks of a topology until the process ends. Resolves once every socket listens. */
export async function serveHub(topology: Topology, paths: HubPaths): Promise<void> {
  const ports = new Set<Port>();
  const taps = new Set<TapPort>();
  const cut = new Set<string>();

  const show = (from: Port, frame: Buffer): void => {
    const timeUs = Math.floor((performance.timeOrigin + performance.now()) * 1000);
    for (const tap of taps) {
      if (tap.network !== from.network || cut.has(tap.node)) continue;
      if (tap.socket.writableLength >= backlogBytesMax) tap.dropped++;
      else tap.socket.write(encodeMessage(tapHead(timeUs, tap.dropped, tap.node === from.node), frame));
    }
  };

  const repeat = (from: Port, frame: Buffer): void => {
    if (cut.has(from.node)) return;
    if (taps.size > 0) show(from, frame);
    const message = encodeMessage(frame);
    for (const port of ports) {
      if (port === from || port.network !== from.network || cut.has(port.node)) continue;
      if (port.socket.writableLength < backlogBytesMax) port.socket.write(message);
    }
  };

  const accept =
    (node: string, { network, mac, mtu }: LabInterface, own: Set<string>) =>
    (socket: Socket) => {
      const address = own.has(mac) ? localAddress() : mac;
      own.add(address);
      const port: Port = { node, network, socket };
      const reader = new MessageReader();
      ports.add(port);
      const greeting: HubGreeting = { network, mtu, address };
      socket.write(encodeMessage(Buffer.from(JSON.stringify(greeting))));
      socket.on("data", (chunk) => {
        try {
          for (const frame of reader.push(chunk)) repeat(port, frame);
        } catch {
          socket.destroy();
        }
      });
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        ports.delete(port);
        own.delete(address);
      });
    };

  const acceptTap =
    (node: string, { network, mac, mtu }: LabInterface) =>
    (socket: Socket) => {
      const tap: TapPort = { node, network, socket, dropped: 0 };
      taps.add(tap);
      const greeting: HubGreeting = { network, mtu, address: mac };
      socket.write(encodeMessage(Buffer.from(JSON.stringify(greeting))));
      socket.on("error", () => socket.destroy()).on("close", () => taps.delete(tap));
      socket.resume();
    };

  for (const node of topology.nodes)
    for (const each of interfacesOf(topology, node)) {
      const path = paths.interfaceSocket(node.name, each.name);
      await listen(createServer(accept(node.name, each, new Set())), path);
      await listen(createServer(acceptTap(node.name, each)), tapPath(path));
    }
  // Last: who finds the control socket finds all the others.
  await listen(createServer(control(cut)), paths.controlSocket);
}

/** Random, unicast, locally administered. */
function localAddress(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.toString("hex").replace(/..(?=.)/g, "$&:");
}

const control = (cut: Set<string>) => (socket: Socket) => {
  let text = "";
  socket.setEncoding("utf8").on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    text += chunk.toString();
    const end = text.indexOf("\n");
    if (end < 0) return;
    try {
      const { node, on } = JSON.parse(text.slice(0, end)) as { node: string; on: boolean };
      if (on) cut.delete(node);
      else cut.add(node);
      socket.end(`${text.slice(0, end)}\n`);
    } catch {
      socket.destroy();
    }
  });
};

/** Asks a running hub to cut or join the links of a node. */
export function hubPower(controlSocket: string, node: string, on: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(controlSocket);
    let answered = false;
    socket.write(`${JSON.stringify({ node, on })}\n`);
    socket.on("data", () => {
      answered = true;
    });
    socket.on("error", reject);
    socket.on("close", () => (answered ? resolve() : reject(new Error("the in-memory LAN did not answer"))));
  });
}
