// The command line: which commands there are, and how one is run.
//
// - Each command lives in a file of its own beside this one and is loaded only when it
//   is the one that was asked for, so that every command starts quickly.
// - Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable or timed
//   out, 6 degraded.

import { Command, CommanderError } from "@commander-js/extra-typings";
import { type ProteusError, usageError } from "../kernel/errors.js";
import type { Entry, Wanted } from "./entry.js";
import { fail } from "./output.js";
import { packageVersion } from "./package-files.js";

const entries: Readonly<Record<string, Entry>> = {
  lab: {
    summary: "virtual labs: machines on a LAN of their own, on this computer",
    load: async () => (await import("./lab.js")).registerLab,
  },
  node: {
    summary: "the machines of a pool, and the agent of this one",
    load: async () => (await import("./node.js")).registerNode,
  },
  boot: {
    summary: "machines without an operating system: their image, and one in QEMU",
    load: async () => (await import("./boot.js")).registerBoot,
  },
  console: {
    summary: "the serial console of a machine, in this terminal",
    load: async () => (await import("./console.js")).registerConsole,
  },
  control: {
    summary: "the daemon that looks after a pool",
    load: async () => (await import("./control.js")).registerControl,
  },
  config: {
    summary: "what this machine is set to, and what set it",
    load: async () => (await import("./config.js")).registerConfig,
  },
  status: {
    summary: "the health of the labs and the node on this machine",
    load: async () => (await import("./status.js")).registerStatus,
  },
  doctor: {
    summary: "what this machine lacks, and the command that mends it",
    load: async () => (await import("./doctor.js")).registerDoctor,
  },
  metrics: {
    summary: "what a node counts, as Prometheus reads it",
    load: async () => (await import("./metrics.js")).registerMetrics,
  },
  serve: {
    summary: "run a server on this machine",
    load: async () => (await import("./serve.js")).registerServe,
  },
  call: {
    summary: "call an echo server and measure it",
    load: async () => (await import("./call.js")).registerCall,
  },
  group: {
    summary: "groups: messages in one order at every member, through crashes",
    load: async () => (await import("./group.js")).registerGroup,
  },
  std: {
    summary: "what every server has: info, status, restrict, touch, destroy and more",
    load: async () => (await import("./operations.js")).serverCommand("std"),
  },
  segment: {
    summary: "memory on pool machines, a capability for each piece",
    load: async () => (await import("./segment.js")).registerSegment,
  },
  directory: {
    summary: "names on directory servers: who serves them, and single operations on directories",
    load: async () => (await import("./directory.js")).registerDirectory,
  },
  bullet: {
    summary: "immutable files on Bullet servers: their media, and single operations on files",
    load: async () => (await import("./bullet.js")).registerBullet,
  },
  replication: {
    summary: "copies of files on several Bullet servers: what is missing, and making it",
    load: async () => (await import("./replication.js")).registerReplication,
  },
  disk: {
    summary: "disks of several machines that heal themselves, exported over NBD",
    load: async () => (await import("./disk/disk.js")).registerDisk,
  },
  fs: {
    summary: "volumes of files, cached on machines that mount them",
    load: async () => (await import("./fs/fs.js")).registerFs,
  },
  put: {
    summary: "store files of this machine in the pool, under a name",
    load: async () => (await import("./files/put.js")).registerPut,
  },
  get: {
    summary: "fetch files of the pool to this machine",
    load: async () => (await import("./files/get.js")).registerGet,
  },
  cat: {
    summary: "write files of the pool to standard output",
    load: async () => (await import("./files/get.js")).registerCat,
  },
  ls: {
    summary: "list the names of a directory of the pool",
    load: async () => (await import("./files/list.js")).registerLs,
  },
  tree: {
    summary: "draw what is below a directory of the pool",
    load: async () => (await import("./files/list.js")).registerTree,
  },
  stat: {
    summary: "what a name of the pool stands for",
    load: async () => (await import("./files/list.js")).registerStat,
  },
  find: {
    summary: "find names of the pool by pattern and type",
    load: async () => (await import("./files/list.js")).registerFind,
  },
  du: {
    summary: "how much the directories of the pool hold",
    load: async () => (await import("./files/list.js")).registerDu,
  },
  gc: {
    summary: "touch what has a name, tell what has none, and let it go when it is too old",
    load: async () => (await import("./gc.js")).registerGc,
  },
  mkdir: {
    summary: "make directories in the pool",
    load: async () => (await import("./files/change.js")).registerMkdir,
  },
  rm: {
    summary: "take names of the pool away",
    load: async () => (await import("./files/change.js")).registerRm,
  },
  mv: {
    summary: "move names of the pool",
    load: async () => (await import("./files/change.js")).registerMv,
  },
  ln: {
    summary: "give something another name in the pool",
    load: async () => (await import("./files/change.js")).registerLn,
  },
  sys: {
    summary: "how a pool machine and its kernel fare",
    load: async () => (await import("./operations.js")).serverCommand("sys"),
  },
  time: {
    summary: "what time it is on a pool machine",
    load: async () => (await import("./operations.js")).serverCommand("time"),
  },
  random: {
    summary: "random bytes from a pool machine",
    load: async () => (await import("./operations.js")).serverCommand("random"),
  },
  bench: {
    summary: "measure FLIP against TCP/IP",
    load: async () => (await import("./bench.js")).registerBench,
  },
  simulate: {
    summary: "run whole clusters in virtual time, with faults and checkers",
    load: async () => (await import("./simulate.js")).registerSimulate,
  },
  port: {
    summary: "ports: what a server listens to, and what clients call",
    load: async () => (await import("./port.js")).registerPort,
  },
  link: {
    summary: "keys of secure links between machines",
    load: async () => (await import("./link.js")).registerLink,
  },
  capability: {
    summary: "capabilities: show, restrict, hand on and revoke them; their private part, offline",
    load: async () => (await import("./capability.js")).registerCapability,
  },
  capture: {
    summary: "show the frames that pass a machine, and write them for Wireshark",
    load: async () => (await import("./capture.js")).registerCapture,
  },
  dissector: {
    summary: "write the Wireshark dissector of the protocols, in Lua",
    load: async () => (await import("./dissector.js")).registerDissector,
  },
  decode: {
    summary: "show the layers of hex frames, read from standard input one a line",
    load: async () => (await import("./decode.js")).registerDecode,
  },
  completion: {
    summary: "write what a shell needs to complete commands and names",
    load: async () => (await import("./completion.js")).registerCompletion,
  },
  version: {
    summary: "show the versions of this program, its kernel, and its formats",
    load: async () => (await import("./version.js")).registerVersion,
  },
  manual: {
    summary: "write the reference of all commands, and manual pages",
    load: async () => {
      const { registerManual } = await import("./manual.js");
      return (program: Command) => registerManual(program, wholeProgram);
    },
  },
};

