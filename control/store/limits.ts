// What a store takes, whichever it is: what etcd takes with the limits that it comes with
// (1.5 MiB a request, 128 comparisons and operations), with room for what EtcdStore adds.

/** A key has at least one byte. */
export const keyBytesMax = 1024;
export const valueBytesMax = 512 * 1024;
/** Keys and values of all operations of a batch together. */
export const batchBytesMax = 1024 * 1024;
export const batchOperationsMax = 64;
export const batchConditionsMax = 32;
export const rangeLimitDefault = 100;
export const rangeLimitMax = 1000;
/** Batches that wait to be written, of one store. */
export const pendingBatchesMax = 16_384;
/** Changes that a store of ours keeps for watches by itself; etcd keeps all until it is told. */
export const historyChangesMax = 10_000;
export const historyBytesMax = 64 * 1024 * 1024;
