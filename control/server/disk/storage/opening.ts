// How a server gets a storage: it looks at all members, binds enough of them to a new epoch, and begins
// with what decision.ts makes of the records that the fences have answered.
//
// - Nobody is fenced before enough members were seen to serve with; so a server that is cut off does not
//   disturb the one that serves. Tried for ever, with a back-off: a server that cannot get the storage
//   stands by, and takes over when the other one's leases have ended.
// - Servers that begin at the same moment may bind a few members each, and would keep what they have from
//   each other by trying again and again. So who has tried and sees a claim as new as its own, of a server
//   with a higher number, stands aside once for as long as its claims live.
// - Whoever is not in sync begins as `out`, with the maps that the records give, and comes back by
//   the way that every member takes (returning.ts).

import { sameBytes } from "../../../kernel/bytes.js";
import { DiskError } from "../errors.js";
import { LEASE_MS, type MemberFound } from "../member/port.js";
import type { MemberEntry, MemberRecord } from "../member/record.js";
import type { Core } from "./core.js";
import { type Decision, decide, entryOf, type Seen } from "./decision.js";
import { isEmptyMap, runsOf, union } from "./extents.js";
import type { MemberLink } from "./member-link.js";
import { inTime, keep } from "./returning.js";
import { keepScrubbed } from "./scrubbing.js";
import { settleUnsure } from "./settle.js";

type Serve = Extract<Decision, { kind: "serve" }>;

interface Bound {
  readonly record: MemberRecord;
  readonly sentAt: number;
}

/** Its claims have ended, and who did not stand aside has tried again. */
const asideMs = 2 * LEASE_MS;

/** Ends when the storage is served, or never will be by this server. */
export async function open(core: Core, winner?: Uint8Array): Promise<void> {
  const { retryMinMs, retryMaxMs } = core.policy;
  setMembers(core, core.options.record.members);
  let mayYield = false;
  for (let delay = retryMinMs; core.ended === null; delay = Math.min(retryMaxMs / 4, delay * 2)) {
    const seen = await lookAtAll(core);
    if (mayYield && hasRival(core, seen)) {
      mayYield = false;
      await core.pause(asideMs);
      continue;
    }
    const { epoch } = core;
    if (await tryOpen(core, seen, winner)) return;
    mayYield = core.epoch > epoch; // it has claimed what it could
    const [part = 0] = core.options.random(1);
    await core.pause(delay * (1 + part / 256));
  }
}

/** Whether another server that goes first has claimed a member since this one has tried. */
const hasRival = (core: Core, seen: readonly Seen[]): boolean =>
  seen.some(({ found }) => {
    if (found?.kind !== "member" || !sameBytes(found.record.storage.age, core.facts.age)) return false;
    const { epoch, server } = found.record;
    return epoch >= core.epoch && server > core.server;
  });

/** Takes a list of members; those that were on it before keep their link. */
export function setMembers(core: Core, entries: readonly MemberEntry[]): void {
  core.members = entries.map((entry) => {
    const known = core.members.find((each) => sameBytes(each.entry.id, entry.id));
    return known ?? core.link(entry);
  });
}

async function lookAt(core: Core, member: MemberLink): Promise<Seen> {
  const { id } = member.entry;
  try {
    return { id, found: await inTime(core, member.port.look(), core.policy.memberTimeoutMs) };
  } catch (error) {
    if (error instanceof DiskError) return { id, found: null };
    throw error;
  }
}

/** Looks at everybody whom the newest list of members names. */
async function lookAtAll(core: Core): Promise<Seen[]> {
  for (let again = 0; ; again++) {
    const seen = await Promise.all(core.members.map((member) => lookAt(core, member)));
    const chief = decide(seen, { age: core.facts.age, mayKeep: true });
    if (chief.kind === "wait" || again > 2) return seen;
    const { members } = chief.chief;
    const isSame =
      members.length === core.members.length &&
      members.every((entry) => core.members.some((each) => sameBytes(each.entry.id, entry.id)));
    if (isSame) return seen;
    setMembers(core, members);
  }
}

