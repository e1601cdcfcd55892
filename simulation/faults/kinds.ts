// The kinds of faults, and the schedule of a run: data that says what goes wrong when.
//
// - A schedule is a list that can be printed, kept in a file, loaded and shrunk. It is made
//   from a seed (generate.ts) and carried out by apply.ts.
// - `at` and `for` are microseconds of virtual time. Machines are named; a LAN is its place
//   in the world's list.
// - Frames meet their fate by dice while an entry lasts; every fault that happens is counted
//   under its kind.

import { z } from "zod";
import { usageError } from "../../control/kernel/errors.js";

/** Faults of frames: shares and delays on one LAN. */
export const frameKinds = ["loss", "duplication", "reordering", "delay", "bitFlips"] as const;
/** Faults of links and of the machines between them. */
export const linkKinds = ["partition", "oneWayPartition", "clog", "flap", "routerDeath"] as const;
/** Faults of machines. */
export const machineKinds = ["crash", "pause", "slow", "clockJump"] as const;
/** What a workload does to itself: a server goes to another machine. */
export const workloadKinds = ["move"] as const;

export const faultKinds = [...frameKinds, ...linkKinds, ...machineKinds, ...workloadKinds] as const;
export type FaultKind = (typeof faultKinds)[number];

/** How often each kind happens, in times a simulated minute; what is left out does not. */
export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

const time = z.number().int().min(0);
const lan = z.number().int().min(0);
const share = z.number().min(0).max(1);
const machine = z.string();
const entrySchema = z.discriminatedUnion("kind", [
  z.strictObject({ at: time, for: time, kind: z.literal("loss"), lan, share }),
  z.strictObject({ at: time, for: time, kind: z.literal("duplication"), lan, share }),
  z.strictObject({ at: time, for: time, kind: z.literal("reordering"), lan, share }),
  z.strictObject({ at: time, for: time, kind: z.literal("bitFlips"), lan, share }),
  z.strictObject({
    ...{ at: time, for: time, kind: z.literal("delay"), lan },
    ...{ min: time, max: time, tail: z.boolean() },
  }),
  z.strictObject({ at: time, for: time, kind: z.literal("partition"), lan, part: z.array(machine) }),
  z.strictObject({ at: time, for: time, kind: z.literal("oneWayPartition"), lan, part: z.array(machine) }),
  z.strictObject({ at: time, for: time, kind: z.literal("clog"), lan, from: machine, to: machine }),
  z.strictObject({ at: time, for: time, kind: z.literal("flap"), lan, machine, period: time.min(1000) }),
  z.strictObject({ at: time, for: time, kind: z.literal("routerDeath"), machine }),
  z.strictObject({ at: time, for: time, kind: z.literal("crash"), machine }),
  z.strictObject({ at: time, for: time, kind: z.literal("pause"), machine, busy: z.boolean() }),
  z.strictObject({ at: time, for: time, kind: z.literal("slow"), machine, turn: time }),
  z.strictObject({ at: time, kind: z.literal("clockJump"), machine, by: z.number().int() }),
  z.strictObject({ at: time, kind: z.literal("move"), choice: time }),
]);

/** One entry of a schedule. */
export type FaultEntry = z.infer<typeof entrySchema>;
export type Schedule = readonly FaultEntry[];

const ratesSchema = z.partialRecord(z.enum(faultKinds), z.number().min(0).max(6000));
const fileSchema = z.union([z.array(entrySchema), ratesSchema]);

/** What a file of faults holds: a schedule, or rates from which each seed makes its own. */
export type FaultFile = { readonly schedule: Schedule } | { readonly rates: FaultRates };

/** Reads the text of a file of faults. Throws a usage error that says what is wrong. */
export function parseFaults(text: string, name: string): FaultFile {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw usageError(
      `${name} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      'a file of faults is a list of entries, or rates a minute: {"crash": 3, "loss": 4}',
      "FAULTS_INVALID",
    );
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success) {
    const list = Array.isArray(document);
    const detailed = list ? z.array(entrySchema).safeParse(document) : ratesSchema.safeParse(document);
    const issue = detailed.error?.issues[0];
    const where = issue === undefined ? "" : ` at ${issue.path.join(".") || "its top"}: ${issue.message}`;
    throw usageError(
      `${name} holds no faults${where}`,
      `the kinds are ${faultKinds.join(", ")}`,
      "FAULTS_INVALID",
    );
  }
  return Array.isArray(parsed.data) ? { schedule: parsed.data } : { rates: parsed.data };
}
