// `proteus fs`: volumes of files that machines mount and cache.
//
// - What each command does is beside this file: volume.ts, mount.ts, conflicts.ts, history.ts.

import type { Command } from "@commander-js/extra-typings";
import { usageError } from "../../kernel/errors.js";
import type { CallingOptions } from "../calling.js";
import { withCalling } from "../calling.js";
import { registerCells } from "./cells.js";
import { mountCells } from "./cells-mount.js";
import { listConflicts, type ResolveOptions, resolveConflicts } from "./conflicts.js";
import { history, historyOf } from "./history.js";
import { registerHoard } from "./hoard.js";
import { change, log, type MountOptions, mount, status } from "./mount.js";
import { registerShare } from "./share.js";
import { umount } from "./umount.js";
import { registerVerify } from "./verify.js";
import {
  type CreateOptions,
  createVolume,
  deleteVolume,
  listVolumes,
  quotaOf,
  showVolume,
} from "./volume.js";
import { isCellWord } from "./which.js";

const viceHelp = `
VICE is the capability of a vice server: @STATE/vice.capability, as \`proteus serve vice\` has
written it. docs/FILES.md says how the file system works, and which of it is there.`;

const createHelp = `${viceHelp}

Prints the volume's capability: whoever has it can mount the volume.

  --semantics  session: close sends the file, the last close wins
               strict: besides, nobody reads anything older once close has returned
  --conflicts  of two contents of one file, made apart, which has the name: the one that the server had
               (both, server), the one that came (client), the later one (newest); the other one is
               kept beside it, and listed by proteus fs conflicts. program: the program of proteus serve
               vice --merge makes one of both
  --history    how long is kept what was replaced or removed: 1h when nothing is said, 0: nothing is kept;
               proteus fs volume history changes it

Example:
  proteus fs volume create @/var/lib/proteus-vice/vice.capability home`;

const quotaHelp = `
A file that would grow past the bound is not taken: close fails with "Disk quota exceeded". What was
changed without the network waits in the mount's log, and \`proteus fs status\` says so. Earlier
contents that are kept for history are not counted. What is there stays, also when it is more.

Example:
  proteus fs volume quota @/var/lib/proteus-vice/vice.capability home 10G`;

const volumeHistoryHelp = `
For so long earlier versions are in the folder .history of each mount (proteus fs history), and nobody's
quota counts them. A shorter time counts for what is kept already: it goes within seconds. A year at most; of
a busy volume less may be known: 200,000 changes of files and names.

Examples:
  proteus fs volume history @/var/lib/proteus-vice/vice.capability home
  proteus fs volume history @/var/lib/proteus-vice/vice.capability home 7d`;

const historyHelp = `
Of a file: its versions, by when they came, with the file to copy each one from. Of a folder: the names that
it has and had, with how many versions there are of each. PATH may be gone by now; it is below a mount of
this machine, by default where you are.

The mount's folder .history, which no listing shows, has them as files, read only:
  MOUNT/.history/versions/PATH/TIME  what was at PATH from TIME on
  MOUNT/.history/TIME/PATH           the whole volume as of TIME: UTC, the server's clock; seconds and less
                                     may be left out

Examples:
  proteus fs history /mnt/home/letter.txt
  cp /mnt/home/.history/versions/letter.txt/2026-11-28T08:10:29.123Z /mnt/home/letter.txt
  cp -a /mnt/home/.history/2026-11-28T08:00/project /tmp/project-of-then`;

const deleteHelp = `
Only an empty volume, unless --force. Mounts of it go on with what their caches have, disconnected.

Example:
  proteus fs volume delete @/var/lib/proteus-vice/vice.capability home --force`;

const conflictsHelp = `
What mounts did without the server, and what the server had from others meanwhile, did not fit together
here. Nothing is lost: KEPT is where the loser is. Look at both, then remove or rename KEPT at a mount:
that takes the entry off the list; or leave both as they are: proteus fs resolve.

Example:
  proteus fs conflicts @/var/lib/proteus-vice/vice.capability home`;

const resolveHelp = `
Changes no file: what the list says was looked at and is as it should be.

Examples:
  proteus fs resolve @/var/lib/proteus-vice/vice.capability home 1 2
  proteus fs resolve @/var/lib/proteus-vice/vice.capability home --all`;

