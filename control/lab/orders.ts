// Orders to the processes of a lab: one line of JSON over a Unix socket, answered by one
// line of JSON: {"ok": …}, or {"error": {code, message, hint}}.
//
// - A connection is one order. What is no order is an error in the answer, never the
//   end of the process.

import { createConnection, createServer, type Server, type Socket } from "node:net";

/** Why an order was refused. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** The process answered that it cannot. */
export class OrderRefused extends Error {
  override readonly name = "OrderRefused";

  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

const lineBytesMax = 4 * 1024 * 1024;
const answerDeadlineMs = 10_000;

function refusalOf(error: unknown): Refusal {
  const { code, message, hint } = error as { code?: unknown; message?: unknown; hint?: unknown };
  return {
    code: typeof code === "string" ? code : "BUG",
    message: typeof message === "string" ? message : String(error),
    ...(typeof hint === "string" ? { hint } : {}),
  };
}

/** A server that does what it is told; `obey` may take its time. */
export function takeOrders(obey: (order: unknown) => unknown): Server {
  return createServer((socket: Socket) => {
    let text = "";
    socket.setEncoding("utf8").on("error", () => socket.destroy());
    const answer = async (line: string): Promise<void> => {
      let said: object;
      try {
        said = { ok: (await obey(JSON.parse(line))) ?? null };
      } catch (error) {
        said = { error: refusalOf(error) };
      }
      socket.end(`${JSON.stringify(said)}\n`);
    };
    const read = (chunk: string): void => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0 && text.length < lineBytesMax) return;
      socket.off("data", read);
      void answer(text.slice(0, Math.max(0, end)));
    };
    socket.on("data", read);
  });
}

/** Gives an order and waits for the answer. Throws OrderRefused, or what the connection did. */
export function order(path: string, what: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = "";
    socket.setTimeout(answerDeadlineMs, () =>
      socket.destroy(new Error(`${path} did not answer within ${answerDeadlineMs / 1000} s`)),
    );
    socket.setEncoding("utf8").write(`${JSON.stringify(what)}\n`);
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => {
      try {
        const answer = JSON.parse(text) as { ok?: unknown; error?: Refusal };
        if (answer.error === undefined) resolve(answer.ok);
        else reject(new OrderRefused(answer.error));
      } catch {
        reject(new Error(`${path} closed the connection without an answer`));
      }
    });
  });
}
