// The limits of a kernel by name, and how a host writes them into its record before boot.
// What each means and its default: core-wasm/limits.ts.

import * as constants from "../../core-wasm/limits.js";

/** What a host may set; each left out takes the kernel's default. Units are in the names. */
export interface Limits {
  readonly memoryBytes: number;
  readonly tableBase: number;
  readonly networks: number;
  readonly neighbours: number;
  readonly routes: number;
  readonly locations: number;
  readonly endpoints: number;
  readonly locates: number;
  readonly broadcastsSeen: number;
  readonly frames: number;
  readonly frameBytes: number;
  readonly threads: number;
  readonly ports: number;
  readonly portCache: number;
  readonly clientKernels: number;
  readonly duplicateWindow: number;
  readonly forgottenKernels: number;
  readonly stashBytes: number;
  readonly locateTimeoutMs: number;
  readonly pollMs: number;
  readonly deadMs: number;
  readonly ackDelayUs: number;
  readonly verifyMs: number;
  readonly broadcastsPerSecond: number;
  readonly groups: number;
  readonly groupOperations: number;
  readonly groupBytes: number;
  readonly segmentBytes: number;
  readonly segments: number;
  /** Bits EXTENSION_*; 0 makes the kernel behave as an original. */
  readonly extensions: number;
}

const fields: Readonly<Record<keyof Limits, number>> = {
  memoryBytes: constants.LIMIT_MEMORY_BYTES,
  tableBase: constants.LIMIT_TABLE_BASE,
  networks: constants.LIMIT_NETWORKS,
  neighbours: constants.LIMIT_NEIGHBOURS,
  routes: constants.LIMIT_ROUTES,
  locations: constants.LIMIT_LOCATIONS,
  endpoints: constants.LIMIT_ENDPOINTS,
  locates: constants.LIMIT_LOCATES,
  broadcastsSeen: constants.LIMIT_BROADCASTS_SEEN,
  frames: constants.LIMIT_FRAMES,
  frameBytes: constants.LIMIT_FRAME_BYTES,
  threads: constants.LIMIT_THREADS,
  ports: constants.LIMIT_PORTS,
  portCache: constants.LIMIT_PORT_CACHE,
  clientKernels: constants.LIMIT_CLIENT_KERNELS,
  duplicateWindow: constants.LIMIT_DUPLICATE_WINDOW,
  forgottenKernels: constants.LIMIT_FORGOTTEN_KERNELS,
  stashBytes: constants.LIMIT_STASH_BYTES,
  locateTimeoutMs: constants.LIMIT_LOCATE_TIMEOUT_MS,
  pollMs: constants.LIMIT_POLL_MS,
  deadMs: constants.LIMIT_DEAD_MS,
  ackDelayUs: constants.LIMIT_ACK_DELAY_US,
  verifyMs: constants.LIMIT_VERIFY_MS,
  broadcastsPerSecond: constants.LIMIT_BROADCASTS_PER_SECOND,
  groups: constants.LIMIT_GROUPS,
  groupOperations: constants.LIMIT_GROUP_OPERATIONS,
  groupBytes: constants.LIMIT_GROUP_BYTES,
  segmentBytes: constants.LIMIT_SEGMENT_BYTES,
  segments: constants.LIMIT_SEGMENTS,
  extensions: constants.LIMIT_EXTENSIONS,
};

/** Writes the limits record at LIMITS_ADDRESS (`words`: the linear memory as u32). */
export function writeLimits(words: Uint32Array, address: number, limits: Partial<Limits>): void {
  words.fill(0, address >> 2, (address >> 2) + constants.LIMIT_FIELDS);
  for (const name of Object.keys(fields) as (keyof Limits)[]) {
    const value = limits[name];
    if (value === undefined) continue;
    words[(address >> 2) + fields[name]] = name === "extensions" ? value | constants.EXTENSIONS_GIVEN : value;
  }
}
