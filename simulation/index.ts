// The simulator as a library: what a teacher's exercise or a researcher's protocol imports.
// README.md beside this file explains it on one page; examples/ has programs that run.
//
// - Write a Workload: programs for the machines of a cluster, and what must be true of them.
// - `proteus simulate --workload ./mine.js` runs it from the command line; `runSeed` does it
//   from a program or a test, with the compiled kernel as an argument.
// - What is exported here stays; everything else below simulation/ may change.

export { Campaign, type Failure, type SeedOutcome } from "./campaign.js";
export { type Call, CallLedger, type Verdict } from "./checkers/calls.js";
export { type Delivered, GroupJudge, type MemberRecord } from "./checkers/groups.js";
export {
  byObject,
  type Linearizable,
  linearizable,
  type Model,
  type Operation,
} from "./checkers/linearizable.js";
export { type RegisterInput, type RegisterOutput, register, type SetInput, set } from "./checkers/models.js";
export { type DiskOptions, VirtualDisk } from "./disk/disk.js";
export { type DiskCounts, type DiskFaults, noDiskFaults } from "./disk/faults.js";
export type { Lan, LanOptions } from "./engine/lan.js";
export { Machine, type MachineOptions, smallLimits } from "./engine/machine.js";
export type { CallEnd, CallRequest, Handler, Incoming, MessageHeader, Outgoing } from "./engine/programs.js";
export { HOUR, MILLISECOND, SECOND, World } from "./engine/world.js";
export { generateSchedule, standardRates, type Terrain } from "./faults/generate.js";
export {
  type FaultEntry,
  type FaultFile,
  type FaultKind,
  type FaultRates,
  faultKinds,
  parseFaults,
  type Schedule,
} from "./faults/kinds.js";
export { type ShrinkOptions, shrink } from "./faults/shrink.js";
export { Recorder, type RecorderOptions } from "./record/recorder.js";
export { type RunOptions, type RunResult, runSeed, type Violation } from "./run.js";
export { callsWorkload } from "./workloads/calls.js";
export { groupsWorkload } from "./workloads/groups.js";
export { mixedWorkload } from "./workloads/mixed.js";
export { workloadNamed, workloadNames } from "./workloads/registry.js";
export { serversWorkload } from "./workloads/servers.js";
export type { Activity, Cluster, Plan, Workload } from "./workloads/workload.js";
