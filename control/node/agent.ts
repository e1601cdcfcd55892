// The agent of a pool machine: the kernel that routes, with the servers that every machine has:
// echo, sys, segment, random, time; and bullet where it has a medium for files.
//
// - What makes each of them itself (get-port, key) comes in: from files, so that it is the same
//   after a restart, or made up. The put-ports, and capabilities with all rights for those servers
//   that look at them, are what `node start` prints.
// - Status is the document of control/interface/node.ts: who it is and what it speaks, its
//   clock, the interfaces with what they dropped, what the kernel counts, how its host fares.
// - It announces itself to the control daemons of its pool (announce.ts). While they say that it
//   is to be emptied, its segment server takes nothing new.

import { freemem, loadavg, networkInterfaces, totalmem } from "node:os";
import { sharedMemory } from "../../drivers/shared-memory/pages.js";
import { type Capability, capabilityHex } from "../capability/capability.js";
import {
  type OwnGeneration,
  passingSecrets,
  type ServerIdentity,
  type ServerSecrets,
} from "../capability/secrets.js";
import { type NodeDocument, spoken } from "../interface/node.js";
import type { Announcement } from "../interface/pool.js";
import { toHex } from "../kernel/bytes.js";
import type { Limits } from "../kernel/limits.js";
import type { FileEngine } from "../server/bullet/engine.js";
import { BulletServer } from "../server/bullet/server.js";
import { EchoServer } from "../server/echo/echo.js";
import { serveRandom } from "../server/random/random.js";
import type { ReplicationServer } from "../server/replication/server.js";
import { SegmentServer } from "../server/segment/segment.js";
import { SystemServer } from "../server/system/system.js";
import { serveTime } from "../server/time/time.js";
import { Announcer } from "./announce.js";
import type { NodeDirectory } from "./directory.js";
import type { NodeDisks } from "./disks.js";
import { hubVariable } from "./interfaces.js";
import { microseconds } from "./loop.js";
import type { RunningKernel } from "./start.js";
import { after } from "./timer.js";

export interface AgentOptions {
  readonly name: string;
  /** Of the package. */
  readonly version: string;
  readonly random: (bytes: number) => Uint8Array;
  /** The secrets of a server; default: others at every start. */
  readonly secrets?: ((server: string) => ServerSecrets) | undefined;
  /** Told when a server's own generation is another: the capabilities that were given out have ended. */
  readonly renewed?: () => void;
  /** How capabilities are made; default keyed. */
  readonly scheme?: "keyed" | "original";
  /** The files of its Bullet server; default: it has none. Who opened them closes them. */
  readonly files?: FileEngine | undefined;
  /** Told of what a server did not expect; the agent goes on. */
  readonly failed: (error: unknown) => void;
  /** The directory server of this machine, when it has one. */
  readonly directory?: NodeDirectory | undefined;
  /** The replication server of this machine, when it has one. Who started it closes it. */
  readonly replication?: ReplicationServer | undefined;
  /** The disks of this machine, when it has some. Who started them closes them. */
  readonly disks?: NodeDisks | undefined;
  /** The pool that it announces itself to; default: none. */
  readonly pool?: string;
  /** Told when the pool's daemons are found or lost, and when they want the machine emptied or not. */
  readonly noticed?: (what: "found" | "lost" | "draining" | "undrained") => void;
}

/** A pool machine's kernel: a quarter of its memory is for segments. */
export function agentLimits(memoryBytes: number): Partial<Limits> {
  return { memoryBytes, segmentBytes: Math.floor(memoryBytes / 4), segments: 4096 };
}

/** What there are capabilities of, for whoever started the machine: `directory` is the root. */
type GivenOut = AgentServer | "directory" | "directory-server" | "replication" | "disk";
/** Servers of a machine that look at capabilities. */
export type AgentServer = "sys" | "segment" | "random" | "time" | "bullet";

export class Agent {
  readonly segments: SegmentServer;
  readonly bullet: BulletServer | null;
  readonly #running: RunningKernel;
  readonly #name: string;
  readonly #version: string;
  readonly #started = microseconds();
  readonly #echo: EchoServer;
  readonly #system: SystemServer;
  readonly #random: ReturnType<typeof serveRandom>;
  readonly #time: ReturnType<typeof serveTime>;
  readonly #announcer: Announcer | null;
  readonly #directory: NodeDirectory | undefined;
  readonly #replication: ReplicationServer | undefined;
  readonly #disks: NodeDisks | undefined;
  #draining = false;

