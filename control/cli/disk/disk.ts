// `proteus disk`: disks made of media on several machines, which heal themselves; exported by NBD.
//
// - What each command does is beside this file: create.ts, show.ts, export.ts, change.ts, branch.ts.

import type { Command } from "@commander-js/extra-typings";
import { collect } from "../foreground.js";
import {
  type BranchDeleteOptions,
  type BranchExportOptions,
  deleteBranch,
  exportBranch,
  listBranches,
  showBranch,
} from "./branch.js";
import {
  attach,
  type ChangeOptions,
  detach,
  grow,
  type HealOptions,
  heal,
  mark,
  move,
  replace,
  resync,
  scrub,
  verify,
} from "./change.js";
import { type CreateOptions, create, type DeleteOptions, remove } from "./create.js";
import { exportTo, unexport } from "./export.js";
import type { ExportOptions, UnexportOptions } from "./export-on.js";
import { type DiskOptions, diskExitHelp, diskHelp, withDisks } from "./session.js";
import { type SettingOptions, settings } from "./settings.js";
import { list, type ShowOptions, show } from "./show.js";

const createHelp = `
A member is a file or partition on a machine; a file is made or extended, and holds a whole copy
of the disk from its first byte on. NODE:disk:NAME is another disk: disks of disks are disks.
A metal machine's disk is NODE:/disk; it serves no disk itself, so it does not stand first.
What was on the members is gone. The first member's machine serves the disk; when it dies another
one does.

  --algorithm  mirror (every member has all) or linear (each has a part)
  --ack        when a write is acknowledged: all members in sync have it, a quorum, or one
  --serve      who may serve it: a majority of the members and witnesses, or any with a copy
  --witness    a machine that has a vote and no data: with two members it breaks the tie
  --on-split   two sides have written (--serve any): keep saves what the loser has of its own as a
               branch, and goes on; ask serves nothing until a person says which side counts, by heal
${diskHelp}

Examples:
  proteus disk create d --size 1G --member n1:/srv/d --member n2:/srv/d --member n3:/srv/d
  proteus disk create d --size 64M --member n1:/srv/d --member n2:/srv/d --witness n3
${diskExitHelp}`;

const listHelp = `${diskHelp}

Example:
  proteus disk list --json
${diskExitHelp}`;

const showHelp = `
--wait in-sync ends when the disk is ok and every member has everything, or with exit code 6 after
--timeout.
${diskHelp}

Examples:
  proteus disk show d
  proteus disk show d --watch
  proteus disk show d --wait in-sync --timeout 60s
${diskExitHelp}`;

const exportHelp = `
Returns once the socket accepts; the export's name is NAME. It goes on while the machine that serves
the disk changes, until unexport, or the end of the lab. A TCP socket is open to whoever reaches
it: without TLS leave it at 127.0.0.1.

Two ways: a program of its own on this machine, which lives on when pool machines go; or, with --on
NODE, that pool machine itself, which is several times faster where NODE serves the disk, and ends
with NODE.
${diskHelp}

Examples:
  proteus disk export d --nbd unix:/tmp/d.sock
  nbdinfo nbd+unix:///d?socket=/tmp/d.sock
  proteus disk export d --nbd unix:/tmp/fast.sock --on n1
  proteus disk export d --nbd tcp:127.0.0.1:10809 --read-only
${diskExitHelp}`;

const unexportHelp = `
Clients are disconnected when what they asked for is answered.

Example:
  proteus disk unexport d
${diskExitHelp}`;

const deleteHelp = `
The files of its members stay; nothing serves them any more. A machine that is off keeps its member:
delete the disk again when it is on.
${diskHelp}

Example:
  proteus disk delete d --yes
${diskExitHelp}`;

/** Adds the options of all, the help, and what is done. */
function done<Words extends readonly unknown[]>(
  command: unknown,
  help: string,
  work: (...words: Words) => Promise<void>,
  timeout?: string,
): void {
  withDisks(command as Command, timeout)
    .addHelpText("after", help)
    .action((...words: readonly unknown[]) => work(...(words as unknown as Words)));
}

const changeHelp = (example: string, words = ""): string => `${words}
A member is NODE, when the disk has one there, or NODE:PATH.
${diskHelp}

Example:
  proteus disk ${example}
${diskExitHelp}`;

const roomWords =
  "make the files of members for a disk of this size, so that it can grow; holes take no room";

