// `proteus bench group`: our groups beside Corosync's, and beside calls, on one bridge.
//
// - The measurement is control/bench/group; this file asks for it. bench-group-table.ts
//   shows it. Exit codes are those of `proteus bench`.

import { join } from "node:path";
import { type Command, Option } from "@commander-js/extra-typings";
import { runGroupBench } from "../bench/group/run.js";
import {
  bytesMost,
  groupSystems,
  groupTests,
  membersMost,
  resilienceMost,
  senderChoices,
  standardGroupRuns,
  standardKills,
  standardMembers,
  standardResilience,
  standardSizes,
} from "../bench/group/types.js";
import { exitCodes } from "../kernel/errors.js";
import { groupReportText } from "./bench-group-table.js";
import { isDegraded, ProgressLine, parseList, parseMtus, parseNumbers } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { kernelBytes, kernelPath, packageRoot, packageVersion } from "./package-files.js";
import { parseCount, parseSize } from "./quantity.js";

const help = `
Tests (default: all):
  group-send      each sender has one message under way: its time, in µs
  group-flow      each sender has 16 under way: ordered messages a second
  group-recovery  the sequencer's machine loses its power: the gap in service

Systems: group (ours), rpc (one call), rpc-all (a call to each other member in turn),
corosync (closed process groups over UDP multicast), corosync-knet (over its standard
transport). Members are machines (network namespaces) on one bridge, on two cores in
turn; sender and sequencer never share one. Messages a second are what the slowest
member got. Every figure is the median of interleaved runs.

Examples:
  proteus bench group
  proteus bench group --quick
  proteus bench group group-flow --members 3 --size 64 --senders all
  proteus bench group group-recovery --kills 50 --system group --json

Exit codes: 4 when no network stacks can be made here, 6 when a case failed.`;

const runsMax = 1000;
const killsMax = 10_000;
const spans = { standard: { warmUp: 60, measured: 120 }, quick: { warmUp: 20, measured: 30 } } as const;

/** What --quick takes where nothing else is said. */
const quick = { members: [3], sizes: [64], resilience: [0, 1], runs: 1, kills: 1 } as const;

/** Adds `group` to `bench`. */
export function registerBenchGroup(bench: Command): void {
  bench
    .command("group")
    .description("measure groups against Corosync's, and against calls")
    .argument("[name...]", `tests: ${groupTests.join(", ")}`)
    .option("--members <list>", `sizes of the group (default: ${standardMembers.join(",")})`)
    .option("--size <list>", "bytes of a message (default: 0,64,1K,8K,100K)")
    .option("--resilience <list>", `crashes survived (default: ${standardResilience.join(",")})`)
    .option("--senders <list>", "one, all or both")
    .option("--system <list>", `only these: ${groupSystems.join(", ")}`)
    .option("--runs <count>", `runs of every case (default: ${standardGroupRuns})`)
    .option("--kills <count>", `runs of group-recovery (default: ${standardKills})`)
    .option("--mtu <bytes>", "MTU of the bridge", "1500")
    .option("--quick", "a look: 3 members, 64 bytes, one short run, one kill", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const tests =
        names.length > 0 ? names.flatMap((name) => parseList("test", name, groupTests)) : groupTests;
      const { members, size, resilience, senders, system } = options;
      const standard = options.quick
        ? quick
        : {
            ...{ members: standardMembers, sizes: standardSizes, resilience: standardResilience },
            ...{ runs: standardGroupRuns, kills: standardKills },
          };
      const wanted = {
        tests,
        members:
          members === undefined ? standard.members : parseNumbers("group's size", members, 2, membersMost),
        sizes:
          size === undefined ? standard.sizes : size.split(",").map((each) => parseSize(each, bytesMost)),
        resilience:
          resilience === undefined
            ? standard.resilience
            : parseNumbers("resilience degree", resilience, 0, resilienceMost),
        senders:
          senders === undefined ? senderChoices : parseList("choice of senders", senders, senderChoices),
        systems: system === undefined ? groupSystems : parseList("system", system, groupSystems),
        runs: options.runs === undefined ? standard.runs : parseCount(options.runs, runsMax),
        kills: options.kills === undefined ? standard.kills : parseCount(options.kills, killsMax),
        mtu: parseMtus(options.mtu)[0] ?? 1500,
        span: options.quick ? spans.quick : spans.standard,
      };
      kernelBytes(); // says how to build it when it is not there
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runGroupBench({
            ...wanted,
            wasm: kernelPath,
            cpgSource: join(packageRoot, "test", "bench", "native", "cpg-member.c"),
            version: packageVersion(),
            progress: ({ test, system, members, bytes }, done, all) =>
              line.say([test, system, `${members} members`, `${bytes} bytes`], done, all),
            abort,
          });
        } finally {
          line.clear();
        }
      });
      emit("bench group", options.json, report, () => groupReportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
}
