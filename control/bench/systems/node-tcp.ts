// TCP as a Node.js program uses it: node:net, TCP_NODELAY, one request after the other.
//
// - A null call is 64 bytes each way, a call of 1 MiB that much there and 64 bytes back.
// - Both ends sleep in the event loop, as node:net does. The client reads into a buffer
//   of its own (`onread`), the quickest way that node:net has.

import { connect, createServer, type Socket } from "node:net";
import { timeCalls } from "../clock.js";
import { callBytes, type Run } from "../types.js";
import { callsMin, type Facts, type Job, type Serving, type System } from "./system.js";

const messageBytes = 64;
const readBytes = 1 << 16;

const requestBytes = ({ test }: Job) => messageBytes + (test === "call-1m" ? callBytes : 0);

function echo(socket: Socket, wanted: number): void {
  const reply = Buffer.alloc(messageBytes);
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

function serve(job: Job): Promise<Serving> {
  const wanted = requestBytes(job);
  const server = createServer((socket) => echo(socket, wanted));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, job.address, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? String(address.port) : "";
      const stop = () => new Promise<void>((closed) => server.close(() => closed()));
      resolve({ facts: { port }, stop });
    });
  });
}

async function measure(job: Job, { port = "" }: Facts): Promise<Run> {
  const request = Buffer.alloc(requestBytes(job), 7);
  let done: (fault?: unknown) => void = () => undefined;
  let got = 0;
  const buffer = Buffer.alloc(readBytes);
  const callback = (length: number): boolean => {
    got += length;
    if (got >= messageBytes) {
      got -= messageBytes;
      done();
    }
    return true;
  };
  const socket = connect({ host: job.address, port: Number(port), onread: { buffer, callback } });
  socket.setNoDelay(true);
  socket.on("error", (error) => done(error));
  try {
    return await timeCalls(
      (whenDone) => {
        done = whenDone;
        socket.write(request);
      },
      {
        milliseconds: job.milliseconds,
        callsMin: callsMin[job.test],
        bytes: job.test === "call-1m" ? callBytes : 0,
      },
    );
  } finally {
    socket.destroy();
  }
}

export const nodeTcp: System = { serve, measure };
