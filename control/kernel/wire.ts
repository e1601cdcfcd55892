// The dissector: a frame as an object of its layers.
//
// - The kernel's own checks judge every packet and settle its byte order; this file
//   only reads fields where core-wasm/wire/formats.ts says they lie.
// - A frame that is not right gives the layers that are, and `error`: the layer that
//   is not and why. Nothing here throws on a frame's contents.
// - Unicast packets do not say whether they carry RPC or group messages (the FLIP
//   address does, to its owner): the dissector tells by form.

import { EXTENSIONS_ALL } from "../../core-wasm/limits.js";
import * as formats from "../../core-wasm/wire/formats.js";
import { toHex, view } from "./bytes.js";
import { flipFault, groupFault, rpcFault } from "./faults.js";
import {
  type Dissection,
  type FlipLayer,
  flipTypes,
  fragmentTypes,
  groupTypes,
  type HeaderLayer,
  rpcTypes,
} from "./layers.js";
import type { OfflineKernel } from "./offline.js";

export type { Dissection } from "./layers.js";

type Layers = { -readonly [Key in keyof Dissection]: Dissection[Key] };

const restBytesShown = 64;

const hexAt = (bytes: Uint8Array, at: number, length: number): string =>
  toHex(bytes.subarray(at, at + length));

/** The layers of a frame, from its Ethernet header on. */
export function dissect(kernel: OfflineKernel, frame: Uint8Array): Dissection {
  const layers: Layers = {};
  const error = dissectEthernet(kernel, frame, layers);
  if (error !== undefined) layers.error = error;
  return layers;
}

function dissectEthernet(kernel: OfflineKernel, frame: Uint8Array, layers: Layers): string | undefined {
  if (frame.length < formats.ETHERNET_HEADER) {
    return `ethernet: ${frame.length} bytes are too few for the header of ${formats.ETHERNET_HEADER}`;
  }
  layers.ethernet = {
    dst: hexAt(frame, formats.ETHERNET_DESTINATION, formats.MAC_BYTES),
    src: hexAt(frame, formats.ETHERNET_SOURCE, formats.MAC_BYTES),
    ethertype: hexAt(frame, formats.ETHERNET_TYPE, 2),
  };
  if (view(frame).getUint16(formats.ETHERNET_TYPE) !== formats.ETHERTYPE_FLIP) {
    return `ethernet: type ${layers.ethernet.ethertype} is not FLIP (8146)`;
  }
  if (frame.length < formats.FRAME_PAYLOAD) return "fragment: the frame ends before its fragment control";
  const type = view(frame).getUint8(formats.FRAGMENT_TYPE);
  const name = fragmentTypes.nameOf(type);
  layers.fragment = { type: name ?? `${type}`, count: view(frame).getUint8(formats.FRAGMENT_COUNT) };
  if (name === undefined) return `fragment: unknown type ${type}`;
  const rest = frame.subarray(formats.FRAME_PAYLOAD);
  if (type === formats.FC_DATA) return dissectFlip(kernel, rest, layers);
  if (type === formats.FC_CHECKED) {
    const error = dissectFlip(kernel, rest.subarray(formats.FC_CHECK_BYTES), layers);
    return error ?? checkFault(kernel, frame, layers.flip?.length ?? 0);
  }
  return dissectControl(type, rest, layers);
}

/** What is wrong with a CHECKED frame whose FLIP packet is right. */
function checkFault(kernel: OfflineKernel, frame: Uint8Array, length: number): string | undefined {
  const given = view(frame).getUint32(formats.FRAME_PAYLOAD, true);
  const end = formats.FRAME_PAYLOAD + formats.FC_CHECK_BYTES + formats.FLIP_HEADER + length;
  const covered = frame.slice(0, end);
  view(covered).setUint32(formats.FRAME_PAYLOAD, 0);
  return kernel.frameCheck(covered) === given ? undefined : "fragment: the check of the frame does not hold";
}

