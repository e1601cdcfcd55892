// A machine of QEMU's with nothing on it that boots over its first network: its firmware as Debian has
// it, a PC, virtio cards. Pure.
//
// - bios: SeaBIOS, whose iPXE comes from the card. It tries again every few seconds while nobody has
//   anything for it. uefi: OVMF with its own driver and its own PXE; it tries once a power-on.
// - Firmware speaks on the serial port too: there is no screen.

import { linuxProcessor, type MachineNetwork } from "./qemu.js";

export type Firmware = "bios" | "uefi";

export interface NetworkMachine {
  readonly firmware: Firmware;
  readonly memoryMebibytes: number;
  /** It is to boot Linux: the processor has what Node takes. */
  readonly linux?: boolean | undefined;
  readonly networks: readonly MachineNetwork[];
}

export const uefiFirmware = "/usr/share/ovmf/OVMF.fd";

/** What the firmware itself takes to work. */
const leastMebibytes: Readonly<Record<Firmware, number>> = { bios: 64, uefi: 256 };
const againMs = 3000;

/** The words behind the program's name. */
export function networkMachineArguments(options: NetworkMachine): string[] {
  const { firmware, memoryMebibytes, linux = false, networks } = options;
  const machine =
    firmware === "uefi"
      ? ["-M", "q35", "-bios", uefiFirmware]
      : ["-M", "pc,graphics=off", "-boot", `order=n,reboot-timeout=${againMs}`];
  const rom = firmware === "uefi" ? ",romfile=" : "";
  return [
    ...machine,
    ...["-accel", "tcg", "-cpu", linux ? linuxProcessor : "qemu64,+rdrand", "-smp", "1"],
    ...["-m", `${Math.max(memoryMebibytes, leastMebibytes[firmware])}M`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"],
    ...networks.flatMap(({ tap, mac }, index) => [
      ...["-netdev", `tap,id=n${index},ifname=${tap},script=no,downscript=no`],
      ...["-device", `virtio-net-pci,netdev=n${index},mac=${mac},bootindex=${index + 1}${rom}`],
    ]),
  ];
}
