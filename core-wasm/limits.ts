// Everything has a limit, and all limits are on this page.
//
// - The host writes a record of u32 at LIMITS_ADDRESS and calls boot(); each
//   constant below is a field's index in that record. A field left 0 takes the
//   default written behind it.
// - Tables are sized from it once; nothing in the kernel grows later. A full table
//   answers a status, never a trap.
// - Plain constants: AssemblyScript and TypeScript compile this same file.

// Sizes of tables (entries)
export const LIMIT_MEMORY_BYTES = 0; // linear memory the kernel may count on; all of it
export const LIMIT_TABLE_BASE = 1; // where the tables begin; after the static data
export const LIMIT_NETWORKS = 2; // 4
export const LIMIT_NEIGHBOURS = 3; // 512   machines seen on attached networks
export const LIMIT_ROUTES = 4; // 2048  FLIP addresses known
export const LIMIT_LOCATIONS = 5; // 4096  places of those addresses
export const LIMIT_ENDPOINTS = 6; // 64    addresses registered here
export const LIMIT_LOCATES = 7; // 256   addresses being looked for
export const LIMIT_BROADCASTS_SEEN = 8; // 1024  duplicate cache of broadcasts
export const LIMIT_FRAMES = 9; // 512   frames that wait for credit on their way through
export const LIMIT_FRAME_BYTES = 10; // 1536  bytes of each; the largest attached MTU + 36
export const LIMIT_THREADS = 11; // 256   calls and services in progress
export const LIMIT_PORTS = 12; // 16384 ports with a waiting or serving thread
export const LIMIT_PORT_CACHE = 13; // 1024  where ports elsewhere were last found
export const LIMIT_CLIENT_KERNELS = 14; // 256   kernels with a duplicate window
export const LIMIT_DUPLICATE_WINDOW = 15; // 65536 transaction ids remembered a kernel
export const LIMIT_FORGOTTEN_KERNELS = 16; // 8192  last transaction of kernels past that
export const LIMIT_STASH_BYTES = 17; // 262144 fragments that came before their first one

// Timers and parameters
export const LIMIT_LOCATE_TIMEOUT_MS = 18; // 5200  a call gives up looking for its port
export const LIMIT_POLL_MS = 19; // 500   silence before a client asks "alive?"
export const LIMIT_DEAD_MS = 20; // 2000  silence before a peer is taken for dead
export const LIMIT_ACK_DELAY_US = 21; // 1000  how long the next request may carry an ack
export const LIMIT_VERIFY_MS = 22; // 500   age after which a cached place is asked first
export const LIMIT_BROADCASTS_PER_SECOND = 23; // 1000 locates forwarded or answered a network
export const LIMIT_EXTENSIONS = 24; // bits below + 0x8000 to say "this is set"
export const LIMIT_GROUPS = 25; // 10    groups that this kernel may be in
export const LIMIT_GROUP_OPERATIONS = 26; // 256   joins, sends, receives, resets in progress
export const LIMIT_GROUP_BYTES = 27; // 4 MiB  messages that groups keep: histories, and what comes in
export const LIMIT_SEGMENT_BYTES = 28; // 0     the region of segments; 0: there is none
export const LIMIT_SEGMENTS = 29; // 1024  segments at a time
export const LIMIT_FIELDS = 30;

// Bits of LIMIT_EXTENSIONS: what this kernel offers; write 0x8000 alone to be an original
export const EXTENSIONS_GIVEN = 0x8000;
export const EXTENSION_IMPLICIT_ACK = 0x0001;
export const EXTENSION_SELECTIVE_REPEAT = 0x0002;
export const EXTENSION_FRESH_TID = 0x0004; // a refused request comes back under a new tid
export const EXTENSION_LINK = 0x0008; // HELLO: larger MTU and credit window
export const EXTENSION_SHORT_TIMERS = 0x0010;
export const EXTENSION_CHECKED = 0x0020; // a check in every frame to a neighbour of ours
export const EXTENSION_GROUP = 0x0040; // groups: several sends under way, short timers
export const EXTENSIONS_ALL = 0x007f;

// Fixed by the wire or by the shape of a record
export const NETWORKS_MAX = 16;
export const DATA_BYTES_MAX = 0x7fffff00; // of one request or reply
export const LEGACY_BYTES_MAX = 30000; // trans, getreq, putrep
export const GAPS_MAX: u32 = 16; // missing ranges tracked a message
export const GROUP_MEMBERS_MAX: u32 = 64;
export const TRANSMIT_PENDING_MAX: u32 = 256; // heads that stay valid: see transmit in host.ts
