// UDP as a Node.js program uses it: node:dgram, one datagram there and one back.
//
// - 64 bytes in front of the data, the client's number first; several clients share a socket.
// - Nothing is sent again: on the wires that it is measured on nothing is lost. If it is,
//   the run fails after a second instead of waiting for ever.

import { createSocket } from "node:dgram";
import { Slot } from "./client.js";
import { portOf } from "./node-tcp.js";
import type { Client, Facts, Job, Serving, System } from "./system.js";

const messageBytes = 64;
const lostAfterMs = 1000;

function serve(job: Job): Promise<Serving> {
  const socket = createSocket("udp4");
  socket.on("message", (message, from) => {
    socket.send(message, 0, messageBytes, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, job.address, () => {
      const stop = () => new Promise<void>((closed) => socket.close(() => closed()));
      resolve({ facts: { port: portOf(socket) }, stop });
    });
  });
}

async function connect(job: Job, { port = "" }: Facts): Promise<Client> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(Number(port), job.address, resolve);
  });
  const slots: Slot[] = [];
  const fail = (fault: unknown) => {
    for (const slot of slots) slot.end(fault);
  };
  let answered = 0;
  let before = -1;
  const watch = setInterval(() => {
    if (answered === before) fail(new Error("a datagram was lost"));
    before = answered;
  }, lostAfterMs);
  socket.on("error", fail);
  socket.on("message", (message) => {
    answered++;
    slots[message.readUInt32LE(0)]?.end();
  });
  const begins = Array.from({ length: job.clients }, (_, client) => {
    const slot = new Slot();
    slots.push(slot);
    const message = Buffer.alloc(messageBytes + job.request, 7);
    message.writeUInt32LE(client, 0);
    return (done: (fault?: unknown) => void) => {
      slot.done = done;
      socket.send(message);
    };
  });
  const close = () =>
    new Promise<void>((closed) => {
      clearInterval(watch);
      socket.close(() => closed());
    });
  return { begins, close };
}

export const nodeUdp: System = { serve, connect };
