// HTTP as a Node.js program uses it: node:http with keep-alive, a POST for each call.
//
// - Several clients are several requests at once; the agent gives each its connection.
// - The server has read the whole request before it answers.

import { Agent, request as ask, createServer } from "node:http";
import { portOf } from "./node-tcp.js";
import type { Client, Facts, Job, Serving, System } from "./system.js";

function serve(job: Job): Promise<Serving> {
  const reply = Buffer.alloc(job.reply, 3);
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(200, { "content-length": reply.length });
      response.end(reply);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, job.address, () => {
      const stop = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          server.closeAllConnections();
        });
      resolve({ facts: { port: portOf(server) }, stop });
    });
  });
}

async function connect(job: Job, { port = "" }: Facts): Promise<Client> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.clients, noDelay: true });
  const body = Buffer.alloc(job.request, 7);
  const options = {
    ...{ agent, host: job.address, port: Number(port), method: "POST", path: "/call" },
    headers: { "content-length": body.length },
  };
  const begin = (done: (fault?: unknown) => void): void => {
    const request = ask(options, (response) => {
      let got = 0;
      response.on("data", (data: Buffer) => {
        got += data.length;
      });
      response.on("error", done);
      response.on("end", () => {
        if (response.statusCode === 200 && got === job.reply) done();
        else done(new Error(`a reply had status ${response.statusCode} and ${got} bytes`));
      });
    });
    request.on("error", done);
    request.end(body);
  };
  return {
    begins: Array.from({ length: job.clients }, () => begin),
    close: async () => agent.destroy(),
  };
}

export const http: System = { serve, connect };