async function tryOpen(core: Core, seen: readonly Seen[], winner: Uint8Array | undefined): Promise<boolean> {
  const mayKeep = core.facts.onSplit === "keep" && core.options.branches !== undefined;
  const options = { age: core.facts.age, mayKeep, ...(winner === undefined ? {} : { winner }) };
  const isOurs = (found: MemberFound | null): found is Extract<MemberFound, { kind: "member" }> =>
    found?.kind === "member" && sameBytes(found.record.storage.age, core.facts.age);

  const epochs = seen.map(({ found }) => (isOurs(found) ? found.record.epoch : 0));
  const first = decide(seen, options);
  if (core.ended !== null) return true;
  if (first.kind !== "serve") {
    core.decision = first;
    return false;
  }
  const epoch = Math.max(core.epoch, ...epochs) + 1;
  const bound = new Map<MemberLink, Bound>();
  let isHeld = false;
  await Promise.all(
    core.members.map(async (member, place) => {
      if (!isOurs(seen[place]?.found ?? null)) return;
      const sentAt = core.now();
      try {
        const claim = { epoch, server: core.server, age: core.facts.age };
        const record = await inTime(core, member.port.fence(claim), core.policy.memberTimeoutMs);
        bound.set(member, { record, sentAt });
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        isHeld ||= error.code === "DISK_FENCED";
      }
    }),
  );
  if (core.ended !== null) return true;
  const again = core.members.map((member, place): Seen => {
    const found = seen[place]?.found ?? null;
    const record = bound.get(member)?.record;
    const { id } = member.entry;
    if (record !== undefined && found !== null)
      return { id, found: { kind: "member", blocks: found.blocks, record } };
    return { id, found: isOurs(found) ? null : found };
  });
  const decision = decide(again, options);
  core.epoch = epoch;
  // Whoever may serve with any copy does not, while another server has one that it can reach.
  const isOthers = isHeld && core.facts.serve === "any";
  if (decision.kind !== "serve" || isOthers) {
    core.decision =
      decision.kind === "serve" ? { kind: "wait", votes: bound.size, needed: core.needed } : decision;
    return false;
  }
  if (winner !== undefined) healOthers(core, decision);
  await begin(core, decision, bound);
  return true;
}

/** A person has named the side that counts: the others go, once they were saved. */
function healOthers(core: Core, { chief, targets }: Serve): void {
  for (const { place, isDiverged } of targets) {
    const id = chief.members[place]?.id;
    const member = core.members.find(({ entry }) => id !== undefined && sameBytes(entry.id, id));
    if (member !== undefined) member.isHealing ||= isDiverged;
  }
}

async function begin(core: Core, decision: Serve, bound: ReadonlyMap<MemberLink, Bound>): Promise<void> {
  const { chief, inSync } = decision;
  const { blocks } = chief.storage;
  core.decision = null;
  core.facts = chief.storage;
  core.setUpkeep(chief.upkeep);
  core.generation = chief.generation;
  core.history = chief.history;
  core.records.begin(chief);
  core.unsure = decision.unsure;
  core.isClean = false;
  const sources = inSync.flatMap((place) => {
    const id = chief.members[place]?.id;
    return [...bound.values()].flatMap(({ record }) => (id && sameBytes(record.member, id) ? [record] : []));
  });
  let isTurnDue = false;
  let isCopyAway = false;
  chief.members.forEach((entry, place) => {
    const member = core.members.find((each) => sameBytes(each.entry.id, entry.id));
    if (member === undefined) return;
    member.entry = entry;
    const binding = bound.get(member);
    member.generation =
      binding?.record.generation ?? (entry.state === "in-sync" ? chief.generation : entry.since);
    // Whoever does not answer may have a generation that nobody else has heard of: a later one has to begin
    // before anything is acknowledged, or that one would win. So would a copy that has lost with its cache
    // what others have brought to their media, where no bit tells of it any more.
    if (binding === undefined) {
      isTurnDue = true;
      isCopyAway ||= entry.state === "in-sync" && !entry.isWitness;
    } else member.renewedAt = binding.sentAt;
    const isIn = inSync.includes(place) || entry.isWitness;
    if (isIn) {
      member.entry = { ...entry, state: "in-sync", lacks: null };
      if (!inSync.includes(place) && binding === undefined) return;
      member.percent = 100;
      member.up();
      return;
    }
    isTurnDue ||= entry.state === "in-sync";
    const lacks = sources.map((source) => entryOf(source, entry.id)?.lacks ?? null);
    const map = union(blocks, ...lacks, decision.unsure);
    for (const run of runsOf(map, blocks)) member.check.set(run.block, run.blocks);
    const since = entry.state === "out" ? entry.since : member.generation;
    member.entry = { ...entry, state: "out", since, lacks: null };
  });
  core.isInherited = isCopyAway || !isEmptyMap(decision.unsure);
  // Where any copy may serve, two that only look would be two histories: there the first flush turns.
  const isTurning = decision.isTurning || (isCopyAway && core.facts.serve === "majority");
  core.turnSoon(isTurning);
  core.isTurnDue = isTurnDue && !isTurning;
  core.phase = "serving";
  for (const member of core.members) void keep(core, member);
  core.changed.fire();
  await core.records.commit();
  core.isReady = true;
  void settleUnsure(core);
  void keepScrubbed(core);
  core.log(`served in epoch ${core.epoch}`);
  core.changed.fire();
}
