// The directory server: tables of names. A row has a name, a capability set, and a mask of
// rights for each of the directory's columns (1 to 4).
//
// - The rights 0x01 to 0x08 of a capability select columns; without any nothing is answered.
//   What a look-up answers has at most the rights that the masks of those columns have together.
//   0x40 allows changes, 0x80 allows to discard the directory.
// - Numbers and formats to 2112 are the original's; SETCOL, RENAME and MEMBERS are ours, and so is
//   what PUTTYPE takes, which nobody has written down. A row without a type has a null capability.
// - An update may say who it is in h_offset and h_extra (48 bits, 0: nobody): sent again after a
//   crash it is executed once.
// - A path has components with / between them; empty ones, `.` and `..` are the caller's to
//   resolve. LOOKUP goes as far as directories are of this server, and answers the rest.
// - Source: Amoeba 5 soap.h, sp_* (manual section L).

import { type Capability, portOnly } from "../capability/capability.js";
import type { CapabilitySet } from "../capability/set.js";
import { inBuffer, inExtra, inOffset, inPrivate } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import {
  capability,
  capabilitySet,
  int16,
  record,
  sequence,
  string,
  text,
  uint16,
  uint32,
  type WireType,
} from "./types.js";

/** Between directory servers: control/server/directory/peers.ts. */
export const DIRECTORY_ASK = 2190;
export const DIRECTORY_PROMISE = 2191;
export const DIRECTORY_STORED = 2192;
export const DIRECTORY_LEASE = 2193;

export const COLUMNS_MAX = 4;
/** Bits of a capability's rights that select columns. */
export const COLUMN_RIGHTS = 0x0f;
export const MODIFY_RIGHT = 0x40;
/** Bytes of a name in UTF-8, without its NUL. */
export const NAME_BYTES_MAX = 255;
/** Bytes of a path in one LOOKUP. */
export const PATH_BYTES_MAX = 4096;
/** Data of a request or reply: as in the original. */
export const DIRECTORY_BYTES_MAX = 8192;
/** Rows of a directory: an index of one must fit h_extra, and 0xFFFF is the end. */
export const ROWS_MAX = 65534;
/** h_extra of LIST when nothing is left. */
export const LIST_END = 0xffff;
/** The object that is the pool's root. */
export const ROOT_OBJECT = 1;
/** Columns of a directory for which nobody says otherwise. */
export const standardColumns = ["owner", "reader"] as const;
/** Masks of a row for which nobody says otherwise: everything for the first column, reading for the second. */
export const standardMasks: readonly number[] = [0xff, 0x02, 0, 0];

const rowName = string(NAME_BYTES_MAX);
const noCapability = portOnly(new Uint8Array(6));

/** `undefined` travels as sixteen zeros. */
const capabilityOrNull: WireType<Capability | undefined> = {
  name: "capability or zeros",
  kind: "capability",
  size: () => 16,
  write: (to, value) => capability.write(to, value ?? noCapability),
  read(from) {
    const value = capability.read(from);
    const isNull = [...value.port, ...value.private].every((byte) => byte === 0);
    return isNull ? undefined : value;
  },
};

/** A row as LIST tells it. */
export interface ListedRow {
  readonly name: string;
  readonly masks: readonly number[];
}

/** Columns, and rows with a mask for each of them. */
export interface Listing {
  readonly columns: readonly string[];
  readonly rows: readonly ListedRow[];
}

const listing: WireType<Listing> = {
  name: "listing",
  kind: "compound",
  size({ columns, rows }) {
    const names = columns.reduce((sum, column) => sum + rowName.size(column), 4);
    return rows.reduce((sum, { name }) => sum + rowName.size(name) + 4 * columns.length, names);
  },
  write(to, { columns, rows }) {
    int16.write(to, columns.length);
    int16.write(to, rows.length);
    for (const column of columns) rowName.write(to, column);
    for (const { name, masks } of rows) {
      rowName.write(to, name);
      for (const [index] of columns.entries()) uint32.write(to, masks[index] ?? 0);
    }
  },
  read(from) {
    const [width, height] = [int16.read(from), uint16.read(from)];
    const columns = Array.from({ length: Math.max(0, width) }, () => rowName.read(from));
    const rows = Array.from({ length: height }, () => ({
      name: rowName.read(from),
      masks: columns.map(() => uint32.read(from)),
    }));
    return { columns, rows };
  },
};

/** What SETLOOKUP says of one name. */
export interface Found {
  readonly status: number;
  /** With status 0. */
  readonly row?: { readonly type: Capability; readonly time: number; readonly set: CapabilitySet };
}

