// A wire for tests: a few machines on one bridge, each a network namespace of its own.
//
// - Needs root. Names are unique to the process; `remove` takes everything away again.
// - `inside` runs a function with the thread in a machine's namespace, so one test process
//   can hold devices of several machines: a socket stays in the namespace it was made in.

import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";

const CLONE_NEWNET = 0x40000000;

function run(command: string): void {
  const [program = "", ...rest] = command.split(" ");
  execFileSync(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
}

let made = 0;

export class TestWire {
  private readonly prefix = `pt${process.pid}x${made++}`;
  private readonly bridge = `${this.prefix}s`;
  private readonly namespaces: string[] = [];
  private readonly setns: (fd: number, kind: number) => number;

  constructor(machines: number, mtu = 1500) {
    const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
    this.setns = koffi.load(null).func("int setns(int fd, int kind)");
    try {
      this.namespace(this.bridge);
      run(`ip -n ${this.bridge} link add br0 mtu ${mtu} type bridge`);
      run(`ip -n ${this.bridge} link set br0 up`);
      for (let i = 1; i <= machines; i++) this.machine(i, mtu);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Runs `action` inside machine 1, 2 …; it must not wait for anything. */
  inside<Result>(machine: number, action: () => Result): Result {
    const home = openSync("/proc/thread-self/ns/net", "r");
    const there = openSync(`/run/netns/${this.prefix}m${machine}`, "r");
    try {
      if (this.setns(there, CLONE_NEWNET) !== 0) throw new Error("setns failed");
      return action();
    } finally {
      this.setns(home, CLONE_NEWNET);
      closeSync(there);
      closeSync(home);
    }
  }

  /** The name of a machine's namespace, for `ip netns exec`. */
  namespaceOf(machine: number): string {
    return `${this.prefix}m${machine}`;
  }

  /** `ip` in a machine's namespace. */
  ip(machine: number, command: string): void {
    run(`ip -n ${this.prefix}m${machine} ${command}`);
  }

  remove(): void {
    for (const name of this.namespaces.splice(0)) {
      try {
        run(`ip netns del ${name}`);
      } catch {
        // gone already
      }
    }
  }

  private namespace(name: string): void {
    run(`ip netns add ${name}`);
    this.namespaces.push(name);
    run(`ip netns exec ${name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1`);
    run(`ip netns exec ${name} sysctl -qw net.ipv6.conf.default.disable_ipv6=1`);
  }

  private machine(number: number, mtu: number): void {
    const name = `${this.prefix}m${number}`;
    this.namespace(name);
    run(
      `ip -n ${name} link add eth0 mtu ${mtu} type veth peer name m${number} mtu ${mtu} netns ${this.bridge}`,
    );
    run(`ip -n ${this.bridge} link set m${number} master br0 up`);
    run(`ip -n ${name} link set lo up`);
    run(`ip -n ${name} link set eth0 up`);
  }
}
