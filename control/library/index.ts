// The public library: what `import … from "amoeba-proteus"` gives. The stubs, the server loop and
// the lab that the commands themselves use.
//
// - A server of one's own: a table (defineServer, operation, in*, the wire types), a function for
//   each operation (serve), a kernel to do it on (openKernel). examples/guest-book.mjs is one.
// - A client: stub(kernel, table, capability), for the tables of the pool's servers too.
// - A lab: up, down, kill, start with a topology.
// - What is exported here stays; the rest of the package may change. The simulator is
//   "amoeba-proteus/simulation".
//
// @packageDocumentation

export {
  type Capability,
  capabilityBytes,
  capabilityHex,
  capabilityOf,
  parseCapability,
  portOnly,
} from "../capability/capability.js";
export {
  type CapabilityScheme,
  type CheckFields,
  keyedScheme,
  originalScheme,
} from "../capability/scheme.js";
export { passingSecrets, type ServerSecrets } from "../capability/secrets.js";
export { type CapabilitySet, setOf } from "../capability/set.js";
export { kernelBytes, offlineKernel } from "../cli/package-files.js";
export { BulletContents, type BulletOptions } from "../files/contents.js";
export { type FailureReport, Failures } from "../files/failures.js";
export { type Details, type Entry, Files, openedOf } from "../files/files.js";
export type { Contents, Names, Opened } from "../files/places.js";
export { removeTree } from "../files/remove.js";
export { findBelow, usageOf } from "../files/survey.js";
export { getTree, putTree, type Source, type Target } from "../files/trees.js";
export {
  BULLET_COMMIT,
  BULLET_PIECE_BYTES,
  BULLET_SAFETY,
  BULLET_TRANSFER_BYTES,
  bulletTable,
} from "../interface/bullet.js";
export {
  inBuffer,
  inExtra,
  inOffset,
  inOffsetUnsigned,
  inPrivate,
  inSize,
  letterInExtra,
} from "../interface/fields.js";
export {
  type DefaultField,
  type Field,
  type Fields,
  type Given,
  type Operation,
  type Operations,
  operation,
  type Place,
  type StatusName,
  type Subject,
  type Taken,
} from "../interface/operation.js";
export { randomTable } from "../interface/random.js";
export { referencePage, serverReference } from "../interface/reference.js";
export { segmentTable } from "../interface/segment.js";
export type { StandardName, StandardOperations, StandardRights } from "../interface/standard.js";
export { systemTable } from "../interface/system.js";
export { defineServer, type ServerTable } from "../interface/table.js";
export { type KnownOperation, knownOperations, serverTables } from "../interface/tables.js";
export { timeTable } from "../interface/time.js";
export * as wire from "../interface/types.js";
export { type CallOptions, type Header, type Reply, trans } from "../kernel/calls.js";
export { exitCodes, ProteusError } from "../kernel/errors.js";
export { Kernel, type KernelOptions } from "../kernel/kernel.js";
export type { Limits } from "../kernel/limits.js";
export { OfflineKernel } from "../kernel/offline.js";
export { type Handler, type Request, Service, type ServiceOptions } from "../kernel/service.js";
export { type NodeCommand, nodeCommand } from "../lab/exec.js";
export { down, kill, type LabOptions, requireLab, start, type UpOptions, up } from "../lab/lab.js";
export { parseTopology } from "../lab/lab-file.js";
export { type LabStatus, statusOf } from "../lab/status.js";
export { defaultTopology, type Topology } from "../lab/topology.js";
export { DiskSource, DiskTarget } from "../node/disk-tree.js";
export { openSecrets } from "../node/secrets.js";
export { type MapOptions, mapSegment, type SegmentMap } from "../node/segment-map.js";
export { type RunningKernel, type StartOptions, startKernel } from "../node/start.js";
export type { Draft, FileEngine, FileEntry, VolumeUsage } from "../server/bullet/engine.js";
export { BulletServer, type BulletServerOptions } from "../server/bullet/server.js";
export { EchoServer } from "../server/echo/echo.js";
export { serveRandom } from "../server/random/random.js";
export { type MappedSegment, SegmentServer } from "../server/segment/segment.js";
export { serveTime } from "../server/time/time.js";
export { type Method, type Stub, stub } from "../stub/client.js";
export { Directories, type DirectoriesOptions, type Row } from "../stub/directories.js";
export {
  type Content,
  type CreateOptions,
  createFile,
  type FileReadOptions,
  fileBytes,
  readFile,
  type TransferWatch,
  wholeFile,
} from "../stub/files.js";
export { Objects, type ObjectTable } from "../stub/objects.js";
export { Refused, refuse } from "../stub/refused.js";
export {
  type Chunks,
  type ReadOptions,
  readSegment,
  type WriteOptions,
  writeSegment,
} from "../stub/segments.js";
export { type Asked, type Handlers, Server, type ServerOptions } from "../stub/serving.js";
export type { Parameter, StandardBehaviour } from "../stub/standard.js";
export { type OpenOptions, openKernel, type ServeOptions, serve } from "./program.js";
