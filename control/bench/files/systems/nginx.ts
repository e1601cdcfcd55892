// Files over HTTP: Debian's nginx, one worker, sendfile, connections that stay open; a Node.js
// client that reads each file whole.

import { mkdirSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { beginOf, contentOf, type FileSystemUnderTest, filesOf } from "../system.js";
import { Program } from "./programs.js";

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

export const nginx: FileSystemUnderTest = {
  async serve({ folder, addresses, member, bytes }) {
    const address = addresses[member] ?? "";
    mkdirSync(join(folder, "files"), { recursive: true });
    for (let file = 0; file < filesOf(bytes); file++)
      writeFileSync(join(folder, "files", `${file}`), contentOf(bytes, file));
    const path = join(folder, "nginx.conf");
    writeFileSync(path, nginxConfiguration(folder, address));
    const program = new Program("nginx", ["nginx", "-e", "stderr", "-c", path, "-p", folder]);
    await program.listening(address, port);
    return { facts: {}, stop: () => program.stop() };
  },
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
