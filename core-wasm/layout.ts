// The memory map, and the records that kernel and host share.
//
//   0        nothing: a null pointer traps nothing, so nobody lives here
//   1024     LIMITS_ADDRESS   u32[LIMIT_FIELDS], written by the host before boot
//   2048     LAYOUT_ADDRESS   u32[LAYOUT_FIELDS], written by boot
//   3072     SCRATCH_ADDRESS  1 KiB for the host's small arguments (headers, ports)
//   4096     static data of the module
//   …        tables, sized by the limits
//   LAYOUT_HOST_BASE (64 KiB aligned) … end of memory: the host's own
//            (receive rings, callers' buffers, segments)
//
// Plain constants: AssemblyScript and TypeScript compile this same file.

export const ABI = 4;

export const LIMITS_ADDRESS = 1024;
export const LAYOUT_ADDRESS = 2048;
export const SCRATCH_ADDRESS = 3072;
export const SCRATCH_BYTES = 1024;
export const STATIC_BASE = 4096;

// Fields of the layout record (u32 index)
export const LAYOUT_ABI = 0;
export const LAYOUT_HOST_BASE = 1; // first byte that is the host's
export const LAYOUT_COMPLETIONS = 2; // the completion ring, below
export const LAYOUT_COMPLETION_MASK = 3; // capacity - 1
export const LAYOUT_COUNTERS = 4; // u32[COUNTER_COUNT]
export const LAYOUT_ADDRESS_PUBLIC = 5; // 8 bytes: this kernel's FLIP address
export const LAYOUT_KERNEL_ID = 6; // 8 bytes
export const LAYOUT_THREADS_BUSY = 7; // u32: threads not free
export const LAYOUT_FRAMES_HELD = 8; // u32: frames that wait here on their way through
export const LAYOUT_GROUP_BYTES = 9; // u32: bytes of LIMIT_GROUP_BYTES that something holds
export const LAYOUT_FIELDS = 10;

// The completion ring: u32 produced, u32 consumed (the host writes it), 8 bytes unused,
// then entries of 16 bytes. An entry's index is its count & mask.
export const COMPLETION_PRODUCED = 0;
export const COMPLETION_CONSUMED = 4;
export const COMPLETION_ENTRIES = 16;
export const COMPLETION_BYTES = 16;
export const COMPLETION_HANDLE = 0; // i32; an EVENT_* when negative
export const COMPLETION_STATUS = 4; // i32: 0 or an error of status.ts
export const COMPLETION_POINTER = 8; // of the 32-byte header that came; grp_send: the message id
export const COMPLETION_LENGTH = 12; // bytes of data in the caller's buffer; grp_send: the seqno

// Events, in COMPLETION_HANDLE
export const EVENT_MULTICAST_JOIN = -1; // status: network; pointer: 6-byte MAC
export const EVENT_MULTICAST_LEAVE = -2;
export const EVENT_SIGNAL = -3; // status: handle of the service; length: signal number

// Handles of group operations have this bit, handles of RPC never do.
export const HANDLE_GROUP = 0x40000000;

// A delivery: what grp_receive writes, DELIVERY_BYTES from where the caller says. The 32-byte
// message header comes first, then u32 fields; the view is a u64.
export const DELIVERY_SEQNO = 32;
export const DELIVERY_MEMBER = 36; // id of who sent it; of a reset: the coordinator
export const DELIVERY_KIND = 40; // DELIVERED_*
export const DELIVERY_MESSAGE = 44; // the sender's message id, as grp_send's completion gave it
export const DELIVERY_MORE = 48; // further messages that are ready
export const DELIVERY_INCARNATION = 52; // the group's at the delivery; of a reset: the one that it began
export const DELIVERY_LENGTH = 56; // bytes of data that were sent; what did not fit was cut off
export const DELIVERY_VIEW = 64; // u64: a bit for every member once this message is delivered
export const DELIVERY_BYTES = 72;

export const DELIVERED_DATA = 0;
export const DELIVERED_JOIN = 1;
export const DELIVERED_LEAVE = 2;
export const DELIVERED_RESET = 3;

// What grp_info writes (u32 fields; view and port are u64)
export const GROUP_INFO_STATE = 0; // GROUP_STATE_*
export const GROUP_INFO_EXPECT = 4; // seqno that grp_receive gives next
export const GROUP_INFO_NEXT = 8; // seqno that comes next from the sequencer
export const GROUP_INFO_UNSTABLE = 12; // lowest seqno that some member may still need
export const GROUP_INFO_TOTAL = 16;
export const GROUP_INFO_MY_ID = 20;
export const GROUP_INFO_SEQUENCER = 24;
export const GROUP_INFO_INCARNATION = 28;
export const GROUP_INFO_RESILIENCE = 32;
export const GROUP_INFO_MEMBERS_MAX = 36;
export const GROUP_INFO_LOG_HISTORY = 40;
export const GROUP_INFO_LOG_MESSAGE = 44;
export const GROUP_INFO_LARGE = 48;
export const GROUP_INFO_HISTORY_USED = 52; // messages in the history
export const GROUP_INFO_FEATURES = 56; // extensions that hold in the whole group; 0 with an original
export const GROUP_INFO_VIEW = 64; // u64: a bit for every member
export const GROUP_INFO_PORT = 72; // u64, 6 bytes
export const GROUP_INFO_BYTES = 80;