  constructor(running: RunningKernel, options: AgentOptions) {
    const { name, version, random, failed, pool, noticed, renewed, scheme = "keyed" } = options;
    const { kernel } = running;
    this.#running = running;
    this.#name = name;
    this.#version = version;
    this.#directory = options.directory;
    this.#replication = options.replication;
    this.#disks = options.disks;
    const secrets = options.secrets ?? (() => passingSecrets(random));
    const given = (server: AgentServer) => {
      const { getPort, key, own } = secrets(server);
      const told: OwnGeneration = {
        generation: own.generation,
        renew() {
          const generation = own.renew();
          queueMicrotask(() => renewed?.()); // the server has it then
          return generation;
        },
      };
      const identity: ServerIdentity = { getPort, own: told, ...(scheme === "keyed" ? { key } : {}) };
      return { kernel, random, failed, ...identity };
    };
    this.#echo = new EchoServer(kernel, secrets("echo").getPort, { threads: 4 });
    this.#system = new SystemServer({
      ...given("sys"),
      info: `pool machine ${name}`,
      describe: () => this.status(),
      interfaces: () =>
        running.interfaces.map((device) => ({
          name: device.name,
          mtu: device.mtu,
          counters: device.counters(),
        })),
    });
    const draining = () => this.#draining;
    const shared = sharedMemory();
    this.segments = new SegmentServer({ ...given("segment"), memory: kernel.segments, draining, shared });
    this.bullet =
      options.files === undefined
        ? null
        : new BulletServer({
            ...{ kernel, engine: options.files, after, failed, draining, renewed },
            ...{ getPort: secrets("bullet").getPort, key: secrets("bullet").key },
          });
    this.#random = serveRandom(given("random"));
    this.#time = serveTime({ ...given("time"), clock: Date.now });
    this.#announcer =
      pool === undefined
        ? null
        : new Announcer({
            ...{ kernel, after, random, pool, failed },
            announcement: () => this.announcement(),
            answered: ({ draining: wanted }) => {
              if (this.#draining === wanted) return;
              this.#draining = wanted;
              noticed?.(wanted ? "draining" : "undrained");
            },
            found: (found) => noticed?.(found ? "found" : "lost"),
          });
  }

  /** What it says to the pool's control daemons. */
  announcement(): Omit<Announcement, "leaving"> {
    const { kernel, interfaces } = this.#running;
    return {
      name: this.#name,
      address: toHex(kernel.address),
      kind: interfaces.length > 1 ? "router" : "pool",
      version: this.#version,
      servers: {
        echo: toHex(this.#echo.putPort),
        sys: toHex(this.#system.putPort),
        segment: toHex(this.segments.putPort),
        random: toHex(this.#random.putPort),
        time: toHex(this.#time.putPort),
        ...(this.bullet === null ? {} : { bullet: toHex(this.bullet.putPort) }),
        ...(this.#directory === undefined ? {} : { directory: toHex(this.#directory.putPort) }),
        ...(this.#replication === undefined ? {} : { replication: toHex(this.#replication.putPort) }),
        ...(this.#disks === undefined ? {} : { disk: toHex(this.#disks.putPort) }),
      },
    };
  }

  /** True while the pool's daemons want it emptied. */
  get draining(): boolean {
    return this.#draining;
  }

  get echoPort(): Uint8Array {
    return this.#echo.putPort;
  }

  get statusPort(): Uint8Array {
    return this.#system.putPort;
  }

  /** Capabilities with all rights, as hex: for whoever started this machine. */
  capabilities(): Readonly<Partial<Record<GivenOut, string>>> {
    const hex = (server: { capability(): Capability }): string => capabilityHex(server.capability());
    return {
      sys: hex(this.#system),
      segment: hex(this.segments),
      random: hex(this.#random),
      time: hex(this.#time),
      ...(this.bullet === null ? {} : { bullet: hex(this.bullet) }),
      ...(this.#directory === undefined
        ? {}
        : {
            directory: capabilityHex(this.#directory.root()),
            "directory-server": capabilityHex(this.#directory.itself()),
          }),
      ...(this.#replication === undefined ? {} : { replication: hex(this.#replication) }),
      ...(this.#disks === undefined ? {} : { disk: hex(this.#disks) }),
    };
  }

  /** Calls that the echo service has executed. */
  get executions(): number {
    return this.#echo.executions;
  }

  status(): NodeDocument {
    const { kernel, interfaces } = this.#running;
    return {
      name: this.#name,
      address: toHex(kernel.address),
      version: this.#version,
      ...spoken,
      clockMs: Date.now(),
      uptimeSeconds: Math.floor((microseconds() - this.#started) / 1e6),
      draining: this.#draining,
      load: loadavg(),
      memory: { freeBytes: freemem(), totalBytes: totalmem() },
      threadsBusy: kernel.threadsBusy,
      executions: this.#echo.executions,
      segments: kernel.segments.stat(),
      ...(this.bullet === null ? {} : { files: this.bullet.usage() }),
      ...(this.#disks === undefined ? {} : { disks: this.#disks.usage() }),
      interfaces: interfaces.map((device) => ({
        name: device.name,
        mac: toHex(device.address),
        mtu: device.mtu,
        subnets: device.weight === undefined ? subnetsOf(device.name) : [],
        ...device.counters(),
      })),
      counters: kernel.counters(),
    };
  }

  /** Tells the pool's daemons that it stops; waits little for that. */
  async leave(): Promise<void> {
    await this.#announcer?.leave();
  }

  close(): void {
    this.#announcer?.close();
    const servers = [this.#echo, this.#system, this.segments, this.#random, this.#time, this.bullet];
    for (const server of servers) server?.close();
  }
}

/** The IPv4 networks of an interface of this machine; none for one of a LAN in memory. */
function subnetsOf(name: string): string[] {
  if (process.env[hubVariable(name)]) return [];
  const addresses = (networkInterfaces()[name] ?? []).filter(({ family }) => family === "IPv4");
  return addresses.flatMap(({ cidr }) => (cidr === null ? [] : [networkOf(cidr)]));
}

/** `10.1.2.3/24` as `10.1.2.0/24`. */
function networkOf(cidr: string): string {
  const [address = "", length = "32"] = cidr.split("/");
  const bits = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(bits / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".")}/${length}`;
}
