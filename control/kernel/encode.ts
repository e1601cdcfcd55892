// The reverse of the dissector: layers to a frame, in the byte order that each layer's
// flags say.
//
// - Fields go where core-wasm/wire/formats.ts says; the kernel turns big-endian packets
//   round and has the last word on the FLIP packet.
// - What the protocol leaves undefined (the reserved byte, padding) is written as zero.

import * as formats from "../../core-wasm/wire/formats.js";
import { fromHex, view } from "./bytes.js";
import { exitCodes, ProteusError } from "./errors.js";
import { flipFault } from "./faults.js";
import {
  type Dissection,
  type FlipLayer,
  flipTypes,
  fragmentTypes,
  type GroupLayer,
  groupTypes,
  type HeaderLayer,
  type Names,
  type RpcLayer,
  rpcTypes,
} from "./layers.js";
import type { OfflineKernel } from "./offline.js";

function encodeError(message: string): ProteusError {
  return new ProteusError({
    code: "FRAME_INCOMPLETE",
    exit: exitCodes.failed,
    message,
    hint: "give the layers as `proteus decode --json` shows them",
  });
}

function bytesOf(text: string | undefined, length?: number): Uint8Array {
  const bytes = fromHex(text ?? "");
  if (bytes === undefined || (length !== undefined && bytes.length !== length)) {
    throw encodeError(`"${text}" is not a string of ${length ?? "whole"} bytes in hex`);
  }
  return bytes;
}

function typeOf(types: Names, name: string): number {
  const value = types.valueOf(name);
  if (value === undefined) throw encodeError(`there is no packet type ${name}`);
  return value;
}

/**
 * The frame behind a dissection, padded to the Ethernet minimum. A layer whose flags
 * have the BIGENDIAN bit is written so. Throws FRAME_INCOMPLETE when a layer that the
 * frame needs is missing or the kernel refuses what comes out.
 */
export function encodeFrame(kernel: OfflineKernel, dissection: Dissection): Uint8Array {
  const { ethernet, fragment } = dissection;
  if (ethernet === undefined || fragment === undefined) {
    throw encodeError("a frame needs its ethernet and fragment layers");
  }
  const payload =
    dissection.flip === undefined
      ? bytesOf(dissection.data)
      : encodeFlip(kernel, dissection.flip, dissection);
  const checked = fragment.type === "CHECKED";
  const payloadAt = formats.FRAME_PAYLOAD + (checked ? formats.FC_CHECK_BYTES : 0);
  const end = payloadAt + payload.length;
  const frame = new Uint8Array(Math.max(formats.FRAME_MINIMUM, end));
  frame.set(bytesOf(ethernet.dst, formats.MAC_BYTES), formats.ETHERNET_DESTINATION);
  frame.set(bytesOf(ethernet.src, formats.MAC_BYTES), formats.ETHERNET_SOURCE);
  frame.set(bytesOf(ethernet.ethertype, 2), formats.ETHERNET_TYPE);
  frame[formats.FRAGMENT_TYPE] = typeOf(fragmentTypes, fragment.type);
  frame[formats.FRAGMENT_COUNT] = fragment.count;
  frame.set(payload, payloadAt);
  if (checked) view(frame).setUint32(formats.FRAME_PAYLOAD, kernel.frameCheck(frame.slice(0, end)), true);
  return frame;
}

function encodeFlip(kernel: OfflineKernel, flip: FlipLayer, dissection: Dissection): Uint8Array {
  const payload = encodePayload(kernel, flip, dissection);
  const packet = new Uint8Array(formats.FLIP_HEADER + payload.length);
  const fields = view(packet);
  fields.setUint8(formats.FLIP_VERSION_AT, formats.FLIP_VERSION);
  fields.setUint8(formats.FLIP_TYPE_AT, typeOf(flipTypes, flip.type));
  fields.setUint8(formats.FLIP_FLAGS_AT, flip.flags & ~formats.FLIP_BIGENDIAN);
  fields.setUint16(formats.FLIP_ACT_HOP_AT, flip.act_hop, true);
  fields.setUint16(formats.FLIP_MAX_HOP_AT, flip.max_hop, true);
  packet.set(bytesOf(flip.dst, formats.FLIP_ADDRESS), formats.FLIP_DESTINATION_AT);
  packet.set(bytesOf(flip.src, formats.FLIP_ADDRESS), formats.FLIP_SOURCE_AT);
  fields.setUint32(formats.FLIP_MESSAGE_ID_AT, flip.messid, true);
  fields.setUint32(formats.FLIP_LENGTH_AT, flip.length, true);
  fields.setUint32(formats.FLIP_OFFSET_AT, flip.offset, true);
  fields.setUint32(formats.FLIP_TOTAL_AT, flip.total, true);
  packet.set(payload, formats.FLIP_HEADER);
  const checked = kernel.checkFlip(packet);
  if (checked === undefined) throw encodeError(`flip: ${flipFault(packet)}`);
  return inOrder(flip.flags & formats.FLIP_BIGENDIAN, checked, (bytes) => kernel.turnFlip(bytes));
}

