// The touch run of a pool: whatever has a name is touched; then servers age their objects, and
// those that nobody has touched for their lifetime go. The original's object manager did this.
//
// - Nothing is aged unless it was asked for, and not before everything that has a name was seen
//   (walk.ts). A server that could not touch all of its objects (touches.ts), or would end one that
//   was touched, is left out.
// - What the next AGE ends is told before it is sent (ages.ts), where the server can say.
// - AGE is sent once to each server, and never again: who did not answer may have done it.
// - What is named, moved or made while it runs may be missed: it only loses one step, of its
//   lifetime.

import type { Capability } from "../capability/capability.js";
import type { CapabilitySet } from "../capability/set.js";
import { toHex } from "../kernel/bytes.js";
import type { CallOptions } from "../kernel/calls.js";
import { type Ages, agesOf } from "./ages.js";
import { Asking, type AskingOptions, codeOf } from "./asking.js";
import { ObjectNumbers } from "./numbers.js";
import { Touches } from "./touches.js";
import { type Listing, Walk, type WalkReport } from "./walk.js";

export interface CollectOptions extends AskingOptions {
  readonly names: Listing;
  /** What is kept beside what the root leads to. */
  readonly also?: readonly { readonly path: string; readonly set: CapabilitySet }[];
  /** Capabilities of servers that are to age their objects. */
  readonly servers: readonly Capability[];
  /** Has them age; otherwise it is only told what would go. */
  readonly age: boolean;
  /** Told what will go, before anything does. */
  readonly before?: (report: CollectReport) => void;
  readonly directoriesMost?: number;
}

export interface CollectedServer {
  readonly port: string;
  /** Its objects that have a name. */
  readonly touched: number;
  /** Names that lead to nothing, and at most a hundred of them. */
  readonly goneCount: number;
  readonly gone: readonly string[];
  /** What it tells of its objects; null: it cannot, or nobody has its capability. */
  readonly ages: Ages | null;
  /** Why it is not made to age its objects. */
  readonly held: string | null;
  /** unknown: it did not answer. */
  readonly aged: "yes" | "no" | "unknown";
}

export interface CollectReport extends WalkReport {
  /** Objects that have a name. */
  readonly objects: number;
  readonly servers: readonly CollectedServer[];
}

type Held = { -readonly [Name in keyof CollectedServer]: CollectedServer[Name] };

/** Why a server that is not to age its objects is held. */
export const notGiven = "nobody gave its capability";

/** A step of ages is not taken twice because an answer was late. */
const ageCall: CallOptions = { deadMs: 30_000 };

/** Touches what has a name, and has servers age the rest. */
export async function collect(options: CollectOptions): Promise<CollectReport> {
  const { names, also = [], servers, age, before, directoriesMost } = options;
  const asking = new Asking(options);
  const touches = new Touches(asking);
  const walk = new Walk({
    ...{ names, asking, found: (named) => touches.add(named) },
    ...(directoriesMost === undefined ? {} : { directoriesMost }),
  });
  const walked = await walk.from([{ path: "/", set: names.root }, ...also]);
  await touches.end();

  const told = new Map<string, Held>();
  for (const { port, numbers, goneCount, gone, held } of touches.servers)
    told.set(toHex(port), {
      ...{ port: toHex(port), touched: numbers.count - (numbers.has(0) ? 1 : 0), goneCount, gone },
      ...{ ages: null, held, aged: "no" },
    });
  const capabilities = new Map(servers.map((capability) => [toHex(capability.port), capability]));
  for (const [port, capability] of capabilities) {
    const numbers = touches.servers.find((each) => toHex(each.port) === port)?.numbers ?? new ObjectNumbers();
    const server: Held = told.get(port) ?? nameless(port);
    told.set(port, server);
    await look(asking, server, capability, numbers);
    if (!walked.complete) server.held ??= "not everything that has a name was seen";
  }
  for (const server of told.values()) if (!capabilities.has(server.port)) server.held ??= notGiven;

  const report = (): CollectReport => {
    const all = [...told.values()].sort((one, other) => (one.port < other.port ? -1 : 1));
    const objects = all.reduce((sum, { touched }) => sum + touched, 0);
    return { ...walked, objects, servers: all.map((server) => ({ ...server })) };
  };
  if (!age) return report();
  before?.(report());
  for (const [port, capability] of capabilities) {
    const server = told.get(port);
    if (server !== undefined && server.held === null) await ageOne(asking, server, capability);
  }
  return report();
}

const nameless = (port: string): Held => ({
  ...{ port, touched: 0, goneCount: 0, gone: [], ages: null, held: null, aged: "no" },
});

/** Asks a server what it would end. */
async function look(
  asking: Asking,
  server: Held,
  capability: Capability,
  numbers: ObjectNumbers,
): Promise<void> {
  try {
    server.ages = await agesOf(asking, capability, numbers);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "STD_COMBAD") server.held ??= `it does not tell the ages of its objects (${code})`;
    return;
  }
  const { endangered } = server.ages;
  if (endangered > 0) server.held ??= `${endangered} objects that were touched are as old as before`;
}

async function ageOne(asking: Asking, server: Held, capability: Capability): Promise<void> {
  try {
    await asking.std(capability).age({}, ageCall);
    server.aged = "yes";
  } catch (error) {
    const code = codeOf(error);
    const isKnown = code.startsWith("STD_") && code !== "STD_NOTNOW" && code !== "STD_SYSERR";
    server.aged = isKnown || code === "RPC_NOTFOUND" ? "no" : "unknown";
    server.held = isKnown ? `it did not do it (${code})` : `it did not say whether it has done it (${code})`;
  }
}
