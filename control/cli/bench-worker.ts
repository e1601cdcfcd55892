// `proteus bench worker`: one end of a measurement on another machine. `bench --between` starts it
// there; people have no use for it.

import type { Command } from "@commander-js/extra-typings";
import { work } from "../bench/work.js";
import { kernelBytes, kernelPath } from "./package-files.js";

const help = `
Orders come as lines of JSON on standard input, answers go to standard output, and the end
of the input is its end. What the lines say changes from version to version.

Example:
  ssh root@h1 /opt/proteus/bin/proteus bench worker`;

/** Adds `worker` to `bench`. */
export function registerBenchWorker(bench: Command): void {
  bench
    .command("worker")
    .description("one end of a measurement between machines, for bench --between")
    .addHelpText("after", help)
    .action(() => {
      kernelBytes(); // says how to build it when it is not there
      work(kernelPath);
    });
}
