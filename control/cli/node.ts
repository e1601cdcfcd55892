// `proteus node`: the agent of a pool machine, and how to ask it. What the agent does is
// control/node/agent.ts; here are its options, and the file that says that it is ready. What
// the pool's control daemons know of machines is node-pool.ts.

import { randomBytes } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { portOnly } from "../capability/capability.js";
import { parsePort, portHex } from "../capability/port.js";
import type { ServerSecrets } from "../capability/secrets.js";
import { type NodeDocument, nodeDocumentSchema, spoken } from "../interface/node.js";
import { systemTable } from "../interface/system.js";
import { toHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { Agent, agentLimits } from "../node/agent.js";
import { type OpenBullet, openBullet } from "../node/bullet.js";
import { parseListen } from "../node/config/listen.js";
import type { ConfigValues } from "../node/config/settings.js";
import { type NodeDirectory, startDirectory } from "../node/directory.js";
import { NodeDisks } from "../node/disks.js";
import type { Log } from "../node/log.js";
import { NodeMetrics } from "../node/metrics/metrics.js";
import { servePages } from "../node/metrics/server.js";
import { startReplication } from "../node/replication.js";
import { openSecrets, secretsFolder } from "../node/secrets.js";
import { type RunningKernel, startKernel } from "../node/start.js";
import { unitText } from "../node/unit.js";
import { Watch } from "../node/watch.js";
import type { ReplicationServer } from "../server/replication/server.js";
import { stub } from "../stub/client.js";
import { configOf, nodeSections, settingsHelp, withSettings } from "./config.js";
import { collect, type Stopped, untilStopped } from "./foreground.js";
import { registerPoolNodes } from "./node-pool.js";
import { emit, narrate } from "./output.js";
import { kernelBytes, packageRoot, packageVersion } from "./package-files.js";
import { parseDuration } from "./quantity.js";
import { runLogged } from "./service.js";

const startHelp = `
Runs in the foreground until Ctrl-C or SIGTERM. With two interfaces the machine routes
FLIP between them. Its servers (echo, sys, segment, random, time) get ports of their own at
every start, or, with a state folder, keep those that they had: their secrets are files there.
With --bullet it has a Bullet server too, whose files are on that medium.
Ports and capabilities with all rights are printed, and written to the ready file when there
is one. It announces itself to the control daemons of its pool. The log goes
to standard error; \`proteus metrics\` shows what the node counts.

Examples:
  proteus node start --interface eth0
  proteus node start --interface eth0 --interface eth1 --json
  proteus node start --interface eth0 --interface serial:/dev/ttyS0@115200
  proteus node start --interface eth0 --interface ip:10.0.0.2=PUBLICKEY+key=/etc/proteus/link.key
  proteus node start --interface eth0 --state /var/lib/proteus-node
  proteus node start --interface eth0 --state /var/lib/proteus-node --bullet /srv/proteus.files --bullet-size 10G
  proteus node start --config n1.toml --log-format json --log-level debug`;

const unitFile = "/etc/systemd/system/proteus-node.service";

const unitHelp = `
It starts this installation with this Node. docs/DEPLOY.md has the whole way.

Example:
  proteus node unit | sudo tee ${unitFile}
  sudo systemctl daemon-reload && sudo systemctl enable --now proteus-node`;

const statusHelp = `
The status port is printed by \`node start\`.

Example:
  proteus node status --port 0f8905c8feff --interface eth0 --json`;

/** Adds `node` and its subcommands to the program. */
export function registerNode(program: Command): void {
  const node = program.command("node").description("the machines of a pool, and the agent of this one");
  const start = node
    .command("start")
    .description("run this machine's agent: kernel, routing, and the servers that every machine has");
  withSettings(start as unknown as Command, nodeSections);
  start
    .option("--json", "one JSON document when it serves", false)
    .addHelpText("after", () => settingsHelp(nodeSections))
    .addHelpText("after", startHelp)
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const stopped = untilStopped();
      const config = configOf(options, nodeSections);
      await runLogged(config, (log) => runNode(config.values, { log, stopped, json: options.json === true }));
    });
  registerPoolNodes(node as unknown as Command);
  node
    .command("unit")
    .description("print the systemd unit that runs this machine's agent")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", unitHelp)
    .action(({ json }) => {
      const unit = unitText({ node: process.execPath, main: join(packageRoot, "dist/control/cli/main.js") });
      emit("node unit", json, { file: unitFile, unit }, () => unit.trimEnd());
    });
  node
    .command("status")
    .description("ask a machine's status service")
    .requiredOption("--port <port>", "its status port")
    .option("--interface <name>", "network to ask on", collect, [])
    .option("--timeout <duration>", "how long to look for it", "5s")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", statusHelp)
    .action(async ({ port, interface: interfaces, timeout, json }) => {
      const statusPort = parsePort(port);
      const locateTimeoutMs = parseDuration(timeout);
      const running = await startKernel({ wasm: kernelBytes(), interfaces, say: narrate });
      try {
        const sys = stub(running.kernel, systemTable, portOnly(statusPort), { locateTimeoutMs });
        const document = parseStatus((await sys.status()).text);
        emit("node status", json, document, () => statusText(document));
      } finally {
        await running.finish();
      }
    });
}

