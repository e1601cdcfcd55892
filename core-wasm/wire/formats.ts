// The wire on one page: byte offsets, sizes, type numbers and flags of every format.
//
// - Offsets are from the first byte of their own header. All integers are
//   little-endian on the wire when the sender leaves its BIGENDIAN flag clear.
// - Plain constants: AssemblyScript and TypeScript compile this same file (u32 is a
//   number there: control/kernel/assemblyscript.d.ts). In the kernel only the
//   accessors beside it (ethernet.ts, flip.ts, rpc.ts …) use the offsets.
// - Source: the packet layouts of Amoeba 5 (FLIP, RPC, group, message header).

// Ethernet frame
//    0        6        12          14      15       16
//   +--------+--------+-----------+-------+--------+------------------------
//   | to     | from   | 0x8146 BE | fc    | fc     | FLIP header, or what the
//   | MAC 6  | MAC 6  |           | type  | count  | control type carries
//   +--------+--------+-----------+-------+--------+------------------------
export const ETHERNET_DESTINATION: u32 = 0;
export const ETHERNET_SOURCE: u32 = 6;
export const ETHERNET_TYPE: u32 = 12;
export const ETHERNET_HEADER: u32 = 14;
export const ETHERTYPE_FLIP: u32 = 0x8146;
export const FRAME_MINIMUM: u32 = 60; // without the checksum; shorter ones are padded with zeros
export const MAC_BYTES: u32 = 6;

export const FRAGMENT_TYPE: u32 = 14;
export const FRAGMENT_COUNT: u32 = 15;
export const FRAGMENT_CONTROL: u32 = 2; // bytes
export const FRAME_PAYLOAD: u32 = 16; // first byte behind the fragment control
export const FC_DATA: u32 = 0; // a FLIP packet; count: credits given back
export const FC_REQCREDIT: u32 = 1; // how many credits have I?
export const FC_CREDIT: u32 = 2; // add count to your balance
export const FC_MCREQ: u32 = 3; // location 8, address 8: listen to this multicast
export const FC_MCACK: u32 = 4; // address 8: listening
export const FC_MCNAK: u32 = 5; // address 8: refused
export const FC_ABSCREDIT: u32 = 6; // your balance is count
export const FC_HELLO: u32 = 0x50; // ours; originals drop it
export const FC_HELLO_BYTES: u32 = 16;
// In MCREQ, MCACK, MCNAK and HELLO, from the first byte behind the fragment control
export const FC_MCREQ_LOCATION_AT: u32 = 0;
export const FC_MCREQ_ADDRESS_AT: u32 = 8;
export const FC_MCACK_ADDRESS_AT: u32 = 0; // MCNAK too
export const FC_HELLO_VERSION_AT: u32 = 0;
export const FC_HELLO_ANSWER_AT: u32 = 1;
export const FC_HELLO_FEATURES_AT: u32 = 2; // u16
export const FC_HELLO_MTU_AT: u32 = 4; // u32
export const FC_HELLO_NONCE_AT: u32 = 8; // u32
export const FC_HELLO_CHECK_AT: u32 = 12; // of the bytes in front of it
export const FC_CHECKED: u32 = 0x51; // ours, after HELLO: DATA with a check in front of the FLIP header
export const FC_CHECK_BYTES: u32 = 4; // of the whole frame without padding, itself taken as 0

// FLIP packet
//    0   1    2     3   4       6       8           16      24      28     32     36    40
//   +---+----+-----+---+-------+-------+-----------+-------+-------+------+------+-----+--
//   | 1 |type|flags| 0 | actual| most  | to        | from  |message|length|offset|total|
//   |   |    |     |   | hops  | hops  | address   |address| id    |      |      |     |
//   +---+----+-----+---+-------+-------+-----------+-------+-------+------+------+-----+--
export const FLIP_VERSION_AT: u32 = 0;
export const FLIP_TYPE_AT: u32 = 1;
export const FLIP_FLAGS_AT: u32 = 2;
export const FLIP_RESERVED_AT: u32 = 3; // originals leave rubbish here
export const FLIP_ACT_HOP_AT: u32 = 4;
export const FLIP_MAX_HOP_AT: u32 = 6;
export const FLIP_DESTINATION_AT: u32 = 8;
export const FLIP_SOURCE_AT: u32 = 16;
export const FLIP_MESSAGE_ID_AT: u32 = 24;
export const FLIP_LENGTH_AT: u32 = 28;
export const FLIP_OFFSET_AT: u32 = 32;
export const FLIP_TOTAL_AT: u32 = 36;
export const FLIP_HEADER: u32 = 40;
export const FLIP_ADDRESS: u32 = 8; // bytes
export const FLIP_DATA_1500: u32 = 1458; // payload of one fragment at MTU 1500
export const FLIP_VERSION: u32 = 1;

export const FLIP_LOCATE: u32 = 1;
export const FLIP_HEREIS: u32 = 2;
export const FLIP_UNIDATA: u32 = 3;
export const FLIP_MULTIDATA: u32 = 4;
export const FLIP_NOTHERE: u32 = 5;
export const FLIP_UNTRUSTED: u32 = 6;

