// gRPC as a Node.js program uses it: @grpc/grpc-js, unary calls on one channel, no TLS.
//
// - The messages are bytes that nobody encodes: what is measured is gRPC, not protobuf.
// - Several clients are several calls at once on the one channel, as its users have them.

import type { ServiceDefinition } from "@grpc/grpc-js";
import { load } from "./packages.js";
import type { Client, Facts, Job, Serving, System } from "./system.js";

const asIs = (bytes: Buffer): Buffer => bytes;
const service = {
  call: {
    ...{ path: "/proteus.Bench/Call", requestStream: false, responseStream: false },
    ...{
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
} satisfies ServiceDefinition;
const options = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
const library = () => load("@grpc/grpc-js", () => import("@grpc/grpc-js"));

async function serve(job: Job): Promise<Serving> {
  const { Server, ServerCredentials } = await library();
  const reply = Buffer.alloc(job.reply, 3);
  const server = new Server(options);
  server.addService(service, {
    call: (_: unknown, done: (fault: null, reply: Buffer) => void) => done(null, reply),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${job.address}:0`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { facts: { port: String(port) }, stop: async () => server.forceShutdown() };
}

type Unary = (request: Buffer, done: (fault: Error | null, reply?: Buffer) => void) => void;

async function connect(job: Job, { port = "" }: Facts): Promise<Client> {
  const { credentials, makeGenericClientConstructor } = await library();
  const Bench = makeGenericClientConstructor(service, "Bench");
  const client = new Bench(`${job.address}:${port}`, credentials.createInsecure(), options);
  const request = Buffer.alloc(job.request, 7);
  const call = (client.call as Unary).bind(client);
  const begin = (done: (fault?: unknown) => void): void => {
    call(request, (fault, reply) => {
      if (fault !== null) done(fault);
      else if (reply?.length !== job.reply) done(new Error(`a reply had ${reply?.length} bytes`));
      else done();
    });
  };
  return {
    begins: Array.from({ length: job.clients }, () => begin),
    close: async () => client.close(),
  };
}

export const grpc: System = { serve, connect };
