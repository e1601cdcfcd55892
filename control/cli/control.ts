// `proteus control`: the daemon that looks after a pool, and who of them is there. What the
// daemon does is control/node/control and control/server/pool.

import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import type { PoolDaemon } from "../interface/pool.js";
import type { ConfigValues } from "../node/config/settings.js";
import { startDaemon } from "../node/control/daemon.js";
import type { About } from "../node/control/documents.js";
import type { Log } from "../node/log.js";
import { controlUnitText } from "../node/unit.js";
import { configOf, controlSections, settingsHelp, withSettings } from "./config.js";
import { type Access, accessHelp, findControl, withAccess } from "./control-access.js";
import { type Stopped, untilStopped } from "./foreground.js";
import { emit } from "./output.js";
import { kernelBytes, packageRoot, packageVersion } from "./package-files.js";
import { parseDuration } from "./quantity.js";
import { runLogged } from "./service.js";
import { table } from "./table.js";

const startHelp = `
Runs in the foreground until Ctrl-C or SIGTERM. It finds the pool's machines over FLIP; no
address is configured. Several daemons of one pool, on different machines, form a group: any
of them answers, and any of them may go. Commands of the same user ask it at its socket;
other machines only over TLS and with a token:

  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \\
    -subj /CN=proteus -addext subjectAltName=IP:10.0.0.7 -keyout control.key -out control.crt
  (umask 077; openssl rand -hex 32 > control.token)

Examples:
  proteus control start --interface eth0
  proteus control start --store etcd://10.0.0.7:2379,10.0.0.8:2379,10.0.0.9:2379
  proteus control start --listen 10.0.0.7:9533 --tls-cert control.crt --tls-key control.key \\
    --token-file control.token`;

const statusHelp = `
Which daemons are in the group, which of them asks the machines for their health on behalf of
all, and where the one that answers keeps its state.
${accessHelp}

Examples:
  proteus control status
  proteus control status --control https://10.0.0.7:9533 --control-ca control.crt \\
    --token-file control.token --json`;

const unitFile = "/etc/systemd/system/proteus-control.service";

const unitHelp = `
It starts this installation with this Node. docs/DEPLOY.md has the whole way.

Example:
  proteus control unit | sudo tee ${unitFile}
  sudo systemctl daemon-reload && sudo systemctl enable --now proteus-control`;

/** Adds `control` and its subcommands to the program. */
export function registerControl(program: Command): void {
  const control = program.command("control").description("the daemon that looks after a pool");
  const start = control
    .command("start")
    .description("run a control daemon: find the pool's machines, watch them, answer the command line");
  withSettings(start as unknown as Command, controlSections);
  start
    .option("--json", "one JSON document when it answers", false)
    .addHelpText("after", () => settingsHelp(controlSections))
    .addHelpText("after", startHelp)
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const stopped = untilStopped();
      const config = configOf(options, controlSections);
      const json = options.json === true;
      await runLogged(config, (log) => runControl(config.values, { log, stopped, json }));
    });
  const status = control.command("status").description("which control daemons there are, and how they fare");
  withAccess(status as unknown as Command);
  status
    .option("--timeout <duration>", "how long a daemon may take to answer", "3s")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", statusHelp)
    .action(async (options: Access & { readonly timeout: string; readonly json: boolean }) => {
      const { client } = findControl(options, Math.ceil(parseDuration(options.timeout)));
      const about = await client.about();
      const [daemons, faults] = [await client.daemons(), await client.faults()];
      const lost = faults.filter(({ kind }) => kind === "daemonsLost");
      const document = { ...about, socket: client.where, daemons, faults: lost };
      emit("control status", options.json, document, () =>
        [
          statusText(about, client.where, daemons),
          ...lost.flatMap(({ message, hint }) => [message, `  next: ${hint}`]),
        ].join("\n"),
      );
    });
  control
    .command("unit")
    .description("print the systemd unit that runs this machine's control daemon")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", unitHelp)
    .action(({ json }) => {
      const main = join(packageRoot, "dist/control/cli/main.js");
      const unit = controlUnitText({ node: process.execPath, main });
      emit("control unit", json, { file: unitFile, unit }, () => unit.trimEnd());
    });
}

function statusText(about: About, where: string, daemons: readonly PoolDaemon[]): string {
  const rows = daemons.map(({ member, name, self, watching }) => [
    ...[String(member), name, watching ? "yes" : "no", self ? where : ""],
  ]);
  return [
    `pool ${about.pool}: ${daemons.length} control ${daemons.length === 1 ? "daemon" : "daemons"}`,
    `answered by ${about.name}, version ${about.version}, up ${about.uptimeSeconds} s, ` +
      `on ${about.interfaces.join(", ")}, store ${about.store}`,
    table(["MEMBER", "NAME", "WATCHES", "ANSWERS AT"], rows),
  ].join("\n");
}

interface ControlRun {
  readonly log: Log;
  readonly stopped: Stopped;
  readonly json: boolean;
}

/** Runs the daemon until it is told to stop. */
async function runControl(values: ConfigValues, { log, stopped, json }: ControlRun): Promise<void> {
  const version = packageVersion();
  const starting = startDaemon({
    ...{ values, wasm: kernelBytes(), version, dead: stopped.fail },
    say: (line) => log.warn(line),
    failed: (error) => log.error({ err: error }, "a part of the daemon failed"),
  });
  // A signal while it looks for the others ends it once it has found them: it leaves in order.
  const daemon = await starting;
  const { pool, server, interfaces, store } = daemon;
  const unwatch = pool.watch(({ kind, subject }) => log.info({ subject }, eventWords[kind]));
  try {
    const { socket, address } = server;
    const ready = { pool: pool.pool, pid: process.pid, interfaces, store, socket, address };
    emit("control start", json, ready, () =>
      [
        `pool ${pool.pool} on ${interfaces.join(", ")}`,
        `answers at ${socket}${address === null ? "" : ` and ${address}`}`,
      ].join("\n"),
    );
    log.info({ version, ...ready }, "the control daemon answers");
    await stopped.promise;
    log.info("the control daemon stops");
  } finally {
    unwatch();
    await daemon.stop();
  }
}

const eventWords = {
  joined: "a machine has joined",
  left: "a machine has stopped, as it was told to",
  lost: "a machine does not answer",
  back: "a machine answers again",
  draining: "a machine is to be emptied",
  undrained: "a machine takes new work again",
  forgotten: "a machine was struck from the list",
  booting: "a machine boots over the network",
  daemons: "the control daemons are now",
} as const;
