// The fields of every layer as data: where core-wasm/wire/formats.ts says they lie, and what
// a display filter calls them.
//
// - `at` counts from the first byte of the layer's own header. Names are those of
//   `proteus decode --json` where it has them.
// - Numbers turn round with the layer's byte order unless `little` says that they never do.
// - What depends on a packet's type or length (tables of members, ranges) is proteus.lua's.

import * as f from "../../../core-wasm/wire/formats.js";

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly at: number;
  readonly bytes: number;
  /** Default: an unsigned number up to 4 bytes, else a string of bytes. */
  readonly kind?: "bytes" | "signed" | "big";
  /** The table of names of its values: names.ts. */
  readonly names?: string;
  readonly hex?: boolean;
  /** Little-endian whatever the flag says. */
  readonly little?: boolean;
  /** Bits with names: mask, name, label. */
  readonly bits?: readonly (readonly [number, string, string])[];
}

export type Layer =
  | "fc"
  | "mcast"
  | "mcack"
  | "hello"
  | "flip"
  | "hereis"
  | "rpc"
  | "header"
  | "private"
  | "group"
  | "group_locate"
  | "group_hereis"
  | "member"
  | "join_tail"
  | "result_tail";

const number = (
  name: string,
  label: string,
  at: number,
  bytes: number,
  more: Partial<Field> = {},
): Field => ({
  name,
  label,
  at,
  bytes,
  ...more,
});
const address = (name: string, label: string, at: number): Field => number(name, label, at, f.FLIP_ADDRESS);
const port = (name: string, label: string, at: number): Field => number(name, label, at, f.PORT_BYTES);

const behindEthernet = (at: number): number => at - f.ETHERNET_HEADER;

