// The socket of a mount, by which commands of the same user ask it: one line in, one JSON document out.
//
// - In a folder of the user's own; the socket is 0600. What is asked is a word, with an argument as JSON
//   behind a blank where it takes one; anything else is refused.
// - A socket that is there from a program that was killed is removed first.

import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";

const words = [
  ...["status", "log", "disconnect", "connect", "end"],
  ...["hoard-add", "hoard-remove", "hoard-list", "verify"],
] as const;
export type MountWord = (typeof words)[number];

/** The longest path, each byte of it escaped. */
const lineMax = 32 * 1024;
const answerMax = 1024 * 1024;
const patienceMs = 5000;

/** A word and its argument; null: it is none. */
function parsed(line: string): [word: MountWord, given: unknown] | null {
  const blank = line.indexOf(" ");
  const [name, rest] = blank < 0 ? [line, ""] : [line.slice(0, blank), line.slice(blank + 1)];
  const word = words.find((each) => each === name);
  if (word === undefined) return null;
  try {
    return [word, rest === "" ? undefined : JSON.parse(rest)];
  } catch {
    return null;
  }
}

/** Serves until it is closed. */
export function serveMount(
  path: string,
  answer: (word: MountWord, given: unknown) => Promise<object>,
): Server {
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
      const asked = parsed(text.slice(0, Math.max(0, end)));
      if (asked === null) socket.destroy();
      else
        answer(...asked).then(
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
export function askMount(path: string, word: MountWord, given?: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = "";
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setEncoding("utf8").setTimeout(patienceMs, () => fail(new Error("it does not answer in time")));
    socket.on("error", fail);
    socket.on("connect", () =>
      socket.write(given === undefined ? `${word}\n` : `${word} ${JSON.stringify(given)}\n`),
    );
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
