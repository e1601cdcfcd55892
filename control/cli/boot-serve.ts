// `proteus boot serve`: lets machines on a network boot the image (boot/serve does it).
//
// - Each machine's steps go to stdout: a line for people, with --json a document a line.
// - Names of machines and "in the pool" come from a control daemon where one is there, and it hears of
//   each step (boot-report.ts); without one it goes on and says so.

import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { buildFormat } from "../../boot/formats.js";
import { buildImage } from "../../boot/image.js";
import { buildLinuxImage, linuxWords } from "../../boot/linux/image.js";
import { biosLoader, uefiIpxe } from "../../boot/serve/dnsmasq.js";
import {
  type BootSystem,
  bootSystems,
  type Known,
  type Machines,
  registryOf,
  withMachine,
} from "../../boot/serve/machines.js";
import type { BootStep } from "../../boot/serve/progress.js";
import { bootServe } from "../../boot/serve/serve.js";
import { boundTool } from "../../boot/tools.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { interfacesOf } from "../lab/plan.js";
import type { LabState } from "../lab/state.js";
import { BootReporter } from "./boot-report.js";
import { type Access, accessHelp, findAnyControl, withAccess } from "./control-access.js";
import { interruptible } from "./lab-options.js";
import { emit, narrate } from "./output.js";
import { packageRoot } from "./package-files.js";

const serveHelp = `
DHCP, TFTP and HTTP on one interface, for a BIOS, UEFI and iPXE; only machines that say that
they boot over the network are answered. It refuses where another DHCP server answers; with
--beside that one gives the addresses, and this one only says what to boot (proxy DHCP).
Who asks is known by its MAC address: what --machine says, else the name that the pool knows
it by, else m- and the end of the address. Where --system or --machine MAC=system=linux asks for
Linux, or the lab's file (image: linux), machines that the pool knows with Linux get that too.
Where a control daemon is there, proteus node list shows how far each machine is. It needs
root, dnsmasq and, for a BIOS that has no iPXE of its own, the package ipxe.
${accessHelp}

Examples:
  proteus boot serve --interface eth1
  proteus boot serve --interface eth1 --machine 02:00:00:00:00:07=m1 --only
  proteus boot serve --interface eth1 --machine 02:00:00:00:00:08=system=linux
  proteus boot serve --interface eth1 --beside --json`;

interface ServeCommand extends Access {
  readonly interface: string;
  readonly machine: Machines;
  readonly only: boolean;
  readonly beside: boolean;
  readonly system: BootSystem;
  readonly kernel?: string;
  readonly pool: string;
  readonly commandLine: string;
  readonly httpPort: number;
  readonly json: boolean;
}

/** Where Debian's package ipxe has its loaders. */
const loaders = "/usr/lib/ipxe";
const poolAskMs = 1000;

const stateTexts: Readonly<Record<BootStep["state"], string>> = {
  asked: "asks for an address",
  loading: "loads",
  booted: "has booted",
  pool: "is in the pool",
};

/** Asks a daemon for the pool's machines, again and again; `up` gets the names of those that answer. */
function followPool(access: Access, withLinux: () => boolean, up: (name: string) => void) {
  let names: ReadonlyMap<string, Known> = new Map();
  const found = findAnyControl(access, poolAskMs);
  if (found === null) narrate("no control daemon: machines are not followed into the pool");
  const ask = async (): Promise<void> => {
    if (found === null || stopped) return;
    try {
      const nodes = await found.client.nodes();
      names = registryOf(nodes, withLinux());
      for (const { name, state, silentMs } of nodes)
        if (state === "up" && silentMs !== null && silentMs < poolAskMs) up(name);
    } catch {
      // It is asked again: daemons come and go.
    }
    if (!stopped) timer = setTimeout(() => void ask(), poolAskMs);
  };
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const reporter = new BootReporter({
    send: async (report) => found?.client.booting(report),
    after: (milliseconds, work) => setTimeout(work, milliseconds).unref(),
  });
  const stop = (): void => {
    stopped = true;
    clearTimeout(timer);
    reporter.close();
  };
  const told = ({ mac, state }: BootStep, name: string, kind: string): void => {
    if (found !== null) reporter.say({ mac, name, kind, step: state === "pool" ? null : state });
  };
  return { ask, stop, told, names: () => names, lab: found?.lab ?? null };
}

function linuxNeedsIpxe(): never {
  throw new ProteusError({
    code: "BOOT_TOOL_MISSING",
    exit: exitCodes.failed,
    message: `${loaders}/${uefiIpxe} is not installed`,
    why: "a machine with UEFI loads Linux by way of iPXE",
    unchanged: "nothing was started",
    hint: "install it: apt-get install ipxe (or: npm run setup -- --test)",
  });
}

