// What kernel.wasm exports to a host that has a network: core-wasm/kernel.ts in TypeScript's
// terms. Addresses are offsets into the memory, times microseconds, answers a handle or a
// status. The exports without a network are in offline.ts.

export interface KernelExports {
  readonly boot: () => number;
  readonly network_add: (mac: number, mtu: number, weight: number, trusted: number, frames: number) => number;
  readonly network_set: (network: number, up: number, trusted: number) => number;
  readonly receive: (network: number, pointer: number, length: number, now: number) => number;
  readonly tick: (now: number) => void;
  readonly nextDeadline: () => number;
  readonly rpc_trans: (
    header: number,
    data: number,
    size: number,
    replyHeader: number,
    replyBuffer: number,
    replyCapacity: number,
    options: number,
    now: number,
  ) => number;
  readonly rpc_getreq: (header: number, buffer: number, capacity: number, now: number) => number;
  readonly rpc_putrep: (handle: number, header: number, data: number, size: number, now: number) => number;
  readonly rpc_signal: (handle: number, now: number) => number;
  readonly rpc_kill: (handle: number, now: number) => number;
  readonly rpc_source: (handle: number, out: number) => number;
  readonly rpc_forward: (handle: number, target: number, now: number) => number;
  readonly grp_create: (
    port: number,
    resilience: number,
    membersMax: number,
    logHistory: number,
    logMessage: number,
    now: number,
  ) => number;
  readonly grp_join: (header: number, now: number) => number;
  readonly grp_leave: (gid: number, header: number, now: number) => number;
  readonly grp_send: (gid: number, header: number, data: number, size: number, now: number) => number;
  readonly grp_receive: (
    gid: number,
    delivery: number,
    buffer: number,
    capacity: number,
    now: number,
  ) => number;
  readonly grp_reset: (gid: number, header: number, minimum: number, now: number) => number;
  readonly grp_signal: (handle: number, now: number) => number;
  readonly grp_end: (gid: number, now: number) => number;
  readonly grp_info: (gid: number, out: number) => number;
  readonly grp_member: (gid: number, member: number, out: number, now: number) => number;
  readonly grp_set: (gid: number, setting: number, value: number, now: number) => number;
  readonly grp_forward: (gid: number, handle: number, member: number, now: number) => number;
  readonly segment_create: (bytes: number) => number;
  readonly segment_destroy: (handle: number) => number;
  readonly segment_grow: (handle: number, bytes: number) => number;
  readonly segment_info: (handle: number, out: number) => number;
  readonly segment_stat: (out: number) => number;
  readonly mirror_copy: (to: number, from: number, length: number) => number;
  readonly mirror_xxh3: (
    pointer: number,
    length: number,
    seedLow: number,
    seedHigh: number,
    out: number,
  ) => number;
  readonly mirror_crc32c: (pointer: number, length: number, before: number, out: number) => number;
  readonly mirror_digests: (
    pointer: number,
    blocks: number,
    blockBytes: number,
    seedLow: number,
    seedHigh: number,
    out: number,
  ) => number;
  readonly mirror_differ: (
    pointer: number,
    blocks: number,
    blockBytes: number,
    seedLow: number,
    seedHigh: number,
    given: number,
    out: number,
  ) => number;
  readonly mirror_bits_fill: (map: number, from: number, to: number, value: number) => number;
  readonly mirror_bits_count: (map: number, from: number, to: number) => number;
  readonly mirror_bits_find: (map: number, from: number, to: number, value: number) => number;
  readonly mirror_bits_unite: (map: number, other: number, bits: number) => number;
  readonly port_one_way: (port: number, out: number) => void;
  readonly private_encode: (object: number, rights: number, random: number, out: number) => number;
  readonly private_decode: (privatePart: number, random: number) => number;
  readonly private_restrict: (privatePart: number, random: number, mask: number, out: number) => number;
  readonly sha256_short: (pointer: number, length: number, out: number) => number;
  readonly keyed_prepare: (key: number, out: number) => void;
  readonly keyed_encode: (
    object: number,
    rights: number,
    prepared: number,
    generation: number,
    out: number,
  ) => number;
  readonly keyed_decode: (privatePart: number, prepared: number, generation: number) => number;
  readonly table_entry: (table: number, index: number, out: number) => number;
  readonly ABI_VERSION: { readonly value: number };
}
