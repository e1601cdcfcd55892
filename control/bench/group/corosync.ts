// Corosync's closed process groups beside ours: a daemon and a member on each machine.
//
// - No systemd, no cryptography, its own standard timers. Each daemon has a mount
//   namespace of its own in which the machine's folder is /run, and an own /dev/shm: the
//   member enters it. All of that is gone with the processes.
// - The member is C (test/bench/native/cpg-member.c) so that nobody can say that the
//   language slowed it; it sleeps in poll(2), which is quicker here than spinning, as the
//   daemon on the same core can only sleep.
// - Corosync is installed by nobody but its user: without it, its rows say how.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processOf, waitUntil } from "../../lab/processes.js";
import { runTool, toolEnvironment } from "../../lab/tools.js";
import { pinned } from "../worker.js";
import { addressOf, type Lan, machineOf } from "./lan.js";
import { LineMember } from "./line-member.js";
import type { Session } from "./load.js";

export type Transport = "udp" | "knet";

export const installCorosync =
  "corosync is not installed: apt-get install corosync libcpg-dev gcc (or: npm run setup -- --bench)";

const daemonMs = 5000;

/** Corosync as it is on this machine, and the member that was built for it. */
export interface CorosyncTools {
  readonly version: string;
  /** Path of the built member. */
  readonly member: string;
  /** Removes what was built. */
  readonly remove: () => void;
}

/** Builds the member; null where Corosync, its library or a compiler is missing. */
export async function findCorosync(source: string): Promise<CorosyncTools | null> {
  const folder = mkdtempSync(join(tmpdir(), "proteus-cpg-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const { output } = await runTool(["corosync", "-v"]);
    const member = join(folder, "cpg-member");
    const built = await runTool(["cc", "-O2", "-o", member, source, "-lcpg"]);
    if (built.status === 0) return { version: output.split("\n")[0]?.trim() || "corosync", member, remove };
  } catch {
    // Not installed.
  }
  remove();
  return null;
}

/** The daemon's configuration on one machine; its folder is /run there. Pure. */
export function corosyncConfiguration(members: number, transport: Transport): string {
  const nodes = Array.from({ length: members }, (_, member) => [
    "  node {",
    `    nodeid: ${member + 1}`,
    `    name: ${machineOf(member)}`,
    `    ring0_addr: ${addressOf(member)}`,
    "  }",
  ]);
  return [
    ...["totem {", "  version: 2", "  cluster_name: bench", `  transport: ${transport}`, "}"],
    ...["nodelist {", ...nodes.flat(), "}"],
    // It shares its core with its member: real-time priority would only starve that.
    ...["system {", "  sched_rr: no", "  move_to_root_cgroup: no", "  state_dir: /run/state", "}"],
    ...["logging {", "  to_syslog: no", "  to_stderr: no", "  to_logfile: yes"],
    ...["  logfile: /run/corosync.log", "}", ""],
  ].join("\n");
}

const script = `mount --bind "$1" /run && mount -t tmpfs corosync /dev/shm && shift && exec "$@"`;

class Daemon {
  readonly #child: ChildProcess;
  readonly #folder: string;

  constructor(lan: Lan, member: number, transport: Transport) {
    const machine = machineOf(member);
    this.#folder = join(lan.machines.folder(machine), transport);
    mkdirSync(join(this.#folder, "state"), { recursive: true });
    writeFileSync(join(this.#folder, "corosync.conf"), corosyncConfiguration(lan.members, transport));
    const daemon = ["corosync", "-f", "-c", "/run/corosync.conf"];
    const own = ["unshare", "--mount", "--", "sh", "-c", script, "sh", this.#folder, ...daemon];
    const [tool = "", ...rest] = pinned(lan.machines.enter(machine), lan.core(member), own);
    this.#child = spawn(tool, rest, { env: toolEnvironment(), stdio: "ignore" });
    this.#child.on("error", () => undefined); // it never becomes ready
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until it serves groups. */
  async ready(abort: AbortSignal): Promise<void> {
    const log = join(this.#folder, "corosync.log");
    const text = () => (existsSync(log) ? readFileSync(log, "utf8") : "");
    const serves = () => text().includes("server name: cpg");
    await waitUntil(() => serves() || processOf(this.pid) === null, daemonMs, abort);
    if (!serves()) throw new Error(`corosync does not serve: ${text().trim().split("\n").at(-1) ?? ""}`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

export class Corosync implements Session {
  private constructor(
    private readonly daemons: readonly Daemon[],
    readonly members: readonly LineMember[],
  ) {}

  /** Starts it on every machine; resolves when every member sees the others. */
  static async start(
    lan: Lan,
    tools: CorosyncTools,
    transport: Transport,
    abort: AbortSignal,
  ): Promise<Corosync> {
    const all = Array.from({ length: lan.members }, (_, member) => member);
    const daemons = all.map((member) => new Daemon(lan, member, transport));
    const members: LineMember[] = [];
    try {
      await Promise.all(daemons.map((daemon) => daemon.ready(abort)));
      for (const [member, { pid }] of daemons.entries()) {
        const enter = [...lan.machines.enter(machineOf(member)), `--mount=/proc/${pid}/ns/mnt`];
        members.push(new LineMember(pinned(enter, lan.core(member), [tools.member, "sleep"])));
      }
      await Promise.all(members.map((member) => member.join(lan.members)));
      return new Corosync(daemons, members);
    } catch (error) {
      for (const each of [...members, ...daemons]) each.kill();
      throw error;
    }
  }

  /** All that is sent goes to the one group that they joined. */
  async prepare(): Promise<void> {}

  call(): Promise<never> {
    return Promise.reject(new Error("Corosync has no calls"));
  }

  killMachine(member: number): void {
    this.daemons[member]?.kill();
    this.members[member]?.kill();
  }

  kill(): void {
    for (const each of [...this.members, ...this.daemons]) each.kill();
  }
}
