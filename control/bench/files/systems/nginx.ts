// Files over HTTP: Debian's nginx, one worker, sendfile, connections that stay open; clients that
// read each file whole.
//
// - nginx: by Node's own HTTP client, as programs do. nginxSocket: by a bare socket that reads into
//   one buffer and counts bytes; nobody would write a program so, and nothing in Node is faster.

import { mkdirSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { Program } from "../../programs.js";
import { beginOf, contentOf, type FileSystemUnderTest, filesOf } from "../system.js";

const port = 8080;

/** Pure. */
export function nginxConfiguration(folder: string, address: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `  ${name}_temp_path ${folder}/${name};`,
  );
  return [
    ...["daemon off;", "master_process off;", `pid ${folder}/nginx.pid;`, "error_log stderr;"],
    ...["events { worker_connections 256; }", "http {", "  access_log off;", "  sendfile on;"],
    ...["  tcp_nopush on;", "  tcp_nodelay on;", "  keepalive_requests 1000000000;"],
    ...["  open_file_cache max=1000 inactive=60s;", ...temporary],
    ...["  server {", `    listen ${address}:${port};`, `    root ${folder}/files;`, "  }", "}", ""],
  ].join("\n");
}

const serve: FileSystemUnderTest["serve"] = async ({ folder, addresses, member, bytes }) => {
  const address = addresses[member] ?? "";
  mkdirSync(join(folder, "files"), { recursive: true });
  for (let file = 0; file < filesOf(bytes); file++)
    writeFileSync(join(folder, "files", `${file}`), contentOf(bytes, file));
  const path = join(folder, "nginx.conf");
  writeFileSync(path, nginxConfiguration(folder, address));
  const program = new Program("nginx", ["nginx", "-e", "stderr", "-c", path, "-p", folder]);
  await program.listening({ host: address, port });
  return { facts: {}, stop: () => program.stop() };
};

export const nginx: FileSystemUnderTest = {
  serve,
  async connect({ addresses, bytes, clients }) {
    const agent = new Agent({ keepAlive: true, maxSockets: clients, noDelay: true });
    const [host = ""] = addresses;
    let turn = 0;
    const read = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const path = `/${turn++ % filesOf(bytes)}`;
        const request = get({ agent, host, port, path }, (response) => {
          let got = 0;
          response.on("data", (data: Buffer) => {
            got += data.length;
          });
          response.on("error", reject);
          response.on("end", () => {
            if (response.statusCode === 200 && got === bytes) resolve();
            else reject(new Error(`nginx answered ${response.statusCode} with ${got} bytes`));
          });
        });
        request.on("error", reject);
      });
    return {
      begins: Array.from({ length: clients }, () => beginOf(read)),
      close: async () => agent.destroy(),
    };
  },
};

const bufferBytes = 1024 * 1024;

/** Calls on one connection, which knows nothing of HTTP but where a header ends. */
class BareSocket {
  readonly #socket: ReturnType<typeof connect>;
  #due = 0;
  #header = "";
  #done: (error?: Error) => void = () => undefined;

  constructor(host: string, bytes: number) {
    const buffer = Buffer.allocUnsafe(bufferBytes);
    const callback = (count: number): boolean => {
      this.#came(buffer, count, bytes);
      return true;
    };
    this.#socket = connect({ host, port, noDelay: true, onread: { buffer, callback } });
    this.#socket.on("error", (error) => this.#done(error));
  }

  #came(buffer: Buffer, count: number, bytes: number): void {
    if (this.#due === 0) {
      this.#header += buffer.toString("latin1", 0, count);
      const end = this.#header.indexOf("\r\n\r\n") + 4;
      if (end < 4) return;
      if (!this.#header.startsWith("HTTP/1.1 200 ")) this.#done(new Error(this.#header.slice(0, 80)));
      this.#due = bytes - (this.#header.length - end) + count;
      this.#header = "";
    }
    this.#due -= count;
    if (this.#due === 0) this.#done();
  }

  read(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#done = (error) => (error === undefined ? resolve() : reject(error));
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: files\r\n\r\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

export const nginxSocket: FileSystemUnderTest = {
  serve,
  async connect({ addresses, bytes, clients }) {
    const sockets = Array.from({ length: clients }, () => new BareSocket(addresses[0] ?? "", bytes));
    let turn = 0;
    return {
      begins: sockets.map((socket) => beginOf(() => socket.read(`/${turn++ % filesOf(bytes)}`))),
      close: async () => {
        for (const socket of sockets) socket.close();
      },
    };
  },
};
