// `proteus disk export` and `unexport`: a disk of the pool at an NBD socket of this machine.
//
// - A program of its own serves it (export-run.ts); `export` returns when the socket accepts. In a lab
//   that program has its network in the lab, at the control daemon's place, and its socket here: a
//   Unix socket is a file, a TCP socket listens here and is handed over.
// - What it is told comes by its standard input: a capability is no argument.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { capabilityHex } from "../../capability/capability.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { daemonNodes } from "../../lab/daemons.js";
import { nodeCommand } from "../../lab/exec.js";
import { requireLab, runningLabs } from "../../lab/lab.js";
import { interfacesOf } from "../../lab/plan.js";
import { isAlive } from "../../lab/processes.js";
import { type LabState, readNode } from "../../lab/state.js";
import type { LabNode } from "../../lab/topology.js";
import type { NbdAddress } from "../../node/nbd-address.js";
import { ownNetwork } from "../control-access.js";
import { emit } from "../output.js";
import {
  type ExportOptions,
  ended,
  exportOn,
  placeOf,
  tlsFiles,
  type UnexportOptions,
  unexportOn,
} from "./export-on.js";
import type { ExportJob } from "./export-run.js";
import { exportsHere, findExport } from "./export-state.js";
import { capabilityOfStorage, type DiskOptions, findStorage, onDisks } from "./session.js";

const startMs = 40_000;
const endMs = 10_000;
/** Where the listening socket is among the program's descriptors. */
const listenAt = 4;

const labOf = ({ lab }: DiskOptions): LabState | null =>
  lab !== undefined || process.env.PROTEUS_LAB || runningLabs().length > 0 ? requireLab(lab) : null;

/** What the exports of a lab are known by: those of a machine of it are that machine's own. */
function whereIn(lab: LabState | null): string | null {
  if (lab === null) return null;
  const node = process.env.PROTEUS_NODE;
  return node ? `${lab.topology.name}@${node}` : lab.topology.name;
}

/** Where in a lab a program that only calls has its place: at a control daemon, else at a machine. */
function placeIn(lab: LabState): LabNode {
  const { topology } = lab;
  const machines = [...daemonNodes(topology), ...topology.nodes.filter(({ kind }) => kind !== "host")];
  const isOn = ({ name }: LabNode): boolean => readNode(topology.name, name).power === "on";
  const found = machines.find(isOn);
  if (found !== undefined) return found;
  throw new ProteusError({
    code: "DISK_EXPORT",
    exit: exitCodes.unreachable,
    message: `no machine of lab ${topology.name} is on`,
    hint: "proteus lab start NODE",
  });
}

export async function exportTo(name: string, options: ExportOptions): Promise<void> {
  if (options.on !== undefined) return exportOn(options.on, name, options);
  const address = placeOf(options.nbd);
  const lab = labOf(options);
  const labName = whereIn(lab);
  const storage = await onDisks(options, (session) => findStorage(session, name));
  const before = findExport(labName, storage.name);
  if (before !== undefined)
    throw new ProteusError({
      code: "DISK_EXPORTED",
      exit: exitCodes.failed,
      message: `${storage.name} is exported already, at ${before.address}`,
      unchanged: "that export goes on",
      hint: `use it, or end it: proteus disk unexport ${storage.name}`,
    });
  const job: ExportJob = {
    ...{ name: storage.name, lab: labName, capability: capabilityHex(capabilityOfStorage(storage)) },
    listen: address.kind === "unix" ? address : { kind: "descriptor", descriptor: listenAt },
    readOnly: options.readOnly,
    ...tlsOf(options),
    ...wayOf(lab, options),
  };
  const listener = address.kind === "tcp" ? await listenOn(address) : null;
  try {
    const where = await startProgram(job, lab, listener);
    emit("disk export", options.json, { name: storage.name, address: where }, () => where);
  } finally {
    listener?.close();
  }
}

function tlsOf(options: ExportOptions): Pick<ExportJob, "tls"> {
  const { tls } = tlsFiles(options);
  if (tls === undefined) return {};
  const read = (path: string): string => readFileSync(path, "utf8");
  const asked = tls.authority === undefined ? {} : { clientAuthority: read(tls.authority) };
  return { tls: { cert: read(tls.cert), key: read(tls.key), required: true, ...asked } };
}

