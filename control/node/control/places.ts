// Where control daemons are found and where they keep things: sockets, addresses, folders.
// Pure text, but for what the environment says.
//
// - A daemon is named by the path of its Unix socket, or by https://HOST:PORT; several, in the
//   order in which they are tried, with commas between them.
// - The system's own is in the runtime folder of its user: /run/proteus as root.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { usageError } from "../../kernel/errors.js";

/** The port of a daemon's TLS address when none is given. */
export const controlPort = 9533;

/** Where one daemon is reached. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tls"; readonly host: string; readonly port: number };

/** As it was given, for messages. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return endpoint.path;
  const { host, port } = endpoint;
  return `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function parseOne(text: string): Endpoint {
  if (text.startsWith("unix:")) return { kind: "unix", path: resolve(text.slice("unix:".length)) };
  if (!text.includes("://")) return { kind: "unix", path: resolve(text) };
  let url: URL | null = null;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  const bare = url !== null && (url.pathname === "/" || url.pathname === "") && url.search === "";
  if (url?.protocol === "https:" && bare && url.username === "") {
    // 443 is what URL leaves out.
    const port = url.port === "" ? (/:443\/?$/.test(text) ? 443 : controlPort) : Number(url.port);
    return { kind: "tls", host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
  }
  throw usageError(
    `"${text}" names no control daemon`,
    url?.protocol === "http:"
      ? `a daemon is reached over TCP with TLS only: ${text.replace(/^http/, "https")}`
      : "give the path of its socket, or https://HOST:PORT",
    "CONTROL_INVALID",
  );
}

/** The daemons that a text names. Throws CONTROL_INVALID. */
export function parseEndpoints(text: string): readonly Endpoint[] {
  const parts = text.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
  if (parts.length === 0)
    throw usageError(
      "no control daemon is named",
      "give the path of its socket, or https://HOST:PORT",
      "CONTROL_INVALID",
    );
  return parts.map(parseOne);
}

/** The folder for sockets of this user: sockets of daemons, labs. */
export function runtimeFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return "/run/proteus";
  return environment.XDG_RUNTIME_DIR
    ? join(environment.XDG_RUNTIME_DIR, "proteus")
    : join(tmpdir(), `proteus-${uid}`);
}

/** The socket of the system's daemon. */
export function systemSocket(environment: NodeJS.ProcessEnv = process.env): string {
  return join(runtimeFolder(environment), "control.sock");
}

/** The folder of the embedded store of the system's daemon. */
export function systemStore(environment: NodeJS.ProcessEnv = process.env): string {
  if ((process.getuid?.() ?? 0) === 0) return "/var/lib/proteus/control";
  const state = environment.XDG_STATE_HOME || join(environment.HOME || "/", ".local", "state");
  return join(state, "proteus", "control");
}

/** Where a daemon keeps what must outlive it. */
export type StorePlace =
  | { readonly kind: "embedded"; readonly folder: string }
  | { readonly kind: "etcd"; readonly endpoints: readonly string[] };

/** A place of a store, or in `fault` what is wrong with the text. */
export function parseStore(text: string): { readonly place: StorePlace; readonly fault?: string } {
  const embedded = (folder: string): StorePlace => ({ kind: "embedded", folder });
  if (text === "embedded") return { place: embedded(systemStore()) };
  const fault = "it is embedded, embedded:/FOLDER, or etcd://HOST:PORT,HOST:PORT";
  if (text.startsWith("embedded:")) {
    const folder = text.slice("embedded:".length);
    return folder.startsWith("/")
      ? { place: embedded(folder) }
      : { place: embedded(systemStore()), fault: "the folder of a store begins with /: embedded:/srv/pool" };
  }
  if (text.startsWith("/")) return { place: embedded(text) };
  const endpoints = text.startsWith("etcd://") ? text.slice("etcd://".length).split(",") : [];
  if (endpoints.length === 0 || !endpoints.every((each) => /^[^\s/,]+:\d{1,5}$/.test(each)))
    return { place: embedded(systemStore()), fault };
  return { place: { kind: "etcd", endpoints } };
}

/** As a setting would have it. */
export function storeText(place: StorePlace): string {
  return place.kind === "embedded" ? `embedded:${place.folder}` : `etcd://${place.endpoints.join(",")}`;
}
