// What a benchmark cannot begin without is said in a stable code; nothing is half measured.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type KernelBenchOptions, runKernelBench } from "../../../../control/bench/kernel/run.js";
import { benchLoopsPath } from "../../../../control/cli/package-files.js";
import { exitCodes } from "../../../../control/kernel/errors.js";

const options: KernelBenchOptions = {
  tests: ["kernel-codec"],
  ...{ blocks: [], runs: 1, version: "test", progress: () => {} },
  ...{ wasm: benchLoopsPath, controlSource: "none.c", abort: new AbortController().signal },
};

describe("a benchmark of the kernel", () => {
  it("without its loops says how to build them", async () => {
    const missing = join(tmpdir(), "no-such-loops.wasm");
    await expect(runKernelBench({ ...options, wasm: missing })).rejects.toMatchObject({
      ...{ code: "BENCH_MISSING", exit: exitCodes.failed, hint: expect.stringContaining("build:kernel") },
    });
  });

  it("measures the kernel alone without a control", async () => {
    const { results, environment } = await runKernelBench({ ...options, systems: ["wasm"] });
    expect(results.map(({ system, runs }) => [system, runs])).toEqual([["wasm", 1]]);
    expect(environment.compiler).toBeNull();
  });

  it("with a control that no compiler takes says so, or that there is no compiler", async () => {
    const outcome = await runKernelBench(options).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "BENCH_CONTROL" });
    else expect(JSON.stringify(outcome)).toContain("is not installed");
  });

  it("ends when it is told to", async () => {
    const abort = new AbortController();
    abort.abort(new Error("enough"));
    await expect(runKernelBench({ ...options, systems: ["wasm"], abort: abort.signal })).rejects.toThrow(
      "enough",
    );
  });
});