/** What the lab's file says of machines on it that boot over the network; options come first. */
function withLab(machines: Machines, lab: LabState | null): Machines {
  const made = new Map(machines);
  for (const node of lab?.topology.nodes ?? []) {
    if (lab === null || node.image !== "linux") continue;
    for (const { mac } of interfacesOf(lab.topology, node).slice(0, 1)) {
      const wish = machines.get(mac) ?? { words: [] };
      made.set(mac, { system: "linux", ...wish });
    }
  }
  return made;
}

async function serveCommand(options: ServeCommand): Promise<void> {
  const { interface: name, only, beside, pool, json, system } = options;
  boundTool("dnsmasq");
  const given = { root: packageRoot, narrate };
  const [elf, efi] = [await buildImage(given), await buildFormat("efi", "", given)];
  if (!existsSync(`${loaders}/${biosLoader}`))
    narrate("the package ipxe is not installed: a BIOS without iPXE gets nothing");
  await interruptible(async (abort) => {
    let inPool: (machine: string) => void = () => undefined;
    let linuxToo = false;
    const followed = followPool(
      options,
      () => linuxToo,
      (machine) => inPool(machine),
    );
    const machines = withLab(options.machine, only ? null : followed.lab);
    linuxToo = system === "linux" || [...machines.values()].some((wish) => wish.system === "linux");
    const image = linuxToo ? await buildLinuxImage({ ...given, kernelFolder: options.kernel }) : undefined;
    if (linuxToo && !existsSync(`${loaders}/${uefiIpxe}`)) linuxNeedsIpxe();
    const linux = image && { kernel: image.kernel, initramfs: image.path, words: linuxWords };
    await followed.ask();
    await bootServe(
      {
        ...{ interface: name, beside, machines, only, httpPort: options.httpPort, loaders, abort },
        ...{ system, linux },
        registry: followed.names,
        words: [`pool=${pool}`, ...options.commandLine.split(" ").filter((word) => word !== "")],
        ...{ elf: elf.path, efi: efi.path, say: narrate },
        step: (step, machine, own) => {
          followed.told(step, machine, own === "linux" ? "pool" : "metal");
          emit("boot serve", json, { name: machine, ...step }, () => {
            const time = step.state === "asked" ? "" : ` after ${(step.sinceMs / 1000).toFixed(1)} s`;
            return `${step.mac} ${machine} ${stateTexts[step.state]}${time}`;
          });
        },
        serving: ({ address, range }, http) =>
          emit("boot serve", json, { state: "serving", interface: name, address, http, beside }, () => {
            const from = beside ? "addresses are another server's" : `addresses ${range[0]} to ${range[1]}`;
            return `serving on ${name}: ${from}, images at ${http}`;
          }),
      },
      (served) => {
        inPool = served.inPool;
      },
    ).finally(followed.stop);
  }, "nobody boots from here any more");
}

function machineOption(text: string, before: Machines): Machines {
  return withMachine(text, before);
}

function portNumber(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > 65535) throw new InvalidArgumentError("It is a port, 0 to 65535; 0 is any.");
  return value;
}

/** Adds `boot serve` to `boot`. */
export function registerBootServe(boot: Command): void {
  const command = boot
    .command("serve")
    .description("let machines on a network boot it: DHCP, TFTP, HTTP")
    .requiredOption("--interface <name>", "the network that they boot over; nothing else is listened on")
    .addOption(
      new Option(
        "--machine <text>",
        "MAC=name, MAC=image (.elf, .efi), MAC=system=linux or MAC=word of its command line",
      )
        .argParser(machineOption)
        .default(new Map() as Machines, "none"),
    )
    .addOption(
      new Option("--system <kind>", "what those get of whom nothing is said")
        .choices(bootSystems)
        .default("metal"),
    )
    .option(
      "--kernel <folder>",
      "of linux: where boot and lib/modules of Debian's kernel are (PROTEUS_BOOT_KERNEL)",
    )
    .option("--only", "answer only the machines of --machine", false)
    .option("--beside", "leave addresses to the DHCP server that is there", false)
    .option("--pool <name>", "the pool that they announce themselves to", process.env.PROTEUS_POOL || "pool")
    .option("--command-line <text>", "more words for all of them", "")
    .addOption(
      new Option("--http-port <number>", "where images are offered; 0: any").argParser(portNumber).default(0),
    )
    .option("--json", "one JSON document for each step of a machine", false)
    .addHelpText("after", serveHelp);
  withAccess(command as unknown as Command).action((options) =>
    serveCommand(options as unknown as ServeCommand),
  );
}
