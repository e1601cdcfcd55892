// What the control daemons remember of a pool: one record a machine, one a drain. Each has a
// version, so that states that grew apart can be put together again: the higher one counts.
//
// - Versions come from one hybrid clock: above every version that was seen, and not below the
//   calendar of the daemon that decided. So what was decided with knowledge of the other is
//   always newer; of what was decided apart, as far as the calendars agree, the later.
// - Of two of one version the one whose text is greater counts: the same everywhere.
// - A value of null says that it is gone: it must be remembered, or an old store brings it back.
// - How far machines have booted is no record: it is over in minutes, so no store has it.
// - Source: hybrid logical clocks, S. Kulkarni et al. (2014); last-writer-wins elements, M.
//   Shapiro et al., CRDTs (2011).

import { z } from "zod";
import { bootReportSchema, machineNamePattern } from "../../interface/pool.js";

/** What node.name may be. */
const name = z.string().regex(machineNamePattern);
const hex = z
  .string()
  .regex(/^[0-9a-f]+$/)
  .max(16);
export const versionMax = 2 ** 52;
const version = z.number().int().min(0).max(versionMax);

/** Most servers that a machine may announce, and most machines that are remembered. */
export const serversMax = 32;
export const machinesMax = 1024;
/** Most records of machines that are gone, and of drains. */
export const goneMax = 1024;
export const drainsMax = 2048;
/** Most machines that boot over the network at one time; the one that was heard of longest ago goes. */
export const bootsMax = 256;

const serversSchema = z
  .record(z.string().min(1).max(32), hex.max(12))
  .refine((servers) => Object.keys(servers).length <= serversMax);

/** What a machine says of itself, as far as it is remembered. */
export const factsSchema = z.object({
  name,
  address: hex,
  kind: z.string().max(32),
  version: z.string().max(64).nullable(),
  servers: serversSchema,
});
export type Facts = z.infer<typeof factsSchema>;

const machineSchema = factsSchema.extend({
  state: z.enum(["up", "unreachable", "down"]),
  /** The version with which it was first seen: who of two of one name came later. */
  since: version,
});
export type Machine = z.infer<typeof machineSchema>;

const recordFields = { version };
export const recordSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("machine"), key: hex, value: machineSchema.nullable(), ...recordFields }),
  z.object({ kind: z.literal("drain"), key: name, value: z.boolean(), ...recordFields }),
]);
export type PoolRecord = z.infer<typeof recordSchema>;
export type MachineRecord = Extract<PoolRecord, { kind: "machine" }>;

/** Names a record among all others. */
export const keyOf = ({ kind, key }: Pick<PoolRecord, "kind" | "key">): string => `${kind}/${key}`;

/** True when `one` counts and `other` does not. */
export function supersedes(one: PoolRecord, other: PoolRecord | undefined): boolean {
  if (other === undefined) return true;
  if (one.version !== other.version) return one.version > other.version;
  return JSON.stringify(one.value) > JSON.stringify(other.value);
}

/** What two announcements of the same facts have in common, as text. */
export function factsText({ name, address, kind, version, servers }: Facts): string {
  const sorted = Object.entries(servers).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([name, address, kind, version, sorted]);
}

const time = z
  .number()
  .int()
  .min(0)
  .max(2 ** 45);
/** A machine that boots over the network, and when that was said. */
export const bootSchema = z.object({ report: bootReportSchema, time });
export type Boot = z.infer<typeof bootSchema>;

export const commandSchema = z.discriminatedUnion("do", [
  z.object({ do: z.literal("announce"), time, facts: factsSchema, leaving: z.boolean() }),
  z.object({ do: z.literal("observe"), time, address: hex, answers: z.boolean() }),
  z.object({ do: z.literal("drain"), time, name, draining: z.boolean() }),
  z.object({ do: z.literal("forget"), time, address: hex }),
  z.object({ do: z.literal("merge"), records: z.array(recordSchema).max(256) }),
  z.object({ do: z.literal("daemon"), name, clock: version }),
  z.object({ do: z.literal("forgetDaemon"), name }),
  z.object({ do: z.literal("boot"), time, report: bootReportSchema }),
  z.object({ do: z.literal("dissolve") }),
]);
/** What daemons submit to their group. */
export type Command = z.infer<typeof commandSchema>;

/** What a command came to: the version that it made, or why it did nothing. */
export const outcomeSchema = z.object({
  version: version.optional(),
  refused: z.enum(["unknown", "inUse", "full", "malformed"]).optional(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encode = (value: object): Uint8Array => encoder.encode(JSON.stringify(value));

const mergeBytesMax = 6000;
const mergeRecordsMax = 200;

/** Records in portions that a command each can carry. */
export function* mergeBatches(all: Iterable<PoolRecord>): Generator<PoolRecord[]> {
  let records: PoolRecord[] = [];
  let bytes = 0;
  for (const record of all) {
    const length = encode(record).length;
    if (records.length > 0 && (bytes + length > mergeBytesMax || records.length >= mergeRecordsMax)) {
      yield records;
      records = [];
      bytes = 0;
    }
    records.push(record);
    bytes += length;
  }
  if (records.length > 0) yield records;
}

/** What JSON of a schema is in some bytes; null when it is none. */
export function decode<Value>(schema: z.ZodType<Value>, bytes: Uint8Array): Value | null {
  try {
    const parsed = schema.safeParse(JSON.parse(decoder.decode(bytes)));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