export const FLIP_BIGENDIAN: u32 = 0x01;
export const FLIP_CODEFIELD: u32 = 0x02; // never used
export const FLIP_SECURITY: u32 = 0x04; // trusted networks only
export const FLIP_UNREACHABLE: u32 = 0x10; // no trusted route existed
export const FLIP_UNSAFE: u32 = 0x20; // crossed an untrusted network

export const ETHERNET_WEIGHT: u32 = 3; // hops that crossing an Ethernet costs
export const HOPS_MAX: u32 = 25;
export const FLIP_SIZE_MAX: u32 = 0x7fffffff; // of total and offset

// HEREIS payload: how many endpoints have the address, how many of them trusted
export const HEREIS_COUNT_AT: u32 = 40; // u16
export const HEREIS_TRUSTED_AT: u32 = 42; // u16
export const HEREIS_BYTES: u32 = 4;

// A packet to the null address starts with this word, big-endian
export const PROTOCOL_WORD: u32 = 4; // bytes
export const PROTOCOL_RPC: u32 = 1;
export const PROTOCOL_GROUP: u32 = 2;

// RPC
//    0           8        14     15      16    20     22    24
//   +-----------+--------+------+-------+-----+------+-----+------------------------
//   | kernel id | port 6 | type | flags | tid | dest | from| 32-byte header and data
//   +-----------+--------+------+-------+-----+------+-----+  of REQUEST and REPLY
export const RPC_KID_AT: u32 = 0;
export const RPC_PORT_AT: u32 = 8;
export const RPC_TYPE_AT: u32 = 14;
export const RPC_FLAGS_AT: u32 = 15;
export const RPC_TID_AT: u32 = 16;
export const RPC_DEST_AT: u32 = 20; // in REQUEST: the client's round trip in ms
export const RPC_FROM_AT: u32 = 22;
export const RPC_HEADER: u32 = 24;
export const RPC_BROADCAST: u32 = 4; // bytes in front of a LOCATE

export const RPC_LOCATE: u32 = 1;
export const RPC_HEREIS: u32 = 2;
export const RPC_REQUEST: u32 = 3;
export const RPC_REPLY: u32 = 4;
export const RPC_ACK: u32 = 5;
export const RPC_NAK: u32 = 6;
export const RPC_ENQUIRE: u32 = 7;
export const RPC_ALIVE: u32 = 8;
export const RPC_RECEIVED: u32 = 9;
export const RPC_FORWARD: u32 = 10; // FLIP address 8 of the new server
export const RPC_FAIL: u32 = 11;
export const RPC_REPEAT: u32 = 12; // ours, to peers that know it: fragments that are missing
export const RPC_REPEAT_RANGE: u32 = 8; // each u32 start, u32 end

export const RPC_BIGENDIAN: u32 = 0x01;
export const RPC_RETRANS: u32 = 0x02;
export const RPC_REQUEST_FLAG: u32 = 0x04;
export const RPC_REPLY_FLAG: u32 = 0x08;
export const RPC_SIGTRANS: u32 = 0x10;
export const RPC_EXTENDED: u32 = 0x20; // ours, to peers that know it

// Message header of REQUEST, REPLY and group data
//    0        6            12                          22        24       28     30    32
//   +--------+------------+---------------------------+---------+--------+------+-----+
//   | port 6 | signature 6| private 10: object 3,     | command | offset | size |extra|
//   |        |            | rights 1, check 6         | /status |        |      |     |
//   +--------+------------+---------------------------+---------+--------+------+-----+
export const HEADER_PORT_AT: u32 = 0;
export const HEADER_SIGNATURE_AT: u32 = 6;
export const HEADER_PRIVATE_AT: u32 = 12;
export const HEADER_COMMAND_AT: u32 = 22; // u16; as a status i16
export const HEADER_OFFSET_AT: u32 = 24; // i32
export const HEADER_SIZE_AT: u32 = 28; // u16
export const HEADER_EXTRA_AT: u32 = 30; // u16
export const HEADER: u32 = 32;

// Capability: port 6, private 10
export const PORT_BYTES: u32 = 6;
export const PRIVATE_OBJECT_AT: u32 = 0; // 24 bits, always little-endian
export const PRIVATE_RIGHTS_AT: u32 = 3;
export const PRIVATE_CHECK_AT: u32 = 4;
export const PRIVATE_BYTES: u32 = 10;
export const CAPABILITY_PRIVATE_AT: u32 = 6;
export const CAPABILITY_BYTES: u32 = 16;
export const OBJECT_MAX: u32 = 0xffffff;
export const RIGHTS_ALL: u32 = 0xff;
export const KEYED_KEY_BYTES: u32 = 32; // of a keyed scheme; as the kernel wants it:
export const KEYED_PREPARED_BYTES: u32 = 64;
export const KEYED_GENERATION_BYTES: u32 = 8;

