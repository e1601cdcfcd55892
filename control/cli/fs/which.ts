// Which volume a mount is of: the word of the command line, the server's answer, and the cache's folder.
//
// - A word alone is a cell: NODE:vice is a machine's server, everything else a capability.
// - A volume whose server is away is mounted all the same when its capability, its name and a cache of it
//   are there: work goes on from the cache.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Capability, capabilityHex, parseCapability } from "../../capability/capability.js";
import { objectOf } from "../../capability/private-part.js";
import { cellNameForm } from "../../interface/cell.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type Cell, findCells, knownWith, volumesOf } from "../../stub/cells.js";
import { type CallingOptions, locateTimeout } from "../calling.js";
import { offlineKernel } from "../package-files.js";
import { parseTarget } from "../target.js";
import { findVolume } from "./volume.js";

const cacheRoot = "/var/cache/proteus/fs";
/** Hex digits of a capability's port and object: the same whatever the rights. */
export const hexOfObject = 18;

/** Whether a word names a cell. */
export const isCellWord = (word: string): boolean =>
  cellNameForm.test(word) && !/^(?:[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$/.test(word);

/** The folder of a volume's cache, below the folder of all. */
export const cacheOf = (name: string, capability: string, root = cacheRoot): string =>
  join(root, `${name}-${capability.slice(0, hexOfObject)}`);

export const cellUnknown = (name: string): ProteusError =>
  new ProteusError({
    code: "FS_CELL_UNKNOWN",
    exit: exitCodes.notFound,
    message: `there is no cell ${name}`,
    why: "no server of it answers on this network, and it was not joined before",
    unchanged: "nothing was done",
    hint: "proteus fs cells lists those that there are; a server is @FILE with its capability, or NODE:vice",
  });

/** A cell as it is known and as it answers now. Throws FS_CELL_UNKNOWN. */
export async function findCell(
  kernel: Kernel,
  name: string,
  known: Cell | undefined,
  options: CallingOptions,
): Promise<Cell> {
  const also = (known?.servers ?? []).map(({ server }) => ({ cell: name, server }));
  const given = { via: kernel, maker: kernel, timeoutMs: locateTimeout(options), cell: name, also };
  const [found] = await findCells(given);
  const cell = found === undefined ? known : knownWith(known, found);
  if (cell === undefined) throw cellUnknown(name);
  return cell;
}

export interface WhichVolume {
  readonly capability: Capability;
  readonly name: string;
  /** Its cache's folder. */
  readonly cache: string;
}

interface WhichOptions extends CallingOptions {
  readonly volume?: string | undefined;
  readonly cache?: string | undefined;
}

/** The volume that is meant. Throws FS_VOLUME_UNKNOWN, FS_CELL_UNKNOWN, and what calls throw. */
export async function whichVolume(
  kernel: Kernel,
  word: string,
  known: (name: string) => Cell | undefined,
  options: WhichOptions,
): Promise<WhichVolume> {
  const cached = (name: string, capability: Capability): WhichVolume => ({
    ...{ name, capability, cache: options.cache ?? cacheOf(name, capabilityHex(capability)) },
  });
  const { volume } = options;
  const given = isCellWord(word)
    ? await ofCell(kernel, word, known(word), options)
    : await parseTarget(word, "vice", options);
  try {
    const { capability, document } = await findVolume(kernel, given, volume, options);
    return cached(document.name, capability);
  } catch (error) {
    if (!(error instanceof ProteusError) || error.exit !== exitCodes.unreachable) throw error;
    if (volume === undefined || objectOf(given.private) === 0) throw error;
    const found = cached(volume, given);
    if (!existsSync(join(found.cache, "lock"))) throw error;
    return found;
  }
}

async function ofCell(
  kernel: Kernel,
  name: string,
  known: Cell | undefined,
  options: WhichOptions,
): Promise<Capability> {
  const volumes = volumesOf(await findCell(kernel, name, known, options));
  const found = volumes.find(({ folder }) => folder === options.volume);
  if (found !== undefined) return parseCapability(offlineKernel(), found.capability);
  throw new ProteusError({
    code: "FS_VOLUME_UNKNOWN",
    exit: exitCodes.notFound,
    message: `the cell ${name} shares no volume ${options.volume ?? ""}`,
    why: `it shares ${volumes.map(({ folder }) => folder).join(", ") || "none"}`,
    unchanged: "nothing was done",
    hint: "without --volume all that it shares is mounted; proteus fs volume share VICE NAME shares one",
  });
}

/** Throws a usage error when a cell cannot be called so. */
export function insistOnCellName(name: string): void {
  if (cellNameForm.test(name)) return;
  throw usageError(
    `"${name}" is no name of a cell`,
    "it has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
  );
}
