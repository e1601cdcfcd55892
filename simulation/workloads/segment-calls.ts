// What a client of the workload `servers` does with segments: every call is entered in the books
// before it begins, and judged when it is answered (checkers/segments.ts).

import { type Capability, capabilityHex } from "../../control/capability/capability.js";
import { segmentTable } from "../../control/interface/segment.js";
import { rightsMask } from "../../control/interface/table.js";
import { toHex } from "../../control/kernel/bytes.js";
import { ProteusError } from "../../control/kernel/errors.js";
import type { Kernel } from "../../control/kernel/kernel.js";
import { stub } from "../../control/stub/client.js";
import { dataOf } from "../checkers/data.js";
import {
  type Attempt,
  certainlyNot,
  Generation,
  type Home,
  isUnknown,
  judgeAttempt,
  type Outcome,
  SegmentModel,
  type Span,
} from "../checkers/segments.js";
import type { Machine } from "../engine/machine.js";
import type { Cluster } from "./workload.js";

const [mayRead, mayWrite, mayDelete] = [["read"], ["write"], ["delete"]].map((right) =>
  rightsMask(segmentTable, right),
) as [number, number, number];
const mayRevoke = rightsMask(segmentTable, Object.keys(segmentTable.rights));
export const allRights = 0xff;
const never = Number.POSITIVE_INFINITY;
export const callOptions = { locateTimeoutMs: 1500, replyBytesMax: 192 * 1024 };

/** What a machine's servers gave out at their start. */
export interface Posted {
  readonly home: Home;
  readonly machine: Machine;
  readonly segment: Capability;
  readonly system: Capability;
  readonly random: Capability;
  readonly time: Capability;
  /** Its parameters are set: segments may be made. */
  open: boolean;
}

/** A capability of a segment that somebody holds. */
export interface Held {
  readonly segment: SegmentModel;
  readonly capability: Capability;
  readonly rights: number;
  readonly generation: Generation;
}

/** A lane of a client in one life of its machine. */
export interface Lane {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly owns: Held[];
  done: boolean;
}

export class SegmentCalls {
  readonly #cluster: Cluster;
  readonly #posted: () => Iterable<Posted>;
  /** Everything that clients were ever given, the newest last. */
  readonly held: Held[] = [];
  #writes = 0;

