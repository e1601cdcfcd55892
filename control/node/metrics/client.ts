// Asks a node on this machine for its metrics or its status, where metrics/server.ts serves.
// Every way in which that can fail is an error that says where it asked and what to do.

import { request } from "node:http";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import type { Listen } from "../config/listen.js";

const answerBytesMax = 4 * 1024 * 1024;

export interface AskOptions {
  readonly timeoutMs: number;
  /** For people: `this machine's node`, `n1`. */
  readonly whom: string;
}

/** The text of a page. Rejects with NODE_METRICS_OFF, NODE_SILENT or ANSWER_WRONG. */
export async function askPage(
  listen: Listen,
  page: "/metrics" | "/status",
  options: AskOptions,
): Promise<string> {
  if (listen.kind === "off")
    throw new ProteusError({
      code: "NODE_METRICS_OFF",
      exit: exitCodes.notFound,
      message: `${options.whom} serves no metrics`,
      why: "metrics.listen is off",
      hint: "proteus config show --origin tells what set it",
    });
  const target =
    listen.kind === "unix" ? { socketPath: listen.path } : { host: listen.host, port: listen.port };
  const where = listen.kind === "unix" ? listen.path : `${listen.host}:${listen.port}`;
  return new Promise((resolve, reject) => {
    const silent = (why: string, cause?: unknown): void =>
      reject(
        new ProteusError({
          code: "NODE_SILENT",
          exit: exitCodes.unreachable,
          message: `${options.whom} does not answer at ${where}`,
          why,
          hint: "see that it runs: proteus status; where it serves: proteus config show --origin",
          cause,
        }),
      );
    const asking = request(
      { ...target, path: page, agent: false, timeout: options.timeoutMs },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on("data", (part: Buffer) => {
          bytes += part.length;
          if (bytes > answerBytesMax)
            asking.destroy(new Error(`its answer has more than ${answerBytesMax} bytes`));
          else parts.push(part);
        });
        response.on("error", (error) => silent(error.message, error));
        response.on("end", () => {
          clearTimeout(timer);
          if (response.statusCode === 200) resolve(Buffer.concat(parts).toString("utf8"));
          else
            reject(
              new ProteusError({
                code: "ANSWER_WRONG",
                exit: exitCodes.failed,
                message: `what answers at ${where} is no node of Proteus`,
                why: `it answered ${page} with status ${response.statusCode}`,
                hint: "see what listens there, or set metrics.listen to another address",
              }),
            );
        });
      },
    );
    const late = (): void => {
      asking.destroy(new Error(`no answer within ${options.timeoutMs / 1000} s`));
    };
    const timer = setTimeout(late, options.timeoutMs);
    asking.on("timeout", late);
    asking.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const nobody = error.code === "ECONNREFUSED" || error.code === "ENOENT";
      silent(nobody ? "nobody listens there" : error.message, error);
    });
    asking.end();
  });
}
