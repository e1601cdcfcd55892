// The native side: test/bench/native/kernel-control.c, compiled on this machine for its processor.
//
// - Without a compiler, or without the header of xxHash, the rows say what to install; the rest
//   is measured.
// - A run of a case is a process of its own, that samples as loops.ts does.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProteusError } from "../../kernel/errors.js";
import { runTool } from "../../lab/tools.js";
import type { KernelOperation } from "./types.js";

export const installCompiler =
  "a C compiler is not installed: apt-get install gcc libc6-dev (or: npm run setup)";
const installXxhash =
  "xxhash.h is not installed: apt-get install libxxhash-dev (or: npm run setup -- --bench)";

/** What the control answers where it was built without xxHash. */
const missingStatus = 3;

/** The built control. */
export class NativeControl {
  readonly #folder: string;
  readonly compiler: string;

  private constructor(folder: string, compiler: string) {
    this.#folder = folder;
    this.compiler = compiler;
  }

  /** Builds it; null without a compiler. Throws BENCH_CONTROL when the compiler does not take it. */
  static async build(source: string): Promise<NativeControl | null> {
    const compiler = await compilerName();
    if (compiler === null) return null;
    const control = new NativeControl(mkdtempSync(join(tmpdir(), "proteus-kernel-control-")), compiler);
    const flags = ["-O3", "-march=native"];
    const { status, errors } = await runTool(["cc", ...flags, "-o", control.#program, source]);
    if (status === 0) return control;
    control.remove();
    throw new ProteusError({
      code: "BENCH_CONTROL",
      exit: 1,
      message: "the native control of the benchmark cannot be compiled",
      why: errors.split("\n").find((line) => line.includes("error")) ?? `cc ended with ${status}`,
      unchanged: "nothing was measured",
      hint: "measure the kernel alone: --system wasm",
    });
  }

  get #program(): string {
    return join(this.#folder, "kernel-control");
  }

  /** Nanoseconds that an operation takes. Rejects with what to install where it is missing. */
  async measure(operation: KernelOperation, bytes: number, abort: AbortSignal): Promise<number> {
    const { status, output, errors } = await runTool([this.#program, operation, `${bytes}`], "", abort);
    if (status === missingStatus) throw new Error(installXxhash);
    const nanoseconds = Number(output);
    if (status !== 0 || !(nanoseconds > 0))
      throw new Error(`the native control failed: ${errors.trim() || `status ${status}`}`);
    return nanoseconds;
  }

  /** Removes what was built. */
  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function compilerName(): Promise<string | null> {
  try {
    const { status, output } = await runTool(["cc", "--version"]);
    return status === 0 ? (output.split("\n")[0]?.trim() ?? "cc") : null;
  } catch (error) {
    if (error instanceof ProteusError && error.code === "TOOL_MISSING") return null;
    throw error;
  }
}
