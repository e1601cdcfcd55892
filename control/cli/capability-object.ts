// `proteus capability show|restrict|give|revoke TARGET`: what a capability says and whether its
// server stands by it; fewer rights; handing it on; ending all that there are.
//
// - The server's name, and with it those of the rights, comes from the lab or the control daemon
//   that knows the port, or from --server. Without either rights are bits.
// - Only the server can say whether a capability is genuine: it is asked for INFO.
// - A capability in a file has mode 0600, and replaces no file.

import { closeSync, fsyncSync, openSync, rmSync, writeFileSync } from "node:fs";
import { type Capability, capabilityHex } from "../capability/capability.js";
import { portHex } from "../capability/port.js";
import { claims, parseRights } from "../capability/private-part.js";
import type { ServerTable } from "../interface/table.js";
import { serverTables } from "../interface/tables.js";
import { toHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { callOperation } from "../stub/client.js";
import { type CallingOptions, calling, locateTimeout } from "./calling.js";
import { anyTable } from "./operations.js";
import { emit } from "./output.js";
import { offlineKernel } from "./package-files.js";
import { type NamedServer, resolveTarget, serverAt } from "./target.js";

export interface ObjectOptions extends CallingOptions {
  readonly server?: string | undefined;
  readonly rights?: string | undefined;
  readonly output?: string | undefined;
}

/** A capability, and what is known of its server. */
interface Known {
  readonly capability: Capability;
  readonly named: NamedServer | null;
  readonly table: ServerTable | undefined;
}

function tableOf(name: string): ServerTable {
  const table = serverTables.find((each) => each.name === name);
  if (table !== undefined) return table;
  throw usageError(
    `there is no kind of server "${name}"`,
    `--server is one of ${serverTables.map((each) => each.name).join(", ")}`,
    "SERVER_INVALID",
  );
}

async function know(text: string, options: ObjectOptions): Promise<Known> {
  const said = options.server === undefined ? undefined : tableOf(options.server);
  const { capability, named: byText } = await resolveTarget(text, said?.name ?? "sys", options);
  const named = byText ?? (await serverAt(capability.port, options));
  return { capability, named, table: said ?? serverTables.find(({ name }) => name === named?.server) };
}

const all = 0xff;
const bits = (rights: number): string => `0x${rights.toString(16).padStart(2, "0")}`;

/** Names of rights, as far as the server's table has some for them; the rest as bits. */
function rightsNames(rights: number, table: ServerTable | undefined): string[] {
  const names: string[] = [];
  let rest = rights;
  for (const [name, mask] of Object.entries(table?.rights ?? {})) {
    if ((rights & mask) !== mask) continue;
    names.push(name);
    rest &= ~mask;
  }
  // Bits that no operation asks for are part of "all", and otherwise nothing that anyone misses.
  return rest === 0 || rights === all ? names : [...names, bits(rest)];
}

/** `read,write`, `all`, `none`, or bits. Throws RIGHTS_INVALID. */
function rightsOf(text: string, table: ServerTable | undefined): number {
  if (text === "all") return all;
  if (text === "none") return 0;
  return text.split(",").reduce((mask, each) => {
    const name = each.trim();
    const named = table?.rights[name];
    if (named !== undefined) return mask | named;
    if (/^(\d|0[xX])/.test(name)) return mask | parseRights(name);
    throw usageError(
      `"${name}" is no right${table === undefined ? " that is known here" : ` of ${table.name}`}`,
      table === undefined
        ? "it is not known whose capability this is: name its kind of server with --server, or give bits (0x03)"
        : `its rights are ${Object.keys(table.rights).join(", ")}; or all, none, or bits (0x03)`,
      "RIGHTS_INVALID",
    );
  }, 0);
}

/** A capability in its three forms, and what it says, for people and programs. */
function forms({ capability, named, table }: Known) {
  const { object, rights } = claims(capability.private);
  return {
    capability: capabilityHex(capability),
    text: offlineKernel().format("capability", Uint8Array.from([...capability.port, ...capability.private])),
    port: portHex(capability.port),
    private: toHex(capability.private),
    server: named === null ? (table?.name ?? null) : `${named.node}:${named.server}`,
    object,
    rights: { bits: rights, all: rights === all, names: rightsNames(rights, table) },
  };
}

type Forms = ReturnType<typeof forms>;

function rightsWords({ rights }: Forms): string {
  const names = rights.names.join(", ");
  if (rights.bits === 0) return "0x00  none";
  return `${bits(rights.bits)}  ${rights.all ? (names === "" ? "all" : `all: ${names}`) : names}`;
}

function formLines(shown: Forms): string[] {
  return [
    `capability  ${shown.capability}`,
    `text        ${shown.text}`,
    `parts       port ${shown.port}, private ${shown.private}`,
    `server      ${shown.server ?? "not known here"}`,
    `object      ${shown.object === 0 ? "0, the server itself" : shown.object}`,
    `rights      ${rightsWords(shown)}`,
  ];
}

interface Verdict {
  /** null: nobody could tell. */
  readonly valid: boolean | null;
  readonly info: string | null;
  readonly error?: ProteusError;
}

/** What the server says to it. Never rejects with what the server refuses. */
async function ask(capability: Capability, options: ObjectOptions): Promise<Verdict> {
  try {
    const { text } = await calling(options, (via) =>
      callOperation(via, anyTable, "info", capability, {}, { locateTimeoutMs: locateTimeout(options) }),
    );
    // A port alone is answered by some servers too, and proves nothing.
    return { valid: capability.private.some((byte) => byte !== 0), info: String(text) };
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    if (error.code === "STD_CAPBAD") return { valid: false, info: null, error };
    if (error.code === "STD_DENIED") return { valid: true, info: null };
    return { valid: null, info: null, error };
  }
}

/** `capability show`: exit 4 when it is not valid, the error's own when nobody could tell. */
export async function show(text: string, options: ObjectOptions): Promise<void> {
  locateTimeout(options);
  const known = await know(text, options);
  const shown = forms(known);
  const { valid, info, error } = await ask(known.capability, options);
  const verdict =
    valid === null ? "nobody could tell" : valid ? "yes, says its server" : "no, says its server";
  emit("capability show", options.json, { ...shown, valid, info }, () =>
    [...formLines(shown), `valid       ${verdict}`, ...(info === null ? [] : [`info        ${info}`])].join(
      "\n",
    ),
  );
  if (error !== undefined) throw error;
}

/** A genuine capability with no more than these rights, from the server. */
async function restricted({ capability, table }: Known, options: ObjectOptions): Promise<Capability> {
  if (options.rights === undefined) return capability;
  const mask = rightsOf(options.rights, table);
  const locateTimeoutMs = locateTimeout(options);
  const reply = await calling(options, (via) =>
    callOperation(via, anyTable, "restrict", capability, { mask }, { locateTimeoutMs }),
  );
  return reply.capability as Capability;
}

/** `capability restrict TARGET --rights …` */
export async function restrict(text: string, options: ObjectOptions): Promise<void> {
  const known = await know(text, options);
  const shown = forms({ ...known, capability: await restricted(known, options) });
  emit("capability restrict", options.json, shown, () => formLines(shown).join("\n"));
}

/** `capability give`: the forms on stdout, or the capability in a file for its owner only. */
export async function give(text: string, options: ObjectOptions): Promise<void> {
  const known = await know(text, options);
  const shown = forms({ ...known, capability: await restricted(known, options) });
  const file = options.output;
  if (file === undefined) {
    emit("capability give", options.json, shown, () => formLines(shown).join("\n"));
    return;
  }
  writePrivately(file, `${shown.capability}\n`);
  // What is in the file is not on the screen.
  const { server, object, rights } = shown;
  emit("capability give", options.json, { file, server, object, rights }, () =>
    [`file        ${file}`, ...formLines(shown).slice(-3)].join("\n"),
  );
}

function writePrivately(path: string, text: string): void {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, "wx", 0o600);
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } catch (cause) {
    if (descriptor !== null) rmSync(path, { force: true });
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ProteusError({
      code: "CAPABILITY_FILE",
      exit: code === "EACCES" ? exitCodes.denied : code === "ENOENT" ? exitCodes.notFound : exitCodes.failed,
      message: `the capability could not be written to ${path}`,
      why: code === "EEXIST" ? "there is such a file already" : message,
      unchanged: "what was there is as it was",
      hint: "name a file that does not exist yet, in a folder that you may write to",
      cause,
    });
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** `capability revoke`: all capabilities to the object end; the new one is shown. */
export async function revoke(text: string, options: ObjectOptions): Promise<void> {
  const known = await know(text, options);
  const locateTimeoutMs = locateTimeout(options);
  const { capability } = await calling(options, (via) =>
    callOperation(via, anyTable, "revoke", known.capability, {}, { locateTimeoutMs }),
  );
  const shown = forms({ ...known, capability: capability as Capability });
  emit("capability revoke", options.json, shown, () => formLines(shown).join("\n"));
}