/** Names of fields are without their layer: `flip.src` is proteus.flip.src. */
export const layers: Readonly<Record<Layer, readonly Field[]>> = {
  fc: [
    number("type", "Type", behindEthernet(f.FRAGMENT_TYPE), 1, { names: "fragment" }),
    number("count", "Credits", behindEthernet(f.FRAGMENT_COUNT), 1),
  ],
  mcast: [
    address("location", "Location", f.FC_MCREQ_LOCATION_AT),
    address("address", "Address", f.FC_MCREQ_ADDRESS_AT),
  ],
  mcack: [address("address", "Address", f.FC_MCACK_ADDRESS_AT)],
  hello: [
    number("version", "Version", f.FC_HELLO_VERSION_AT, 1),
    number("answer", "Answer", f.FC_HELLO_ANSWER_AT, 1),
    number("features", "Features", f.FC_HELLO_FEATURES_AT, 2, { hex: true, little: true }),
    number("mtu", "MTU", f.FC_HELLO_MTU_AT, 4, { little: true }),
    number("nonce", "Nonce of the boot", f.FC_HELLO_NONCE_AT, 4, { hex: true, little: true }),
    number("check", "Check", f.FC_HELLO_CHECK_AT, 4, { hex: true, little: true }),
  ],
  flip: [
    number("version", "Version", f.FLIP_VERSION_AT, 1),
    number("type", "Type", f.FLIP_TYPE_AT, 1, { names: "flip" }),
    number("flags", "Flags", f.FLIP_FLAGS_AT, 1, {
      hex: true,
      bits: [
        [f.FLIP_BIGENDIAN, "bigendian", "Big-endian"],
        [f.FLIP_CODEFIELD, "codefield", "Code field"],
        [f.FLIP_SECURITY, "security", "Trusted networks only"],
        [f.FLIP_UNREACHABLE, "unreachable", "No trusted route existed"],
        [f.FLIP_UNSAFE, "unsafe", "Crossed an untrusted network"],
      ],
    }),
    number("act_hop", "Hops so far", f.FLIP_ACT_HOP_AT, 2),
    number("max_hop", "Hops at most", f.FLIP_MAX_HOP_AT, 2),
    address("dst", "Destination", f.FLIP_DESTINATION_AT),
    address("src", "Source", f.FLIP_SOURCE_AT),
    number("messid", "Message id", f.FLIP_MESSAGE_ID_AT, 4),
    number("length", "Length", f.FLIP_LENGTH_AT, 4),
    number("offset", "Offset", f.FLIP_OFFSET_AT, 4),
    number("total", "Total", f.FLIP_TOTAL_AT, 4),
  ],
  hereis: [
    number("count", "Endpoints there", f.HEREIS_COUNT_AT, 2),
    number("trusted", "Trusted endpoints there", f.HEREIS_TRUSTED_AT, 2),
  ],
  rpc: [
    number("kid", "Kernel id", f.RPC_KID_AT, 8),
    port("port", "Port", f.RPC_PORT_AT),
    number("type", "Type", f.RPC_TYPE_AT, 1, { names: "rpc" }),
    number("flags", "Flags", f.RPC_FLAGS_AT, 1, {
      hex: true,
      bits: [
        [f.RPC_BIGENDIAN, "bigendian", "Big-endian"],
        [f.RPC_RETRANS, "retrans", "Sent again"],
        [f.RPC_REQUEST_FLAG, "request", "About a request"],
        [f.RPC_REPLY_FLAG, "reply", "About a reply"],
        [f.RPC_SIGTRANS, "sigtrans", "Signal"],
        [f.RPC_EXTENDED, "extended", "Extended (ours)"],
      ],
    }),
    number("tid", "Transaction", f.RPC_TID_AT, 4),
    number("dest", "To thread (of a REQUEST: round trip in ms)", f.RPC_DEST_AT, 2),
    number("from", "From thread", f.RPC_FROM_AT, 2),
  ],
  header: [
    port("port", "Port", f.HEADER_PORT_AT),
    port("signature", "Signature", f.HEADER_SIGNATURE_AT),
    number("priv", "Private part", f.HEADER_PRIVATE_AT, f.PRIVATE_BYTES),
    number("command", "Command", f.HEADER_COMMAND_AT, 2, { names: "command" }),
    number("status", "Status", f.HEADER_COMMAND_AT, 2, { kind: "signed", names: "status" }),
    number("offset", "Offset", f.HEADER_OFFSET_AT, 4, { kind: "signed" }),
    number("size", "Size", f.HEADER_SIZE_AT, 2),
    number("extra", "Extra", f.HEADER_EXTRA_AT, 2),
  ],
  private: [
    number("object", "Object", f.PRIVATE_OBJECT_AT, 3, { little: true }),
    number("rights", "Rights", f.PRIVATE_RIGHTS_AT, 1, { hex: true }),
    port("check", "Check field", f.PRIVATE_CHECK_AT),
  ],
  group: [
    number("type", "Type", f.GROUP_TYPE_AT, 1, { names: "group" }),
    number("flags", "Flags", f.GROUP_FLAGS_AT, 1, {
      hex: true,
      bits: [[f.GROUP_BIGENDIAN, "bigendian", "Big-endian"]],
    }),
    number("features", "Features (ours)", f.GROUP_RESERVED_AT, 2, { hex: true, little: true }),
    number("cpu", "Member", f.GROUP_CPU_AT, 2),
    number("incarnation", "Incarnation", f.GROUP_INCARNATION_AT, 2),
    number("seqno", "Sequence number", f.GROUP_SEQNO_AT, 4),
    number("messid", "Message id", f.GROUP_MESSAGE_ID_AT, 4),
    number("expect", "Expects", f.GROUP_EXPECT_AT, 4),
  ],
  group_locate: [
    address("rpc_address", "RPC address", f.GROUP_LOCATE_RPC_ADDRESS_AT),
    address("member_address", "Member's address", f.GROUP_LOCATE_MEMBER_ADDRESS_AT),
  ],
  group_hereis: [
    number("members_max", "Members at most", f.GROUP_HEREIS_MEMBERS_MAX_AT, 2),
    number("log_history", "History, as a power of 2", f.GROUP_HEREIS_LOG_HISTORY_AT, 2),
    number("log_message", "Largest message, as a power of 2", f.GROUP_HEREIS_LOG_MESSAGE_AT, 2),
    number("resilience", "Resilience", f.GROUP_HEREIS_RESILIENCE_AT, 2),
    number("large", "Large from", f.GROUP_HEREIS_LARGE_AT, 4),
    number("index", "The joiner's member id", f.GROUP_HEREIS_INDEX_AT, 2),
    number("sequencer", "Sequencer", f.GROUP_HEREIS_SEQUENCER_AT, 2),
    address("group_address", "Group's address, private", f.GROUP_HEREIS_GROUP_ADDRESS_AT),
    address("all_address", "Address of all, private", f.GROUP_HEREIS_ALL_ADDRESS_AT),
  ],
  member: [
    address("address", "Address", f.GROUP_MEMBER_ADDRESS_AT),
    address("rpc_address", "RPC address", f.GROUP_MEMBER_RPC_ADDRESS_AT),
    number("state", "State", f.GROUP_MEMBER_STATE_AT, 4),
    number("expect", "Expects", f.GROUP_MEMBER_EXPECT_AT, 4),
    number("messid", "Message id", f.GROUP_MEMBER_MESSAGE_ID_AT, 4),
  ],
  join_tail: [
    address("all_address", "Address of all, private", f.GROUP_JOIN_ALL_ADDRESS_AT),
    number("total", "Members", f.GROUP_JOIN_TOTAL_AT, 2),
    number("sequencer", "Sequencer", f.GROUP_JOIN_SEQUENCER_AT, 2),
    number("next_seqno", "Next sequence number", f.GROUP_JOIN_NEXT_SEQNO_AT, 4),
    number("incarnation", "Incarnation", f.GROUP_JOIN_INCARNATION_AT, 2),
    number("resilience", "Resilience", f.GROUP_JOIN_RESILIENCE_AT, 2),
    number("large", "Large from", f.GROUP_JOIN_LARGE_AT, 4),
  ],
  result_tail: [
    address("group_address", "Group's address, private", f.GROUP_RESULT_GROUP_ADDRESS_AT),
    address("all_address", "Address of all, private", f.GROUP_RESULT_ALL_ADDRESS_AT),
    number("total", "Members", f.GROUP_RESULT_TOTAL_AT, 2),
    number("sequencer", "Sequencer", f.GROUP_RESULT_SEQUENCER_AT, 2),
    number("incarnation", "Incarnation", f.GROUP_RESULT_INCARNATION_AT, 2),
  ],
};

/** What display filters call the fields of a layer: `proteus.` and this, a dot, the field. */
export const prefixes: Readonly<Record<Layer, string>> = {
  fc: "fc",
  mcast: "mcast",
  mcack: "mcack",
  hello: "hello",
  flip: "flip",
  hereis: "flip",
  rpc: "rpc",
  header: "header",
  private: "header",
  group: "group",
  group_locate: "group.locate",
  group_hereis: "group.hereis",
  member: "group.member",
  join_tail: "group.join",
  result_tail: "group.result",
};
