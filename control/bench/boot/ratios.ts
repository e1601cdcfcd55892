// The goals of machines without an operating system, and what to say beside the figures. Pure.
// Ratios are taken within one run of the benchmark; left out when a side was not measured.

import type { Ratio } from "../types.js";
import type { BootReport, BootResult, BootRow, CallResult, ManyResult } from "./types.js";

const goals = {
  microvm: 2.2,
  pc: 4.5,
  linux: 30,
  manySeconds: 1,
  idlePercent: 2,
  call: 2,
  imageKibibytes: 256,
  memoryMebibytes: 8,
};
const mebibyte = 1024 * 1024;

const atMost = (name: string, value: number, goal: number): Ratio => ({
  ...{ name, value, better: "lower", goal, met: value <= goal },
});

const bootOf = (results: readonly BootRow[], system: BootResult["system"]): number | null =>
  results.find((row): row is BootResult => row.test === "boot" && row.system === system)?.medianMs ?? null;

const callOf = (results: readonly BootRow[], test: CallResult["test"]): number | null =>
  results.find((row): row is CallResult => row.test === test && row.system === "metal")?.p50Us ?? null;

/** The ratios of which both sides were measured, and sizes beside their limits. */
export function bootRatiosOf(
  results: readonly BootRow[],
  image: Pick<BootReport["image"], "bytes">,
  memoryBytes: number,
): Ratio[] {
  const ratios: Ratio[] = [];
  const microvm = bootOf(results, "microvm");
  const alone = bootOf(results, "qemu-alone");
  for (const system of ["microvm", "pc"] as const) {
    const took = bootOf(results, system);
    if (took === null || alone === null) continue;
    ratios.push(atMost(`${system} to its first answer / QEMU alone (microvm)`, took / alone, goals[system]));
  }
  const linux = bootOf(results, "linux");
  if (linux !== null && microvm !== null)
    ratios.push({
      ...{ name: "Linux to its first answer / microvm", value: linux / microvm, better: "higher" },
      ...{ goal: goals.linux, met: linux / microvm >= goals.linux },
    });
  const many = results.find((row): row is ManyResult => row.test === "many");
  if (many !== undefined && many.medianMs !== null)
    ratios.push(atMost(`${many.machines} machines ready, s`, many.medianMs / 1000, goals.manySeconds));
  if (many !== undefined && many.idleCpu !== null)
    ratios.push(
      atMost(`${many.machines} idle machines together, % of a core`, 100 * many.idleCpu, goals.idlePercent),
    );
  const call = callOf(results, "null-rpc");
  const frame = callOf(results, "frame-echo");
  if (call !== null && frame !== null)
    ratios.push(atMost("null RPC to metal / bare frame to metal and back, p50", call / frame, goals.call));
  ratios.push(atMost("image, KiB", image.bytes / 1024, goals.imageKibibytes));
  if (microvm !== null)
    ratios.push(atMost("memory of a machine, MiB", memoryBytes / mebibyte, goals.memoryMebibytes));
  return ratios;
}

const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function bootRemarksOf({ accelerator, load }: BootReport["environment"]): string[] {
  return [
    accelerator === "kvm"
      ? "Machines ran on KVM: a probe boot with it was quicker than one without."
      : "Machines ran on TCG, QEMU's translation: there is no KVM here, or it was slower or failed.",
    "Resident memory is QEMU's own and the machine's together.",
    ...(load > loadMax
      ? [`Other work was running (load ${load.toFixed(1)}): figures and spread suffer.`]
      : []),
  ];
}
