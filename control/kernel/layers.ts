// A frame as an object: the layers that `proteus decode --json` shows, and the names of
// the packet types.
//
// - Numbers are numbers, byte strings lower-case hex. `flags` are those of the wire, the
//   BIGENDIAN bit included.
// - Source: the field names of test/vectors.

import * as formats from "../../core-wasm/wire/formats.js";

export interface EthernetLayer {
  readonly dst: string;
  readonly src: string;
  readonly ethertype: string;
}

export interface FragmentLayer {
  readonly type: string;
  readonly count: number;
}

export interface FlipLayer {
  readonly type: string;
  readonly flags: number;
  readonly act_hop: number;
  readonly max_hop: number;
  readonly dst: string;
  readonly src: string;
  readonly messid: number;
  readonly length: number;
  readonly offset: number;
  readonly total: number;
  /** Of a packet to the null address: 1 RPC, 2 group. */
  readonly proto?: number;
  /** Of a HEREIS. */
  readonly count?: number;
  readonly trusted?: number;
}

export interface RpcLayer {
  readonly kid: string;
  readonly port: string;
  readonly type: string;
  readonly flags: number;
  readonly tid: number;
  readonly dest: number;
  readonly from: number;
}

export interface HeaderLayer {
  readonly port: string;
  readonly signature: string;
  readonly priv: string;
  readonly command: number;
  /** The command field read as a status. */
  readonly status: number;
  readonly offset: number;
  readonly size: number;
  readonly extra: number;
}

export interface GroupLayer {
  readonly type: string;
  readonly flags: number;
  readonly cpu: number;
  readonly incarnation: number;
  readonly seqno: number;
  readonly messid: number;
  readonly expect: number;
  /** The first 64 bytes behind the group header. */
  readonly rest: string;
  /** How many bytes there are behind it. */
  readonly restlen: number;
}

export interface Dissection {
  readonly ethernet?: EthernetLayer;
  readonly fragment?: FragmentLayer;
  readonly flip?: FlipLayer;
  readonly rpc?: RpcLayer;
  readonly group?: GroupLayer;
  readonly header?: HeaderLayer;
  /** Everything behind the last layer, without padding. */
  readonly data?: string;
  readonly error?: string;
}

/** The two ways between a type number and its name. */
export interface Names {
  readonly nameOf: (value: number) => string | undefined;
  readonly valueOf: (name: string) => number | undefined;
}

function names(values: Readonly<Record<string, number>>): Names {
  const byValue = new Map(Object.entries(values).map(([name, value]) => [value, name]));
  return {
    nameOf: (value) => byValue.get(value),
    valueOf: (name) => values[name],
  };
}

export const fragmentTypes = names({
  DATA: formats.FC_DATA,
  REQCREDIT: formats.FC_REQCREDIT,
  CREDIT: formats.FC_CREDIT,
  MCREQ: formats.FC_MCREQ,
  MCACK: formats.FC_MCACK,
  MCNAK: formats.FC_MCNAK,
  ABSCREDIT: formats.FC_ABSCREDIT,
  FAST_UNIDATA: 7,
  FAST_MULTIDATA: 8,
  HELLO: formats.FC_HELLO,
  CHECKED: formats.FC_CHECKED,
});

export const flipTypes = names({
  LOCATE: formats.FLIP_LOCATE,
  HEREIS: formats.FLIP_HEREIS,
  UNIDATA: formats.FLIP_UNIDATA,
  MULTIDATA: formats.FLIP_MULTIDATA,
  NOTHERE: formats.FLIP_NOTHERE,
  UNTRUSTED: formats.FLIP_UNTRUSTED,
});

export const rpcTypes = names({
  LOCATE: formats.RPC_LOCATE,
  HEREIS: formats.RPC_HEREIS,
  REQUEST: formats.RPC_REQUEST,
  REPLY: formats.RPC_REPLY,
  ACK: formats.RPC_ACK,
  NAK: formats.RPC_NAK,
  ENQUIRE: formats.RPC_ENQUIRE,
  ALIVE: formats.RPC_ALIVE,
  RECEIVED: formats.RPC_RECEIVED,
  FORWARD: formats.RPC_FORWARD,
  FAIL: formats.RPC_FAIL,
  REPEAT: formats.RPC_REPEAT,
});

export const groupTypes = names({
  LOCATE: formats.GROUP_LOCATE,
  HEREIS: formats.GROUP_HEREIS,
  JOINREQ: formats.GROUP_JOINREQ,
  JOIN: formats.GROUP_JOIN,
  LEAVEREQ: formats.GROUP_LEAVEREQ,
  LEAVE: formats.GROUP_LEAVE,
  BCASTREQ: formats.GROUP_BCASTREQ,
  BCAST: formats.GROUP_BCAST,
  ACK: formats.GROUP_ACK,
  RETRANS: formats.GROUP_RETRANS,
  SYNC: formats.GROUP_SYNC,
  STATE: formats.GROUP_STATE,
  REFORMREQ: formats.GROUP_REFORMREQ,
  VOTE: formats.GROUP_VOTE,
  RESULT: formats.GROUP_RESULT,
  RESULTACK: formats.GROUP_RESULTACK,
  ALIVE: formats.GROUP_ALIVE,
  ALIVEREQ: formats.GROUP_ALIVEREQ,
  DEAD: formats.GROUP_DEAD,
});
