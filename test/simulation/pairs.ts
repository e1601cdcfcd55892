// Small worlds for unit tests: a client and a server on one wire, an echo on the server,
// and a way to read what is on that wire.

import { offlineKernel } from "../../control/cli/package-files.js";
import { type Dissection, dissect } from "../../control/kernel/wire.js";
import type { Lan, LanOptions } from "../../simulation/engine/lan.js";
import type { Handler } from "../../simulation/engine/programs.js";
import { type Machine, type MachineOptions, World } from "./world.js";

export const reader = offlineKernel();

/** The layers of a frame. */
export const layersOf = (frame: Uint8Array): Dissection => dissect(reader, frame);

export const getPort = Uint8Array.of(0x61, 0x62, 0x63, 0x64, 0x65, 0x66);

/** What the echo server of the recorded conversations does: the data back, h_extra one more. */
export const echo: Handler = ({ header, data }, reply) =>
  reply({ offset: header.offset, size: header.size, extra: header.extra + 1, data });

/** Bytes that differ from place to place. */
export const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);

export interface Pair {
  readonly world: World;
  readonly lan: Lan;
  readonly client: Machine;
  readonly server: Machine;
  readonly port: Uint8Array;
}

export interface PairOptions {
  readonly lan?: LanOptions;
  readonly client?: MachineOptions;
  readonly server?: MachineOptions;
  readonly handler?: Handler;
  readonly threads?: number;
}

export const original: MachineOptions = { limits: { extensions: 0 } };

/** A client and an echo server with four threads. */
export function pair(options: PairOptions = {}): Pair {
  const world = new World(7);
  const lan = world.lan(options.lan);
  const server = world.machine("server", lan, options.server);
  const client = world.machine("client", lan, options.client);
  server.serve(getPort, options.threads ?? 4, 1 << 18, options.handler ?? echo);
  return { world, lan, client, server, port: server.running.publicPort(getPort) };
}

/** Layers of every frame sent on a LAN from now on, with the machine that sent it and when. */
export function record(
  world: World,
  lan: Lan,
): (Dissection & { readonly by: string; readonly at: number })[] {
  const frames: (Dissection & { by: string; at: number })[] = [];
  lan.tap = (frame, by) => frames.push({ ...layersOf(frame), by, at: world.now });
  return frames;
}
