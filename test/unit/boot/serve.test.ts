// Booting over the network, as data: who gets what, what dnsmasq is told and says, frames. If one of
// these fails, a machine gets another's name, or a computer that only wants an address gets ours.

import { describe, expect, it } from "vitest";
import { dnsmasqSaid, dnsmasqSettings } from "../../../boot/serve/dnsmasq.js";
import { discover, noRouter, understand } from "../../../boot/serve/frames.js";
import {
  ipxeLinuxScript,
  ipxeScript,
  type Machines,
  registryOf,
  toldTo,
  withMachine,
} from "../../../boot/serve/machines.js";
import { neighbour, rangeBeside } from "../../../boot/serve/network.js";
import { type BootStep, machinesMax, Progress } from "../../../boot/serve/progress.js";

const mac = "02:00:00:00:00:07";
const machines = (...texts: string[]): Machines =>
  texts.reduce((before, text) => withMachine(text, before), new Map() as Machines);

describe("what a machine gets", () => {
  it("follows options, then the pool, then its address", () => {
    const registry = new Map([[mac, { name: "m2", system: "metal" as const }]]);
    const named = machines(`${mac}=m1`, `${mac}=network=02:00:00:00:00:08`);
    expect(toldTo(mac, named, registry, ["pool=p"])).toEqual({
      name: "m1",
      system: "metal",
      line: "name=m1 network=02:00:00:00:00:08 pool=p",
    });
    expect(toldTo(mac, new Map(), registry, []).name).toBe("m2");
    expect(toldTo(mac, new Map(), new Map(), []).name).toBe("m-000007");
  });

  it("has words of its own instead of those for all", () => {
    expect(toldTo(mac, machines(`${mac}=pool=other`), new Map(), ["pool=p"]).line).toBe(
      "name=m-000007 pool=other",
    );
  });

  it("may be an image of its own", () => {
    const own = machines(`${mac}=a/b.elf`, `${mac.toUpperCase()}=c.efi`).get(mac);
    expect(own).toMatchObject({ elf: "a/b.elf", efi: "c.efi" });
  });

  it.each([
    ["m1"],
    ["02:00:00:00:00=m1"],
    ["01:00:00:00:00:07=m1"],
    [`${mac}=`],
    [`${mac}=Not A Name`],
    [`${mac}=name=a b`],
  ])("is refused: %s", (text) => {
    expect(() => machines(text)).toThrow(expect.objectContaining({ code: "BOOT_MACHINE_INVALID" }));
  });

  it("is never the same name twice", () => {
    expect(() => machines(`${mac}=m1`, "02:00:00:00:00:08=m1")).toThrow(
      expect.objectContaining({ why: `${mac} has that name already` }),
    );
  });

  it("is Linux when an option says so, else when the pool knew it with Linux, else what is usual", () => {
    const known = new Map([[mac, { name: "n1", system: "linux" as const }]]);
    expect(toldTo(mac, new Map(), known, [])).toMatchObject({ name: "n1", system: "linux" });
    expect(toldTo(mac, machines(`${mac}=system=metal`), known, []).system).toBe("metal");
    expect(toldTo(mac, new Map(), new Map(), [], "linux").system).toBe("linux");
    expect(() => machines(`${mac}=system=vms`)).toThrow(
      expect.objectContaining({ code: "BOOT_MACHINE_INVALID", why: "a system is metal or linux" }),
    );
    expect(ipxeLinuxScript("http://10.0.0.1:80", "quiet name=n1").split("\n")).toEqual([
      "#!ipxe",
      "kernel http://10.0.0.1:80/vmlinuz initrd=initramfs quiet name=n1",
      "initrd --name initramfs http://10.0.0.1:80/initramfs",
      "boot",
      "",
    ]);
  });

  it("of the pool's machines counts those without an operating system, and others where Linux is served", () => {
    const status = { name: "x", interfaces: [{ name: "eth0", mac: "020000000007" }] };
    const node = (kind: string, name: string) => ({ kind, name, status });
    expect(registryOf([node("pool", "n1")])).toEqual(new Map());
    expect(registryOf([node("pool", "n1")], true)).toEqual(new Map([[mac, { name: "n1", system: "linux" }]]));
    const m1 = { name: "m1", system: "metal" };
    expect(registryOf([node("metal", "m1"), node("metal", "m1#ab")])).toEqual(new Map([[mac, m1]]));
  });

  it("is a script that starts the image of the firmware's kind", () => {
    const script = ipxeScript("http://10.0.0.1:80", "name=m1");
    expect(script.startsWith("#!ipxe\n")).toBe(true);
    expect(script).toContain("kernel http://10.0.0.1:80/proteus.elf name=m1\nboot\n:efi\n");
    expect(script).toContain("kernel http://10.0.0.1:80/proteus.efi name=m1\nboot\n");
  });
});

