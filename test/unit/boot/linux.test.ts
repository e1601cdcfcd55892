// The image of Linux machines, as data. If one of these fails, a machine loads its modules in an order
// that the kernel refuses, joins networks in another order, or the same inputs give other bytes.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CpioEntry, cpioPieces } from "../../../boot/linux/cpio.js";
import { isForAgent, librariesIn, withFolders } from "../../../boot/linux/image.js";
import { byVersion, dependsOf, findKernel, loadOrder } from "../../../boot/linux/kernel.js";
import { agentWords, interfacesOf, servesText, wordOf } from "../../../boot/linux/words.js";
import { networkMachineArguments } from "../../../boot/network-machine.js";
import { qemuArguments } from "../../../boot/qemu.js";

const mebibyte = 1024 * 1024;

describe("an initramfs", () => {
  const entries: CpioEntry[] = [
    { kind: "file", path: "init", bytes: Buffer.from("program"), program: true },
    { kind: "file", path: "opt/a/b.js", bytes: Buffer.from("1"), program: false },
    { kind: "link", path: "lib64", to: "lib" },
  ];
  const archive = (): Buffer => Buffer.concat([...cpioPieces(withFolders(entries))]);

  it("has the layout of the format newc, in whole blocks, the same each time", () => {
    const bytes = archive();
    expect(bytes.length % 512).toBe(0);
    expect(bytes.equals(archive())).toBe(true);
    const seen: string[] = [];
    for (let at = 0; ; ) {
      const field = (index: number): number =>
        Number.parseInt(bytes.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
      expect(bytes.toString("latin1", at, at + 6)).toBe("070701");
      const name = bytes.toString("latin1", at + 110, at + 110 + field(11) - 1);
      const dataAt = at + Math.ceil((110 + field(11)) / 4) * 4;
      if (name === "TRAILER!!!") break;
      const data = bytes.toString("latin1", dataAt, dataAt + field(6));
      seen.push(`${field(0)} ${field(1).toString(8)} ${name} ${data}`.trimEnd());
      at = dataAt + Math.ceil(field(6) / 4) * 4;
    }
    expect(seen).toEqual([
      ...["dev", "opt", "opt/a", "proc", "run", "sys", "tmp"].map((path, i) => `${i + 1} 40755 ${path}`),
      ...["8 100755 init program", "9 100644 opt/a/b.js 1", "10 120777 lib64 lib"],
    ]);
  });

  it("has what an agent needs, and neither sources nor what only desks use", () => {
    for (const path of [
      "package.json",
      "dist/control/cli/main.js",
      "dist/control/cli/linux-main.js",
      "build/release/kernel.wasm",
    ])
      expect([path, isForAgent(path)]).toEqual([path, true]);
    for (const path of [
      "node_modules/zod/index.js",
      "node_modules/pino/lib/x.js",
      "build/native/ethernet.node",
    ])
      expect([path, isForAgent(path)]).toEqual([path, true]);
    for (const path of [
      "boot/shim/boot.S",
      "dist/x.d.ts",
      "dist/x.js.map",
      "node_modules/koffi/index.js",
      "docs/DEPLOY.md",
    ])
      expect([path, isForAgent(path)]).toEqual([path, false]);
  });

  it("has the libraries that ldd names, the loader too", () => {
    const listing = [
      "\tlinux-vdso.so.1 (0x00007f)",
      "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)",
      "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)",
    ].join("\n");
    expect(librariesIn(listing)).toEqual(["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
  });
});

describe("the kernel's modules", () => {
  it("say what they need", () => {
    expect(dependsOf(Buffer.from("\0license=GPL\0depends=virtio_ring,virtio\0name=x\0"))).toEqual([
      ...["virtio_ring", "virtio"],
    ]);
    expect(dependsOf(Buffer.from("\0depends=\0name=x\0"))).toEqual([]);
  });

  it("come after what they need, once each, however their names are written", () => {
    const needs: Record<string, string[]> = {
      net: ["ring", "fail-over"],
      ring: [],
      "fail-over": ["core"],
      core: [],
    };
    expect(loadOrder(["net", "ring", "fail_over"], (name) => needs[name])).toEqual({
      ...{ order: ["ring", "core", "fail-over", "net"], missing: [] },
    });
    expect(loadOrder(["net"], (name) => (name === "net" ? ["gone"] : undefined)).missing).toEqual(["gone"]);
  });

  it("are of the newest kernel; without one it is said what to install", () => {
    expect(["6.1.0-56", "6.1.0-9", "6.12.1-1"].sort(byVersion)).toEqual(["6.1.0-9", "6.1.0-56", "6.12.1-1"]);
    const folder = mkdtempSync(join(tmpdir(), "no-kernel-"));
    expect(() => findKernel(folder)).toThrow(
      expect.objectContaining({
        code: "BOOT_NO_KERNEL",
        hint: expect.stringContaining("apt-get install linux-image-cloud-amd64"),
      }),
    );
    rmSync(folder, { recursive: true });
  });
});

describe("a Linux machine", () => {
  const there = [
    { name: "eth0", mac: "02:00:00:00:00:01" },
    { name: "eth1", mac: "02:00:00:01:00:01" },
  ];

  it("has the networks that its command line names, in that order, else all", () => {
    expect(interfacesOf("network=02:00:00:01:00:01,02:00:00:00:00:01", there)).toEqual(["eth1", "eth0"]);
    expect(interfacesOf("quiet network=02:00:00:01:00:01", there)).toEqual(["eth1"]);
    expect(interfacesOf("network=02:00:00:00:00:99", there)).toEqual(["eth0", "eth1"]);
    expect(wordOf("a=1 name=m1 name=m2", "name")).toBe("m1");
    expect(wordOf("name= b", "name")).toBeUndefined();
  });

  it("is the agent of that name in that pool, with a quarter of its memory", () => {
    expect(agentWords("console=ttyS0 name=m1 pool=p", there, 768 * mebibyte, "/run/r")).toEqual([
      ...["node", "start", "--ready-file", "/run/r", "--memory", "192M", "--name", "m1", "--pool", "p"],
      ...["--interface", "eth0", "--interface", "eth1"],
    ]);
    expect(agentWords("", [], 8192 * mebibyte, "/run/r").slice(4)).toEqual(["--memory", "256M"]);
  });

  it("says that it serves without anything private", () => {
    const ready = { name: "m1", address: "ab", echo: "e1", status: "51", capabilities: { sys: "secret" } };
    expect(servesText(JSON.stringify(ready))).toBe(
      'serves {"name":"m1","address":"ab","kind":"pool","servers":{"echo":"e1","sys":"51"}}',
    );
  });

  it("gets a processor that runs the kernel's WebAssembly, and its initramfs", () => {
    const options = { path: "/k", initramfs: "/i", memoryMebibytes: 768, networks: [], words: [] };
    const words = qemuArguments({ ...options, accelerator: "tcg", machine: "pc" }).join(" ");
    expect(words).toContain("-initrd /i");
    expect(words).toContain("+sse4.1");
    const network = { firmware: "bios", memoryMebibytes: 768, networks: [] } as const;
    expect(networkMachineArguments({ ...network, linux: true }).join(" ")).toContain("+sse4.1");
    expect(networkMachineArguments(network).join(" ")).not.toContain("+sse4.1");
  });

  it("has a first process that compiles without a warning", () => {
    const init = join(import.meta.dirname, "../../../boot/linux/init.c");
    const flags = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    const { status, stderr } = spawnSync("gcc", [...flags, init], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
