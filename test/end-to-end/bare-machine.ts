// A machine started from nothing: a node of a lab with a root file system of its own that has
// a C library, a shell, tar and a few of its like, and no Node.
//
// - What runs there sees the node's network, its own files and its own processes; nothing
//   of this computer's environment.
// - Mounts live in the mount namespace of each command and go with it.

import { spawnSync } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { LabRunner, Running } from "./lab-runner.js";

/** What the page and its tests need of a system. */
const tools = ["sh", "tar", "gzip", "mkdir", "ln", "cat", "readlink", "dirname", "setpriv"];
const nobody = 65534;

function output(command: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")} ended with ${status}\n${stderr}`);
  return stdout;
}

const chroot = "/usr/sbin/chroot"; // the clean environment has no path of this computer

/** The files that a program loads before it begins. */
function librariesOf(program: string): string[] {
  return [...output("ldd", program).matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap(([, path = ""]) => [path]);
}

export class BareMachine {
  readonly #lab: LabRunner;
  readonly #node: string;
  readonly root: string;

  /** Fills the folder `root`; machines may share one, each with a network and processes of its own. */
  constructor(lab: LabRunner, node: string, root: string) {
    this.#lab = lab;
    this.#node = node;
    this.root = root;
    for (const folder of ["bin", "proc", "sys", "dev", "tmp", "root", "etc", "run"])
      mkdirSync(join(root, folder), { recursive: true });
    for (const device of ["null", "urandom"]) writeFileSync(join(root, "dev", device), "");
    const programs = tools.map((name) => [name, realpathSync(output("which", name).trim())] as const);
    for (const [name, path] of programs) copyFileSync(path, join(root, "bin", name));
    const all = [process.execPath, ...programs.map(([, path]) => path)];
    for (const library of new Set(all.flatMap(librariesOf))) this.put(library, library);
  }

  /** Copies a file of this computer there. */
  put(from: string, to: string): void {
    const path = join(this.root, to);
    if (existsSync(path)) return;
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(realpathSync(from), path);
  }

  /** Copies a program of this computer there, with what it loads. */
  install(program: string): void {
    const path = realpathSync(program);
    for (const library of librariesOf(path)) this.put(library, library);
    this.put(path, program);
  }

  /** A folder that the service's user may write to. */
  give(folder: string): void {
    mkdirSync(join(this.root, folder), { recursive: true });
    chownSync(join(this.root, folder), nobody, nobody);
  }

  /** A command there, that goes on; `input` on its stdin. */
  start(command: readonly string[], input = "", environment: Readonly<Record<string, string>> = {}): Running {
    const { root } = this;
    const binds = ["null", "urandom"].map((name) => `mount --bind /dev/${name} "$0/dev/${name}"`);
    const mounts = ['mount -t proc proc "$0/proc"', 'mount -t sysfs sys "$0/sys"', ...binds];
    const clean = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/root", ...environment };
    const pairs = Object.entries(clean).map(([name, value]) => `${name}=${value}`);
    const enter = `${mounts.join(" && ")} && exec env -i "$@"`;
    const unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, root];
    const words = ["lab", "exec", this.#node, "--", ...unshare, ...pairs, chroot, root, ...command];
    return this.#lab.start(words, { cwd: "/", input });
  }

  /** Runs lines of a shell there, which must all succeed; what they wrote to stdout. */
  async shell(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.start(["/bin/sh", "-e"], script).outcome;
    if (status !== 0)
      throw new Error(`on ${this.#node}, with status ${status}:\n${script}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** Starts what a systemd unit there says, with the rights that it says. */
  service(unit: string): Running {
    const settingOf = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";
    const rights = settingOf("AmbientCapabilities")
      .split(" ")
      .map((name) => `+${name.replace(/^CAP_/, "").toLowerCase()}`);
    const only = `-all,${rights.join(",")}`;
    const variables = [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)];
    const environment = Object.fromEntries(variables.map(([, name = "", value = ""]) => [name, value]));
    this.give(`run/${settingOf("RuntimeDirectory")}`);
    this.give(`var/lib/${settingOf("StateDirectory")}`);
    const user = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--no-new-privs"];
    const caps = [`--inh-caps=${only}`, `--ambient-caps=${only}`, `--bounding-set=${only}`];
    return this.start(
      ["/bin/setpriv", ...user, ...caps, ...settingOf("ExecStart").split(" ")],
      "",
      environment,
    );
  }

  /** Sends SIGTERM to the service, as systemd does: to the program itself. */
  stop(): void {
    const here = readdirSync("/proc").filter((entry) => {
      try {
        const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
        return (
          readlinkSync(`/proc/${entry}/root`) === this.root && words.slice(-3, -1).join(" ") === "node start"
        );
      } catch {
        return false; // no process, or one that has ended
      }
    });
    if (here.length !== 1) throw new Error(`${here.length} services run on ${this.#node}`);
    process.kill(Number(here[0]), "SIGTERM");
  }
}
