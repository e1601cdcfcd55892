// NATS request and reply: a client, Debian's nats-server and a responder.
//
// - nats-server runs on the server's machine and core, beside the responder; it is a child
//   of the process that serves and dies with it.
// - Several clients are several requests at once on one connection.

import { type ChildProcess, spawn } from "node:child_process";
import { dies, runTool, toolEnvironment } from "../../lab/tools.js";
import { load } from "./packages.js";
import type { Client, Facts, Job, Serving, System } from "./system.js";

const port = "4222";
const subject = "bench";
const startDeadlineMs = 5000;
const callDeadlineMs = 10_000;
const library = () => load("@nats-io/transport-node", () => import("@nats-io/transport-node"));

export const installNats =
  "nats-server is not installed: apt-get install nats-server (or: npm run setup -- --bench)";

/** Its version, or null when it is not installed. */
export async function natsVersion(): Promise<string | null> {
  try {
    const { output, errors } = await runTool(["nats-server", "--version"]);
    return `${output}${errors}`.trim() || "nats-server";
  } catch {
    return null;
  }
}

/** Starts nats-server; resolves when it listens. */
function startBroker(address: string): Promise<ChildProcess> {
  const [program = "", ...rest] = [...dies, "nats-server", "--addr", address, "--port", port];
  const broker = spawn(program, rest, { env: toolEnvironment(), stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => broker.kill("SIGKILL"), startDeadlineMs);
    let words = "";
    broker.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-4000);
      if (!words.includes("Server is ready")) return;
      clearTimeout(timer);
      resolve(broker);
    });
    broker.once("error", reject);
    broker.once("exit", () => {
      clearTimeout(timer);
      reject(new Error(`nats-server did not start: ${words.trim().split("\n").at(-1)}`));
    });
  });
}

async function serve(job: Job): Promise<Serving> {
  const { connect: join } = await library();
  const broker = await startBroker(job.address);
  try {
    const connection = await join({ servers: `${job.address}:${port}` });
    const reply = new Uint8Array(job.reply).fill(3);
    connection.subscribe(subject, {
      callback: (_, message) => {
        message.respond(reply);
      },
    });
    await connection.flush();
    const stop = async () => {
      await connection.close();
      const ended = new Promise((resolve) => broker.once("exit", resolve));
      broker.kill("SIGKILL");
      await ended;
    };
    return { facts: { port }, stop };
  } catch (error) {
    broker.kill("SIGKILL");
    throw error;
  }
}

async function connect(job: Job, { port = "" }: Facts): Promise<Client> {
  const { connect: join } = await library();
  const connection = await join({ servers: `${job.address}:${port}` });
  const request = new Uint8Array(job.request).fill(7);
  const begin = (done: (fault?: unknown) => void): void => {
    connection.request(subject, request, { timeout: callDeadlineMs }).then(
      ({ data }) => {
        if (data.length === job.reply) done();
        else done(new Error(`a reply had ${data.length} bytes`));
      },
      (fault: unknown) => done(fault ?? new Error("a call failed")),
    );
  };
  return {
    begins: Array.from({ length: job.clients }, () => begin),
    close: () => connection.close(),
  };
}

export const nats: System = { serve, connect };
