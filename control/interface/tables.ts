// All servers that have a table, and every operation number that this system knows: what the
// reference, the commands and the dissector are made from.
//
// - A new server is added to `serverTables`, once. echo and groups have interfaces without a
//   table (echo.ts, group.ts): their numbers are named here.
// - Plain data: knownOperations() may be written to JSON or Lua as it is.

import { bulletTable } from "./bullet.js";
import {
  DIRECTORY_ASK,
  DIRECTORY_LEASE,
  DIRECTORY_PROMISE,
  DIRECTORY_STORED,
  directoryTable,
} from "./directory.js";
import { diskTable } from "./disk.js";
import { ECHO_EXECUTIONS, ECHO_SINK, ECHO_SOURCE } from "./echo.js";
import {
  GROUP_COMMAND,
  GROUP_DESCRIBE,
  GROUP_JOIN,
  GROUP_SNAPSHOT,
  GROUP_SNAPSHOT_DONE,
  GROUP_SUBMIT,
} from "./group.js";
import { poolTable } from "./pool.js";
import { randomTable } from "./random.js";
import { replicationTable } from "./replication.js";
import { segmentTable } from "./segment.js";
import { anyServer } from "./standard.js";
import { storageTable } from "./storage.js";
import { systemTable } from "./system.js";
import type { ServerTable } from "./table.js";
import { timeTable } from "./time.js";
import { venusTable } from "./venus.js";
import { viceTable } from "./vice.js";

/** The tables of all servers. */
export const serverTables: readonly ServerTable[] = [
  systemTable,
  segmentTable,
  bulletTable,
  randomTable,
  timeTable,
  poolTable,
  directoryTable,
  replicationTable,
  diskTable,
  storageTable,
  viceTable,
  venusTable,
];

/** An operation as others may name it. */
export interface KnownOperation {
  /** `segment`; `std` for what all servers have. */
  readonly server: string;
  readonly number: number;
  readonly name: string;
  readonly summary: string;
}

const withoutTable: readonly KnownOperation[] = [
  { server: "echo", number: ECHO_SINK, name: "sink", summary: "data in, empty reply" },
  { server: "echo", number: ECHO_SOURCE, name: "source", summary: "empty request, data back" },
  { server: "echo", number: ECHO_EXECUTIONS, name: "executions", summary: "how many commands were executed" },
  { server: "group", number: GROUP_DESCRIBE, name: "describe", summary: "a group as a member sees it" },
  { server: "group", number: GROUP_SUBMIT, name: "submit", summary: "have a member send a message" },
  { server: "group", number: GROUP_SNAPSHOT, name: "snapshot", summary: "a piece of a member's state" },
  { server: "group", number: GROUP_SNAPSHOT_DONE, name: "snapshot-done", summary: "the state has arrived" },
  { server: "group", number: GROUP_COMMAND, name: "command", summary: "a command of a replica" },
  {
    server: "directory",
    number: DIRECTORY_ASK,
    name: "ask",
    summary: "where another directory server stands",
  },
  { server: "directory", number: DIRECTORY_PROMISE, name: "promise", summary: "a promise to who founds" },
  { server: "directory", number: DIRECTORY_STORED, name: "stored", summary: "when an update is stored" },
  { server: "directory", number: DIRECTORY_LEASE, name: "lease", summary: "leave to answer look-ups" },
  { server: "group", number: GROUP_JOIN, name: "join", summary: "who joins, and asks for the state" },
];

/** Every operation by its number: the standard ones first, then server by server. */
export function knownOperations(tables: readonly ServerTable[] = serverTables): KnownOperation[] {
  const of = (server: string, operations: ServerTable["operations"]): KnownOperation[] =>
    Object.entries(operations).map(([name, { number, summary }]) => ({ server, number, name, summary }));
  return [
    ...of("std", anyServer),
    ...tables.flatMap(({ name, operations }) => of(name, operations)),
    ...withoutTable,
  ];
}
