// Pins by the paths that people give: setting and removing one, and the list of them with what they keep.
//
// - A path is of bytes (a character each), from the volume's root on; the last name is pinned, in the
//   directory that the others lead to. Links are not followed: what they lead to has a path of its own.
// - Whether there is something of that name is asked of vice, like a program's request.

import { ROOT_ID } from "../interface/file-status.js";
import { nameOfKey } from "../recoverable/rows.js";
import { type Cache, Lacking } from "./cache.js";
import { isDirectory, isFile } from "./effect.js";
import { pinKey, ROOT_PIN } from "./kept.js";
import type { PinRow } from "./state.js";

/** What became of a pin that was to be set or removed. */
export interface Pinned {
  /** missing: there is nothing of that name, or no such pin; unknown: vice cannot be asked. */
  readonly became: "done" | "same" | "missing" | "unknown" | "full";
}

/** What `fs hoard list` shows of a pin. */
export interface PinEntry {
  /** As its directory is called now; null: that is not known here. */
  readonly path: string | null;
  readonly kind: "volume" | "tree" | "file" | "missing";
  /** What it keeps, and how much of that is here. */
  readonly objects: number;
  readonly here: number;
  readonly bytes: number;
  readonly bytesHere: number;
}

const triesMax = 64;
const depthMax = 4096;

const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

/** Directory and name that a path leads to; null: to nothing. Throws Lacking. Undefined: nobody can say. */
function placeOf(cache: Cache, path: string): readonly [number, string] | null | undefined {
  const parts = partsOf(path);
  const name = parts.pop();
  if (name === undefined) return ROOT_PIN;
  let directory = ROOT_ID;
  for (const part of parts) {
    const next = childOf(cache, directory, part);
    if (next === undefined || next === 0) return next === 0 ? null : undefined;
    directory = next;
  }
  return [directory, name];
}

/** What has a name in a directory; 0: nothing; undefined: nobody can say. Throws Lacking. */
function childOf(cache: Cache, directory: number, name: string): number | undefined {
  const row = cache.object(directory);
  if (row === undefined) return cache.link?.isConnected === true ? 0 : undefined;
  if (!isDirectory(row.status)) return 0;
  return cache.names(directory)?.get(name) ?? (row.whole ? 0 : cache.state.names.get(directory)?.get(name));
}

/** Sets a pin, or removes it: durable then. Throws Lacking. */
function pinned(cache: Cache, path: string, isWanted: boolean, time: PinRow["time"]): Pinned["became"] {
  const place = placeOf(cache, path);
  if (place === undefined) return "unknown";
  if (place === null) return "missing";
  if (cache.state.pins.has(pinKey(...place)) === isWanted) return isWanted ? "same" : "missing";
  if (isWanted && place[0] !== ROOT_PIN[0]) {
    const child = childOf(cache, ...place);
    if (child === undefined || child === 0) return child === 0 ? "missing" : "unknown";
  }
  setPin(cache, place, isWanted ? { time } : null);
  return "done";
}

/** Sets a pin, or removes it, as soon as it can be said what there is. */
export function pin(
  cache: Cache,
  path: string,
  isWanted: boolean,
  time: PinRow["time"],
  done: (pinned: Pinned) => void,
): void {
  const attempt = (tries: number): void => {
    try {
      done({ became: pinned(cache, path, isWanted, time) });
    } catch (error) {
      if (!(error instanceof Lacking)) throw error;
      if (tries >= triesMax) done({ became: "unknown" });
      else
        cache.fill(error.lack, (problem) => {
          if (problem === undefined) attempt(tries + 1);
          else done({ became: "full" });
        });
    }
  };
  attempt(0);
}

export function setPin(cache: Cache, place: readonly [number, string], row: PinRow | null): void {
  const key = pinKey(...place);
  if (cache.state.pins.has(key) === (row !== null)) return;
  cache.tables.commit([["pin", key, row]]);
  cache.tables.syncNow();
}

/** The path of a directory, as it is called here; null: it is not known. */
function pathOf(cache: Cache, directory: number): string | null {
  const parts: string[] = [];
  let here = directory;
  for (let depth = 0; here !== ROOT_ID; depth++) {
    const parent = cache.state.objects.get(here)?.status.parent;
    if (parent === undefined || depth > depthMax) return null;
    const found = [...(cache.state.names.get(parent) ?? [])].find(([, id]) => id === here);
    if (found === undefined) return null;
    parts.unshift(found[0]);
    here = parent;
  }
  return parts.map((part) => `/${part}`).join("");
}

function entryOf(cache: Cache, [directory, name]: readonly [number, string]): PinEntry {
  const { objects, names } = cache.state;
  const isRoot = directory === ROOT_PIN[0];
  const id = isRoot ? ROOT_ID : names.get(directory)?.get(name);
  const above = isRoot ? "/" : pathOf(cache, directory);
  const path = above === null ? null : isRoot ? above : `${above}/${name}`;
  if (id === undefined) return { path, kind: "missing", objects: 0, here: 0, bytes: 0, bytesHere: 0 };
  let [here, bytes, bytesHere] = [0, 0, 0];
  const seen = new Set([id]);
  for (const each of seen) {
    const row = objects.get(each);
    if (row === undefined) continue;
    for (const child of names.get(each)?.values() ?? []) seen.add(child);
    const isHere = isDirectory(row.status) ? row.whole : !isFile(row.status) || cache.hasContent(row);
    if (isHere) here++;
    if (!isFile(row.status)) continue;
    bytes += row.status.size;
    if (isHere) bytesHere += row.status.size;
  }
  const top = objects.get(id);
  const kind = isRoot ? "volume" : top !== undefined && isDirectory(top.status) ? "tree" : "file";
  return { path, kind, objects: seen.size, here, bytes, bytesHere };
}

/** The pins that there are. */
export const pinsOf = (cache: Cache): readonly PinEntry[] =>
  [...cache.state.pins.keys()].map((key) => entryOf(cache, nameOfKey(key)));
