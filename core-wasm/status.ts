// Status codes: what every call of the kernel answers, in Amoeba's own numbers.
//
// - 0 and above is success (a handle, a count); below zero is one of these.
// - This file is plain constants on purpose: AssemblyScript and TypeScript both
//   compile it, and scripts/kernel-header.mjs turns it into C.
// - Source: Amoeba 5 error numbers (amoeba.h, stderr.h); *_FULL and later are ours
//   and never travel on the wire.

export const STD_OK = 0;

export const RPC_FAILURE = -1; // the call may or may not have been executed
export const RPC_NOTFOUND = -2; // no server found: certainly not executed
export const RPC_BADADDRESS = -3; // a null or out-of-range buffer
export const RPC_ABORTED = -4; // a signal ended the call before it was sent
export const RPC_TRYAGAIN = -5; // a table is full: nothing was done, try later
export const RPC_BADPORT = -8; // the null port
export const RPC_UNSAFE = -9; // only an untrusted route exists

export const BC_FAIL = -20; // what became of it is not known, or a signal ended it
export const BC_ABORT = -21; // a member died: the group wants a reset
export const BC_TOOBIG = -22; // longer than the group's largest message
export const BC_BADPORT = -23; // the null port, or no such group here
export const BC_NOEXIST = -24; // no such group can be found, or we are no member
export const BC_TOOMANY = -25; // too many groups, members, or calls waiting
export const BC_ILLRESET = -28; // fewer members than the reset asked for

// Kernel calls outside RPC.
export const KERNEL_NOMEMORY = -64; // the limits do not fit the memory
export const KERNEL_BADLIMIT = -65; // a limit out of its range
export const KERNEL_BADNETWORK = -66; // no such network
export const KERNEL_BADHANDLE = -67; // stale or wrong handle for this call
export const KERNEL_FULL = -68; // a table sized at boot is full

// What `receive` answers; each is counted too (layout.ts, COUNTER_*).
export const FRAME_TAKEN = 0;
export const FRAME_MALFORMED = -80;
export const FRAME_NOT_OURS = -81;

export const STD_CAPBAD = -1000;
export const STD_COMBAD = -1001;
export const STD_ARGBAD = -1002;
export const STD_NOTNOW = -1003;
export const STD_NOSPACE = -1004;
export const STD_DENIED = -1005;
export const STD_NOMEM = -1006;
export const STD_EXISTS = -1007;
export const STD_NOTFOUND = -1008;
export const STD_SYSERR = -1009;
export const STD_INTR = -1010;
export const STD_OVERFLOW = -1011;
export const STD_WRITEPROT = -1012;
export const STD_NOMEDIUM = -1013;

export const SP_UNAVAIL = -2101; // no directory server answers, or the group has no majority
export const SP_NOTEMPTY = -2102; // a directory that is to go has rows
export const SP_UNREACH = -2103; // what the directory names cannot be asked
export const SP_CLASH = -2104; // the row has changed meanwhile

// Disks and their members (control/server/disk/errors.ts says more).
export const DISK_ROT = -2201; // stored bytes are not those that were written
export const DISK_SHORT = -2202; // the medium is smaller than the storage
export const DISK_FOREIGN = -2203; // the medium is not of this storage, or of none
export const DISK_FENCED = -2204; // a later epoch is known, or another server has it still
export const DISK_TRANSFER = -2205; // bytes changed on their way
export const DISK_SILENT = -2206; // a machine behind the server does not answer
export const DISK_GONE = -2207; // closed, or taken away
export const DISK_NO_QUORUM = -2208; // too few members answer
export const DISK_NO_COPY = -2209; // no member that answers has a valid copy
export const DISK_SPLIT = -2210; // two histories: a person decides
export const DISK_LOOP = -2211; // a storage would be a member of itself
export const DISK_MEDIUM = -2212; // the medium cannot read or write, or a flush has failed
