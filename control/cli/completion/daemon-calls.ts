// Calls for completion: through a control daemon on this computer, within a part of a second.
//
// - Without a daemon nothing is asked: no kernel is started for a Tab.
// - Files and answers are somebody's: every shape is doubted by whoever reads them.

import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type Capability, capabilityBytes, capabilityOf } from "../../capability/capability.js";
import { fromHex, toHex } from "../../kernel/bytes.js";
import type { Transact } from "../../kernel/calls.js";
import { daemonSockets } from "../../lab/daemons.js";
import { type LabState, nodeFolder, runningLabs } from "../../lab/state.js";
import { parseEndpoints, systemSocket } from "../../node/control/places.js";

const answerBytesMax = 4 * 1024 * 1024;
/** How patient one call is. */
export const call = { locateTimeoutMs: 200, pollMs: 100, deadMs: 300 };

/** A server that a machine of a lab has. */
export interface GivenOut {
  readonly node: string;
  readonly capability: Capability;
}

/** The lab that a command without options would mean. */
export function labMeant(): LabState | undefined {
  const labs = runningLabs();
  const named = process.env.PROTEUS_LAB;
  if (named) return labs.find(({ topology }) => topology.name === named);
  return labs.length === 1 ? labs[0] : undefined;
}

/** Capabilities of a text: plain hex, or @FILE with such lines. Nothing for anything else. */
export function capabilitiesIn(text: string): Capability[] {
  return text.split(/[\s,]+/).flatMap((word) => {
    if (word.startsWith("@")) return capabilitiesIn(readFileSync(word.slice(1), "utf8").replaceAll("@", ""));
    const bytes = /^[0-9a-f]{32}$/i.test(word) ? fromHex(word.toLowerCase()) : undefined;
    return bytes === undefined ? [] : [capabilityOf(bytes)];
  });
}

/** The capabilities to servers of a kind that a lab's machines have given out. */
export function givenOut({ topology }: LabState, server: string): readonly GivenOut[] {
  return topology.nodes.flatMap(({ name }) => {
    try {
      const text = readFileSync(join(nodeFolder(topology.name, name), "ready.json"), "utf8");
      const { capabilities } = JSON.parse(text) as {
        readonly capabilities?: Readonly<Record<string, unknown>>;
      };
      const found = capabilitiesIn(String(capabilities?.[server] ?? ""));
      return found.map((capability) => ({ node: name, capability }));
    } catch {
      return []; // a host, or a machine that is off
    }
  });
}

/** Where the daemon is that is to be asked. */
export function socketOf(lab: LabState | undefined): string | undefined {
  const named = process.env.PROTEUS_CONTROL;
  const sockets = named
    ? parseEndpoints(named).flatMap((place) => (place.kind === "unix" ? [place.path] : []))
    : [...(lab === undefined ? [] : daemonSockets(lab.topology)), systemSocket()];
  return sockets.find((path) => existsSync(path));
}

/** Calls through the daemon at a socket. */
export const through =
  (socketPath: string, signal: AbortSignal): Transact =>
  (header, data, options) => {
    const { port, private: part = new Uint8Array(10), command = 0, offset = 0, size = 0, extra = 0 } = header;
    const asked = JSON.stringify({
      ...{ capability: toHex(capabilityBytes({ port, private: part })), command, offset, size, extra },
      ...{ data: Buffer.from(data).toString("base64"), ...call, replyBytesMax: options.replyBytesMax ?? 0 },
    });
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(asked) };
      const to = { socketPath, path: "/v1/rpc", method: "POST", agent: false, signal, headers };
      const asking = request(to, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (more: string) => {
          text += more;
          if (text.length > answerBytesMax) response.destroy();
        });
        response.on("error", reject).on("end", () => {
          try {
            const reply = JSON.parse(text) as Readonly<Record<string, unknown>>;
            const [answerer, own] = [fromHex(String(reply.port)), fromHex(String(reply.private))];
            if (answerer === undefined || own === undefined) throw new Error("it is no answer");
            const number = (name: string) => Number(reply[name]);
            resolve({
              header: {
                ...{ port: answerer, private: own, command: number("status"), status: number("status") },
                ...{ offset: number("offset"), size: number("size"), extra: number("extra") },
              },
              data: new Uint8Array(Buffer.from(String(reply.data), "base64")),
            });
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      asking.on("error", reject).end(asked);
    });
  };
