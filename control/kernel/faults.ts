// Why the kernel refuses a packet, in words: the kernel only says that it does. These
// functions are asked after a refusal, and name the first reason that they find.

import * as formats from "../../core-wasm/wire/formats.js";
import { view } from "./bytes.js";
import { flipTypes, groupTypes, rpcTypes } from "./layers.js";

/** Of a FLIP packet, from its header to the end of the frame. */
export function flipFault(packet: Uint8Array): string {
  if (packet.length < formats.FLIP_HEADER) {
    return `${packet.length} bytes are too few for the header of ${formats.FLIP_HEADER}`;
  }
  const fields = view(packet);
  const type = fields.getUint8(formats.FLIP_TYPE_AT);
  if (flipTypes.nameOf(type) === undefined) return `unknown type ${type}`;
  const little = (fields.getUint8(formats.FLIP_FLAGS_AT) & formats.FLIP_BIGENDIAN) === 0;
  const length = fields.getUint32(formats.FLIP_LENGTH_AT, little);
  const offset = fields.getUint32(formats.FLIP_OFFSET_AT, little);
  const total = fields.getUint32(formats.FLIP_TOTAL_AT, little);
  const arrived = packet.length - formats.FLIP_HEADER;
  if (length > arrived) return `length ${length}, but only ${arrived} bytes arrived`;
  if (total > formats.FLIP_SIZE_MAX) return `total ${total} is out of range`;
  if (offset + length > total) return `offset ${offset} and length ${length} pass the total of ${total}`;
  if (length !== formats.HEREIS_BYTES) return `a HEREIS carries ${formats.HEREIS_BYTES} bytes, not ${length}`;
  return "the counts of the HEREIS make no sense";
}

/** Of an RPC message. */
export function rpcFault(message: Uint8Array): string {
  if (message.length < formats.RPC_HEADER) {
    return `${message.length} bytes are too few for the header of ${formats.RPC_HEADER}`;
  }
  const type = view(message).getUint8(formats.RPC_TYPE_AT);
  const name = rpcTypes.nameOf(type);
  return name === undefined
    ? `unknown type ${type}`
    : `${message.length - formats.RPC_HEADER} bytes behind the header are too few for ${name}`;
}

/** Of a group packet. */
export function groupFault(packet: Uint8Array): string {
  if (packet.length < formats.GROUP_HEADER) {
    return `${packet.length} bytes are too few for the header of ${formats.GROUP_HEADER}`;
  }
  const type = view(packet).getUint8(formats.GROUP_TYPE_AT);
  const name = groupTypes.nameOf(type);
  return name === undefined
    ? `unknown type ${type}`
    : `${packet.length - formats.GROUP_HEADER} bytes behind the header do not fit ${name}`;
}