/** How patient a disk is, and what goes on in its background. */
const settingOptions = (of: unknown): Command =>
  (of as Command)
    .option("--member-timeout <duration>", "a member that is silent for so long is down; 2s at first")
    .option(
      "--resync-rest <number>",
      "while the disk is used, resync rests so many times as it works; 3 at first",
    )
    .option("--resync-rate <bytes>", "resync does so many a second at most; 0, no limit, at first")
    .option("--scrub-every <duration>", "scrub by itself so often, or never; 7d at first")
    .option("--scrub-rate <bytes>", "a scrub does so many a second of the disk; 64M at first");

/** Adds what is done to a disk that is there. */
function registerChanges(disk: Command): void {
  const command = (name: string, words: string) =>
    disk.command(name).description(words).argument("<name>", "the disk");
  const waiting = "wait until every member is in sync, --timeout at most";
  done<[string, string, ChangeOptions]>(
    command("attach", "give a disk one more member")
      .argument("<place>", "NODE:/PATH or NODE:disk:NAME")
      .option("--room <bytes>", roomWords)
      .option("--wait", waiting, false),
    changeHelp("attach d n4:/srv/d --wait --timeout 10m"),
    attach,
  );
  done<[string, string, ChangeOptions]>(
    command("detach", "take a member out, as a backup of this moment").argument("<member>", "which"),
    changeHelp("detach d n3", "\nIts file begins with the whole disk, and can be used alone."),
    detach,
  );
  done<[string, string, string, ChangeOptions]>(
    command("replace", "put another medium in a member's place, while the disk is used")
      .argument("<member>", "which")
      .argument("<place>", "NODE:/PATH or NODE:disk:NAME")
      .option("--room <bytes>", roomWords)
      .option("--wait", waiting, false),
    changeHelp("replace d n3 n4:/srv/d --wait"),
    replace,
  );
  done<[string, ChangeOptions & { size: string }]>(
    command("grow", "make a disk larger, while it is used").requiredOption("--size <bytes>", "its new size"),
    changeHelp(
      "grow d --size 2G",
      "\nFiles are made longer, one after the other; a partition, or a member on another disk, has to have the room.",
    ),
    grow,
  );
  done<[string, string, ChangeOptions]>(
    command("move", "have another machine serve a disk, while it is used").argument(
      "<node>",
      "a machine that has a member or a witness of it",
    ),
    changeHelp(
      "move d n2",
      "\nWhat was written is on the media first. Requests wait for a moment, and go on there.",
    ),
    move,
    "20s",
  );
  done<[string, ChangeOptions & { rate?: string }]>(
    command("scrub", "read all copies in the background, and mend what has rotted").option(
      "--rate <bytes>",
      "so many a second of the disk; else as its settings say",
    ),
    changeHelp(
      "scrub d --rate 50M",
      "\nWhen one is under way it goes on, at the new rate. proteus disk show says how far it is.",
    ),
    scrub,
  );
  done<[string, DiskOptions & SettingOptions]>(
    settingOptions(command("settings", "show or change how patient a disk is, and its scrubs")),
    `
Without an option the settings are shown, and how the scrubs fare. They are kept on the members.
With --resync-rest 3 resync works a quarter of the time while others use the disk, and all of it when
nobody does.
${diskHelp}

Examples:
  proteus disk settings d
  proteus disk settings d --member-timeout 5s --scrub-every 30d --scrub-rate 20M
${diskExitHelp}`,
    settings,
  );
  done<[string, ChangeOptions]>(
    command("verify", "compare the members, and say what differs"),
    changeHelp("verify d --timeout 10m"),
    verify,
    "5m",
  );
  done<[string, string, ChangeOptions]>(
    command("resync", "compare a member with the others from end to end, and mend it")
      .argument("<member>", "which")
      .option("--wait", waiting, false),
    changeHelp("resync d n2 --wait"),
    resync,
  );
  done<[string, HealOptions]>(
    command("heal", "end a split brain")
      .option("--keep <member>", "the member whose history counts; without it: the one that is served")
      .option("--yes", "do not ask for the disk's name", false)
      .option("--wait", waiting, false),
    changeHelp(
      "heal d --keep n1",
      `
What the other side has of its own is saved as a branch first (proteus disk branch list NAME). It may
be said on any machine of the pool.`,
    ),
    heal,
  );
  done<[string, string, string, ChangeOptions]>(
    command("mark", "say that a member is clean or dirty, whatever is known of it")
      .argument("<member>", "which")
      .argument("<as>", "clean or dirty")
      .option("--yes", "do not ask for the disk's name", false),
    changeHelp(
      "mark d n2 dirty",
      "\ndirty: all of it is compared, and mended. clean: what it is still to be given is not, on your word" +
        "\nthat it has it. Only of a disk that is served: a copy that is behind is never made to count.",
    ),
    mark,
  );
}

