// The programs of the benchmark in C, built on this machine: the work that all file systems get, and
// libfuse's passthrough_ll.
//
// - passthrough_ll is the example that Debian's libfuse3-dev brings with it, as it is: no copy of it is
//   here. Without it, its rows say what to install.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { runTool } from "../../lab/tools.js";
import { versionOf } from "../programs.js";

const example = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c";

export const installLibfuse =
  "libfuse's passthrough_ll is not installed: apt-get install libfuse3-dev gcc (or: npm run setup -- --bench)";

export interface FsPrograms {
  /** Path of the built work. */
  readonly work: string;
  /** Path of the built passthrough_ll, and what it was built with; null: not installed. */
  readonly peer: { readonly path: string; readonly version: string } | null;
  readonly remove: () => void;
}

async function buildPeer(folder: string): Promise<FsPrograms["peer"]> {
  if (!existsSync(example)) return null;
  const path = join(folder, "passthrough_ll");
  const words = ["-O2", "-D_FILE_OFFSET_BITS=64", "-I/usr/include/fuse3", example, "-o", path];
  const { status } = await runTool(["cc", ...words, "-lfuse3", "-lpthread"]);
  if (status !== 0) return null;
  const said = await versionOf([path, "--version"]);
  return { path, version: said ?? "libfuse" };
}

/** Builds both. Throws BENCH_CONTROL when the work cannot be built, TOOL_MISSING without a compiler. */
export async function buildFsPrograms(source: string, wantsPeer: boolean): Promise<FsPrograms> {
  const folder = mkdtempSync(join(tmpdir(), "proteus-fs-work-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const work = join(folder, "fs-work");
    const { status, errors } = await runTool(["cc", "-O2", "-o", work, source]);
    if (status === 0) return { work, peer: wantsPeer ? await buildPeer(folder) : null, remove };
    throw new ProteusError({
      code: "BENCH_CONTROL",
      exit: exitCodes.failed,
      message: "the work of the benchmark cannot be compiled",
      why: errors.split("\n").find((line) => line.includes("error")) ?? `cc ended with ${status}`,
      unchanged: "nothing was measured",
      hint: "npm run setup installs a compiler",
    });
  } catch (error) {
    remove();
    throw error;
  }
}
