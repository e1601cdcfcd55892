// `proteus fs volume share` and `unshare`: what the cell of a server offers to everybody on its network.
//
// - Only who has the volume with the right `admin` shares it; nothing is shared by itself.
// - Sharing gives a capability to everybody who asks: ending it takes it back from nobody who has it.

import type { Command } from "@commander-js/extra-typings";
import { type SharedRights, sharedRights, viceTable } from "../../interface/vice.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import { stub } from "../../stub/client.js";
import { type CallingOptions, calling, locateTimeout, withCalling } from "../calling.js";
import { emit } from "../output.js";
import { parseTarget } from "../target.js";
import { findVolume } from "./volume.js";

interface ShareOptions extends CallingOptions {
  readonly rights: string;
}

const shareHelp = `
Everybody on the server's network finds the volume then (proteus fs cells) and can mount it, with these
rights: that is for files that all may see, or, with read,write, may change. The server has to belong to a
cell: proteus serve vice --cell NAME. Users and modes of files count on each machine as its root wants.

Examples:
  proteus fs volume share @/var/lib/proteus-vice/vice.capability notes
  proteus fs volume share @/var/lib/proteus-vice/vice.capability scratch --rights read,write`;

const unshareHelp = `
Nobody finds it from now on. Who has mounted or joined it keeps the capability: proteus capability revoke
VOLUME takes it back from everybody, also from you (it prints the new one).

Example:
  proteus fs volume unshare @/var/lib/proteus-vice/vice.capability notes`;

const bitsOf: Readonly<Record<SharedRights, number>> = { read: 1, "read,write": 3 };

async function share(
  vice: string,
  name: string | undefined,
  rights: SharedRights | null,
  options: CallingOptions,
): Promise<void> {
  const target = await parseTarget(vice, "vice", options);
  const found = await calling(options, async (via) => {
    const { capability, document } = await findVolume(via, target, name, options);
    const calls = stub(via, viceTable, capability, { locateTimeoutMs: locateTimeout(options) });
    await calls.share({ rights: rights === null ? 0 : bitsOf[rights] }).catch((error: unknown) => {
      throw error instanceof ProteusError && error.code === "STD_NOTNOW" ? noCell(document.name) : error;
    });
    return document.name;
  });
  const command = rights === null ? "fs volume unshare" : "fs volume share";
  emit(command, options.json, { name: found, shared: rights }, () =>
    rights === null ? `${found} is not shared any more` : `${found} is shared: ${rights}`,
  );
}

const noCell = (name: string): ProteusError =>
  new ProteusError({
    code: "FS_CELL_NONE",
    exit: exitCodes.failed,
    message: `${name} cannot be shared`,
    why: "its server belongs to no cell",
    unchanged: "nothing is shared",
    hint: "start the server with --cell NAME, then share it",
  });

/** Adds `share` and `unshare` to `fs volume`. */
export function registerShare(volume: Command): void {
  const command = (word: string, about: string): Command =>
    withCalling(
      volume
        .command(word)
        .description(about)
        .argument("<vice>", "the server, or the volume's own capability")
        .argument("[name]", "the volume") as unknown as Command,
    );
  command("share", "offer a volume to everybody on the network, as one of the server's cell")
    .option("--rights <rights>", `what they may do: ${sharedRights.join(" or ")}`, "read")
    .addHelpText("after", shareHelp)
    .action((...given: readonly unknown[]) => {
      const [vice, name, options] = given as [string, string | undefined, ShareOptions];
      const rights = sharedRights.find((each) => each === options.rights);
      if (rights === undefined)
        throw usageError(`"${options.rights}" cannot be shared`, `rights are ${sharedRights.join(" or ")}`);
      return share(vice, name, rights, options);
    });
  command("unshare", "offer a volume to nobody any more")
    .addHelpText("after", unshareHelp)
    .action((...given: readonly unknown[]) => {
      const [vice, name, options] = given as [string, string | undefined, CallingOptions];
      return share(vice, name, null, options);
    });
}
