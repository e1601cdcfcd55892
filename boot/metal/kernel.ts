// What metal.wasm calls of kernel.wasm, as core-wasm/kernel.ts exports it. Both have the same memory.
//
// - Addresses are of that memory, times microseconds; answers are a handle or a status.
// - The kernel's own imports end in main.ts: transmit and log.

@external("kernel", "boot")
export declare function boot(): i32;

@external("kernel", "network_add")
export declare function networkAdd(mac: usize, mtu: i32, weight: i32, trusted: i32, frames: i32): i32;

@external("kernel", "receive")
export declare function receive(network: i32, pointer: usize, length: i32, now: f64): i32;

@external("kernel", "tick")
export declare function tick(now: f64): void;

@external("kernel", "nextDeadline")
export declare function nextDeadline(): f64;

@external("kernel", "rpc_trans")
export declare function trans(
  header: usize,
  data: usize,
  size: i32,
  replyHeader: usize,
  replyBuffer: usize,
  replyCapacity: i32,
  options: usize,
  now: f64,
): i32;

@external("kernel", "rpc_getreq")
export declare function getreq(header: usize, buffer: usize, capacity: i32, now: f64): i32;

@external("kernel", "rpc_putrep")
export declare function putrep(handle: i32, header: usize, data: usize, size: i32, now: f64): i32;

@external("kernel", "port_one_way")
export declare function portOneWay(port: usize, out: usize): void;

@external("kernel", "keyed_prepare")
export declare function keyedPrepare(key: usize, out: usize): void;

@external("kernel", "keyed_encode")
export declare function keyedEncode(
  object: i32,
  rights: i32,
  prepared: usize,
  generation: usize,
  out: usize,
): i32;

@external("kernel", "keyed_decode")
export declare function keyedDecode(privatePart: usize, prepared: usize, generation: usize): i32;

@external("kernel", "segment_create")
export declare function segmentCreate(bytes: u32): i32;

@external("kernel", "segment_destroy")
export declare function segmentDestroy(handle: i32): i32;

@external("kernel", "segment_grow")
export declare function segmentGrow(handle: i32, bytes: u32): i32;

@external("kernel", "segment_info")
export declare function segmentInfo(handle: i32, out: usize): i32;

@external("kernel", "segment_stat")
export declare function segmentStat(out: usize): i32;

@external("kernel", "table_entry")
export declare function tableEntry(table: i32, index: i32, out: usize): i32;

@external("kernel", "rpc_kill")
export declare function kill(handle: i32, now: f64): i32;

@external("kernel", "sha256_short")
export declare function sha256Short(pointer: usize, length: i32, out: usize): i32;

@external("kernel", "grp_create")
export declare function groupCreate(
  port: usize,
  resilience: i32,
  membersMax: i32,
  logHistory: i32,
  logMessage: i32,
  now: f64,
): i32;

@external("kernel", "grp_join")
export declare function groupJoin(header: usize, now: f64): i32;

@external("kernel", "grp_leave")
export declare function groupLeave(gid: i32, header: usize, now: f64): i32;

@external("kernel", "grp_send")
export declare function groupSend(gid: i32, header: usize, data: usize, size: i32, now: f64): i32;

@external("kernel", "grp_receive")
export declare function groupReceive(gid: i32, delivery: usize, buffer: usize, capacity: i32, now: f64): i32;

@external("kernel", "grp_reset")
export declare function groupReset(gid: i32, header: usize, minimum: i32, now: f64): i32;

@external("kernel", "grp_end")
export declare function groupEnd(gid: i32, now: f64): i32;

@external("kernel", "grp_info")
export declare function groupInfo(gid: i32, out: usize): i32;

@external("kernel", "grp_member")
export declare function groupMember(gid: i32, member: i32, out: usize, now: f64): i32;

@external("kernel", "grp_set")
export declare function groupSet(gid: i32, setting: i32, value: i32, now: f64): i32;
