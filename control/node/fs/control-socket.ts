// The socket of a mount, by which commands of the same user ask it: one line in, one JSON document out.
//
// - In a folder of the user's own; the socket is 0600. What is asked is a word; anything else is refused.
// - A socket that is there from a program that was killed is removed first.

import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";

export type MountWord = "status" | "log" | "disconnect" | "connect" | "end";
const words: readonly string[] = ["status", "log", "disconnect", "connect", "end"] satisfies MountWord[];

const lineMax = 64;
const answerMax = 1024 * 1024;
const patienceMs = 5000;

/** Serves until it is closed. */
export function serveMount(path: string, answer: (word: MountWord) => Promise<object>): Server {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  const server = createServer((socket: Socket) => {
    let text = "";
    socket.setEncoding("utf8").setTimeout(patienceMs, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("data", (piece: string) => {
      text += piece;
      const end = text.indexOf("\n");
      if (end < 0 && text.length <= lineMax) return;
      socket.removeAllListeners("data");
      const word = text.slice(0, Math.max(0, end));
      if (!words.includes(word)) socket.destroy();
      else
        answer(word as MountWord).then(
          (document) => socket.end(`${JSON.stringify(document)}\n`),
          () => socket.destroy(),
        );
    });
  });
  server.maxConnections = 16;
  server.listen(path, () => chmodSync(path, 0o600));
  server.unref();
  return server;
}

/** Asks a mount; rejects when nobody answers. */
export function askMount(path: string, word: MountWord): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = "";
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setEncoding("utf8").setTimeout(patienceMs, () => fail(new Error("it does not answer in time")));
    socket.on("error", fail);
    socket.on("connect", () => socket.write(`${word}\n`));
    socket.on("data", (piece: string) => {
      text += piece;
      if (text.length > answerMax) fail(new Error("it says too much"));
    });
    socket.on("close", () => {
      try {
        resolve(JSON.parse(text));
      } catch {
        reject(new Error("it said nothing"));
      }
    });
  });
}