const mountHelp = `
Runs in the foreground until Ctrl-C, SIGTERM or \`proteus fs umount\`. VICE is the capability of a vice
server, with --volume, or of a volume, or the name of a cell: of that all volumes are mounted that it
shares, each at MOUNTPOINT/VOLUME; with --all those of every cell, at MOUNTPOINT/CELL/VOLUME. Cells and
volumes that come later appear there. Needs root's rights. Files that were used stay in the cache's folder,
and work goes on there without the server; what was changed is brought back when it is there again.

  --mode    on-demand: what was used is kept, and what proteus fs hoard has pinned
            replica: everything is kept; the whole volume is fetched in the background
  --permit  auto: who works on the volume alone gets its permit after some changes, and changes it as fast as
            a local disk; the server hears of it a moment later, and others read nothing older. What was
            closed is durable here with fsync, at the server when \`proteus fs status\` shows no records
            never: each close and each change of a name waits for the server

Examples:
  proteus fs mount @/var/lib/proteus-vice/vice.capability /mnt/home --volume home
  proteus fs mount e4b2c2985455010000ff1125f2c66632 /mnt/home --cache /srv/cache --mode replica
  proteus fs mount math /mnt/math
  proteus fs mount --all /cells`;

const statusHelp = `
PERMIT is whether the mount may change the volume without asking: held, or yielding when somebody else wants
to read. RECORDS are changes that the server has not taken yet, PROMISES what it will tell when it changes, BYTES
what the contents in the cache take, OF what they may. CACHE is a folder of ordinary files: the content of
a file whose inode number is N (ls -i) is content/HH/N there, HH its last two hex digits. When the server
refuses the records as a whole, they wait longer each time, up to a minute; what to do about it is said
below the table, and in "stuck". So is how far the fetching of what is pinned has come ("hoard"), and which
cells a root has ("roots").

Example:
  proteus fs status --json`;

interface AnyMountOptions extends MountOptions {
  readonly all: boolean;
}

/** Mounts a volume, a cell, or all cells. */
async function mountAny(
  what: string,
  mountpoint: string | undefined,
  options: AnyMountOptions,
): Promise<void> {
  const { all, volume } = options;
  if (all !== (mountpoint === undefined))
    throw usageError(
      all ? "--all takes one argument, the folder" : "it is not said where",
      "proteus fs mount --all FOLDER, or proteus fs mount VICE FOLDER",
    );
  if (mountpoint === undefined) await mountCells(undefined, what, options);
  else if (volume === undefined && isCellWord(what)) await mountCells(what, mountpoint, options);
  else await mount(what, mountpoint, options);
}

