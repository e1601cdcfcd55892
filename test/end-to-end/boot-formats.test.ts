// The image in each format, started by firmware as Debian has it (or, the ROM, by none). If one of
// these fails, a machine does not start from what `proteus boot image --format` makes.
//
// - Without a network of this computer's: the machines' cards are on a hub of QEMU's that has nobody.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Programs, within } from "./programs.js";

const firmware = "/usr/share/ovmf/OVMF.fd";
const common = ["-accel", "tcg", "-cpu", "qemu64,+rdrand", "-nodefaults", "-no-user-config", "-no-reboot"];
const terminal = ["-display", "none", "-serial", "stdio"];
const pc = ["-M", "q35", "-m", "256M", "-bios", firmware, "-net", "none", ...common, ...terminal];

interface Built {
  readonly bytes: number;
  readonly sha256: string;
  readonly parts: readonly { readonly bytes: number }[];
}

/** What a machine says until it says `last`. */
async function saysUntil(last: RegExp, words: readonly string[]): Promise<string> {
  const child = spawn("qemu-system-x86_64", words, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  try {
    const seen = new Promise<void>((resolve, reject) => {
      const take = (text: string): void => {
        said += text;
        if (last.test(said)) resolve();
      };
      child.stdout.setEncoding("latin1").on("data", take);
      child.stderr.setEncoding("latin1").on("data", take);
      child.on("exit", () => reject(new Error(`QEMU ended:\n${said}`)));
    });
    await within(`${last} on the console`, seen, 60_000).catch((error: unknown) => {
      throw new Error(`${error}\nit said:\n${said}`);
    });
  } finally {
    child.kill("SIGKILL");
  }
  return said;
}

describe("images in other formats", () => {
  const pool = new Programs();
  afterAll(() => pool.close());

  const made = async (format: string, line: string): Promise<string> => {
    const path = join(pool.lab.folder, `image.${format}`);
    const words = ["boot", "image", "--format", format, "--command-line", line, "--json", "--output", path];
    const build = async (): Promise<Built> => JSON.parse((await pool.lab.must(words)).stdout) as Built;
    const [first, again] = [await build(), await build()];
    expect(again.sha256).toBe(first.sha256);
    expect(first.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(first.bytes);
    expect(readFileSync(path).length).toBe(first.bytes);
    return path;
  };

  it("rom: is all the firmware of a microvm, and has the command line in it", async () => {
    const path = await made("rom", "name=from-rom");
    const machine = ["-M", "microvm,rtc=off,pit=on,pic=on,isa-serial=on", "-m", "32M", "-bios", path];
    const card = ["-netdev", "hubport,id=n,hubid=0", "-device", "virtio-net-device,netdev=n"];
    const said = await saysUntil(/serves \{.*\}/, [...machine, ...card, ...common, ...terminal]);
    expect(said).toContain('"from-rom"');
  });

  it("rom: without a command line takes QEMU's", async () => {
    const path = await made("rom", "");
    const machine = ["-M", "microvm,rtc=off,pit=on,pic=on,isa-serial=on", "-m", "32M", "-bios", path];
    const card = ["-netdev", "hubport,id=n,hubid=0", "-device", "virtio-net-device,netdev=n"];
    const line = ["-fw_cfg", "name=opt/proteus/command-line,string=name=from-qemu"];
    const said = await saysUntil(/serves \{.*\}/, [...machine, ...card, ...line, ...common, ...terminal]);
    expect(said).toContain('"from-qemu"');
  });

  it.each([
    ["disk", (path: string) => ["-drive", `file=${path},format=raw,if=ide,snapshot=on`]],
    ["iso", (path: string) => ["-cdrom", path]],
  ])("%s: OVMF starts the UEFI application from it", async (format, drive) => {
    const path = await made(format, "name=m1");
    await saysUntil(/this machine|serves \{/, [...pc, ...drive(path)]);
  });
});