/** What the other fragment control types carry, as far as it is not padding. */
function dissectControl(type: number, rest: Uint8Array, layers: Layers): string | undefined {
  const carried: Partial<Record<number, number>> = {
    [formats.FC_MCREQ]: 16,
    [formats.FC_MCACK]: 8,
    [formats.FC_MCNAK]: 8,
    [formats.FC_HELLO]: formats.FC_HELLO_BYTES,
  };
  const length = carried[type] ?? 0;
  if (rest.length < length) return `fragment: ${rest.length} bytes are too few for ${layers.fragment?.type}`;
  if (length > 0) layers.data = hexAt(rest, 0, length);
  return undefined;
}

function dissectFlip(kernel: OfflineKernel, received: Uint8Array, layers: Layers): string | undefined {
  const packet = kernel.checkFlip(received);
  if (packet === undefined) return `flip: ${flipFault(received)}`;
  const fields = view(packet);
  const type = fields.getUint8(formats.FLIP_TYPE_AT);
  const flip = {
    type: flipTypes.nameOf(type) ?? `${type}`,
    flags: view(received).getUint8(formats.FLIP_FLAGS_AT),
    act_hop: fields.getUint16(formats.FLIP_ACT_HOP_AT, true),
    max_hop: fields.getUint16(formats.FLIP_MAX_HOP_AT, true),
    dst: hexAt(packet, formats.FLIP_DESTINATION_AT, formats.FLIP_ADDRESS),
    src: hexAt(packet, formats.FLIP_SOURCE_AT, formats.FLIP_ADDRESS),
    messid: fields.getUint32(formats.FLIP_MESSAGE_ID_AT, true),
    length: fields.getUint32(formats.FLIP_LENGTH_AT, true),
    offset: fields.getUint32(formats.FLIP_OFFSET_AT, true),
    total: fields.getUint32(formats.FLIP_TOTAL_AT, true),
  };
  layers.flip = flip;
  if (type === formats.FLIP_HEREIS) {
    layers.flip = {
      ...flip,
      count: fields.getUint16(formats.HEREIS_COUNT_AT, true),
      trusted: fields.getUint16(formats.HEREIS_TRUSTED_AT, true),
    };
    return undefined;
  }
  const payload = packet.subarray(formats.FLIP_HEADER, formats.FLIP_HEADER + flip.length);
  if (type === formats.FLIP_LOCATE || flip.offset > 0) {
    if (payload.length > 0) layers.data = toHex(payload);
    return undefined;
  }
  if (/^0+$/.test(flip.dst)) return dissectBroadcast(kernel, payload, layers, flip);
  return isGroup(kernel, payload)
    ? dissectGroup(kernel, payload, layers)
    : dissectRpc(kernel, payload, layers);
}

function dissectBroadcast(
  kernel: OfflineKernel,
  payload: Uint8Array,
  layers: Layers,
  flip: FlipLayer,
): string | undefined {
  if (payload.length < formats.PROTOCOL_WORD) return "flip: a broadcast without a protocol word";
  const proto = view(payload).getUint32(0);
  layers.flip = { ...flip, proto };
  const message = payload.subarray(formats.PROTOCOL_WORD);
  if (proto === formats.PROTOCOL_RPC) return dissectRpc(kernel, message, layers);
  if (proto === formats.PROTOCOL_GROUP) return dissectGroup(kernel, message, layers);
  layers.data = toHex(message);
  return `flip: a broadcast for unknown protocol ${proto}`;
}

/**
 * Whether a unicast or multicast message is a group's. Its third and fourth byte are
 * 0 (or in JOINREQ, JOIN and RESULT what its sender or all members understand, a small
 * number) and its type is not LOCATE; in RPC these four are the start of a random kernel id, or of one that is
 * all zeros.
 */
function isGroup(kernel: OfflineKernel, message: Uint8Array): boolean {
  if (message.length < formats.GROUP_HEADER) return false;
  const fields = view(message);
  const type = fields.getUint8(formats.GROUP_TYPE_AT);
  const tellsFeatures =
    type === formats.GROUP_JOINREQ || type === formats.GROUP_JOIN || type === formats.GROUP_RESULT;
  return (
    type !== formats.GROUP_LOCATE &&
    fields.getUint8(formats.GROUP_FLAGS_AT) <= formats.GROUP_BIGENDIAN &&
    fields.getUint16(formats.GROUP_RESERVED_AT, true) <= (tellsFeatures ? EXTENSIONS_ALL : 0) &&
    kernel.checkGroup(message) !== undefined
  );
}

