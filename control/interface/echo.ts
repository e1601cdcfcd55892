// The echo interface: what the performance test calls, and what it gets back.
//
// - Every command number, standard ones too, is answered with status 0, the request's
//   h_offset, its data, h_size = length mod 65536 and h_extra + 1; three have a meaning
//   of their own. It is the one server without standard operations: the recorded
//   conversations of the original call it with 1004.

/** The command that `proteus call` uses, as the original's performance test did. */
export const ECHO = 1004;
/** Data in, empty reply. */
export const ECHO_SINK = 15001;
/** Empty request, reply of h_offset bytes. */
export const ECHO_SOURCE = 15002;
/** Reply's h_offset: executions of all other commands since the server began. */
export const ECHO_EXECUTIONS = 15003;
/** Largest request and reply that an echo server takes, bytes. */
export const ECHO_BYTES_MAX = 8 * 1024 * 1024;
