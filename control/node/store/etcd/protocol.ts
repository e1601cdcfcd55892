// The part of etcd's version 3 API that EtcdStore uses: names, types and field numbers as in
// etcd's published rpc.proto and kv.proto.
//
// - int64 are strings here: lease ids use all 64 bits. Fields that are not set are their zero.
// - One table, read by @grpc/proto-loader; the interfaces below say the same to TypeScript.

import type { MethodDefinition } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

type Fields = Readonly<Record<string, readonly [type: string, id: number, rule?: "repeated"]>>;

function message(fields: Fields, oneofs: Readonly<Record<string, readonly string[]>> = {}) {
  const entries = Object.entries(fields).map(([name, [type, id, rule]]) => [
    name,
    rule === undefined ? { type, id } : { type, id, rule },
  ]);
  const choices = Object.entries(oneofs).map(([name, oneof]) => [name, { oneof: [...oneof] }]);
  return { fields: Object.fromEntries(entries), oneofs: Object.fromEntries(choices) };
}

const method = (requestType: string, responseType: string, streams = false) => ({
  ...{ requestType, responseType, comment: "" },
  ...(streams ? { requestStream: true, responseStream: true } : {}),
});

const messages = {
  ResponseHeader: message({ revision: ["int64", 3] }),
  KeyValue: message({ key: ["bytes", 1], modRevision: ["int64", 3], value: ["bytes", 5] }),
  RangeRequest: message({
    ...{ key: ["bytes", 1], rangeEnd: ["bytes", 2], limit: ["int64", 3], sortOrder: ["int32", 5] },
    ...{ keysOnly: ["bool", 8], countOnly: ["bool", 9] },
  }),
  RangeResponse: message({
    ...{ header: ["ResponseHeader", 1], kvs: ["KeyValue", 2, "repeated"], more: ["bool", 3] },
  }),
  PutRequest: message({ key: ["bytes", 1], value: ["bytes", 2], lease: ["int64", 3] }),
  DeleteRangeRequest: message({ key: ["bytes", 1] }),
  RequestOp: message(
    {
      requestRange: ["RangeRequest", 1],
      requestPut: ["PutRequest", 2],
      requestDeleteRange: ["DeleteRangeRequest", 3],
      requestTxn: ["TxnRequest", 4],
    },
    { request: ["requestRange", "requestPut", "requestDeleteRange", "requestTxn"] },
  ),
  ResponseOp: message(
    { responseRange: ["RangeResponse", 1], responseTxn: ["TxnResponse", 4] },
    { response: ["responseRange", "responseTxn"] },
  ),
  Compare: message(
    { result: ["int32", 1], target: ["int32", 2], key: ["bytes", 3], modRevision: ["int64", 6] },
    { targetUnion: ["modRevision"] },
  ),
  TxnRequest: message({
    compare: ["Compare", 1, "repeated"],
    success: ["RequestOp", 2, "repeated"],
    failure: ["RequestOp", 3, "repeated"],
  }),
  TxnResponse: message({
    ...{ header: ["ResponseHeader", 1], succeeded: ["bool", 2], responses: ["ResponseOp", 3, "repeated"] },
  }),
  CompactionRequest: message({ revision: ["int64", 1] }),
  LeaseGrantRequest: message({ TTL: ["int64", 1] }),
  LeaseGrantResponse: message({ ID: ["int64", 2] }),
  LeaseRevokeRequest: message({ ID: ["int64", 1] }),
  Empty: message({}),
  Event: message({ type: ["int32", 1], kv: ["KeyValue", 2] }),
  WatchCreateRequest: message({
    ...{
      key: ["bytes", 1],
      rangeEnd: ["bytes", 2],
      startRevision: ["int64", 3],
      progressNotify: ["bool", 4],
    },
  }),
  WatchRequest: message({ createRequest: ["WatchCreateRequest", 1] }, { requestUnion: ["createRequest"] }),
  WatchResponse: message({
    header: ["ResponseHeader", 1],
    created: ["bool", 3],
    canceled: ["bool", 4],
    compactRevision: ["int64", 5],
    cancelReason: ["string", 6],
    events: ["Event", 11, "repeated"],
  }),
};

const services = {
  KV: {
    methods: {
      Range: method("RangeRequest", "RangeResponse"),
      Txn: method("TxnRequest", "TxnResponse"),
      Compact: method("CompactionRequest", "Empty"),
    },
  },
  Lease: {
    methods: {
      LeaseGrant: method("LeaseGrantRequest", "LeaseGrantResponse"),
      LeaseRevoke: method("LeaseRevokeRequest", "Empty"),
    },
  },
  Watch: { methods: { Watch: method("WatchRequest", "WatchResponse", true) } },
};

const definitions = fromJSON(
  { nested: { etcdserverpb: { nested: { ...messages, ...services } } } },
  { longs: String, defaults: true, arrays: true, oneofs: true },
);

function methodOf<Request, Response>(service: string, name: string): MethodDefinition<Request, Response> {
  const definition = definitions[`etcdserverpb.${service}`];
  const found = definition !== undefined && name in definition ? Reflect.get(definition, name) : undefined;
  if (found === undefined) throw new Error(`no method ${service}.${name}`);
  return found as MethodDefinition<Request, Response>;
}

// ---- the same as types ---------------------------------------------------------------

export interface KeyValue {
  readonly key: Uint8Array;
  readonly modRevision: string;
  readonly value: Uint8Array;
}

export interface Header {
  readonly revision: string;
}

/** `sortOrder` of a range from the last key down. */
export const descending = 2;

export interface RangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly limit?: number;
  readonly sortOrder?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export type RequestOp =
  | { readonly requestRange: RangeRequest }
  | { readonly requestPut: { readonly key: Uint8Array; readonly value: Uint8Array; readonly lease?: string } }
  | { readonly requestDeleteRange: { readonly key: Uint8Array } }
  | { readonly requestTxn: TxnRequest };

/** Holds while the key was changed last by that revision; 0: while it is absent. */
export interface Compare {
  readonly target: 2; // MOD; result 0 is EQUAL
  readonly key: Uint8Array;
  readonly modRevision: number;
}

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: Header | null;
  readonly succeeded: boolean;
  readonly responses: readonly {
    readonly responseRange?: RangeResponse;
    readonly responseTxn?: TxnResponse;
  }[];
}

export interface WatchRequest {
  readonly createRequest: {
    readonly key: Uint8Array;
    readonly rangeEnd: Uint8Array;
    readonly startRevision: number;
    readonly progressNotify: boolean;
  };
}

export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: number; readonly kv: KeyValue }[];
}

/** `type` of an event of a deleted key. */
export const deleteEvent = 1;

export const methods = {
  range: methodOf<RangeRequest, RangeResponse>("KV", "Range"),
  txn: methodOf<TxnRequest, TxnResponse>("KV", "Txn"),
  compact: methodOf<{ revision: number }, object>("KV", "Compact"),
  leaseGrant: methodOf<{ TTL: number }, { ID: string }>("Lease", "LeaseGrant"),
  leaseRevoke: methodOf<{ ID: string }, object>("Lease", "LeaseRevoke"),
  watch: methodOf<WatchRequest, WatchResponse>("Watch", "Watch"),
};
