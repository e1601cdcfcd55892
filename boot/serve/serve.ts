// Boots machines over a network: DHCP, TFTP and HTTP together, from the look for other servers to the
// end. What `proteus boot serve` does.
//
// - On the named interface only: dnsmasq binds to it, HTTP listens on its address, frames are its own.
// - Refuses where another DHCP server answers (BOOT_OTHER_SERVER), unless told to work beside it. One
//   that turns up later is told of.
// - Its folder (leases, files for TFTP) is made anew and removed in the end.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { exitCodes, ProteusError } from "../../control/kernel/errors.js";
import { openRaw } from "../../drivers/ethernet/raw.js";
import { dnsmasqSaid, dnsmasqSettings, startDnsmasq } from "./dnsmasq.js";
import { BootFiles, type BootFilesOptions } from "./files.js";
import { noRouter, understand } from "./frames.js";
import { type HttpFile, serveHttp } from "./http.js";
import { lookForServer } from "./look.js";
import type { BootSystem } from "./machines.js";
import { type BootNetwork, neighbourNow, networkOf } from "./network.js";
import { type BootStep, Progress } from "./progress.js";

export interface ServeOptions extends BootFilesOptions {
  readonly interface: string;
  /** Another DHCP server may be there, and stays the one that gives addresses away. */
  readonly beside: boolean;
  /** Only machines that an option names are answered. */
  readonly only: boolean;
  readonly httpPort: number;
  readonly step: (step: BootStep, name: string, system: BootSystem) => void;
  readonly say: (line: string) => void;
  readonly serving: (network: BootNetwork, http: string) => void;
  readonly abort: AbortSignal;
}

/** Those that are in the pool now are told by `pool`, which asks for names that have booted. */
export interface Served {
  readonly inPool: (name: string) => void;
}

function otherServer(name: string, server: string): ProteusError {
  return new ProteusError({
    code: "BOOT_OTHER_SERVER",
    exit: exitCodes.failed,
    message: `another DHCP server answers on ${name}: ${server}`,
    why: "two that give addresses away on one network give the same ones away",
    unchanged: "nothing was started",
    hint: "leave addresses to it with --beside (proxy DHCP), or stop it",
  });
}

/** Serves until `abort`. `began` gets what the caller tells of the pool to. */
export async function bootServe(options: ServeOptions, began: (served: Served) => void): Promise<void> {
  const { interface: name, machines, say, abort } = options;
  const network = await networkOf(name);
  const other = await lookForServer(name, abort);
  abort.throwIfAborted();
  if (other !== undefined && !options.beside) throw otherServer(name, other);
  if (other === undefined && options.beside) say("no other DHCP server answers now: machines get no address");
  const folder = mkdtempSync(join(tmpdir(), "proteus-boot-"));
  const closing: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const files = new BootFiles(options);
    const nameOf = new Map<string, string>();
    const progress = new Progress((step) => {
      if (step.state === "asked") nameOf.set(step.mac, files.told(step.mac).name);
      const system = files.isLinux(step.mac) ? "linux" : "metal";
      options.step(step, nameOf.get(step.mac) ?? step.mac, system);
    });
    const now = (): number => performance.now();
    const macs = new Map<string, string>(); // by IP address
    const macOf = (ip: string): string | undefined => macs.get(ip) ?? neighbourNow(ip, name);
    let http = "";
    const file = (asked: string, ip: string): HttpFile | undefined => {
      const mac = macOf(ip);
      return mac === undefined ? undefined : files.overHttp(asked, mac, http);
    };
    const begun = new Map<string, number>();
    const loading = (asked: string, ip: string, done: boolean): void => {
      const mac = macOf(ip);
      if (mac === undefined) return;
      const key = `${ip}/${asked}`;
      progress.loading(mac, now());
      if (!done) begun.set(key, now());
      else progress.served(mac, now() - (begun.get(key) ?? now()));
      if (done) begun.delete(key);
    };
    const web = await serveHttp({ address: network.address, port: options.httpPort, file, loading });
    closing.push(() => web.server.close());
    closing.push(() => web.server.closeAllConnections());
    http = `http://${network.address}:${web.port}`;

    const settings = join(folder, "dnsmasq.conf");
    const only = options.only ? [...machines.keys()] : undefined;
    const tftp = join(folder, "files");
    files.prepareFolder(tftp);
    const shape = { ...network, interface: name, beside: options.beside, only, folder, http };
    writeFileSync(settings, dnsmasqSettings(shape), { mode: 0o644 });
    chmodSync(folder, 0o755); // dnsmasq becomes another user before it reads there

    let last = "";
    const child = startDnsmasq(settings, (line) => {
      last = line === "" ? last : line;
      const said = dnsmasqSaid(line);
      if (said?.kind === "asked") {
        progress.asked(said.mac, now());
        files.prepare(tftp, said.mac, progress.state(said.mac) === "asked");
        if (said.address !== undefined) macs.set(said.address, said.mac);
      } else if (said?.kind === "sent") {
        const mac = macOf(said.address);
        if (mac !== undefined) progress.loading(mac, now());
      } else if (said?.kind === "failed") say(said.why);
    });
    const ended = new Promise<string>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", () => resolve(last));
    });
    closing.push(() => child.kill("SIGTERM"));

    const others = new Set<string>();
    const raw = openRaw(name, (frame) => {
      const heard = understand(frame);
      if (heard?.kind === "flip") progress.booted(heard.mac, now());
      else if (heard?.kind === "solicit" && progress.booting(heard.mac))
        raw.send(noRouter(raw.address, frame.slice(6, 12), heard.from));
      else if (heard?.kind === "offer" && !others.has(heard.server) && !options.beside && others.size < 16) {
        others.add(heard.server);
        say(`another DHCP server answers on ${name}: ${heard.server}`);
      }
    });
    closing.push(() => raw.close());
    began({
      inPool: (machine) => {
        for (const [mac, known] of nameOf) if (known === machine) progress.inPool(mac, now());
      },
    });
    options.serving(network, http);
    const stopped = new Promise<undefined>((resolve) => {
      if (abort.aborted) resolve(undefined);
      abort.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const why = await Promise.race([stopped, ended]);
    if (why !== undefined && !abort.aborted)
      throw new ProteusError({
        code: "BOOT_DNSMASQ",
        exit: exitCodes.failed,
        message: "dnsmasq, which answers DHCP and TFTP, ended",
        why: why.replace(/^dnsmasq: /, "") || "it did not say why",
        hint: "mend what it says: another server may have the ports 67 or 69",
      });
  } finally {
    for (const close of closing.reverse()) close();
  }
}