/** Adds `fs` and its subcommands to the program. */
export function registerFs(program: Command): void {
  const fs = program.command("fs").description("volumes of files, cached on machines that mount them");
  const volume = fs.command("volume").description("volumes of a vice server");
  withCalling(
    volume
      .command("create")
      .description("make a volume")
      .argument("<vice>", "the server")
      .argument("<name>", "what it is called")
      .option("--semantics <name>", "session or strict", "session")
      .option("--conflicts <policy>", "both, server, client, newest or program", "both")
      .option("--history <duration>", "how long earlier versions are kept (default: 1h)")
      .option("--owner <number>", "user to whom its root belongs", "0") as unknown as Command,
  )
    .addHelpText("after", createHelp)
    .action((...given: readonly unknown[]) =>
      createVolume(String(given[0]), String(given[1]), given[2] as CreateOptions),
    );
  withCalling(
    volume
      .command("list")
      .description("list a server's volumes")
      .argument("<vice>", "the server") as unknown as Command,
  )
    .addHelpText(
      "after",
      `${viceHelp}\n\nExample:\n  proteus fs volume list @/var/lib/proteus-vice/vice.capability`,
    )
    .action((...given: readonly unknown[]) => listVolumes(String(given[0]), given[1] as CallingOptions));
  withCalling(
    volume
      .command("show")
      .description("show one volume")
      .argument("<vice>", "the server, or the volume's own capability")
      .argument("[name]", "the volume") as unknown as Command,
  )
    .addHelpText(
      "after",
      `${viceHelp}\n\nExample:\n  proteus fs volume show @/var/lib/proteus-vice/vice.capability home`,
    )
    .action((...given: readonly unknown[]) =>
      showVolume(String(given[0]), given[1] as string | undefined, given[2] as CallingOptions),
    );
  withCalling(
    volume
      .command("quota")
      .description("show how many bytes a volume may have, or set it")
      .argument("<vice>", "the server")
      .argument("<name>", "the volume")
      .argument("[bytes]", "the bound; 0: none") as unknown as Command,
  )
    .addHelpText("after", quotaHelp)
    .action((...given: readonly unknown[]) =>
      quotaOf(String(given[0]), String(given[1]), given[2] as string | undefined, given[3] as CallingOptions),
    );
  withCalling(
    volume
      .command("history")
      .description("show how long a volume keeps earlier versions, or set it")
      .argument("<vice>", "the server")
      .argument("<name>", "the volume")
      .argument("[duration]", "how long; 0: not at all") as unknown as Command,
  )
    .addHelpText("after", volumeHistoryHelp)
    .action((...given: readonly unknown[]) =>
      historyOf(
        String(given[0]),
        String(given[1]),
        given[2] as string | undefined,
        given[3] as CallingOptions,
      ),
    );
  withCalling(
    volume
      .command("delete")
      .description("delete a volume for good")
      .argument("<vice>", "the server, or the volume's own capability")
      .argument("[name]", "the volume")
      .option("--force", "also when something is in it", false) as unknown as Command,
  )
    .addHelpText("after", deleteHelp)
    .action((...given: readonly unknown[]) =>
      deleteVolume(
        String(given[0]),
        given[1] as string | undefined,
        given[2] as CallingOptions & { readonly force: boolean },
      ),
    );
  withCalling(
    fs
      .command("mount")
      .description("mount a volume at a folder of this machine")
      .argument("<vice>", "the server, a volume's capability, or a cell's name; with --all: the mountpoint")
      .argument("[mountpoint]", "a folder")
      .option("--all", "all cells of the network", false)
      .option("--volume <name>", "which volume of the server, or of the cell")
      .option(
        "--cache <folder>",
        "where the cache is, of cells: where the caches are (default: below /var/cache/proteus/fs)",
      )
      .option(
        "--cache-size <bytes>",
        "what its contents take, about; what is open or changed stays (default: 10G; a replica: no bound)",
      )
      .option("--permit <when>", "auto or never: ask for the permit to change the volume alone", "auto")
      .option("--mode <mode>", "replica or on-demand (default: as this cache was before, or on-demand)")
      .option(
        "--machine <name>",
        "what conflict copies are called by (default: the host's name)",
      ) as unknown as Command,
  )
    .addHelpText("after", mountHelp)
    .action((...given: readonly unknown[]) =>
      mountAny(String(given[0]), given[1] as string | undefined, given[2] as AnyMountOptions),
    );
  fs.command("umount")
    .description("take a mounted volume off, or cells with all of their volumes")
    .argument("<mountpoint>", "where it is")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText(
      "after",
      "\nWhat was not shipped stays in the cache.\n\nExample:\n  proteus fs umount /mnt/home",
    )
    .action((mountpoint, options) => umount(mountpoint, options));
  fs.command("status")
    .description("how the mounts of this machine fare")
    .argument("[mountpoint]", "one of them")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", statusHelp)
    .action((mountpoint, options) => status(mountpoint, options));
  fs.command("log")
    .description("show what was changed on a mount and the server has not taken yet")
    .argument("<mountpoint>", "where it is")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", "\nThe first 1,000 records.\n\nExample:\n  proteus fs log /mnt/home")
    .action((mountpoint, options) => log(mountpoint, options));
  fs.command("history")
    .description("show earlier versions of a file on a mount, or of what a folder has and had")
    .argument("[path]", "the file or folder (default: where you are)")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", historyHelp)
    .action((path, options) => history(path, options));
  withCalling(
    fs
      .command("conflicts")
      .description("list what did not fit together after work without the server")
      .argument("<vice>", "the server, or the volume's own capability")
      .argument("[name]", "the volume") as unknown as Command,
  )
    .addHelpText("after", conflictsHelp)
    .action((...given: readonly unknown[]) =>
      listConflicts(String(given[0]), given[1] as string | undefined, given[2] as CallingOptions),
    );
  withCalling(
    fs
      .command("resolve")
      .description("take conflicts off the list, with all files as they are")
      .argument("<vice>", "the server")
      .argument("<name>", "the volume")
      .argument("[number...]", "as proteus fs conflicts lists them")
      .option("--all", "all that are listed", false) as unknown as Command,
  )
    .addHelpText("after", resolveHelp)
    .action((...given: readonly unknown[]) =>
      resolveConflicts(
        String(given[0]),
        String(given[1]),
        given[2] as readonly string[],
        given[3] as ResolveOptions,
      ),
    );
  registerCells(fs);
  registerShare(volume);
  registerHoard(fs);
  registerVerify(fs, volume);
  for (const [word, about] of [
    ["disconnect", "have a mount act as if there were no network"],
    ["connect", "end that, and bring back what was changed meanwhile"],
  ] as const)
    fs.command(word)
      .description(about)
      .argument("<mountpoint>", "where it is")
      .option("--json", "one JSON document on stdout", false)
      .addHelpText("after", `\nExample:\n  proteus fs ${word} /mnt/home`)
      .action((mountpoint, options) => change(word, mountpoint, options));
}
