// An etcd cluster of three members on loopback, out of Debian's etcd-server, for one test file.
//
// - Its files are in a folder of its own; `close` ends the members and removes it. Should the
//   test be killed, the members die with it.
// - Members are killed as by a power cut, stopped as by a hang, and started again with their data.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const deadlineMs = 30_000;

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  process: ChildProcess | null;
}

/** Asks again until the answer is yes; whether it came to be. */
async function waitUntil(condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await setTimeout(50);
  }
  return true;
}

/** Whether this machine has etcd. */
export function hasEtcd(): boolean {
  try {
    execFileSync("etcd", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Ports that nobody listens on, each once. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    ports.push(address.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, "close");
  }
  return ports;
}

export class EtcdCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), "proteus-etcd-"));
  readonly #members: Member[] = [];

  static async start(size = 3): Promise<EtcdCluster> {
    const cluster = new EtcdCluster();
    try {
      const ports = await freePorts(2 * size);
      for (let i = 0; i < size; i++) {
        const [clientPort = 0, peerPort = 0] = [ports[2 * i], ports[2 * i + 1]];
        cluster.#members.push({ name: `m${i}`, clientPort, peerPort, process: null });
      }
      for (const member of cluster.#members) cluster.#spawn(member);
      await cluster.#healthy();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  get endpoints(): string[] {
    return this.#members.map(({ clientPort }) => `127.0.0.1:${clientPort}`);
  }

  #logOf({ name }: Member): string {
    return join(this.#folder, `${name}.log`);
  }

  #spawn(member: Member): void {
    const client = `http://127.0.0.1:${member.clientPort}`;
    const peer = `http://127.0.0.1:${member.peerPort}`;
    const all = this.#members.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`);
    const flags = {
      name: member.name,
      "data-dir": join(this.#folder, member.name),
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "listen-peer-urls": peer,
      "initial-advertise-peer-urls": peer,
      "initial-cluster": all.join(","),
      "initial-cluster-token": this.#folder,
      "initial-cluster-state": "new",
      logger: "zap",
    };
    const words = Object.entries(flags).map(([flag, text]) => `--${flag}=${text}`);
    const log = openSync(this.#logOf(member), "a");
    // setpriv: it dies with us.
    member.process = spawn("setpriv", ["--pdeathsig", "KILL", "etcd", ...words], {
      stdio: ["ignore", log, log],
      env: { PATH: process.env.PATH },
    });
    closeSync(log);
  }

  async #ask(member: Member, path: string): Promise<string> {
    try {
      const response = await fetch(`http://127.0.0.1:${member.clientPort}${path}`, {
        signal: AbortSignal.timeout(1000),
      });
      return await response.text();
    } catch {
      return "";
    }
  }

  /** Waits until all members that run answer. */
  async #healthy(): Promise<void> {
    for (const member of this.#members) {
      if (member.process === null) continue;
      const isHealthy = async (): Promise<boolean> => (await this.#ask(member, "/health")).includes('"true"');
      if (await waitUntil(isHealthy)) continue;
      const log = readFileSync(this.#logOf(member), "utf8").slice(-2000);
      throw new Error(`${member.name} does not get healthy:\n${log}`);
    }
  }

  async #leader(): Promise<Member> {
    let leader: Member | undefined;
    const find = async (): Promise<boolean> => {
      for (const member of this.#members) {
        if (member.process === null) continue;
        if ((await this.#ask(member, "/metrics")).includes("\netcd_server_is_leader 1")) leader = member;
      }
      return leader !== undefined;
    };
    if (!(await waitUntil(find)) || leader === undefined) throw new Error("no leader");
    return leader;
  }

  async #kill(member: Member): Promise<void> {
    const { process: child } = member;
    member.process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** A power cut for the member that leads. */
  async killLeader(): Promise<void> {
    await this.#kill(await this.#leader());
  }

  /** A power cut for the member with that index. */
  async kill(index: number): Promise<void> {
    const member = this.#members[index];
    if (member !== undefined) await this.#kill(member);
  }

  /** The leader hangs: it keeps its connections and answers nothing. `revive` ends that. */
  async stopLeader(): Promise<void> {
    (await this.#leader()).process?.kill("SIGSTOP");
  }

  /** Starts what was killed, lets go on what was stopped, and waits until all are well. */
  async revive(): Promise<void> {
    for (const member of this.#members) {
      if (member.process === null) this.#spawn(member);
      else member.process.kill("SIGCONT");
    }
    await this.#healthy();
  }

  /** How many keys there are that begin so, whoever wrote them. */
  async count(prefix: string): Promise<number> {
    const [member] = this.#members;
    const end = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
    const body = JSON.stringify({ key: btoa(prefix), range_end: btoa(end), count_only: true });
    const response = await fetch(`http://127.0.0.1:${member?.clientPort}/v3/kv/range`, {
      method: "POST",
      body,
    });
    const answer: unknown = await response.json();
    if (typeof answer !== "object" || answer === null || !("header" in answer)) throw new Error("no answer");
    return "count" in answer ? Number(answer.count) : 0;
  }

  async close(): Promise<void> {
    for (const member of this.#members) await this.#kill(member);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
