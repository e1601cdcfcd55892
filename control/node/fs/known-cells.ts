// The cells that a person has joined: a file for each in the folder `cells` of the config folder, with the
// capabilities of what the cell shares, so that it can be mounted also when its servers are away.
//
// - Files are their owner's alone and replaced whole. One that is none, or of another cell than its name
//   says, counts as not there; joining again writes it anew.
// - One file a cell: who joins one while a mount notes what is new in another takes nothing from it.

import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { cellNameForm, cellSchema, SHARED_MAX, sharedVolumeSchema } from "../../interface/cell.js";
import type { Cell } from "../../stub/cells.js";
import { replaceDurably } from "../durable-file.js";

const ending = ".json";
const serversMax = 64;
const fileSchema = z.object({
  schema: z.literal(1),
  name: z.string().regex(cellNameForm),
  servers: z
    .array(
      z.object({ server: cellSchema.shape.server, volumes: z.array(sharedVolumeSchema).max(SHARED_MAX) }),
    )
    .max(serversMax),
});

/** The folder of joined cells. */
export const knownCellsFolder = (environment: NodeJS.ProcessEnv = process.env): string =>
  join(environment.XDG_CONFIG_HOME || join(homedir(), ".config"), "proteus", "cells");

const pathOf = (folder: string, name: string): string => join(folder, `${name}${ending}`);

/** A joined cell; undefined when it was not joined. */
export function knownCell(folder: string, name: string): Cell | undefined {
  if (!cellNameForm.test(name)) return undefined;
  try {
    const cell = fileSchema.parse(JSON.parse(readFileSync(pathOf(folder, name), "utf8")));
    return cell.name === name ? { name, servers: cell.servers } : undefined;
  } catch {
    return undefined;
  }
}

/** All joined cells, by name. */
export function knownCells(folder: string): readonly Cell[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((each) => each.endsWith(ending));
  } catch {
    return [];
  }
  return names.sort().flatMap((each) => knownCell(folder, each.slice(0, -ending.length)) ?? []);
}

/** Keeps a cell, durably. Throws the system's errors. */
export function keepCell(folder: string, { name, servers }: Cell): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const kept = servers.slice(0, serversMax);
  replaceDurably(pathOf(folder, name), `${JSON.stringify({ schema: 1, name, servers: kept })}\n`);
}

/** Forgets a cell; whether it was joined. */
export function forgetCell(folder: string, name: string): boolean {
  const was = knownCell(folder, name) !== undefined;
  if (cellNameForm.test(name)) rmSync(pathOf(folder, name), { force: true });
  return was;
}
