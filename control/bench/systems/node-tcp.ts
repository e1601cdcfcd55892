// TCP as a Node.js program uses it: node:net, TCP_NODELAY, one request after the other.
//
// - Both ways a message is 64 bytes in front of its data: a null call is 64 bytes each way.
// - Several clients are several connections.
// - Both ends sleep in the event loop, as node:net does. The client reads into a buffer
//   of its own (`onread`), the quickest way that node:net has.

import { connect as connectTo, createServer, type Socket } from "node:net";
import { Slot } from "./client.js";
import type { Client, Facts, Job, Serving, System } from "./system.js";

const messageBytes = 64;
const readBytes = 1 << 16;

function answer(socket: Socket, wanted: number, reply: Buffer): void {
  let got = 0;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    got += data.length;
    if (got < wanted) return;
    got -= wanted;
    socket.write(reply);
  });
}

/** The port that a server got of the system. */
export function portOf(server: { address(): unknown }): string {
  const address = server.address() as { port?: number } | string | null;
  return typeof address === "object" && address?.port !== undefined ? String(address.port) : "";
}

function serve(job: Job): Promise<Serving> {
  const reply = Buffer.alloc(messageBytes + job.reply, 3);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    answer(socket, messageBytes + job.request, reply);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, job.address, () => {
      const stop = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          for (const socket of sockets) socket.destroy(); // over a bad wire a client's end may never come
        });
      resolve({ facts: { port: portOf(server) }, stop });
    });
  });
}

async function connect(job: Job, { port = "" }: Facts): Promise<Client> {
  const request = Buffer.alloc(messageBytes + job.request, 7);
  const wanted = messageBytes + job.reply;
  const sockets: Socket[] = [];
  const begins = Array.from({ length: job.clients }, () => {
    const slot = new Slot();
    let got = 0;
    const buffer = Buffer.alloc(readBytes);
    const callback = (length: number): boolean => {
      got += length;
      if (got >= wanted) {
        got -= wanted;
        slot.end();
      }
      return true;
    };
    const socket = connectTo({ host: job.address, port: Number(port), onread: { buffer, callback } });
    socket.setNoDelay(true);
    socket.on("error", (error) => slot.end(error));
    sockets.push(socket);
    return (done: (fault?: unknown) => void) => {
      slot.done = done;
      socket.write(request);
    };
  });
  const close = async () => {
    for (const socket of sockets) socket.destroy();
  };
  return { begins, close };
}

export const nodeTcp: System = { serve, connect };
