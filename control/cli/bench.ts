// `proteus bench`: FLIP against TCP/IP, side by side on one wire of this machine.
//
// - The measurement is control/bench; this file asks for it. bench-table.ts shows it.
// - On a terminal a line on stderr says how far it is.
// - Exit 6 when a case failed while others were measured. A missing tool or a goal that
//   was not met is no failure: the row or the ratio says so.

import { type Command, Option } from "@commander-js/extra-typings";
import { openBetween } from "../bench/ends.js";
import { prepareFolder, writeReport } from "../bench/report/write.js";
import { casesOf, runBench } from "../bench/run.js";
import { links, placements, standardMtus, standardRuns, systems, tests } from "../bench/types.js";
import { exitCodes, usageError } from "../kernel/errors.js";
import { findMachine } from "../machine/find.js";
import { registerBenchAlarm } from "./bench-alarm.js";
import { registerBenchBoot } from "./bench-boot.js";
import { registerBenchCapability } from "./bench-capability.js";
import { registerBenchCompare } from "./bench-compare.js";
import { registerBenchDisk } from "./bench-disk.js";
import { registerBenchFiles } from "./bench-files.js";
import { registerBenchFs } from "./bench-fs.js";
import { registerBenchGroup } from "./bench-group.js";
import { registerBenchKernel } from "./bench-kernel.js";
import { isDegraded, ProgressLine, parseList, parseMtus } from "./bench-options.js";
import { environmentText, reportText } from "./bench-table.js";
import { registerBenchWorker } from "./bench-worker.js";
import { interruptible, proteus } from "./lab-options.js";
import { emit, narrate } from "./output.js";
import { kernelBytes, kernelPath, packageVersion } from "./package-files.js";
import { parseCount } from "./quantity.js";
import { versionDocument } from "./version.js";

const help = `
Tests (default: all):
  null-rpc             a call without data and its reply, in µs
  call-4k, call-30000  calls with so many bytes of data and an empty reply, in MB/s
  call-1m, reply-1m    calls with 1 MiB of data there, or back, in MB/s
  rate-1, -8, -32      calls a second by so many clients at once
  open-loop            latency against load: calls begin when their time has come
  idle                 what a server costs while nobody calls
  incast               15 senders, one receiver, 512 KiB in the switch between them
  sharing              FLIP and TCP at the same time on one link

Links: veth (a plain pair), 1gbit, loss-0.1%, loss-1%, loss-5%, and routers-1 and
routers-2: through one and two FLIP routers. Placement S: client and server pinned to one
core, X: to two. Every figure is the median of interleaved runs; the spread is the
distance from the lowest run to the highest, as a part of it.

--between A B measures between two machines, as they are, and says what cards, drivers,
coalescing, rings and offloads they have. A machine is a node of a running lab (n1), a
deployed one that ssh reaches (ssh:HOST, ssh:USER@HOST, USER@HOST), or this one (local);
its interface may follow: ssh:root@h1:eth1. There must be this version there, at
/opt/proteus/bin/proteus or where PROTEUS_REMOTE says; PROTEUS_SSH is the ssh command.
What changed between two reports: proteus bench compare --help.
Groups are measured by themselves: proteus bench group --help. So is their patience
under load: proteus bench group-alarm --help. Parts of the kernel beside native code:
proteus bench kernel --help. Machines without an operating system: proteus bench boot --help.
Mounted volumes beside the local disk: proteus bench fs --help.

Examples:
  proteus bench --report report
  proteus bench null-rpc --runs 9
  proteus bench call-1m --link veth --mtu 9000,65521 --json
  proteus bench null-rpc --system flip,grpc --placement X
  proteus bench call-1m --link loss-1% --quick
  proteus bench --between n1 n2 --system flip,iperf3
  proteus bench --between ssh:root@h1 ssh:root@h2 --report report

Exit codes: 4 when two network stacks cannot be made here, 6 when a case failed.`;

const quickScale = 0.2;
const runsMax = 1000;

/** Looks at the machines of --between; none when there are to be machines of its own. */
async function openMachines(names: readonly string[] | undefined, lab: string | undefined) {
  if (names === undefined) return {};
  const all = names.flatMap((each) => each.split(","));
  const machines = await Promise.all(all.map((name) => findMachine(name, { lab })));
  const { version, kernel } = versionDocument();
  return { between: await openBetween(machines, { version, kernel, proteus }) };
}

/** Adds `bench` to the program. */
export function registerBench(program: Command): void {
  const bench = program
    .command("bench")
    .enablePositionalOptions()
    .description("measure FLIP against TCP/IP")
    .argument("[name...]", `tests: ${tests.join(", ")}`)
    .option("--runs <count>", `runs of every case (default: ${standardRuns})`)
    .option("--mtu <list>", "MTUs of call-1m and reply-1m", standardMtus.join(","))
    .option("--link <list>", `only these: ${links.join(", ")}`)
    .option("--system <list>", `only these: ${systems.join(", ")}`)
    .option("--placement <list>", "S, X or both")
    .option("--between <machines...>", "two machines that are there: n1, ssh:HOST, local")
    .option("--lab <name>", "the lab of --between, when several run")
    .option("--report <folder>", "write report.html and report.json there")
    .option("--quick", "a look: one short run of every case", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const wanted = names.length > 0 ? names.flatMap((name) => parseList("test", name, tests)) : tests;
      const runs = options.runs === undefined ? undefined : parseCount(options.runs, runsMax);
      const mtus = parseMtus(options.mtu);
      const chosen = {
        ...(options.system === undefined ? {} : { systems: parseList("system", options.system, systems) }),
        ...(options.link === undefined ? {} : { links: parseList("link", options.link, links) }),
        ...(options.placement === undefined
          ? {}
          : { placements: parseList("placement", options.placement, placements) }),
      };
      const machines = await openMachines(options.between, options.lab);
      if (casesOf({ tests: wanted, mtus, ...chosen, ...machines }).length === 0)
        throw usageError(
          "these systems, tests, links and placements have nothing in common",
          options.between === undefined
            ? "leave one of them out"
            : "between machines there is no link to choose, and placement S only on one computer",
        );
      if (options.report !== undefined) prepareFolder(options.report);
      kernelBytes(); // says how to build it when it is not there
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runBench({
            tests: wanted,
            mtus,
            ...chosen,
            ...machines,
            runs: runs ?? (options.quick ? 1 : standardRuns),
            scale: options.quick ? quickScale : 1,
            wasm: kernelPath,
            version: packageVersion(),
            progress: ({ test, system, placement, mtu, link }, done, all) =>
              line.say([test, system, link, placement, `MTU ${mtu}`], done, all),
            abort,
          });
        } finally {
          line.clear();
        }
      });
      if (options.report !== undefined) {
        const said = { text: reportText(report), environment: environmentText(report.environment) };
        for (const path of await writeReport(options.report, report, said)) narrate(`written: ${path}`);
      }
      emit("bench", options.json, report, () => reportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
  registerBenchCompare(bench as unknown as Command);
  registerBenchFiles(bench as unknown as Command);
  registerBenchFs(bench as unknown as Command);
  registerBenchDisk(bench as unknown as Command);
  registerBenchGroup(bench as unknown as Command);
  registerBenchAlarm(bench as unknown as Command);
  registerBenchCapability(bench as unknown as Command);
  registerBenchKernel(bench as unknown as Command);
  registerBenchBoot(bench as unknown as Command);
  registerBenchWorker(bench as unknown as Command);
}
