// What machines load by HTTP: the script for iPXE and the images, on one address of this computer.
//
// - Who asks is known by the MAC address that the system's neighbour table has for its IP address;
//   nobody can ask for what another machine gets, and nothing here is secret.
// - GET and HEAD of five names; everything else is 404. Requests are small and have a time.

import { createReadStream, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { exitCodes, ProteusError } from "../../control/kernel/errors.js";

/** What is given: bytes, or a file that is too large to hold. */
export type HttpFile =
  | { readonly type: string; readonly bytes: Uint8Array }
  | { readonly type: string; readonly path: string };

export interface HttpOptions {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  /** The file of that name for the machine at an IP address; undefined: there is none. */
  readonly file: (name: string, address: string) => HttpFile | undefined;
  /** Told when a file is on its way, and when all of it has been handed over. */
  readonly loading: (name: string, address: string, done: boolean) => void;
}

const connectionsMax = 256;
const requestMs = 10_000;

/** Begins to serve; resolves with the server and its port. Throws BOOT_HTTP. */
export function serveHttp(options: HttpOptions): Promise<{ readonly server: Server; readonly port: number }> {
  const { address, file, loading } = options;
  const server = createServer({ requestTimeout: requestMs, maxHeaderSize: 8192 }, (request, response) => {
    const from = request.socket.remoteAddress ?? "";
    const name = (request.url ?? "").replace(/^\//, "").replace(/\?.*$/, "");
    const known = request.method === "GET" || request.method === "HEAD" ? file(name, from) : undefined;
    if (known === undefined) {
      response.writeHead(404).end();
      return;
    }
    const length =
      "bytes" in known ? known.bytes.length : statSync(known.path, { throwIfNoEntry: false })?.size;
    if (length === undefined) {
      response.writeHead(404).end(); // it was there when the machine was told of it
      return;
    }
    response.writeHead(200, { "content-type": known.type, "content-length": length });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    loading(name, from, false);
    response.on("finish", () => loading(name, from, true));
    if ("bytes" in known) response.end(known.bytes);
    else {
      const stream = createReadStream(known.path);
      stream.on("error", () => response.destroy());
      response.on("close", () => stream.destroy()); // whoever loads it may be switched off
      stream.pipe(response);
    }
  });
  server.maxConnections = connectionsMax;
  return new Promise((resolve, reject) => {
    server.on("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new ProteusError({
          code: "BOOT_HTTP",
          exit: exitCodes.failed,
          message: `images cannot be offered by HTTP at ${address} port ${options.port}`,
          why: cause.message,
          unchanged: "nothing was started",
          hint: "give another port: --http-port NUMBER; 0 takes any that is free",
          cause,
        }),
      ),
    );
    server.listen(options.port, address, () => {
      const bound = server.address();
      resolve({ server, port: typeof bound === "object" && bound !== null ? bound.port : options.port });
    });
  });
}