/** How the program calls: on interfaces, or through a control daemon. */
function wayOf(lab: LabState | null, options: ExportOptions): Pick<ExportJob, "interfaces" | "access"> {
  if (ownNetwork(options.interface, options)) return { interfaces: options.interface, access: null };
  if (lab !== null && options.control === undefined) {
    const place = placeIn(lab);
    return { interfaces: interfacesOf(lab.topology, place).map(({ name }) => name), access: null };
  }
  const { control, controlCa, tokenFile } = options;
  return { interfaces: [], access: { control, controlCa, tokenFile } };
}

/** On loopback when no host is named. */
async function listenOn({
  host = "127.0.0.1",
  port,
}: NbdAddress & { readonly kind: "tcp" }): Promise<Server> {
  const server = createServer();
  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new ProteusError({
      code: "NBD_LISTEN",
      exit: exitCodes.failed,
      message: `nothing can listen at ${host}:${port}`,
      why: (cause as Error).message,
      unchanged: "nothing is exported",
      hint: "choose another port; 0 takes a free one",
      cause,
    });
  }
  return server;
}

/** The descriptor of a server that listens. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: number } };
  if (handle?.fd === undefined || handle.fd < 0) throw new Error("the listening socket has no descriptor");
  return handle.fd;
}

/** Starts the program and waits until it serves; answers where. */
async function startProgram(job: ExportJob, lab: LabState | null, listener: Server | null): Promise<string> {
  const words = [process.execPath, fileURLToPath(new URL("./export-main.js", import.meta.url))];
  const isInside = lab !== null && job.access === null && job.lab !== null && !process.env.PROTEUS_NODE;
  const { command, environment } = isInside
    ? nodeCommand(lab, placeIn(lab), words)
    : { command: words, environment: {} };
  const [program = "", ...rest] = command;
  const nothing = openSync("/dev/null", "r+");
  const child = spawn(program, rest, {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...environment },
    stdio: ["pipe", nothing, nothing, "pipe", listener === null ? nothing : descriptorOf(listener)],
  });
  closeSync(nothing);
  child.stdin?.on("error", () => undefined); // it ended early, and says why
  child.stdin?.end(JSON.stringify(job));
  try {
    const said = child.stdio[3] as Readable;
    const answer = await answered(said);
    if ("address" in answer) return answer.address;
    throw new ProteusError(answer.error);
  } catch (error) {
    if (child.pid !== undefined && child.exitCode === null) child.kill("SIGKILL");
    throw error;
  } finally {
    child.unref();
  }
}

interface Failure {
  readonly code: string;
  readonly exit: ProteusError["exit"];
  readonly message: string;
  readonly why?: string;
  readonly unchanged?: string;
  readonly hint?: string;
}

/** What the program says, once: where it serves, or why it does not. */
async function answered(from: Readable): Promise<{ address: string } | { error: Failure }> {
  const timer = setTimeout(() => from.destroy(), startMs);
  let text = "";
  try {
    for await (const piece of from) {
      text += String(piece);
      if (text.includes("\n")) return JSON.parse(text) as { address: string } | { error: Failure };
    }
  } catch {
    // said below
  } finally {
    clearTimeout(timer);
    from.destroy();
  }
  return {
    error: {
      ...{ code: "DISK_EXPORT", exit: exitCodes.failed, message: "the program of the export ended" },
      why: "it said nothing, or not in time",
      unchanged: "nothing is exported",
      hint: "try again; proteus disk show says whether the disk is served",
    },
  };
}

export async function unexport(name: string, options: UnexportOptions): Promise<void> {
  if (options.on !== undefined) return unexportOn(options.on, name, options);
  const lab = whereIn(labOf(options));
  const found = findExport(lab, name);
  if (found === undefined)
    throw new ProteusError({
      code: "DISK_NOT_EXPORTED",
      exit: exitCodes.notFound,
      message: `${name} is not exported from this machine`,
      why: exported(lab),
      unchanged: "nothing was done",
      hint: "proteus disk export NAME --nbd unix:PATH exports it",
    });
  process.kill(found.process.pid, "SIGTERM");
  const end = Date.now() + endMs;
  while (isAlive(found.process) && Date.now() < end) await new Promise((done) => setTimeout(done, 20));
  if (isAlive(found.process)) process.kill(found.process.pid, "SIGKILL"); // a client does not let go
  emit("disk unexport", options.json, { name, address: found.address }, () => ended(name));
}

function exported(lab: string | null): string {
  const names = exportsHere().flatMap((each) => (each.lab === lab ? [each.name] : []));
  return names.length === 0 ? "nothing is" : `${names.join(", ")} are`;
}
