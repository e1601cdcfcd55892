// What a metal machine says when it cannot serve, on the console of a real one in QEMU: nobody has to
// guess why a machine is silent.
//
// - No network, and so no rights: each machine is QEMU alone, for as long as it takes to say it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildImage } from "../../boot/image.js";
import { type MachineOptions, startMachine } from "../../boot/qemu.js";
import { packageRoot } from "../../control/cli/package-files.js";
import { bareLoader } from "./bare-loader.js";
import { within } from "./programs.js";

let path = "";
const folder = mkdtempSync(join(tmpdir(), "metal-"));

beforeAll(async () => {
  path = (await buildImage({ root: packageRoot })).path;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a machine until it has said this; everything that it said. */
async function saysOf(wanted: string, more: Partial<MachineOptions>): Promise<string> {
  let said = "";
  let stop: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => {
    const options = {
      path,
      memoryMebibytes: 32,
      networks: [],
      words: ["name=x"],
      accelerator: "tcg",
    } as const;
    const child = startMachine({ ...options, ...more }, (line) => {
      said += `${line}\n`;
      if (line.includes(wanted)) resolve();
    });
    stop = () => void child.kill("SIGKILL");
  });
  try {
    await within(`a machine that says "${wanted}"`, heard);
  } catch (error) {
    throw new Error(`${(error as Error).message}; it said: ${said}`);
  } finally {
    stop();
  }
  return said;
}

describe("a metal machine says on its console", () => {
  it.each(["microvm", "pc", "q35"] as const)("that there is no network card (%s)", async (machine) => {
    const said = await saysOf("there is no network device that it knows", { machine });
    expect(said).toContain("this machine cannot serve");
  });

  it("that there is too little memory", async () => {
    const said = await saysOf("booting again", { memoryMebibytes: 3 });
    expect(said).toContain("panic: too little memory");
  });

  it("that nobody told it where its memory is", async () => {
    const rom = join(folder, "bare.rom");
    writeFileSync(rom, bareLoader(readFileSync(path)));
    // The other device hides QEMU's fw_cfg, which would say how much memory there is.
    const hide = ["-chardev", "null,id=c", "-device", "isa-debugcon,iobase=0x510,chardev=c"];
    const more = ["-bios", rom, "-device", `loader,file=${path}`, ...hide];
    const said = await saysOf("booting again", { more });
    expect(said).toContain("panic: no memory map: the loader gave none");
  });

  it.each(["microvm", "q35"] as const)("that nothing gives it random bytes (%s)", async (machine) => {
    const said = await saysOf("booting again", { machine, random: "none" });
    expect(said).toContain("panic: no randomness: the processor has no RDRAND, and there is no virtio-rng");
    expect(said).toMatch(/shim_main\+0x/);
  });

  it.each(["microvm", "q35"] as const)("no such thing where there is a virtio-rng (%s)", async (machine) => {
    const said = await saysOf("there is no network device", { machine, random: "virtio" });
    expect(said).not.toContain("panic");
  });
});
