// Two deployed machines behind ssh, and the desk of their administrator: h1 and h2 have just a C
// library, a shell, an sshd of their own and the unpacked archive; `desk` is on the same network.
//
// - Keys, configuration and host keys live in the lab's folder; nothing of this computer's
//   own ssh is read or changed, and no sshd listens outside of the lab.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { layOut } from "../../scripts/bundle.mjs";
import { BareMachine } from "./bare-machine.js";
import { LabRunner, mainPath, type Outcome, type Running } from "./lab-runner.js";
import { until } from "./programs.js";

const sshd = "/usr/sbin/sshd";
/** Where newer versions of sshd have its parts. */
const parts = "/usr/lib/openssh";
/** What a measurement wants of a machine, and Debian always has. */
const tools = ["/usr/bin/taskset", "/usr/sbin/ethtool"];
const hosts = { h1: "10.0.0.1", h2: "10.0.0.2" } as const;

export const hasSshd = existsSync(sshd);

const settings = `Port 22
HostKey /etc/ssh/host
AuthorizedKeysFile /etc/ssh/authorized
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
PidFile none
`;

function makeKey(path: string): string {
  const { status, stderr } = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  if (status !== 0) throw new Error(`ssh-keygen: ${stderr}`);
  return readFileSync(`${path}.pub`, "utf8");
}

export class SshPool {
  readonly lab = new LabRunner();
  readonly #folder = join(this.lab.folder, "ssh");
  readonly root = join(this.lab.folder, "root");
  #machines: readonly BareMachine[] = [];

  /** Makes all of it; resolves when both machines let people in. */
  async up(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    const file = join(this.#folder, "pool.yaml");
    const node = (name: string) => `  ${name}: { kind: host, networks: [lan0] }\n`;
    writeFileSync(file, `networks: { lan0: }\nnodes:\n${["h1", "h2", "desk"].map(node).join("")}`);
    await this.lab.must(["lab", "up", file, "--isolation", "netns"], { cwd: "/" });
    this.#machines = Object.keys(hosts).map((name) => new BareMachine(this.lab, name, this.root));
    layOut(this.root);
    this.#configure();
    await Promise.all(this.#machines.map((machine) => this.#listen(machine)));
  }

  machine(name: keyof typeof hosts): BareMachine {
    const found = this.#machines[name === "h1" ? 0 : 1];
    if (found === undefined) throw new Error("the pool is not up");
    return found;
  }

  #configure(): void {
    const [machine] = this.#machines;
    const own = existsSync(parts) ? readdirSync(parts).filter((name) => name.startsWith("sshd-")) : [];
    for (const program of [sshd, ...tools, ...own.map((name) => join(parts, name))])
      machine?.install(program);
    const etc = join(this.root, "etc");
    mkdirSync(join(etc, "ssh"));
    mkdirSync(join(this.root, "run", "sshd"), { mode: 0o755 });
    writeFileSync(join(etc, "passwd"), "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n");
    writeFileSync(join(etc, "ssh", "config"), settings);
    const host = makeKey(join(etc, "ssh", "host"));
    writeFileSync(join(etc, "ssh", "authorized"), makeKey(join(this.#folder, "key")));
    makeKey(join(this.#folder, "other-key"));
    const line = `${Object.values(hosts).join(",")} ${host}`;
    writeFileSync(join(this.#folder, "known_hosts"), line);
    chmodSync(this.root, 0o755);
  }

  async #listen(machine: BareMachine): Promise<void> {
    const running = machine.start([sshd, "-D", "-e", "-f", "/etc/ssh/config"]);
    let said = "";
    running.child.stderr?.on("data", (text: string) => {
      said += text;
    });
    await until("sshd", () => {
      if (running.child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
      return said.includes("Server listening on 0.0.0.0") || undefined;
    });
  }

  /** The ssh command, as PROTEUS_SSH takes it. */
  ssh(key = "key"): string {
    const known = `-o UserKnownHostsFile=${join(this.#folder, "known_hosts")}`;
    return `ssh -F none -o BatchMode=yes -o ConnectTimeout=5 ${known} -i ${join(this.#folder, key)}`;
  }

  /** A command of Proteus at the administrator's desk, that goes on. */
  start(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
    const all = { PROTEUS_SSH: this.ssh(), ...environment };
    return this.lab.start(["lab", "exec", "desk", "--", process.execPath, mainPath, ...words], {
      ...{ cwd: "/", environment: all },
    });
  }

  run(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return this.start(words, environment).outcome;
  }

  /** The processes on the machines whose command has these words. */
  running(words: string): number[] {
    return readdirSync("/proc").flatMap((entry) => {
      try {
        const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ");
        return command.includes(words) && readlinkSync(`/proc/${entry}/root`) === this.root
          ? [Number(entry)]
          : [];
      } catch {
        return []; // no process, or one that has ended
      }
    });
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

/** A machine's name on the command line. */
export const at = (name: keyof typeof hosts): string => `ssh:root@${hosts[name]}`;
