// Rows of a benchmark of groups for its unit tests: what a test does not name is a send of
// 64 bytes by one of three members.

import type { GroupResult } from "../../../../control/bench/group/types.js";

export function row(given: Partial<GroupResult>): GroupResult {
  return {
    ...{ test: "group-send", system: "group", members: 3, bytes: 64, resilience: 0 },
    ...{ senders: "one", outstanding: 1, placement: "X", mtu: 1500, link: "bridge" },
    ...{ p50Us: 10, p99Us: 20, megabytesPerSecond: null, callsPerSecond: 1000, cpuUsPerCall: null },
    ...{ framesPerMessage: 2, runs: 3, spread: 0.1 },
    ...given,
  } as GroupResult;
}