const foundRow = record({ type: capability, time: uint32, set: capabilitySet });
const found: WireType<Found> = {
  name: "status and row",
  kind: "compound",
  size: ({ row }) => 2 + (row === undefined ? 0 : foundRow.size(row)),
  write(to, { status, row }) {
    int16.write(to, status);
    if (row !== undefined) foundRow.write(to, row);
  },
  read(from) {
    const status = int16.read(from);
    return status === 0 ? { status, row: foundRow.read(from) } : { status };
  },
};

/** A row that INSTALL is to change. */
export const installation = record({
  directory: capabilitySet,
  name: rowName,
  set: capabilitySet,
  /** It must be in the row's set; undefined: whatever there is. */
  expected: capabilityOrNull,
});

const masks = inBuffer(sequence(uint32), "the mask of rights of each column, in their order");
const masksOrNone = inBuffer(sequence(uint32), "the mask of each column; none: 0xff, 0x02, 0, 0");
const name = inBuffer(rowName, "the name of the row");
const set = inBuffer(capabilitySet, "what it stands for");
/** Who an update is: h_offset and h_extra. */
const identity = {
  request: inOffset("who this update is, so that it is executed once; 0: nobody", { otherwise: 0 }),
  requestMore: inExtra("more of who it is", { otherwise: 0 }),
};

const errors = {
  STD_NOTFOUND: "there is no row of that name",
  STD_DENIED: "the capability selects no column, or lacks a right",
  STD_ARGBAD: "that is no name, or there are not as many masks as columns",
} as const;
const updateErrors = {
  SP_UNAVAIL: "no majority of the directory servers is together: it may or may not have been done",
  STD_NOSPACE: "the server, or the directory, has as much as it may hold",
} as const;