const branchWords = `
A branch is what a member had of its own when two sides of a disk had written and the other one went
on. It lies in the state folder of the machine that served then, and is found from anywhere.`;

const branchHelp = (example: string, words = ""): string => `${branchWords}${words}
${diskHelp}

Example:
  proteus disk branch ${example}
${diskExitHelp}`;

function registerBranches(disk: Command): void {
  const branch = disk.command("branch").description("what members had that lost a split brain");
  const command = (name: string, description: string) =>
    branch.command(name).description(description).argument("<name>", "the disk");
  const which = ["<branch>", "its id, or MACHINE:ID"] as const;
  done<[string, DiskOptions]>(
    command("list", "list what is kept of a disk"),
    branchHelp("list d --json"),
    listBranches,
  );
  done<[string, string, DiskOptions]>(
    command("show", "show a branch").argument(...which),
    branchHelp("show d n2-1c0ffee5"),
    showBranch,
  );
  done<[string, string, BranchExportOptions]>(
    command("export", "write a branch as a whole disk, as the member had it")
      .argument(...which)
      .requiredOption("-o, --output <file>", "the file, which must not be there"),
    branchHelp(
      "export d n2-1c0ffee5 -o /tmp/lost.img",
      `
What the member had in common with the disk is taken from the disk. What was written there since is
counted, and makes it exit with 6: export soon, or stop the disk's users first.`,
    ),
    exportBranch,
    "1m",
  );
  done<[string, string, BranchDeleteOptions]>(
    command("delete", "delete a branch: what it keeps is gone")
      .argument(...which)
      .option("--yes", "do not ask for its id", false),
    branchHelp("delete d n2-1c0ffee5"),
    deleteBranch,
  );
}

/** Adds `disk` to the program. */
export function registerDisk(program: Command): void {
  const disk = program.command("disk").description("disks of several machines that heal themselves");
  const createCommand = disk
    .command("create")
    .description("make a disk of media on several machines")
    .argument("<name>", "what it is called")
    .requiredOption("--size <bytes>", "how large it is: 64M, 1G")
    .option("--member <place>", "NODE:/PATH or NODE:disk:NAME; once for each", collect, [])
    .option("--witness <place>", "a machine with a vote and no data: NODE, or NODE:/PATH", collect, [])
    .option("--room <bytes>", roomWords)
    .option("--algorithm <name>", "mirror or linear", "mirror")
    .option("--ack <policy>", "all, quorum or one", "all")
    .option("--serve <policy>", "majority or any", "majority")
    .option("--on-split <policy>", "keep or ask", "keep");
  settingOptions(createCommand);
  done<[string, CreateOptions]>(createCommand, createHelp, create, "30s");
  done<[DiskOptions]>(disk.command("list").description("list the disks of the pool"), listHelp, list);
  const showCommand = disk
    .command("show")
    .description("show a disk, its members, and what they lack")
    .argument("<name>", "the disk")
    .option("--watch", "again every second, until Ctrl-C", false)
    .option("--wait <state>", "wait until it is in-sync");
  done<[string, ShowOptions]>(showCommand, showHelp, show);
  const exportCommand = disk
    .command("export")
    .description("export a disk over NBD, from this machine")
    .argument("<name>", "the disk")
    .requiredOption("--nbd <place>", "where: unix:PATH or tcp:HOST:PORT")
    .option("--on <node>", "a pool machine exports it itself, until it ends; the address is that machine's")
    .option("--read-only", "clients cannot write", false)
    .option("--tls-cert <file>", "PEM file with its certificate: nothing is served without TLS then")
    .option("--tls-key <file>", "PEM file with the certificate's key")
    .option("--tls-ca <file>", "PEM file with whose certificates clients must have");
  done<[string, ExportOptions]>(exportCommand, exportHelp, exportTo);
  const unexportCommand = disk
    .command("unexport")
    .description("end an export of this machine")
    .argument("<name>", "the disk")
    .option("--on <node>", "the pool machine that exports it itself");
  done<[string, UnexportOptions]>(unexportCommand, unexportHelp, unexport);
  registerChanges(disk as unknown as Command);
  registerBranches(disk as unknown as Command);
  const deleteCommand = disk
    .command("delete")
    .description("end a disk on all its members")
    .argument("<name>", "the disk")
    .option("--yes", "do not ask for its name", false);
  done<[string, DeleteOptions]>(deleteCommand, deleteHelp, remove);
}
