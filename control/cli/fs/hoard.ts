// `proteus fs hoard`: what a mount keeps, whatever room is short: pinned files and trees.
//
// - The mount's own program sets pins, fetches, and says how far it is; paths go to it from the mount's
//   root on, as bytes (a character each).

import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { z } from "zod";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { emit } from "../output.js";
import { sizeText } from "../quantity.js";
import { table } from "../table.js";
import { askedFor } from "./asking.js";
import { requireMountOf } from "./mounts.js";
import { nameBytes, shownName } from "./names.js";

interface Options {
  readonly json: boolean;
}

const pinnedSchema = z.object({ became: z.enum(["done", "same", "missing", "unknown", "full"]) });
const pinsSchema = z.object({
  pins: z.array(
    z.object({
      ...{ path: z.string().nullable(), kind: z.string(), objects: z.number(), here: z.number() },
      ...{ bytes: z.number(), bytesHere: z.number() },
    }),
  ),
});
const hoardSchema = z.object({
  ...{ pins: z.number(), isReplica: z.boolean(), objects: z.number(), lacking: z.number() },
  ...{ bytes: z.number(), lackingBytes: z.number(), unchecked: z.number(), state: z.string() },
});

/** How far the fetching of what is pinned has come: a line, or none. */
export function hoardLines(target: string, hoard: unknown): readonly string[] {
  const { success, data } = hoardSchema.safeParse(hoard);
  if (!success || data.pins === 0) return [];
  const { isReplica, objects, lacking, bytes, lackingBytes, unchecked, state } = data;
  const what = isReplica ? "replica" : "pinned";
  const there = `${objects - lacking} of ${objects} objects, ${sizeText(bytes)} of ${sizeText(bytes + lackingBytes)}`;
  const how: Readonly<Record<string, string>> = {
    whole: "all is here",
    checking: `all is here, ${unchecked} to be looked at`,
    fetching: "fetching",
    waiting: "waits for the server",
    full: "no room: mount with a larger --cache-size, or make room on the cache's disk",
  };
  return [`${target}: ${what}: ${there}; ${how[state] ?? state}`];
}

async function pin(word: "add" | "remove", path: string, { json }: Options): Promise<void> {
  const { mount, below } = requireMountOf(path);
  const { target } = mount;
  const { became } = await askedFor(pinnedSchema, target, `hoard-${word}`, nameBytes(below));
  const shown = { target, path: resolve(path), became };
  if (became === "done" || became === "same") {
    const is = word === "add" ? "is pinned" : "is not pinned any more";
    emit(
      `fs hoard ${word}`,
      json,
      shown,
      () => `${shown.path} ${became === "same" ? "is pinned already" : is}`,
    );
    return;
  }
  if (became === "missing")
    throw new ProteusError({
      code: "FS_PATH_MISSING",
      exit: exitCodes.notFound,
      message: word === "add" ? `there is no ${shown.path}` : `${shown.path} is not pinned`,
      why: word === "add" ? "the volume has nothing of that name" : "pins are removed as they were set",
      unchanged: "what is pinned",
      hint: `proteus fs hoard list ${target} shows what is`,
    });
  throw new ProteusError({
    code: "FS_PATH_UNKNOWN",
    exit: exitCodes.unreachable,
    message: `nobody can say whether ${shown.path} is there`,
    why:
      became === "full"
        ? "the cache's disk is full"
        : "it is not in the cache, and the server does not answer",
    unchanged: "what is pinned",
    hint: "try again when proteus fs status says connected",
  });
}

async function list(path: string, { json }: Options): Promise<void> {
  const { target } = requireMountOf(path).mount;
  const { pins } = await askedFor(pinsSchema, target, "hoard-list");
  const shown = pins.map((each) => ({
    ...each,
    path: each.path === null ? null : `${target}${shownName(each.path)}`,
  }));
  emit("fs hoard list", json, { target, pins: shown }, () =>
    shown.length === 0
      ? "nothing is pinned"
      : table(
          ["PATH", "KIND", "OBJECTS", "HERE", "BYTES", "HERE"],
          shown.map(({ path: at, kind, objects, here, bytes, bytesHere }) => [
            ...[at ?? "?", kind, `${objects}`, `${here}`, `${bytes}`, `${bytesHere}`],
          ]),
        ),
  );
}

const help = `
PATH is on a mount of this machine. What is pinned is fetched in the background, with all that is below it
and what others put there later, is never thrown out for room, and is there without the network. A pin is a
name in its folder: what is renamed over it is pinned. proteus fs status says how far the fetching is.`;

/** Adds `hoard` to `fs`. */
export function registerHoard(fs: Command): void {
  const hoard = fs.command("hoard").description("keep files and trees in a mount's cache, whatever happens");
  const json = ["--json", "one JSON document on stdout", false] as const;
  hoard
    .command("add")
    .description("pin a file or a tree: it is fetched and kept")
    .argument("<path>", "on a mount; the mount point itself: everything")
    .option(...json)
    .addHelpText("after", `${help}\n\nExample:\n  proteus fs hoard add /mnt/home/thesis`)
    .action((path, options) => pin("add", path, options));
  hoard
    .command("remove")
    .description("unpin a file or a tree: it makes room when room is short")
    .argument("<path>", "as it was pinned")
    .option(...json)
    .addHelpText("after", `${help}\n\nExample:\n  proteus fs hoard remove /mnt/home/thesis`)
    .action((path, options) => pin("remove", path, options));
  hoard
    .command("list")
    .description("show what is pinned, and how much of it is here")
    .argument("<path>", "a mount, or a path on it")
    .option(...json)
    .addHelpText("after", `${help}\n\nExample:\n  proteus fs hoard list /mnt/home --json`)
    .action((path, options) => list(path, options));
}