const helpText = `
Examples:
  proteus lab up --nodes 3
  proteus lab exec n1 -- proteus serve echo --port abcdef
  proteus lab exec n2 -- proteus call --port e4b2c2985455 --size 0 --count 1000
  proteus port public abcdef

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable or timed out, 6 degraded`;

/** The names of the command that the arguments ask for, or ask help about: `lab`, `up`. */
function commandsOf(words: readonly string[]): string[] {
  return words.filter((word) => !word.startsWith("-")).filter((word, index) => word !== "help" || index > 1);
}

const commandOf = (words: readonly string[]): string | undefined => commandsOf(words)[0];

/** The program with the one command loaded that the arguments name. */
export function programFor(words: readonly string[]): Promise<Command> {
  const [wanted, below] = commandsOf(words);
  return programWith(
    (name) => name === wanted,
    (name) => name === below,
  );
}

/** The program with every command loaded. */
export function wholeProgram(): Promise<Command> {
  return programWith(
    () => true,
    () => true,
  );
}

async function programWith(isWanted: Wanted, isWantedBelow: Wanted): Promise<Command> {
  const program = new Command("proteus")
    .description("A LAN of machines as one processor pool")
    .version(packageVersion(), "-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .enablePositionalOptions() // what follows a command's name is that command's
    .addHelpText("after", helpText)
    .exitOverride()
    .configureOutput({ outputError: () => undefined }); // fail() says it
  for (const [name, { summary, load }] of Object.entries(entries)) {
    if (isWanted(name)) await (await load())(program as never, isWantedBelow);
    else program.command(name);
    program.commands.find((command) => command.name() === name)?.description(summary);
  }
  return program;
}

/** A commander error as one of ours; `undefined` for help and version, which are none. */
function usageOf(error: CommanderError, words: readonly string[]): ProteusError | undefined {
  if (error.exitCode === 0) return undefined;
  const command = commandOf(words);
  const known = command !== undefined && command in entries;
  const help = `proteus ${known ? `${command} ` : ""}--help shows how`;
  if (error.code === "commander.help") return usageError(`a ${known ? "subcommand" : "command"} is missing`);
  const [first = "", suggestion] = error.message.split("\n");
  const hint = suggestion === undefined ? help : `${suggestion.replace(/^\((.*)\)$/, "$1")} ${help}`;
  return usageError(first.replace(/^error: /, ""), hint);
}

/** Runs the command that the arguments ask for; sets the exit code when it fails. */
export async function run(words: readonly string[]): Promise<void> {
  try {
    const program = await programFor(words);
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    const shown = error instanceof CommanderError ? usageOf(error, words) : error;
    if (shown === undefined) return;
    const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
    process.exitCode = fail(shown, own.includes("--json"));
  }
}