export const GROUP_STATE_FREE = 0;
export const GROUP_STATE_LOCATING = 1; // join: looking for the sequencer
export const GROUP_STATE_JOINING = 2; // join: asked for, not yet ordered
export const GROUP_STATE_NORMAL = 3;
export const GROUP_STATE_ABORTED = 4; // a member died: wants grp_reset
export const GROUP_STATE_COORDINATOR = 5; // recovering, by us
export const GROUP_STATE_COHORT = 6; // recovering, by another
export const GROUP_STATE_LEFT = 7; // its user left, it goes on as sequencer

// What grp_member writes
export const GROUP_MEMBER_INFO_STATE = 0; // the wire's: 0 unused, 1 member, 2 joining, 3 leaving, 4 left
export const GROUP_MEMBER_INFO_EXPECT = 4;
export const GROUP_MEMBER_INFO_MESSAGE = 8; // its last message id
export const GROUP_MEMBER_INFO_SILENT_MS = 12; // since it was last heard
export const GROUP_MEMBER_INFO_ADDRESS = 16; // 8 bytes, FLIP
export const GROUP_MEMBER_INFO_RPC_ADDRESS = 24; // 8 bytes, FLIP: of its kernel
export const GROUP_MEMBER_INFO_BYTES = 32;

// What grp_set sets; 0 takes the standard again
export const GROUP_SET_SYNC_MS = 1;
export const GROUP_SET_REPLY_MS = 2;
export const GROUP_SET_ALIVE_MS = 3; // silence after which a member is asked
export const GROUP_SET_RESET_MS = 4;
export const GROUP_SET_LOCATE_MS = 5;
export const GROUP_SET_RETRIES = 6;
export const GROUP_SET_LARGE = 7; // bytes: from there on the data is multicast by the sender (BB)
export const GROUP_SET_DETECT_MS = 8; // silence after which a member is dead, in a group of ours

// What segment_info writes (u32 fields)
export const SEGMENT_INFO_ADDRESS = 0;
export const SEGMENT_INFO_LENGTH = 4; // bytes that were asked for
export const SEGMENT_INFO_ROOM = 8; // bytes that it takes of the region
export const SEGMENT_INFO_BYTES = 12;

// What segment_stat writes (u32 fields)
export const SEGMENT_STAT_REGION = 0; // bytes that boot set aside
export const SEGMENT_STAT_TAKEN = 4; // bytes that segments take of it
export const SEGMENT_STAT_LARGEST = 8; // bytes of the longest free piece
export const SEGMENT_STAT_COUNT = 12; // segments
export const SEGMENT_STAT_MOST = 16; // segments at a time
export const SEGMENT_STAT_BYTES = 20;

// Options of a call (u32 record; a null pointer or a 0 field takes the default)
export const OPTION_LOCATE_TIMEOUT_MS = 0;
export const OPTION_POLL_MS = 4;
export const OPTION_DEAD_MS = 8;
export const OPTION_BYTES = 12;