function dissectRpc(kernel: OfflineKernel, received: Uint8Array, layers: Layers): string | undefined {
  const message = kernel.checkRpc(received);
  if (message === undefined) {
    layers.data = toHex(received);
    return `rpc: ${rpcFault(received)}`;
  }
  const fields = view(message);
  const type = fields.getUint8(formats.RPC_TYPE_AT);
  layers.rpc = {
    kid: hexAt(message, formats.RPC_KID_AT, 8),
    port: hexAt(message, formats.RPC_PORT_AT, formats.PORT_BYTES),
    type: rpcTypes.nameOf(type) ?? `${type}`,
    flags: view(received).getUint8(formats.RPC_FLAGS_AT),
    tid: fields.getUint32(formats.RPC_TID_AT, true),
    dest: fields.getUint16(formats.RPC_DEST_AT, true),
    from: fields.getUint16(formats.RPC_FROM_AT, true),
  };
  const rest = message.subarray(formats.RPC_HEADER);
  dissectRest(rest, type === formats.RPC_REQUEST || type === formats.RPC_REPLY, layers);
  return undefined;
}

function dissectGroup(kernel: OfflineKernel, received: Uint8Array, layers: Layers): string | undefined {
  const packet = kernel.checkGroup(received);
  if (packet === undefined) {
    layers.data = toHex(received);
    return `group: ${groupFault(received)}`;
  }
  const fields = view(packet);
  const type = fields.getUint8(formats.GROUP_TYPE_AT);
  const rest = packet.subarray(formats.GROUP_HEADER);
  layers.group = {
    type: groupTypes.nameOf(type) ?? `${type}`,
    flags: view(received).getUint8(formats.GROUP_FLAGS_AT),
    cpu: fields.getUint16(formats.GROUP_CPU_AT, true),
    incarnation: fields.getUint16(formats.GROUP_INCARNATION_AT, true),
    seqno: fields.getUint32(formats.GROUP_SEQNO_AT, true),
    messid: fields.getUint32(formats.GROUP_MESSAGE_ID_AT, true),
    expect: fields.getUint32(formats.GROUP_EXPECT_AT, true),
    rest: hexAt(rest, 0, Math.min(restBytesShown, rest.length)),
    restlen: rest.length,
  };
  dissectRest(rest, groupHasHeader(type) && rest.length > 0, layers);
  return undefined;
}

const groupHasHeader = (type: number): boolean =>
  type === formats.GROUP_LOCATE ||
  (type >= formats.GROUP_JOINREQ && type <= formats.GROUP_BCAST) ||
  type === formats.GROUP_RESULT;

/** The message header, if there is one, and the data behind it. */
function dissectRest(rest: Uint8Array, withHeader: boolean, layers: Layers): void {
  if (withHeader) layers.header = headerLayer(rest);
  const data = withHeader ? rest.subarray(formats.HEADER) : rest;
  if (data.length > 0) layers.data = toHex(data);
}

function headerLayer(bytes: Uint8Array): HeaderLayer {
  const fields = view(bytes);
  return {
    port: hexAt(bytes, formats.HEADER_PORT_AT, formats.PORT_BYTES),
    signature: hexAt(bytes, formats.HEADER_SIGNATURE_AT, formats.PORT_BYTES),
    priv: hexAt(bytes, formats.HEADER_PRIVATE_AT, formats.PRIVATE_BYTES),
    command: fields.getUint16(formats.HEADER_COMMAND_AT, true),
    status: fields.getInt16(formats.HEADER_COMMAND_AT, true),
    offset: fields.getInt32(formats.HEADER_OFFSET_AT, true),
    size: fields.getUint16(formats.HEADER_SIZE_AT, true),
    extra: fields.getUint16(formats.HEADER_EXTRA_AT, true),
  };
}