const noticedWords = {
  found: "a control daemon of the pool answers",
  lost: "no control daemon of the pool answers",
  draining: "the machine is being emptied: it takes nothing new",
  undrained: "the machine takes new work again",
} as const;

interface NodeRun {
  readonly log: Log;
  readonly stopped: Stopped;
  readonly json: boolean;
}

/** Runs the agent until it is told to stop. */
async function runNode(values: ConfigValues, { log, stopped, json }: NodeRun): Promise<void> {
  const name = values["node.name"];
  const version = packageVersion();
  const running = await startKernel({
    wasm: kernelBytes(),
    interfaces: values["node.interfaces"],
    say: (line) => log.warn(line),
    failed: stopped.fail,
    limits: agentLimits(values["node.memory"]),
  });
  try {
    const failed = (error: unknown) => log.error({ err: error }, "a server failed");
    const pool = values["pool.name"];
    const announced = values["pool.announce"] ? { pool } : {};
    const noticed = (what: keyof typeof noticedWords) => log.info({ pool }, noticedWords[what]);
    const state = values["node.state"];
    const secrets = (server: string) => openSecrets(secretsFolder(state), server, randomBytes);
    // A server whose own capabilities were revoked has others: those in the file stay good.
    let writeReady = (): void => undefined;
    const directory = await startDirectory({
      ...{ kernel: running.kernel, name, state, secrets, failed },
      members: values["directory.members"],
    });
    const files = await openFiles(values, log);
    const replication = startCopies(values, running.kernel, directory, { secrets, failed, log });
    const disks = await startDisks(values, running, { secrets, failed, log });
    const agent = new Agent(running, {
      ...{ directory, replication, disks, name, version, random: randomBytes, failed, noticed, ...announced },
      secrets: state === "" ? undefined : secrets,
      renewed() {
        try {
          writeReady();
        } catch (error) {
          failed(error); // it serves on
        }
      },
      scheme: values["node.capabilities"],
      files: files?.volume,
    });
    const measured = {
      ...{ ...running, executions: () => agent.executions },
      ...(files === null ? {} : { files: () => files.volume.usage() }),
    };
    const metrics = new NodeMetrics(measured, { name, version, abi: spoken.abi });
    const watch = new Watch(running, log, () => metrics.sample());
    const pages = await servePages(
      parseListen(values["metrics.listen"]).listen,
      {
        metrics: async () => ({ text: await metrics.text(), type: metrics.registry.contentType }),
        status: () => agent.status(),
      },
      (error) => log.error({ err: error }, "a request for metrics failed"),
    );
    try {
      watch.start();
      const ready = { ...describe(running, agent, name), metrics: pages?.where ?? null };
      writeReady = () =>
        writeReadyFile(values["node.ready_file"], {
          ...ready,
          capabilities: agent.capabilities(),
        });
      writeReady();
      emit("node start", json, ready, () =>
        [
          `${name} serves on ${ready.interfaces.map((i) => i.name).join(", ")}`,
          `echo put-port   ${ready.echo}`,
          `status put-port ${ready.status}`,
          ...Object.entries(ready.capabilities).map(([server, hex]) => `${server.padEnd(7)} ${hex}`),
        ].join("\n"),
      );
      const { address, metrics: where } = ready;
      log.info({ version, address, interfaces: ready.interfaces, metrics: where }, "the node serves");
      await stopped.promise;
      log.info({ executions: agent.executions }, "the node stops");
      await agent.leave();
      replication?.close();
      await disks?.close();
      await directory?.leave();
      agent.close();
      await running.finish();
    } finally {
      watch.close();
      await pages?.close();
      await files?.close();
    }
  } finally {
    running.close();
  }
}

