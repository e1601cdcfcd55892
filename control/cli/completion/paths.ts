// Names of the pool for completion: what stands in the directory that a path has come to.
//
// - Asked through a control daemon on this computer, with the root that a command without options
//   would take: PROTEUS_ROOT, the private file, the lab that runs. Without a daemon, or with a root
//   that is not plain hex, there are none: no kernel is started for a Tab.
// - Names that a shell would have to quote are left out.

import { existsSync, readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Capability, capabilityBytes, capabilityOf } from "../../capability/capability.js";
import { setOf } from "../../capability/set.js";
import { fromHex, toHex } from "../../kernel/bytes.js";
import type { Transact } from "../../kernel/calls.js";
import { daemonSockets } from "../../lab/daemons.js";
import { type LabState, nodeFolder, runningLabs } from "../../lab/state.js";
import { parseEndpoints, systemSocket } from "../../node/control/places.js";
import type { Source } from "./names.js";

const answerBytesMax = 4 * 1024 * 1024;
const capabilitiesMost = 8;
const call = { locateTimeoutMs: 200, pollMs: 100, deadMs: 300 };
const plainName = /^[\p{L}\p{N}._+,:@%=-]+$/u;

/** The lab that a command without options would mean. */
function labMeant(): LabState | undefined {
  const labs = runningLabs();
  const named = process.env.PROTEUS_LAB;
  if (named) return labs.find(({ topology }) => topology.name === named);
  return labs.length === 1 ? labs[0] : undefined;
}

/** Capabilities of a text: plain hex, or @FILE with such lines. Nothing for anything else. */
function capabilitiesIn(text: string): Capability[] {
  return text.split(/[\s,]+/).flatMap((word) => {
    if (word.startsWith("@")) return capabilitiesIn(readFileSync(word.slice(1), "utf8").replaceAll("@", ""));
    const bytes = /^[0-9a-f]{32}$/i.test(word) ? fromHex(word.toLowerCase()) : undefined;
    return bytes === undefined ? [] : [capabilityOf(bytes)];
  });
}

function ofLab({ topology }: LabState): Capability[] {
  return topology.nodes.flatMap(({ name }) => {
    try {
      const text = readFileSync(join(nodeFolder(topology.name, name), "ready.json"), "utf8");
      const { capabilities } = JSON.parse(text) as {
        readonly capabilities?: { readonly directory?: unknown };
      };
      return capabilitiesIn(String(capabilities?.directory ?? ""));
    } catch {
      return []; // a host, or a machine that is off
    }
  });
}

/** The private file, if it is its owner's alone. */
function ofFile(): Capability[] {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config");
  const path = join(config, "proteus", "root");
  if (!existsSync(path) || (statSync(path).mode & 0o077) !== 0) return [];
  return capabilitiesIn(readFileSync(path, "utf8"));
}

function rootOf(lab: LabState | undefined): Capability[] {
  const named = process.env.PROTEUS_ROOT;
  if (named) return capabilitiesIn(named);
  if (process.env.PROTEUS_LAB && lab !== undefined) return ofLab(lab);
  const own = ofFile();
  return own.length > 0 || lab === undefined ? own : ofLab(lab);
}

function socketOf(lab: LabState | undefined): string | undefined {
  const named = process.env.PROTEUS_CONTROL;
  const sockets = named
    ? parseEndpoints(named).flatMap((place) => (place.kind === "unix" ? [place.path] : []))
    : [...(lab === undefined ? [] : daemonSockets(lab.topology)), systemSocket()];
  return sockets.find((path) => existsSync(path));
}

/** Calls through the daemon at a socket. */
const through =
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

/** What stands beside the last component of a path; directories end with a slash. */
export const paths: Source = async (kind, signal, typed) => {
  if (kind !== "path") return [];
  const lab = labMeant();
  const [root, socket] = [rootOf(lab).slice(0, capabilitiesMost), socketOf(lab)];
  if (root.length === 0 || socket === undefined) return [];
  const { Directories } = await import("../../stub/directories.js");
  const names = new Directories(through(socket, signal), setOf(...root), { call });
  const before = typed.slice(0, typed.lastIndexOf("/") + 1);
  const rows = await names.entries(before || "/");
  return rows
    .filter(({ name }) => plainName.test(name))
    .map(({ name, set }) => {
      const isDirectory = set !== undefined && names.isDirectory(set);
      return {
        value: `${before}${name}${isDirectory ? "/" : ""}`,
        about: isDirectory ? "directory" : "file",
      };
    });
};