function encodePayload(kernel: OfflineKernel, flip: FlipLayer, dissection: Dissection): Uint8Array {
  if (flip.count !== undefined) {
    const counts = new Uint8Array(formats.HEREIS_BYTES);
    view(counts).setUint16(0, flip.count, true);
    view(counts).setUint16(2, flip.trusted ?? 0, true);
    return counts;
  }
  const message = encodeMessage(kernel, dissection);
  if (flip.proto === undefined) return message;
  const payload = new Uint8Array(formats.PROTOCOL_WORD + message.length);
  view(payload).setUint32(0, flip.proto);
  payload.set(message, formats.PROTOCOL_WORD);
  return payload;
}

function encodeMessage(kernel: OfflineKernel, { rpc, group, header, data }: Dissection): Uint8Array {
  const rest = [...(header === undefined ? [] : encodeHeader(header)), ...bytesOf(data)];
  if (rpc !== undefined) {
    const message = Uint8Array.from([...encodeRpc(rpc), ...rest]);
    return inOrder(rpc.flags & formats.RPC_BIGENDIAN, message, (bytes) => kernel.turnRpc(bytes));
  }
  if (group !== undefined) {
    const packet = Uint8Array.from([...encodeGroup(group), ...rest]);
    return inOrder(group.flags & formats.GROUP_BIGENDIAN, packet, (bytes) => kernel.turnGroup(bytes));
  }
  return Uint8Array.from(rest);
}

function inOrder(
  bigEndian: number,
  bytes: Uint8Array,
  turn: (bytes: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const turned = bigEndian === 0 ? bytes : turn(bytes);
  if (turned === undefined) throw encodeError("the packet cannot be written in big-endian order");
  return turned;
}

function encodeRpc(rpc: RpcLayer): Uint8Array {
  const bytes = new Uint8Array(formats.RPC_HEADER);
  const fields = view(bytes);
  bytes.set(bytesOf(rpc.kid, 8), formats.RPC_KID_AT);
  bytes.set(bytesOf(rpc.port, formats.PORT_BYTES), formats.RPC_PORT_AT);
  fields.setUint8(formats.RPC_TYPE_AT, typeOf(rpcTypes, rpc.type));
  fields.setUint8(formats.RPC_FLAGS_AT, rpc.flags & ~formats.RPC_BIGENDIAN);
  fields.setUint32(formats.RPC_TID_AT, rpc.tid, true);
  fields.setUint16(formats.RPC_DEST_AT, rpc.dest, true);
  fields.setUint16(formats.RPC_FROM_AT, rpc.from, true);
  return bytes;
}

function encodeGroup(group: GroupLayer): Uint8Array {
  const bytes = new Uint8Array(formats.GROUP_HEADER);
  const fields = view(bytes);
  fields.setUint8(formats.GROUP_TYPE_AT, typeOf(groupTypes, group.type));
  fields.setUint8(formats.GROUP_FLAGS_AT, group.flags & ~formats.GROUP_BIGENDIAN);
  fields.setUint16(formats.GROUP_CPU_AT, group.cpu, true);
  fields.setUint16(formats.GROUP_INCARNATION_AT, group.incarnation, true);
  fields.setUint32(formats.GROUP_SEQNO_AT, group.seqno, true);
  fields.setUint32(formats.GROUP_MESSAGE_ID_AT, group.messid, true);
  fields.setUint32(formats.GROUP_EXPECT_AT, group.expect, true);
  return bytes;
}

function encodeHeader(header: HeaderLayer): Uint8Array {
  const bytes = new Uint8Array(formats.HEADER);
  const fields = view(bytes);
  bytes.set(bytesOf(header.port, formats.PORT_BYTES), formats.HEADER_PORT_AT);
  bytes.set(bytesOf(header.signature, formats.PORT_BYTES), formats.HEADER_SIGNATURE_AT);
  bytes.set(bytesOf(header.priv, formats.PRIVATE_BYTES), formats.HEADER_PRIVATE_AT);
  fields.setUint16(formats.HEADER_COMMAND_AT, header.command, true);
  fields.setInt32(formats.HEADER_OFFSET_AT, header.offset, true);
  fields.setUint16(formats.HEADER_SIZE_AT, header.size, true);
  fields.setUint16(formats.HEADER_EXTRA_AT, header.extra, true);
  return bytes;
}
