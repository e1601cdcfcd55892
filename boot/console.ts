// A machine's console on a Unix socket: who connects reads what the machine says from then on, and
// what he sends is typed there.
//
// - For its owner only (mode 600). Several may listen; a reader that is too slow is cut off.
// - A socket that an earlier machine left is replaced.

import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";

const behindMax = 1024 * 1024;

export interface OfferedConsole {
  readonly say: (line: string) => void;
  readonly close: () => void;
}

/** Offers the console at `path`; `typed` gets what is sent. */
export function offerConsole(path: string, typed: (bytes: Buffer) => void): Promise<OfferedConsole> {
  rmSync(path, { force: true });
  const listeners = new Set<Socket>();
  const server = createServer((socket) => {
    listeners.add(socket);
    socket.on("data", typed);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => listeners.delete(socket));
  });
  const say = (line: string): void => {
    for (const socket of listeners) {
      if (socket.writableLength > behindMax) socket.destroy();
      else socket.write(`${line}\n`);
    }
  };
  const close = (): void => {
    for (const socket of listeners) socket.destroy();
    server.close();
  };
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve({ say, close });
    });
  });
}