// Counters (u32 index; they wrap). Names for people: control/kernel/counters.ts
export const COUNTER_FRAMES_IN = 0;
export const COUNTER_FRAMES_OUT = 1;
export const COUNTER_MALFORMED = 2;
export const COUNTER_NOT_OURS = 3;
export const COUNTER_TRANSMIT_FAILED = 4;
export const COUNTER_LOCATES_IN = 5;
export const COUNTER_LOCATES_OUT = 6;
export const COUNTER_HEREIS_IN = 7;
export const COUNTER_HEREIS_OUT = 8;
export const COUNTER_UNIDATA_IN = 9;
export const COUNTER_UNIDATA_OUT = 10;
export const COUNTER_MULTIDATA_IN = 11;
export const COUNTER_MULTIDATA_OUT = 12;
export const COUNTER_NOTHERE_IN = 13;
export const COUNTER_NOTHERE_OUT = 14;
export const COUNTER_UNTRUSTED_IN = 15;
export const COUNTER_UNTRUSTED_OUT = 16;
export const COUNTER_FORWARDED = 17;
export const COUNTER_BROADCASTS_DROPPED = 18;
export const COUNTER_TABLE_FULL = 19;
export const COUNTER_CREDIT_WAITS = 20;
export const COUNTER_CREDIT_REQUESTS = 21;
export const COUNTER_REQUESTS_IN = 22;
export const COUNTER_REQUESTS_OUT = 23;
export const COUNTER_REPLIES_IN = 24;
export const COUNTER_REPLIES_OUT = 25;
export const COUNTER_ACKS_OUT = 26;
export const COUNTER_ACKS_IMPLICIT = 27;
export const COUNTER_NAKS_OUT = 28;
export const COUNTER_DUPLICATES = 29;
export const COUNTER_FAILS_OUT = 30;
export const COUNTER_ENQUIRIES_OUT = 31;
export const COUNTER_RETRANSMISSIONS = 32;
export const COUNTER_REPEATS_ASKED = 33;
export const COUNTER_FRAGMENTS_REPEATED = 34;
export const COUNTER_LOCAL_CALLS = 35;
export const COUNTER_CALLS_FAILED = 36;
export const COUNTER_KERNELS_FORGOTTEN = 37;
export const COUNTER_HOPS_DROPPED = 38;
export const COUNTER_HELLOS_IN = 39;
export const COUNTER_GROUP_SENT = 40; // messages that this machine gave a number, or asked one for
export const COUNTER_GROUP_DELIVERED = 41; // messages handed to members here
export const COUNTER_GROUP_RETRANS_OUT = 42; // missing messages asked for
export const COUNTER_GROUP_REPEATED = 43; // messages sent again
export const COUNTER_GROUP_HISTORY_FULL = 44; // requests that found no room
export const COUNTER_GROUP_RESETS = 45; // incarnations begun
export const COUNTER_GROUP_DROPPED = 46; // group packets that fit nothing
export const COUNTER_COUNT = 47;

// What table_entry writes of one entry of a kernel table, and the tables' numbers. Ages are
// milliseconds since it was last used or heard of.
export const TABLE_ROUTES = 0; // FLIP addresses
export const TABLE_NEIGHBOURS = 1; // machines on attached networks
export const TABLE_PORTS = 2; // ports served here
export const TABLE_PLACES = 3; // where ports elsewhere were last found
export const TABLE_THREADS = 4; // calls and services
export const TABLE_NETWORKS = 5;
export const TABLE_ENTRY_BYTES = 224;

export const ROUTE_ENTRY_ADDRESS = 0; // 8 bytes, FLIP
export const ROUTE_ENTRY_LOCAL = 8; // endpoints here that have it
export const ROUTE_ENTRY_IDLE_MS = 12;
export const ROUTE_ENTRY_PLACES = 16; // how many are known; the first ROUTE_PLACES_MAX follow
export const ROUTE_ENTRY_FIRST = 24;
export const ROUTE_PLACE_MAC = 0; // u64, 6 bytes
export const ROUTE_PLACE_NETWORK = 8;
export const ROUTE_PLACE_HOPS = 12;
export const ROUTE_PLACE_COUNT = 16;
export const ROUTE_PLACE_TRUSTED = 20;
export const ROUTE_PLACE_BYTES = 24;
export const ROUTE_PLACES_MAX = 8;

export const NEIGHBOUR_ENTRY_MAC = 0; // u64, 6 bytes
export const NEIGHBOUR_ENTRY_NETWORK = 8;
export const NEIGHBOUR_ENTRY_MTU = 12;
export const NEIGHBOUR_ENTRY_CREDITS = 16; // i32
export const NEIGHBOUR_ENTRY_KNOWN = 20; // it is one of ours
export const NEIGHBOUR_ENTRY_CHECKED = 24; // frames between us carry a check
export const NEIGHBOUR_ENTRY_IDLE_MS = 28;

export const PORT_ENTRY_PORT = 0; // u64, 6 bytes: the put-port
export const PORT_ENTRY_THREADS = 8; // that wait or serve
export const PORT_ENTRY_WAITING = 12; // 1: at least one waits for a request

export const PLACE_ENTRY_PORT = 0; // u64, 6 bytes
export const PLACE_ENTRY_ADDRESS = 8; // 8 bytes, FLIP
export const PLACE_ENTRY_ROUNDTRIP_US = 16; // 0: not measured
export const PLACE_ENTRY_IDLE_MS = 20;

export const THREAD_ENTRY_PORT = 0; // u64, 6 bytes: the put-port
export const THREAD_ENTRY_PEER = 8; // 8 bytes, FLIP
export const THREAD_ENTRY_STATE = 16; // as numbered in rpc/threads.ts
export const THREAD_ENTRY_TRANSACTION = 20;

export const NETWORK_ENTRY_MAC = 0; // u64, 6 bytes
export const NETWORK_ENTRY_MTU = 8;
export const NETWORK_ENTRY_WEIGHT = 12;
export const NETWORK_ENTRY_UP = 16;
export const NETWORK_ENTRY_TRUSTED = 20;