export const directoryTable = defineServer({
  name: "directory",
  summary: "names: tables of capability sets, the same on all directory servers of a pool",
  object: "a directory",
  rights: { owner: 0x01, read: 0x02, third: 0x04, fourth: 0x08, modify: 0x40, delete: 0x80 },
  requestBytesMax: DIRECTORY_BYTES_MAX,
  replyBytesMax: DIRECTORY_BYTES_MAX,
  standardRights: {
    ...{ info: [], restrict: [], touch: [], status: [] },
    ...{ age: ["modify", "delete"], copy: ["modify"], destroy: ["delete"] },
    ...{ getparams: ["modify", "delete"], setparams: ["modify", "delete"] },
  },
  operations: {
    create: operation({
      number: 2100,
      summary: "make a directory; it has no name until it is appended somewhere",
      subject: "either",
      rights: ["modify"],
      arguments: { ...identity, columns: inBuffer(sequence(rowName), "names of 1 to 4 columns") },
      reply: { directory: inPrivate("the new directory, with all rights") },
      errors: { ...updateErrors, STD_ARGBAD: "a directory has 1 to 4 columns with different names" },
      example: 'n1 --columns \'["owner","reader"]\'',
    }),
    discard: operation({
      number: 2101,
      summary: "remove the directory, which must be empty",
      rights: ["delete"],
      arguments: identity,
      errors: { ...updateErrors, SP_NOTEMPTY: "it has rows", STD_NOTNOW: "it is the root" },
      example: "DIRECTORY",
    }),
    list: operation({
      number: 2102,
      summary: "its columns and some of its rows",
      rights: [],
      arguments: { first: inExtra("index of the first row", { otherwise: 0 }) },
      reply: {
        next: inExtra("index of the first row that is not answered; 65535: nothing is left"),
        listing: inBuffer(listing, "columns, and rows with their masks"),
      },
      errors: { STD_DENIED: errors.STD_DENIED, SP_UNAVAIL: updateErrors.SP_UNAVAIL },
      example: "DIRECTORY",
    }),
    append: operation({
      number: 2103,
      summary: "add a row",
      rights: ["modify"],
      arguments: { ...identity, name, set, masks: masksOrNone },
      errors: { ...errors, ...updateErrors, STD_EXISTS: "there is a row of that name" },
      example: "DIRECTORY --name a --set JSON --masks '[255,2]'",
    }),
    chmod: operation({
      number: 2104,
      summary: "change a row's masks",
      rights: ["modify"],
      arguments: { ...identity, name, masks },
      errors: { ...errors, ...updateErrors },
      example: "DIRECTORY --name a --masks '[255,0]'",
    }),
    delete: operation({
      number: 2105,
      summary: "remove a row; what it stands for stays",
      rights: ["modify"],
      arguments: { ...identity, name },
      errors: { ...errors, ...updateErrors },
      example: "DIRECTORY --name a",
    }),
    lookup: operation({
      number: 2106,
      summary: "what a path leads to, as far as directories are of this server",
      rights: [],
      arguments: { path: inBuffer(string(PATH_BYTES_MAX), "names with / between them") },
      reply: {
        rest: inBuffer(string(PATH_BYTES_MAX), "what is left of the path: for the server of what was found"),
        set: inBuffer(capabilitySet, "what was found, with at most the rights of the masks"),
      },
      errors: {
        ...errors,
        STD_CAPBAD: "the directory, or one on the path, is gone",
        SP_UNAVAIL: updateErrors.SP_UNAVAIL,
        SP_UNREACH: "what was found is to be restricted, and its server does not answer",
      },
      example: "DIRECTORY --path a/b",
    }),
    setlookup: operation({
      number: 2107,
      summary: "several rows, each of some directory of this server",
      subject: "either",
      rights: "anyone",
      arguments: {
        names: inBuffer(
          sequence(record({ directory: capabilitySet, name: rowName })),
          "each directory and the name in it",
        ),
      },
      reply: { found: inBuffer(sequence(found), "for each a status, and the row when that is 0") },
      errors: { SP_UNAVAIL: updateErrors.SP_UNAVAIL },
    }),
    install: operation({
      number: 2108,
      summary: "put other sets into several rows: all, if each has the capability that is expected, or none",
      subject: "either",
      rights: "anyone",
      arguments: {
        ...identity,
        rows: inBuffer(sequence(installation), "each directory, name, new set, and what its set must have"),
      },
      errors: {
        ...errors,
        ...updateErrors,
        STD_CAPBAD: "a directory is gone, or not of this server",
        SP_CLASH: "a row does not have what was expected: nothing was changed",
      },
    }),
    puttype: operation({
      number: 2109,
      summary: "say what kind of thing a row stands for; SETLOOKUP tells it",
      rights: ["modify"],
      arguments: {
        ...identity,
        name,
        type: inBuffer(capability, "a capability that stands for the kind; zeros: none"),
      },
      errors: { ...errors, ...updateErrors },
    }),
    replace: operation({
      number: 2110,
      summary: "put another set into a row, whatever it has",
      rights: ["modify"],
      arguments: { ...identity, name, set },
      errors: { ...errors, ...updateErrors },
      example: "DIRECTORY --name a --set JSON",
    }),
    getmasks: operation({
      number: 2111,
      summary: "a row's masks",
      rights: [],
      arguments: { name },
      reply: { masks },
      errors: { ...errors, SP_UNAVAIL: updateErrors.SP_UNAVAIL },
      example: "DIRECTORY --name a",
    }),
    getseqnr: operation({
      number: 2112,
      summary: "a number that grows with each update of the directory",
      rights: [],
      reply: { high: inBuffer(uint32, "upper half"), low: inBuffer(uint32, "lower half") },
      errors: { STD_DENIED: errors.STD_DENIED, SP_UNAVAIL: updateErrors.SP_UNAVAIL },
      example: "DIRECTORY",
    }),
    setcol: operation({
      number: 2180,
      summary: "name the columns anew, and add some: those mask everything in the rows that there are",
      rights: ["modify"],
      arguments: { ...identity, columns: inBuffer(sequence(rowName), "names of 1 to 4 columns") },
      errors: { ...updateErrors, STD_ARGBAD: "they are 1 to 4 different names, and no fewer than there are" },
      example: 'DIRECTORY --columns \'["owner","reader","guest"]\'',
    }),
    rename: operation({
      number: 2181,
      summary: "give a row another name, here or in another directory of this server, in one step",
      rights: ["modify"],
      arguments: {
        ...identity,
        name,
        directory: inBuffer(capability, "where to; it must allow changes too"),
        to: inBuffer(rowName, "the new name"),
      },
      errors: {
        ...errors,
        ...updateErrors,
        STD_CAPBAD: "the other directory is gone, or not of this server",
        STD_EXISTS: "there is a row of the new name",
        STD_NOTNOW: "a directory would stand below itself",
      },
    }),
    members: operation({
      number: 2182,
      summary: "the directory servers of the pool, as the one that answers sees them",
      subject: "either",
      rights: "anyone",
      reply: { document: inBuffer(text, "a document in JSON") },
      example: "n1",
    }),
  },
});