describe("dnsmasq", () => {
  const options = {
    ...{ interface: "eth1", address: "10.0.0.1", netmask: "255.255.255.0", network: "10.0.0.0" },
    ...{
      range: ["10.0.0.55", "10.0.0.254"] as const,
      beside: false,
      folder: "/f",
      http: "http://10.0.0.1:80",
    },
  };
  const settings = (more: object): string[] => dnsmasqSettings({ ...options, ...more }).split("\n");

  it("listens on the one interface, does no DNS, and answers firmware only", () => {
    const lines = settings({});
    for (const line of ["port=0", "interface=eth1", "bind-interfaces", "dhcp-ignore=tag:!firmware"])
      expect(lines).toContain(line);
    expect(lines).toContain("dhcp-range=10.0.0.55,10.0.0.254,255.255.255.0,10m");
  });

  it("gives no address away beside another server", () => {
    const lines = settings({ beside: true });
    expect(lines.filter((line) => line.startsWith("dhcp-range="))).toEqual([
      "dhcp-range=10.0.0.0,proxy,255.255.255.0",
    ]);
    expect(lines.join("\n")).not.toContain("encap:175,176"); // iPXE must wait for us there
  });

  it("answers the machines that are named and no other, when told so", () => {
    const lines = settings({ only: [mac] });
    expect(lines).toContain(`dhcp-host=${mac},set:ours`);
    expect(lines).toContain("dhcp-ignore=tag:!ours");
  });

  it.each([
    [`dnsmasq-dhcp[9]: 27 DHCPDISCOVER(eth0) ${mac} `, { kind: "asked", mac, address: undefined }],
    [`dnsmasq-dhcp[9]: 27 DHCPDISCOVER(eth0) ${mac} ignored`, undefined],
    [`dnsmasq-dhcp[9]: 27 DHCPACK(eth0) 10.0.0.9 ${mac} `, { kind: "asked", mac, address: "10.0.0.9" }],
    [`dnsmasq-dhcp[9]: 27 PXE(eth0) 10.0.0.9 ${mac} proxy`, { kind: "asked", mac, address: undefined }],
    [
      "dnsmasq-tftp[9]: sent /f/files/x to 10.0.0.9",
      { kind: "sent", address: "10.0.0.9", file: "/f/files/x" },
    ],
    ["dnsmasq[9]: started, version 2.90 DNS disabled", undefined],
  ])("says: %s", (line, said) => {
    expect(dnsmasqSaid(line)).toEqual(said);
  });
});

describe("the network", () => {
  it.each([
    ["10.0.0.1", "255.255.255.0", ["10.0.0.55", "10.0.0.254"]],
    ["10.0.0.254", "255.255.255.0", ["10.0.0.54", "10.0.0.253"]],
    ["192.168.1.1", "255.255.255.248", ["192.168.1.2", "192.168.1.6"]],
    ["10.0.0.1", "255.255.255.252", undefined],
    ["10.0.0.1", "255.255.255.255", undefined],
  ])("%s with %s gives away %j", (address, netmask, range) => {
    expect(rangeBeside(address, netmask)).toEqual(range);
  });

  it("knows a neighbour on its own interface only", () => {
    const table = `IP address HW type Flags HW address Mask Device
10.0.0.9   0x1 0x2   ${mac}  *  eth0
10.0.0.10  0x1 0x0   00:00:00:00:00:00  *  eth0`;
    expect(neighbour(table, "10.0.0.9", "eth0")).toBe(mac);
    expect(neighbour(table, "10.0.0.9", "eth1")).toBeUndefined();
    expect(neighbour(table, "10.0.0.10", "eth0")).toBeUndefined();
  });
});

describe("frames", () => {
  const own = Uint8Array.of(2, 0, 0, 0, 0, 7);
  const sum = (bytes: Uint8Array): number => {
    let total = 0;
    for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };

  it("ask for a DHCP server with a header that adds up, and are no offer", () => {
    const frame = discover(own, 0x1234, true);
    expect(sum(frame.subarray(14, 34))).toBe(0xffff);
    expect(understand(frame)).toBeUndefined();
    const answer = Buffer.from(frame);
    answer[42] = 2;
    answer.writeUInt16BE(67, 34);
    answer.set([10, 0, 0, 1], 26);
    expect(understand(answer)).toEqual({ kind: "offer", transaction: 0x1234, server: "10.0.0.1" });
    for (let length = 0; length < 282; length++)
      expect(understand(answer.subarray(0, length))).toBeUndefined();
  });

  it("say that there is no router, to the one who asked, with a sum that adds up", () => {
    const to = Uint8Array.from({ length: 16 }, (_, index) => index);
    const frame = noRouter(own, Uint8Array.of(2, 0, 0, 0, 0, 9), to);
    const pseudo = Buffer.concat([frame.subarray(22, 54), Uint8Array.of(0, 0, 0, 16, 0, 0, 0, 58)]);
    expect(sum(Buffer.concat([pseudo, frame.subarray(54)]))).toBe(0xffff);
    expect([...frame.subarray(54, 62)]).toEqual([134, 0, frame[56], frame[57], 0, 0, 0, 0]);
    expect(understand(frame)).toEqual({ kind: "router", mac });
  });
});

describe("the progress of machines", () => {
  const told: BootStep[] = [];
  const progress = new Progress((step) => told.push(step));

  it("is told once a step, in order, and begins anew when a machine asks again", () => {
    progress.booted(mac, 1); // it ran before it asked
    for (const at of [10, 20]) progress.asked(mac, at);
    progress.inPool(mac, 25);
    for (const at of [30, 40]) progress.loading(mac, at);
    progress.served(mac, 4);
    progress.asked(mac, 45); // iPXE after the firmware's own
    progress.booted(mac, 50);
    progress.inPool(mac, 70);
    progress.asked(mac, 100);
    expect(told).toEqual([
      { mac, state: "asked", sinceMs: 0 },
      { mac, state: "loading", sinceMs: 20 },
      { mac, state: "booted", sinceMs: 40, servedMs: 4 },
      { mac, state: "pool", sinceMs: 60 },
      { mac, state: "asked", sinceMs: 0 },
    ]);
  });

  it("is kept for so many machines and no more", () => {
    for (let index = 0; index < machinesMax + 10; index++) progress.asked(`${index}`, 1);
    expect(progress.state(`${machinesMax + 5}`)).toBeUndefined();
  });
});
