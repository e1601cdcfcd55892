// `proteus fs volume`: volumes of a vice server: making, listing, looking at one.
//
// - VICE is the capability of the server, as `proteus serve vice` has written it: @FILE.

import { z } from "zod";
import type { Capability } from "../../capability/capability.js";
import { capabilityHex, parseCapability } from "../../capability/capability.js";
import { objectOf } from "../../capability/private-part.js";
import { HISTORY_SECONDS_MAX } from "../../interface/file-history.js";
import { policies, semantics, type VolumeDocument, viceTable, volumeSchema } from "../../interface/vice.js";
import type { Transact } from "../../kernel/calls.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { stub } from "../../stub/client.js";
import { type CallingOptions, calling, locateTimeout } from "../calling.js";
import { emit } from "../output.js";
import { offlineKernel } from "../package-files.js";
import { parseCount, parseDuration, parseSize, sizeText } from "../quantity.js";
import { table } from "../table.js";
import { parseTarget } from "../target.js";

/** Whole seconds of a duration; "0": none. Throws a usage error. */
export const historySeconds = (text: string): number =>
  text === "0" ? 0 : Math.ceil(parseDuration(text, HISTORY_SECONDS_MAX * 1000) / 1000);

const listSchema = z.array(volumeSchema);

export interface CreateOptions extends CallingOptions {
  readonly semantics: string;
  readonly owner: string;
  readonly conflicts: string;
  readonly history?: string | undefined;
}

const calls = (via: Kernel | Transact, capability: Capability, options: CallingOptions) =>
  stub(via, viceTable, capability, { locateTimeoutMs: locateTimeout(options) });

export async function createVolume(vice: string, name: string, options: CreateOptions): Promise<void> {
  if (!(semantics as readonly string[]).includes(options.semantics))
    throw usageError(`"${options.semantics}" are no semantics`, `they are one of ${semantics.join(", ")}`);
  if (options.semantics === "checkout")
    throw usageError("checkout is not there yet", "use session or strict; docs/FILES.md says what is there");
  const policy = options.conflicts;
  if (!(policies as readonly string[]).includes(policy))
    throw usageError(`"${policy}" is no policy for conflicts`, `it is one of ${policies.join(", ")}`);
  const owner = options.owner === "0" ? 0 : parseCount(options.owner, 0xffffffff);
  const history = options.history === undefined ? undefined : historySeconds(options.history);
  const server = await parseTarget(vice, "vice", options);
  const volume = await calling(options, async (via) => {
    const { semantics: wanted } = options;
    const made = (await calls(via, server, options).make({ name, semantics: wanted, policy, owner })).volume;
    if (history !== undefined) await calls(via, made, options).remember({ seconds: history });
    return made;
  });
  const capability = capabilityHex(volume);
  emit("fs volume create", options.json, { name, capability }, () => capability);
}

/** The volumes of a server. */
export async function volumesOf(via: Kernel | Transact, server: Capability, options: CallingOptions) {
  return listSchema.parse((await calls(via, server, options).volumes()).volumes);
}

export async function listVolumes(vice: string, options: CallingOptions): Promise<void> {
  const server = await parseTarget(vice, "vice", options);
  const volumes = await calling(options, (via) => volumesOf(via, server, options));
  emit("fs volume list", options.json, { volumes }, () =>
    volumes.length === 0
      ? ""
      : table(
          ["NAME", "SEMANTICS", "OBJECTS", "BYTES", "QUOTA", "CLIENTS", "CONFLICTS"],
          volumes.map((each) => [
            ...[each.name, each.semantics, `${each.objects}`, `${each.bytes}`],
            each.quota === 0 ? "-" : sizeText(each.quota),
            ...[`${each.sessions} of ${each.venuses}`, `${each.conflicts}`],
          ]),
        ),
  );
}

/** A volume by the capability of it, or of its server and its name. Throws FS_VOLUME_UNKNOWN. */
export async function findVolume(
  via: Kernel | Transact,
  target: Capability,
  name: string | undefined,
  options: CallingOptions,
): Promise<{ readonly capability: Capability; readonly document: VolumeDocument }> {
  if (objectOf(target.private) !== 0) {
    const { volume } = await calls(via, target, options).describe();
    return { capability: target, document: volumeSchema.parse(volume) };
  }
  const volumes = await volumesOf(via, target, options);
  const found =
    name === undefined && volumes.length === 1 ? volumes[0] : volumes.find((each) => each.name === name);
  if (found?.capability !== undefined)
    return { capability: parseCapability(offlineKernel(), found.capability), document: found };
  throw new ProteusError({
    code: "FS_VOLUME_UNKNOWN",
    exit: exitCodes.notFound,
    message:
      name === undefined ? "it is not clear which volume is meant" : `the server has no volume ${name}`,
    why: `it has ${volumes.map((each) => each.name).join(", ") || "none"}`,
    unchanged: "nothing was done",
    hint: "name one: --volume NAME; proteus fs volume create VICE NAME makes one",
  });
}

export async function showVolume(
  vice: string,
  name: string | undefined,
  options: CallingOptions,
): Promise<void> {
  const target = await parseTarget(vice, "vice", options);
  const { capability, document } = await calling(options, (via) => findVolume(via, target, name, options));
  const shown = { ...document, capability: capabilityHex(capability) };
  emit("fs volume show", options.json, { volume: shown }, () =>
    Object.entries(shown)
      .map(([key, value]) => `${key.padEnd(10)} ${value}`)
      .join("\n"),
  );
}

/** Ends a volume. Throws FS_VOLUME_NOT_EMPTY. */
export async function deleteVolume(
  vice: string,
  name: string | undefined,
  options: CallingOptions & { readonly force: boolean },
): Promise<void> {
  const target = await parseTarget(vice, "vice", options);
  const { document } = await calling(options, async (via) => {
    const found = await findVolume(via, target, name, options);
    await calls(via, found.capability, options)
      .erase({ force: options.force ? 1 : 0 })
      .catch((error: unknown) => {
        const isFull = error instanceof ProteusError && error.code === "STD_NOTNOW";
        throw isFull ? notEmpty(found.document) : error;
      });
    return found;
  });
  const gone = { name: document.name, objects: document.objects, bytes: document.bytes };
  emit("fs volume delete", options.json, gone, () => `${document.name} is deleted`);
}

const notEmpty = ({ name, objects, bytes }: VolumeDocument): ProteusError =>
  new ProteusError({
    code: "FS_VOLUME_NOT_EMPTY",
    exit: exitCodes.failed,
    message: `volume ${name} is not empty`,
    why: `it has ${objects - 1} objects, ${bytes} bytes in all`,
    unchanged: "nothing was deleted",
    hint: "--force deletes it with all that is in it",
  });

/** Shows how much a volume may have, or sets it. */
export async function quotaOf(
  vice: string,
  name: string,
  text: string | undefined,
  options: CallingOptions,
): Promise<void> {
  const wanted = text === undefined ? undefined : parseSize(text, 2 ** 52);
  const target = await parseTarget(vice, "vice", options);
  const shown = await calling(options, async (via) => {
    const { capability, document } = await findVolume(via, target, name, options);
    if (wanted !== undefined) await calls(via, capability, options).change({ quota: wanted });
    return { name: document.name, bytes: document.bytes, quota: wanted ?? document.quota };
  });
  emit("fs volume quota", options.json, shown, () => {
    const most = shown.quota === 0 ? "no bound" : sizeText(shown.quota);
    return `${shown.name}: ${shown.bytes} bytes of ${most}`;
  });
}
