// Debian's dnsmasq as DHCP (or proxy DHCP) and TFTP server on one interface: its settings, its process,
// and what its log says of machines.
//
// - Only firmware that boots over the network is answered (it says what it is, option 93): a computer
//   that wants an address only gets none from us.
// - Beside another server (`beside`) addresses are that one's matter: proxy DHCP gives files only.
// - No DNS, no file of this computer's settings is read. It dies with this process.
// - Source: dnsmasq(8); RFC 4578 for kinds of firmware; ipxe.org/howto/dhcpd for option 175.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dies, toolEnvironment } from "../../control/lab/tools.js";
import { eachLine } from "../lines.js";
import { boundTool } from "../tools.js";

export interface DnsmasqOptions {
  readonly interface: string;
  /** IPv4 address of the interface, and the network that it is in. */
  readonly address: string;
  readonly netmask: string;
  readonly network: string;
  /** First and last address to give away; not beside another server. */
  readonly range: readonly [string, string];
  readonly beside: boolean;
  /** MAC addresses of the only machines that are answered; undefined: all. */
  readonly only?: readonly string[] | undefined;
  /** Folder of leases and, below `files`, of what TFTP gives. */
  readonly folder: string;
  /** Our HTTP server. */
  readonly http: string;
}

export const biosLoader = "undionly.kpxe";
export const uefiLoader = "proteus.efi";
/** iPXE itself, for machines that boot Linux under UEFI. */
export const uefiIpxe = "snponly.efi";

/** The settings, one a line. */
export function dnsmasqSettings(options: DnsmasqOptions): string {
  const { address, netmask, network, range, beside, folder, http } = options;
  const script = `${http}/boot.ipxe`;
  const service = (tags: string, kind: string, file: string): string =>
    `pxe-service=${tags},${kind},"Proteus",${file},${address}`;
  return [
    ...["port=0", `interface=${options.interface}`, "bind-interfaces", "except-interface=lo"],
    ...["no-hosts", "no-resolv", "no-ping", "log-dhcp", "log-facility=-", "pid-file="],
    ...[
      `dhcp-leasefile=${folder}/leases`,
      "enable-tftp",
      `tftp-root=${folder}/files`,
      "tftp-unique-root=mac",
    ],
    beside ? `dhcp-range=${network},proxy,${netmask}` : `dhcp-range=${range[0]},${range[1]},${netmask},10m`,
    ...["dhcp-match=set:firmware,option:client-arch", "dhcp-match=set:ipxe,175"],
    ...["dhcp-match=set:bios,option:client-arch,0", "dhcp-match=set:http,option:client-arch,16"],
    ...[7, 9].map((kind) => `dhcp-match=set:uefi,option:client-arch,${kind}`),
    ...(options.only ?? []).map((mac) => `dhcp-host=${mac},set:ours`),
    "dhcp-ignore=tag:!firmware",
    ...(options.only === undefined ? [] : ["dhcp-ignore=tag:!ours"]),
    `dhcp-boot=tag:ipxe,${script}`,
    `dhcp-boot=tag:!ipxe,tag:bios,${biosLoader},,${address}`,
    `dhcp-boot=tag:!ipxe,tag:uefi,${uefiLoader},,${address}`,
    `dhcp-boot=tag:!ipxe,tag:http,${http}/${uefiLoader}`,
    "dhcp-option-force=tag:!ipxe,tag:http,60,HTTPClient",
    ...(beside
      ? [
          ...["x86PC", "X86-64_EFI", "BC_EFI"].map((kind) => service("tag:ipxe", kind, script)),
          service("tag:!ipxe", "x86PC", biosLoader),
          service("tag:!ipxe", "X86-64_EFI", uefiLoader),
          service("tag:!ipxe", "BC_EFI", uefiLoader),
        ]
      : ["dhcp-option=tag:ipxe,encap:175,176,1b"]), // iPXE need not wait for a proxy
    "",
  ].join("\n");
}

/** What a line of the log says of a machine. */
export type DnsmasqSaid =
  | { readonly kind: "asked"; readonly mac: string; readonly address?: string | undefined }
  | { readonly kind: "sent"; readonly address: string; readonly file: string }
  | { readonly kind: "failed"; readonly why: string };

const mac = "([0-9a-f]{2}(?::[0-9a-f]{2}){5})";
const asked = new RegExp(`(?:DHCPDISCOVER|DHCPREQUEST|DHCPACK|PXE)\\(\\S+\\) (?:([0-9.]+) )?${mac}`);

/** Reads a line of dnsmasq's log; undefined: nothing of interest. */
export function dnsmasqSaid(line: string): DnsmasqSaid | undefined {
  const [, address, machine] = asked.exec(line) ?? [];
  if (machine !== undefined && !/ (ignored|no address available)/.test(line))
    return { kind: "asked", mac: machine, address: line.includes("DHCPACK") ? address : undefined };
  const [, file, to] = /sent (\S+) to ([0-9.]+)/.exec(line) ?? [];
  if (file !== undefined && to !== undefined) return { kind: "sent", address: to, file };
  if (/no address available|not found for|failed sending/.test(line))
    return { kind: "failed", why: line.replace(/^dnsmasq\S* /, "") };
  return undefined;
}

/** Whether this process may become another user: not in the user namespace of a lab. */
function mayChangeUser(): boolean {
  const [, , count] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  return Number(count) > 65536;
}

/** Starts it with the settings in `path`; `said` gets each line of its log. */
export function startDnsmasq(path: string, said: (line: string) => void): ChildProcess {
  boundTool("dnsmasq");
  const user = mayChangeUser() ? [] : ["--user=root"];
  const dnsmasq = ["dnsmasq", "--keep-in-foreground", `--conf-file=${path}`, ...user];
  const [program = "", ...rest] = [...dies, ...dnsmasq];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"], env: toolEnvironment() });
  for (const stream of [child.stdout, child.stderr]) eachLine(stream, said);
  return child;
}