/** The volume of this machine's Bullet server, when it is to have one. */
async function openFiles(values: ConfigValues, log: Log): Promise<OpenBullet | null> {
  const path = values["bullet.path"];
  if (path === "") return null;
  if (values["node.state"] === "")
    throw new ProteusError({
      code: "BULLET_STATE",
      exit: exitCodes.usage,
      message: "a Bullet server needs a state folder",
      why: "its files outlive this program, and without its secrets no capability to them would",
      unchanged: "nothing was started",
      hint: "set node.state (--state, PROTEUS_STATE) to a folder of this user",
    });
  const inodes = values["bullet.inodes"];
  const opened = await openBullet({
    ...{ path, bytes: values["bullet.size"], cacheBytes: values["bullet.cache"], random: randomBytes },
    ...(inodes === 0 ? {} : { inodes }),
  });
  const { report } = opened.volume;
  if (report.clean) log.info({ path, ...opened.volume.usage() }, "the Bullet volume is open");
  else log.warn({ path, report }, "the Bullet volume is damaged: proteus bullet check says more");
  return opened;
}

interface CopiesGiven {
  readonly secrets: (server: string) => ServerSecrets;
  readonly failed: (error: unknown) => void;
  readonly log: Log;
}

/** The replication server of this machine, when it is to have one. */
function startCopies(
  values: ConfigValues,
  kernel: Kernel,
  directory: NodeDirectory | undefined,
  { secrets, failed, log }: CopiesGiven,
): ReplicationServer | undefined {
  if (!values["replication.run"]) return undefined;
  if (values["node.state"] === "")
    throw new ProteusError({
      code: "REPLICATION_STATE",
      exit: exitCodes.usage,
      message: "a replication server needs a state folder",
      why: "without its secrets no capability to it would outlive this program",
      unchanged: "nothing was started",
      hint: "set node.state (--state, PROTEUS_STATE) to a folder of this user",
    });
  return startReplication({
    ...{ kernel, secrets, failed, ownRoot: directory?.root.bind(directory) },
    ...{ root: values["replication.root"], servers: values["replication.servers"] },
    ...{ copies: values["replication.copies"], bytesPerSecond: values["replication.rate"] },
    intervalMs: values["replication.interval"] * 1000,
    graceMs: values["replication.grace"] * 1000,
    verifyMs: values["replication.verify"] * 1000,
    told: ({ acts, problems, files, whole }) =>
      log[problems.length > 0 ? "warn" : "info"]({ files, whole, acts, problems }, "copies of files"),
  });
}

/** The disks of this machine: with a state folder, unless it is to have none. */
async function startDisks(
  values: ConfigValues,
  { kernel, calm }: RunningKernel,
  { secrets, failed, log }: CopiesGiven,
): Promise<NodeDisks | undefined> {
  const [name, state] = [values["node.name"], values["node.state"]];
  if (!values["disk.run"] || state === "") return undefined;
  return NodeDisks.start({
    ...{ kernel, name, state, secrets, failed, used: calm },
    log: (line) => log.info(line),
  });
}

/** Who a machine is, and what its services are called by. */
function describe({ kernel, interfaces }: RunningKernel, agent: Agent, name: string) {
  return {
    name,
    pid: process.pid,
    address: toHex(kernel.address),
    interfaces: interfaces.map((device) => ({
      name: device.name,
      mac: toHex(device.address),
      mtu: device.mtu,
    })),
    echo: portHex(agent.echoPort),
    status: portHex(agent.statusPort),
    capabilities: agent.capabilities(),
  };
}

/** What a status service answered; another server may answer anything. */
function parseStatus(text: string): NodeDocument {
  try {
    return nodeDocumentSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ProteusError({
      code: "ANSWER_WRONG",
      exit: exitCodes.failed,
      message: "what answered is no status service",
      why: `it sent ${text.length} characters that do not describe a machine`,
      hint: "the status port is the one that `proteus node start` printed as status put-port",
      cause,
    });
  }
}

/** By rename, so that whoever waits for the file never reads half of it. */
function writeReadyFile(path: string, document: object): void {
  if (path === "") return;
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(document)}\n`, { mode: 0o600 }); // capabilities
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new ProteusError({
      code: "READY_FILE",
      exit: exitCodes.failed,
      message: `${path} could not be written`,
      why: cause instanceof Error ? cause.message : String(cause),
      hint: "set node.ready_file (PROTEUS_READY_FILE) to a path in a folder that exists, or unset it",
      cause,
    });
  }
}

function statusText(document: Record<string, unknown>): string {
  return Object.entries(document)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join("\n");
}
