// What Proteus needs of a machine, one table: how each thing is looked for, what it is for,
// and the command that mends it when it is missing. `proteus doctor` shows it.
//
// - A check looks at the machine and changes nothing; what has to be tried (namespaces,
//   queueing disciplines) is tried in a network namespace that is gone afterwards.
// - Required: without it that purpose is impossible. The rest is slower, or poorer.

import { readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { z } from "zod";
import { loadAddon } from "../../../drivers/ethernet/addon.js";
import { linkState } from "../../../drivers/ethernet/link-state.js";
import { ProteusError } from "../../kernel/errors.js";
import { chooseIsolation, unshareArguments } from "../../lab/isolation.js";
import { runTool } from "../../lab/tools.js";
import { loadConfig } from "../../node/config/load.js";
import { defaultInterface } from "../../node/start.js";
import { offlineKernel, packageRoot } from "../package-files.js";

export const purposes = ["node", "lab", "bench", "development"] as const;
export type Purpose = (typeof purposes)[number];

/** What a look has found. */
export interface Sight {
  readonly ok: boolean;
  /** What is there, or what is wrong; one line. */
  readonly seen: string;
  /** The command that mends it. */
  readonly mend?: string;
}

export interface Check {
  readonly name: string;
  /** What does not work, or works worse, without it. */
  readonly why: string;
  readonly for: readonly Purpose[];
  readonly required: boolean;
  readonly look: () => Sight | Promise<Sight>;
}

const needSchema = z.array(
  z.object({
    package: z.string(),
    command: z.string().optional(),
    file: z.string().optional(),
    purpose: z.string(),
    for: z.array(z.enum(purposes)),
    setup: z.enum(["always", "test", "bench", "never"]),
  }),
);

/** Debian packages: the table that `npm run setup` installs from. */
function packageChecks(): Check[] {
  const needs = needSchema.parse(
    JSON.parse(readFileSync(join(packageRoot, "scripts", "needs.json"), "utf8")),
  );
  return needs.map((need) => ({
    name: need.package,
    why: need.purpose,
    for: need.for,
    required: need.for.includes("lab"),
    look: () => {
      const path = need.file === undefined ? findCommand(need.command ?? "") : existing(need.file);
      if (path !== null) return { ok: true, seen: path };
      return {
        ok: false,
        seen: `${need.file ?? need.command} is not there`,
        mend: `sudo apt-get install -y ${need.package}`,
      };
    },
  }));
}

const existing = (path: string): string | null =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true ? path : null;

function findCommand(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    const path = join(folder, name);
    if (((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o111) !== 0) return path;
  }
  return null;
}

const nodeLeast = [20, 19] as const;

function nodeVersion(): Sight {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > nodeLeast[0] || (major === nodeLeast[0] && minor >= nodeLeast[1]);
  return {
    ok,
    seen: process.version,
    mend: `install Node.js ${nodeLeast.join(".")} or later: https://nodejs.org/en/download`,
  };
}

function kernel(): Sight {
  try {
    offlineKernel();
    return { ok: true, seen: "kernel.wasm loads" };
  } catch (error) {
    const why = error instanceof ProteusError ? (error.why ?? error.message) : String(error);
    return { ok: false, seen: why, mend: `cd ${packageRoot} && npm run build:kernel` };
  }
}

function nativeDriver(): Sight {
  const addon = loadAddon();
  if (typeof addon !== "string") return { ok: true, seen: "the compiled driver loads" };
  const build = `cd ${packageRoot} && node scripts/build-native.mjs`;
  return { ok: false, seen: addon, mend: `sudo apt-get install -y gcc libc6-dev && ${build}` };
}

const netRaw = 13; // bits of CapEff: linux/capability.h
const sysNice = 23;

function hasCapability(bit: number): boolean {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return ((BigInt(`0x${line?.[1] ?? "0"}`) >> BigInt(bit)) & 1n) === 1n;
}

const grant = 'sudo setcap cap_net_raw,cap_sys_nice+ep "$(readlink -f "$(command -v node)")"';

const capability = (bit: number, name: string) => (): Sight => {
  const ok = hasCapability(bit);
  return { ok, seen: ok ? name : `this user has no ${name}`, mend: `run it with sudo, or: ${grant}` };
};

function config(): Sight {
  try {
    const { files } = loadConfig();
    return { ok: true, seen: files.length === 0 ? "no file: all defaults" : files.join(", ") };
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    return { ok: false, seen: `${error.message} (${error.why})`, mend: "proteus config show" };
  }
}

function networkInterface(): Sight {
  const mend = "name one: node.interfaces in /etc/proteus/config.toml, or --interface NAME";
  let names: readonly string[];
  try {
    names = loadConfig().values["node.interfaces"];
    if (names.length === 0) names = [defaultInterface()];
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    return { ok: false, seen: error.why ?? error.message, mend };
  }
  for (const name of names) {
    const link = linkState(name);
    if (link === null) return { ok: false, seen: `there is no interface ${name}`, mend };
    if (!link.up) return { ok: false, seen: `${name} is down`, mend: `sudo ip link set ${name} up` };
  }
  return { ok: true, seen: names.map((name) => `${name} (mtu ${linkState(name)?.mtu})`).join(", ") };
}

async function namespaces(): Promise<Sight> {
  try {
    const { isolation, reason } = await chooseIsolation("auto");
    const mend = "run the lab with sudo, or: sudo sysctl -w kernel.unprivileged_userns_clone=1";
    return { ok: isolation !== "memory", seen: reason, mend };
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    return { ok: false, seen: error.message, mend: "sudo apt-get install -y iproute2 util-linux" };
  }
}

/** Tries a line of `tc` on a veth pair in a network namespace of its own. */
const trafficControl = (line: string, module: string) => async (): Promise<Sight> => {
  const root = process.getuid?.() === 0;
  const script = `ip link add ve0 type veth peer name ve1 && ip link set ve0 up && ip link set ve1 up && ${line}`;
  const unshare = ["unshare", ...unshareArguments(root ? "netns" : "userns"), "sh", "-c", script];
  const mend = `sudo modprobe ${module}`;
  try {
    const { status, errors } = await runTool(unshare);
    if (status === 0) return { ok: true, seen: "the kernel has it" };
    return { ok: false, seen: errors.trim().split("\n").at(-1) || `status ${status}`, mend };
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    return { ok: false, seen: error.message, mend: "sudo apt-get install -y iproute2 util-linux" };
  }
};

function cores(): Sight {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const ok = /[-,]/.test(list);
  return { ok, seen: `cores ${list}`, mend: "give this machine a second processor" };
}

/** Every check, in the order in which they are shown. */
export function allChecks(): Check[] {
  const classifier =
    "tc qdisc add dev ve1 clsact && tc filter add dev ve1 ingress bpf da bytecode '1,6 0 0 4294967295'";
  return [
    { name: "Node.js", why: "everything runs in it", for: purposes, required: true, look: nodeVersion },
    { name: "kernel", why: "every machine of the pool is one", for: purposes, required: true, look: kernel },
    {
      name: "native driver",
      why: "without it each frame costs more",
      for: ["node", "lab", "bench"],
      required: false,
      look: nativeDriver,
    },
    { name: "settings", why: "the node starts with them", for: ["node"], required: true, look: config },
    {
      name: "raw sockets",
      why: "FLIP is on Ethernet itself",
      for: ["node"],
      required: true,
      look: capability(netRaw, "CAP_NET_RAW"),
    },
    {
      name: "priority",
      why: "members of groups look dead sooner when the machine is busy",
      for: ["node"],
      required: false,
      look: capability(sysNice, "CAP_SYS_NICE"),
    },
    {
      name: "interface",
      why: "the network of the pool",
      for: ["node"],
      required: true,
      look: networkInterface,
    },
    {
      name: "network namespaces",
      why: "without them a lab is a LAN in memory",
      for: ["lab", "bench"],
      required: false,
      look: namespaces,
    },
    {
      name: "tc tbf",
      why: "rates of links",
      for: ["lab", "bench"],
      required: false,
      look: trafficControl("tc qdisc add dev ve0 root tbf rate 1gbit burst 10k latency 20ms", "sch_tbf"),
    },
    {
      name: "tc netem",
      why: "loss and delay of links; eBPF does loss without it",
      for: ["lab", "bench"],
      required: false,
      look: trafficControl("tc qdisc add dev ve0 root netem delay 1ms", "sch_netem"),
    },
    {
      name: "tc eBPF",
      why: "loss where the kernel has no netem",
      for: ["lab", "bench"],
      required: false,
      look: trafficControl(classifier, "cls_bpf"),
    },
    {
      name: "processors",
      why: "client and server on a core each",
      for: ["bench"],
      required: false,
      look: cores,
    },
    ...packageChecks(),
  ];
}
