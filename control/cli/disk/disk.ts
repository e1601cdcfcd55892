// `proteus disk`: disks made of media on several machines, which heal themselves; exported by NBD.
//
// - What each command does is beside this file: create.ts, show.ts, export.ts, change.ts.

import type { Command } from "@commander-js/extra-typings";
import { collect } from "../foreground.js";
import { type CreateOptions, create, type DeleteOptions, remove } from "./create.js";
import { type ExportOptions, exportTo, unexport } from "./export.js";
import { runExport } from "./export-run.js";
import { type DiskOptions, diskExitHelp, diskHelp, withDisks } from "./session.js";
import { list, type ShowOptions, show } from "./show.js";

const createHelp = `
A member is a file or partition on a machine; a file is made or extended, and holds a whole copy
of the disk from its first byte on. NODE:disk:NAME is another disk: disks of disks are disks.
What was on the members is gone. The first member's machine serves the disk; when it dies another
one does.

  --algorithm  mirror (every member has all) or linear (each has a part)
  --ack        when a write is acknowledged: all members in sync have it, a quorum, or one
  --serve      who may serve it: a majority of the members and witnesses, or any with a copy
  --witness    a machine that has a vote and no data: with two members it breaks the tie
  --on-split   of two histories keep the loser's blocks as a branch, or ask a person
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
${diskHelp}

Examples:
  proteus disk export d --nbd unix:/tmp/d.sock
  nbdinfo nbd+unix:///d?socket=/tmp/d.sock
  proteus disk export d --nbd tcp:127.0.0.1:10809 --read-only
${diskExitHelp}`;

const unexportHelp = `
Clients are disconnected when what they asked for is answered.

Example:
  proteus disk unexport d
${diskExitHelp}`;

const deleteHelp = `
The files of its members stay; nothing serves them any more.
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

/** Adds `disk` to the program. */
export function registerDisk(program: Command): void {
  const disk = program.command("disk").description("disks of several machines that heal themselves");
  const createCommand = disk
    .command("create")
    .description("make a disk of media on several machines")
    .argument("<name>", "what it is called")
    .requiredOption("--size <size>", "how large it is: 64M, 1G")
    .option("--member <place>", "NODE:/PATH or NODE:disk:NAME; once for each", collect, [])
    .option("--witness <place>", "a machine with a vote and no data: NODE, or NODE:/PATH", collect, [])
    .option("--algorithm <name>", "mirror or linear", "mirror")
    .option("--ack <policy>", "all, quorum or one", "all")
    .option("--serve <policy>", "majority or any", "majority")
    .option("--on-split <policy>", "keep or ask", "keep");
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
    .option("--read-only", "clients cannot write", false)
    .option("--tls-cert <file>", "PEM file with its certificate: nothing is served without TLS then")
    .option("--tls-key <file>", "PEM file with the certificate's key")
    .option("--tls-ca <file>", "PEM file with whose certificates clients must have");
  done<[string, ExportOptions]>(exportCommand, exportHelp, exportTo);
  const unexportCommand = disk
    .command("unexport")
    .description("end an export of this machine")
    .argument("<name>", "the disk");
  done<[string, DiskOptions]>(unexportCommand, unexportHelp, unexport);
  const deleteCommand = disk
    .command("delete")
    .description("end a disk on all its members")
    .argument("<name>", "the disk")
    .option("--yes", "do not ask for its name", false);
  done<[string, DeleteOptions]>(deleteCommand, deleteHelp, remove);
  disk.command("run-export", { hidden: true }).action(runExport);
}
