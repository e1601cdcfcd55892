// The worker's side of its channel: orders come as lines of JSON on standard input, one after the
// other, and each is answered by a line on standard output.
//
// - Nothing else may be on standard output: what is printed there goes to standard error.
// - The process ends when standard input does: its parent, or the connection to it, is gone.

import { createInterface } from "node:readline";
import { ProteusError } from "../kernel/errors.js";

/** What a worker answers when an order failed. */
export interface Failed {
  readonly failed: string;
}

function wordsOf(error: unknown): string {
  if (error instanceof ProteusError) return [error.message, error.why ?? []].flat().join(": ");
  return error instanceof Error ? error.message : String(error);
}

/** Sends an answer; resolves when it is on its way: what follows may block the thread. */
export type Say<Answer> = (answer: Answer) => Promise<void>;

/**
 * Obeys for as long as there is somebody who gives orders. `obey` answers with `say`, once; what
 * it throws is an answer {failed}.
 */
export function obeyOrders<Order, Answer>(obey: (order: Order, say: Say<Answer>) => Promise<void>): void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  process.stdout.on("error", () => process.exit(1)); // nobody listens any more
  const say = (answer: Answer | Failed): Promise<void> =>
    new Promise((resolve) => write(`${JSON.stringify(answer)}\n`, () => resolve()));
  const orders = createInterface({ input: process.stdin });
  orders.on("close", () => process.exit(0));
  orders.on("line", (line) => {
    Promise.resolve()
      .then(() => obey(JSON.parse(line) as Order, say))
      .catch((error: unknown) => say({ failed: wordsOf(error) }));
  });
}
