// The sys server of a pool machine; control/interface/system.ts says what it answers.
//
// - Who the machine is and how its host fares comes in as an argument (control/node); what the
//   kernel knows is asked of the kernel.
// - Texts of KSTAT are for people: a table each, a row of headings, columns two blanks apart.

import { STD_ARGBAD } from "../../../core-wasm/status.js";
import type { Capability } from "../../capability/capability.js";
import type { ServerIdentity } from "../../capability/secrets.js";
import { kstatLetters, systemTable } from "../../interface/system.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Objects } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";

/** An interface as KSTAT shows it. */
export interface SystemInterface {
  readonly name: string;
  readonly mtu: number;
  readonly counters: object;
}

export interface SystemServerOptions extends ServerIdentity {
  readonly kernel: Kernel;
  readonly random: (bytes: number) => Uint8Array;
  readonly failed: (error: unknown) => void;
  /** The line of INFO. */
  readonly info: string;
  /** The document of STATUS. */
  readonly describe: () => object;
  readonly interfaces: () => readonly SystemInterface[];
}

type Cell = string | number;
type Letter = keyof typeof kstatLetters;

/** Rows below headings. */
function columns(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const yes = (value: boolean): string => (value ? "yes" : "no");

function counters(kernel: Kernel): string {
  const counted = Object.entries(kernel.counters()).filter(([, count]) => count > 0);
  return columns(["COUNTER", "COUNT"], counted);
}

function interfaces(kernel: Kernel, devices: readonly SystemInterface[]): string {
  const rows = kernel.tables.networks().map(({ mac, mtu, weight, up, trusted }, index) => {
    const device = devices[index];
    const counted = Object.entries(device?.counters ?? {}).map(([name, count]) => `${name} ${count}`);
    return [index, device?.name ?? "-", mac, mtu, weight, yes(up), yes(trusted), counted.join(", ")];
  });
  return columns(["NETWORK", "NAME", "MAC", "MTU", "WEIGHT", "UP", "TRUSTED", "COUNTED"], rows);
}

function neighbours(kernel: Kernel): string {
  const rows = kernel.tables
    .neighbours()
    .map(({ mac, network, mtu, credits, ours, checked, idleMs }) => [
      ...[mac, network, mtu, credits, yes(ours), yes(checked), idleMs],
    ]);
  return columns(["NEIGHBOUR", "NETWORK", "MTU", "CREDITS", "OURS", "CHECKED", "IDLE MS"], rows);
}

function routes(kernel: Kernel): string {
  const rows = kernel.tables.routes().flatMap(({ address, local, idleMs, places }): Cell[][] => {
    const here: Cell[][] = local > 0 ? [[address, "here", "-", 0, local, "yes", idleMs]] : [];
    const elsewhere = places.map(({ mac, network, hops, count, trusted }): Cell[] => [
      ...[address, mac, network, hops, count, yes(trusted > 0), idleMs],
    ]);
    return [...here, ...elsewhere];
  });
  return columns(["ADDRESS", "PLACE", "NETWORK", "HOPS", "ENDPOINTS", "TRUSTED", "IDLE MS"], rows);
}

function ports(kernel: Kernel): string {
  const rows = kernel.tables.ports().map(({ port, threads, waiting }) => [port, threads, yes(waiting)]);
  return columns(["PORT", "THREADS", "LISTENS"], rows);
}

function places(kernel: Kernel): string {
  const rows = kernel.tables
    .places()
    .map(({ port, address, roundtripUs, idleMs }) => [port, address, roundtripUs || "-", idleMs]);
  return columns(["PORT", "ADDRESS", "ROUND TRIP US", "IDLE MS"], rows);
}

function threads(kernel: Kernel): string {
  const rows = kernel.tables
    .threads()
    .map(({ port, peer, state, transaction }) => [port, state, peer, transaction]);
  return columns(["PORT", "STATE", "PEER", "TRANSACTION"], rows);
}

/** The text of one of the kernel's tables. */
export function kstat(
  kernel: Kernel,
  letter: Exclude<Letter, "a">,
  devices: readonly SystemInterface[],
): string {
  switch (letter) {
    case "c":
      return counters(kernel);
    case "i":
      return interfaces(kernel, devices);
    case "n":
      return neighbours(kernel);
    case "p":
      return ports(kernel);
    case "l":
      return places(kernel);
    case "r":
      return routes(kernel);
    case "t":
      return threads(kernel);
  }
}

const isLetter = (letter: string): letter is Letter => letter in kstatLetters;
const single = Object.keys(kstatLetters).filter((letter) => letter !== "a") as Exclude<Letter, "a">[];

export class SystemServer {
  readonly #server: Server<typeof systemTable.operations, never>;

  /** Begins to serve. Throws ProteusError when a table of the kernel is full. */
  constructor(options: SystemServerOptions) {
    const { kernel, getPort, key, own, random, failed, info, describe, interfaces: devices } = options;
    this.#server = new Server<typeof systemTable.operations, never>({
      ...{ kernel, getPort, key, failed, table: systemTable, threads: 2 },
      objects: new Objects<never>({ random, own }),
      info: () => info,
      status: () => JSON.stringify(describe()),
      handlers: {
        kstat(_asked, { table: letter }) {
          if (!isLetter(letter)) refuse(STD_ARGBAD);
          if (letter !== "a") return { text: kstat(kernel, letter, devices()) };
          return { text: single.map((each) => kstat(kernel, each, devices())).join("\n\n") };
        },
      },
    });
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  /** A capability of the machine's sys server. */
  capability(rights?: number): Capability {
    return this.#server.capability(0, rights);
  }

  close(): void {
    this.#server.close();
  }
}
