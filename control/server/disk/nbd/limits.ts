// How much a client may ask for, on one page: what one client can take of this machine.
//
// - A client that goes past a limit of the handshake, or sends more than PAYLOAD_BYTES_MAX at once,
//   is disconnected. Past the limits of what is under way it is not read from until there is room.
// - So a connection holds twice UNDER_WAY_BYTES_MAX at most, also of a client that never reads.

/** Data of one read or write. The protocol has clients assume so much when nothing else is said. */
export const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
/** Data of an option. */
export const OPTION_BYTES_MAX = 16 * 1024;
/** Options until a client has to have chosen an export. */
export const OPTIONS_MAX = 256;
/** Of an export or a query, by the protocol. */
export const STRING_BYTES_MAX = 4096;
/** Queries of contexts in one option. */
export const QUERIES_MAX = 32;

/** Requests of a connection that were taken and not answered. */
export const REQUESTS_MAX = 128;
/** Their data, and what was answered and not sent; one request more begins below it. */
export const UNDER_WAY_BYTES_MAX = PAYLOAD_BYTES_MAX;

/** Pieces of one request that are under way at a time. */
export const PIECES_MAX = 4;
/** What one call zeroes at most, so that others come in between. */
export const ZERO_BYTES_MAX = 256 * 1024 * 1024;
/** How far one request of block status looks, and how many runs it tells of. */
export const STATUS_BYTES_MAX = 1024 * 1024 * 1024;
export const STATUS_RUNS_MAX = 4096;
/** Bytes of an error's text. */
export const MESSAGE_BYTES_MAX = 512;