  constructor(cluster: Cluster, posted: () => Iterable<Posted>) {
    this.#cluster = cluster;
    this.#posted = posted;
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  /** A segment that somebody holds: mostly one that lives. */
  any(): Held | undefined {
    const { now } = this.#cluster.world;
    const living = this.held.filter(({ segment }) => !segment.isGone(now));
    return this.#pick(this.#below(6) === 0 ? this.held : living);
  }

  /** Waits for a call of a client; null when its machine has crashed by then. */
  async answer<R>(
    lane: Lane,
    span: Span,
    call: () => Promise<R>,
  ): Promise<{ outcome: Outcome; reply?: R } | null> {
    const gone = () => lane.machine.kernel !== lane.kernel;
    try {
      const reply = await call();
      if (gone()) return null;
      span.end = this.#cluster.world.now;
      this.#cluster.happened("server calls");
      return { outcome: "OK", reply };
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      if (gone()) return null;
      // An answer that is lost says nothing: it may still happen.
      if (!isUnknown(error.code)) span.end = this.#cluster.world.now;
      this.#cluster.happened(`server calls ${error.code}`);
      return { outcome: error.code };
    }
  }

  span(): Span {
    return { begin: this.#cluster.world.now, end: never };
  }

  readonly #fail = (checker: string, what: string): void => this.#cluster.fail(checker, what);

  stub(lane: Lane, capability: Capability, options = callOptions) {
    return stub(lane.kernel, segmentTable, capability, options);
  }

  /** A call on a segment, judged; the reply when it was done. */
  async use<R>(
    lane: Lane,
    held: Pick<Held, "segment" | "generation"> & { readonly rights: number | null },
    facts: { readonly what: string; readonly needs: number; readonly may?: readonly string[] },
    span: Span,
    call: () => Promise<R>,
  ): Promise<{ outcome: Outcome; reply?: R } | null> {
    const attempt: Attempt = { ...held, ...facts, span };
    const answer = await this.answer(lane, span, call);
    if (answer !== null) judgeAttempt(attempt, answer.outcome, this.#fail);
    return answer;
  }

  async create(lane: Lane): Promise<void> {
    const posted = this.#pick([...this.#posted()].filter(({ open }) => open));
    if (posted === undefined) return;
    const size = this.#below(this.#below(8) === 0 ? 100_000 : 12_000);
    await this.#made(lane, posted.home, size, async (span) =>
      this.answer(
        lane,
        span,
        async () => (await this.stub(lane, posted.segment).create({ bytes: size })).segment,
      ),
    );
  }

  /** Has a segment made, and enters it into the books. */
  async #made(
    lane: Lane,
    home: Home,
    from: number | SegmentModel,
    make: (span: Span) => Promise<{ outcome: Outcome; reply?: Capability } | null>,
  ): Promise<void> {
    const span = this.span();
    home.possible++;
    const answer = await make(span);
    if (answer === null) return;
    const { outcome, reply } = answer;
    if (certainlyNot(outcome) || outcome.startsWith("STD_")) home.possible--;
    if (reply === undefined) return;
    if (!home.isNew(toHex(reply.private)))
      this.#cluster.fail("answers", `${home.name} gave ${capabilityHex(reply)} twice`);
    const segment = new SegmentModel(home, from, span);
    home.segments.add(segment);
    const held = { segment, capability: reply, rights: allRights, generation: new Generation() };
    lane.owns.push(held);
    this.held.push(held);
    if (this.held.length > 400) this.held.splice(0, 100);
  }

  async write(lane: Lane, held: Held): Promise<void> {
    const { segment, capability } = held;
    const length = Math.min(segment.sizeMin, this.#below(this.#below(6) === 0 ? 40_000 : 2000));
    const position = this.#below(segment.sizeMin - length + 1);
    const data = dataOf(this.#writes++, length);
    const entry = segment.writing(position, data);
    const answer = await this.use(lane, held, { what: "write", needs: mayWrite }, this.span(), () =>
      this.stub(lane, capability).write({ position, data }),
    );
    if (answer !== null) segment.written(entry, answer.outcome);
  }

  /** Reads any of its bytes, or those that are named; answers the outcome, "" after a crash. */
  async read(lane: Lane, held: Held, from?: number, wanted?: number): Promise<Outcome> {
    const { segment, capability } = held;
    const length = wanted ?? (this.#below(4) === 0 ? segment.sizeMax : this.#below(4000));
    const position = from ?? this.#below(segment.sizeMin + 1);
    const span = this.span();
    const entry = segment.reading(span.begin, position, length);
    const answer = await this.use(lane, held, { what: "read", needs: mayRead }, span, () =>
      this.stub(lane, capability).read({ position, length }),
    );
    const wrong = segment.hasRead(entry, answer?.reply?.data ?? null);
    if (wrong !== null) this.#cluster.fail("contents", `${segment.home.name}: ${wrong}`);
    return answer?.outcome ?? "";
  }

  async grow(lane: Lane, held: Held): Promise<void> {
    const { segment, capability } = held;
    const bytes = segment.sizeMax + this.#below(3000);
    segment.growing(bytes);
    const facts = { what: "grow", needs: mayWrite, may: ["STD_NOSPACE", "STD_ARGBAD"] };
    const answer = await this.use(lane, held, facts, this.span(), () =>
      this.stub(lane, capability).grow({ bytes }),
    );
    if (answer !== null) segment.grown(bytes, answer.outcome);
  }

  async touch(lane: Lane, held: Held): Promise<void> {
    const { segment, capability } = held;
    const span = this.span();
    segment.touching(span);
    const answer = await this.use(lane, held, { what: "touch", needs: 0 }, span, () =>
      this.stub(lane, capability).touch(),
    );
    if (answer !== null) segment.touched(span, answer.outcome);
  }

  async destroy(lane: Lane, held: Held): Promise<void> {
    const { segment, capability } = held;
    const span = this.span();
    segment.destroying(span);
    const answer = await this.use(lane, held, { what: "destroy", needs: mayDelete }, span, () =>
      this.stub(lane, capability).destroy(),
    );
    if (answer === null) return;
    segment.destroyed(span, answer.outcome);
    const at = lane.owns.indexOf(held);
    if (at >= 0) lane.owns.splice(at, 1);
  }

  /** Ends all capabilities to a segment; its owner goes on with the new one. */
  async revoke(lane: Lane, held: Held): Promise<void> {
    const { segment, capability, generation } = held;
    const span = this.span();
    generation.revoking(span);
    const answer = await this.use(lane, held, { what: "revoke", needs: mayRevoke }, span, () =>
      this.stub(lane, capability).revoke(),
    );
    if (answer === null) return;
    generation.revoked(span, answer.outcome);
    const renewed = answer.reply?.capability;
    if (renewed === undefined) return;
    if (!segment.home.isNew(toHex(renewed.private)))
      this.#cluster.fail("answers", `${segment.home.name} gave ${capabilityHex(renewed)} twice`);
    const next = { segment, capability: renewed, rights: allRights, generation: new Generation() };
    const at = lane.owns.indexOf(held);
    if (at >= 0) lane.owns.splice(at, 1, next);
    this.held.push(next);
    this.#cluster.happened("segments revoked");
  }

  async copy(lane: Lane, { segment, capability, generation }: Held): Promise<void> {
    const posted = this.#pick([...this.#posted()].filter(({ open }) => open));
    if (posted === undefined || segment.open > 0 || segment.sizeMin !== segment.sizeMax) return;
    await this.#made(lane, posted.home, segment, async (span) => {
      const answer = await this.answer(
        lane,
        span,
        async () => (await this.stub(lane, posted.segment).copy({ source: capability })).copy,
      );
      if (answer?.outcome === "OK" && generation.isOver(span.begin))
        this.#cluster.fail("revocation", `${segment.home.name} was copied with a capability that had ended`);
      return answer;
    });
  }

  async restrict(lane: Lane, held: Held): Promise<void> {
    const mask = this.#below(256);
    const answer = await this.use(lane, held, { what: "restrict", needs: 0 }, this.span(), () =>
      this.stub(lane, held.capability).restrict({ mask }),
    );
    const capability = answer?.reply?.capability;
    if (capability === undefined) return;
    this.held.push({ ...held, capability, rights: held.rights & mask });
    this.#cluster.happened("capabilities restricted");
  }

  /** What the capability does not allow, and a capability that nobody gave. */
  async overstep(lane: Lane, held: Held): Promise<void> {
    const { segment, capability, rights, generation } = held;
    const forged = this.#below(2) === 0;
    const part = capability.private.slice();
    const at = 3 + this.#below(part.length - 3);
    if (forged) part[at] = (part[at] ?? 0) ^ (1 + this.#below(255));
    const calls = this.stub(lane, { port: capability.port, private: part });
    const nothing = new Uint8Array(0);
    // Harmless where it is allowed, so that nobody has to write it down.
    const [what, needs, call] = this.#pick([
      ["write", mayWrite, () => calls.write({ position: 0, data: nothing })],
      ["read", mayRead, () => calls.read({ position: 0, length: 1 })],
      ["grow", mayWrite, () => calls.grow({ bytes: 0 })],
    ] as const) ?? ["size", mayRead, () => calls.size()];
    const facts = { what, needs, may: ["STD_ARGBAD"] };
    await this.use(
      lane,
      { segment, generation, rights: forged ? null : rights },
      facts,
      this.span(),
      call as () => Promise<unknown>,
    );
  }
}
