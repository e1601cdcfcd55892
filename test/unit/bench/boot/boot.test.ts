// What `bench boot` makes of its figures: rows, goals and the table, and what a machine and a caller
// are told, so that nobody publishes a ratio of the wrong things.

import { describe, expect, it } from "vitest";
import { calledMachine, callJob } from "../../../../control/bench/boot/calls.js";
import { bootRatiosOf, bootRemarksOf } from "../../../../control/bench/boot/ratios.js";
import { bootResultOf, manyResultOf } from "../../../../control/bench/boot/run.js";
import { networkOf, planBootScene } from "../../../../control/bench/boot/scene.js";
import type { BootReport, CallResult } from "../../../../control/bench/boot/types.js";
import { bootReportText } from "../../../../control/cli/bench-boot-table.js";

const call = (test: CallResult["test"], system: CallResult["system"], p50Us: number | null): CallResult => ({
  ...{ test, system, p50Us, p99Us: null, megabytesPerSecond: null, runs: 1, spread: 0 },
});
const image = { bytes: 100 * 1024, sha256: "00", parts: [{ name: "kernel", bytes: 100 * 1024 }] };
const environment: BootReport["environment"] = {
  ...{ proteus: "0", node: "v20", kernel: "6", cpu: "c", cores: 2, load: 0.1, isolation: "root", runs: 3 },
  ...{ qemu: null, accelerator: "tcg", memoryBytes: 8 * 1024 * 1024 },
};

describe("the rows of bench boot", () => {
  it("have the median and the worst of the boots, and none of none", () => {
    expect(bootResultOf("microvm", [40, 90, 50])).toEqual({
      ...{ test: "boot", system: "microvm", medianMs: 50, worstMs: 90, residentMegabytes: null, runs: 3 },
    });
    const failed = bootResultOf("microvm", [], "the machine ended");
    expect(failed).toMatchObject({ medianMs: null, worstMs: null, runs: 0, problem: "the machine ended" });
  });

  it("tell of many machines by the last one, and of one's memory", () => {
    const row = manyResultOf({ took: [900, 700], idles: [0.01, 0.02], resident: [40e6, 44e6, 42e6] });
    expect(row).toMatchObject({ machines: 16, medianMs: 800, worstMs: 900, residentMegabytes: 42, runs: 2 });
    expect(row.idleCpu).toBeCloseTo(0.015);
  });
});

describe("the goals of bench boot", () => {
  it("compare the machine with QEMU alone, and a call with a bare frame to the same machine", () => {
    const ratios = bootRatiosOf(
      [
        bootResultOf("microvm", [44]),
        bootResultOf("pc", [100]),
        bootResultOf("qemu-alone", [20]),
        manyResultOf({ took: [1500], idles: [0.03], resident: [] }),
        call("frame-echo", "metal", 50),
        call("frame-echo", "linux", 10),
        call("null-rpc", "metal", 90),
        call("null-rpc", "linux", 30),
      ],
      image,
      8 * 1024 * 1024,
    );
    expect(ratios.map(({ value, met }) => [Number(value.toFixed(2)), met])).toEqual([
      ...[[2.2, true] as const, [5, false] as const, [1.5, false] as const, [3, false] as const],
      ...[[1.8, true] as const, [100, true] as const, [8, true] as const],
    ]);
  });

  it("leave out what was not measured", () => {
    expect(bootRatiosOf([bootResultOf("microvm", [], "no")], image, 1).map(({ name }) => name)).toEqual([
      "image, KiB",
    ]);
  });

  it("come with which accelerator ran, and with a word about other work", () => {
    expect(bootRemarksOf(environment).join(" ")).toContain("TCG");
    expect(bootRemarksOf({ ...environment, load: 3 }).join(" ")).toContain("Other work was running");
  });
});

describe("what bench boot sets up", () => {
  it("has a bridge with both Linux ends and a tap device for each machine, and no address twice", () => {
    const [node] = planBootScene("b", 3).nodes;
    const lines = node?.ip ?? [];
    for (const port of ["port0", "port1", "tap0", "tap1", "tap2"])
      expect(lines).toContain(`link set ${port} master lan0 up`);
    const macs = lines.flatMap((line) => /address (\S+)/.exec(line)?.[1] ?? []);
    const all = [...macs, networkOf(0).mac, networkOf(1).mac, networkOf(15).mac];
    expect(new Set(all).size).toBe(all.length);
  });

  it("asks for bare frames only of a machine that was told to send them back", () => {
    const machine = { path: "i", accelerator: "tcg" } as const;
    expect(calledMachine(machine, "frame-echo").words).toContain("reflect=on");
    expect(calledMachine(machine, "null-rpc").words).not.toContain("reflect=on");
    const pace = { wasm: "k", scale: 0.5 };
    expect(callJob("frame-echo", pace)).toMatchObject({ system: "floor", test: "null-rpc" });
    expect(callJob("call-1m", pace)).toMatchObject({ system: "flip", request: 1024 * 1024, callsMin: 25 });
  });
});

describe("the table of bench boot", () => {
  it("shows every row, and why one has no figures", () => {
    const results = [
      bootResultOf("microvm", [44]),
      call("null-rpc", "metal", 90),
      bootResultOf("qemu-alone", [], "x"),
    ];
    const text = bootReportText({ environment, image, results, ratios: [], remarks: ["said"] });
    expect(text).toMatch(/microvm +44\.0 +44\.0 +- +1/);
    expect(text).toMatch(/null-rpc +metal +90/);
    expect(text).toContain("boot, qemu-alone: x");
    expect(text).toContain("said");
  });
});