// Group
//    0    1     2   4     6       8       12      16     20
//   +----+-----+---+-----+-------+-------+-------+------+---------------------
//   |type|flags| 0 | cpu | incar-| seqno |message|expect| payload by type
//   |    |     |   |     | nation|       | id    |      |
//   +----+-----+---+-----+-------+-------+-------+------+---------------------
export const GROUP_TYPE_AT: u32 = 0;
export const GROUP_FLAGS_AT: u32 = 1;
export const GROUP_RESERVED_AT: u32 = 2;
export const GROUP_CPU_AT: u32 = 4;
export const GROUP_INCARNATION_AT: u32 = 6;
export const GROUP_SEQNO_AT: u32 = 8;
export const GROUP_MESSAGE_ID_AT: u32 = 12;
export const GROUP_EXPECT_AT: u32 = 16;
export const GROUP_HEADER: u32 = 20;
export const GROUP_BIGENDIAN: u32 = 0x01;

export const GROUP_LOCATE: u32 = 0; // header 32, rpc address 8, member address 8
export const GROUP_HEREIS: u32 = 1;
export const GROUP_JOINREQ: u32 = 2; // header 32, data
export const GROUP_JOIN: u32 = 3;
export const GROUP_LEAVEREQ: u32 = 4; // header 32, data
export const GROUP_LEAVE: u32 = 5;
export const GROUP_BCASTREQ: u32 = 6; // header 32, data
export const GROUP_BCAST: u32 = 7;
export const GROUP_ACK: u32 = 8;
export const GROUP_RETRANS: u32 = 9;
export const GROUP_SYNC: u32 = 10; // u16 member ids that must answer
export const GROUP_STATE: u32 = 11;
export const GROUP_REFORMREQ: u32 = 12;
export const GROUP_VOTE: u32 = 13;
export const GROUP_RESULT: u32 = 14;
export const GROUP_RESULTACK: u32 = 15;
export const GROUP_ALIVE: u32 = 16;
export const GROUP_ALIVEREQ: u32 = 17;
export const GROUP_DEAD: u32 = 18;

// Offsets below are from the first byte behind the 20-byte group header.
export const GROUP_LOCATE_RPC_ADDRESS_AT: u32 = 32;
export const GROUP_LOCATE_MEMBER_ADDRESS_AT: u32 = 40;
export const GROUP_LOCATE_BYTES: u32 = 48;

export const GROUP_HEREIS_MEMBERS_MAX_AT: u32 = 0; // u16
export const GROUP_HEREIS_LOG_HISTORY_AT: u32 = 2; // u16
export const GROUP_HEREIS_LOG_MESSAGE_AT: u32 = 4; // u16
export const GROUP_HEREIS_RESILIENCE_AT: u32 = 6; // u16
export const GROUP_HEREIS_LARGE_AT: u32 = 8; // u32
export const GROUP_HEREIS_INDEX_AT: u32 = 12; // u16: the joiner's member id
export const GROUP_HEREIS_SEQUENCER_AT: u32 = 14; // u16
export const GROUP_HEREIS_GROUP_ADDRESS_AT: u32 = 16; // private, 8
export const GROUP_HEREIS_ALL_ADDRESS_AT: u32 = 24; // private, 8
export const GROUP_HEREIS_BYTES: u32 = 32;

// JOIN: header 32, joiner's address 8, members, then a tail of 24
export const GROUP_JOIN_ADDRESS_AT: u32 = 32;
export const GROUP_JOIN_MEMBERS_AT: u32 = 40;
export const GROUP_MEMBER_ADDRESS_AT: u32 = 0;
export const GROUP_MEMBER_RPC_ADDRESS_AT: u32 = 8;
export const GROUP_MEMBER_STATE_AT: u32 = 16; // u32
export const GROUP_MEMBER_EXPECT_AT: u32 = 20; // u32
export const GROUP_MEMBER_MESSAGE_ID_AT: u32 = 24; // u32
export const GROUP_MEMBER_BYTES: u32 = 28;
export const GROUP_JOIN_ALL_ADDRESS_AT: u32 = 0; // in the tail, private, 8
export const GROUP_JOIN_TOTAL_AT: u32 = 8; // u16
export const GROUP_JOIN_SEQUENCER_AT: u32 = 10; // u16
export const GROUP_JOIN_NEXT_SEQNO_AT: u32 = 12; // u32
export const GROUP_JOIN_INCARNATION_AT: u32 = 16; // u16
export const GROUP_JOIN_RESILIENCE_AT: u32 = 18; // u16
export const GROUP_JOIN_LARGE_AT: u32 = 20; // u32
export const GROUP_JOIN_TAIL: u32 = 24;

// RESULT: header 32, u32 states, then a tail of 22
export const GROUP_RESULT_STATES_AT: u32 = 32;
export const GROUP_RESULT_GROUP_ADDRESS_AT: u32 = 0; // in the tail, private, 8
export const GROUP_RESULT_ALL_ADDRESS_AT: u32 = 8; // private, 8
export const GROUP_RESULT_TOTAL_AT: u32 = 16; // u16
export const GROUP_RESULT_SEQUENCER_AT: u32 = 18; // u16
export const GROUP_RESULT_INCARNATION_AT: u32 = 20; // u16
export const GROUP_RESULT_TAIL: u32 = 22;
