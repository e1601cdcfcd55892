// Groups: members that join, send, receive late, leave, crash with their machines, reset and
// come back. Judged by checkers/groups.ts.
//
// - Every machine wants to be a member. When a member dies, the others reset with a majority of
//   all machines; who cannot, ends its membership and joins again.
// - A group that no majority can bring back is given up after a while, and another is made in
//   its place under a port of its own: histories of two lives never mix.
// - Each seed draws resilience, history, method and timers anew.

import type { SeededRandom } from "../../drivers/fault/random.js";
import { GroupJudge } from "../checkers/groups.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { GroupMember, type GroupShape } from "./group-member.js";
import type { Activity, Cluster, Plan, Workload } from "./workload.js";

export interface GroupsOptions {
  /** Messages a simulated second, of all members together; default 30. */
  readonly perSecond?: number;
  /** Groups at a time; default 1 or 2. */
  readonly groups?: number;
}

const memoryBytes = 6 * 1024 * 1024;
const groupBytes = 1024 * 1024;
/** Nobody is in working order for so long: the group is given up. */
const givenUpAfter = 6 * SECOND;
const watchEvery = 250 * MILLISECOND;

function shapeOf(random: SeededRandom, machines: number): GroupShape {
  const membersMax = Math.min(machines + 3, 30);
  const least = Math.max(4, Math.ceil(Math.log2(membersMax + 6)));
  return {
    resilience: [0, 0, 1, 1, 2][random.below(5)] ?? 0,
    membersMax,
    logHistory: Math.min(Math.max(least, 4 + random.below(3)), 6),
    logMessage: 15,
    large: [0, 0, 500, 4000][random.below(4)] ?? 0,
    detectMs: [0, 0, 500, 2000][random.below(4)] ?? 0,
    receives: 1 + random.below(2),
    lateness: random.chance(0.4) ? ([5, 50, 300][random.below(3)] ?? 0) : 0,
    leaves: random.chance(0.3),
  };
}

/** The workload; every seed draws its own variant of it. */
export function groupsWorkload(options: GroupsOptions = {}): Workload {
  return {
    name: "groups",
    summary: "groups that form and break, with crashes, partitions and slow members",
    callbacks: true,
    plan: (random): Plan => ({
      lan: { receiveFrames: [32, 64][random.below(2)] ?? 64 },
      machine: () => ({ limits: { memoryBytes, groupBytes, groups: 4 } }),
    }),
    start: (cluster) => new Groups(cluster, options),
  };
}

class Groups implements Activity {
  readonly #groups: Group[] = [];

  constructor(cluster: Cluster, options: GroupsOptions) {
    const count = options.groups ?? 1 + cluster.random.below(2);
    const perSecond = (options.perSecond ?? 30) / count;
    for (let i = 0; i < count; i++) this.#groups.push(new Group(cluster, i, perSecond));
  }

  finish(): void {
    for (const group of this.#groups) group.finish();
  }

  idle(): boolean {
    return this.#groups.every((group) => group.whole());
  }

  judge(): void {
    for (const group of this.#groups) group.judge();
  }
}

/** One name, under which one group after the other may live. */
class Group {
  readonly #cluster: Cluster;
  readonly #number: number;
  readonly #shape: GroupShape;
  readonly #pauseMax: number;
  readonly #members = new Map<Machine, GroupMember>();
  #life = 0;
  #judge: GroupJudge;
  #made = false;
  #workedAt = 0;
  #over = false;

  constructor(cluster: Cluster, number: number, perSecond: number) {
    this.#cluster = cluster;
    this.#number = number;
    this.#shape = shapeOf(cluster.random, cluster.machines.length);
    this.#pauseMax = Math.ceil((2 * SECOND * cluster.machines.length) / perSecond);
    this.#judge = this.#judgeOf();
    for (const machine of cluster.machines) cluster.program(machine, () => this.#start(machine));
    this.#watch();
  }

  #judgeOf(): GroupJudge {
    const name = `${this.#number}.${this.#life}`;
    return new GroupJudge(name, this.#shape.resilience, (checker, what) => this.#cluster.fail(checker, what));
  }

  #start(machine: Machine): void {
    const { machines, random } = this.#cluster;
    const member = new GroupMember({
      cluster: this.#cluster,
      machine,
      shape: this.#shape,
      judge: this.#judge,
      port: Uint8Array.of(0x67, this.#number, this.#life >> 8, this.#life & 0xff, 0x72, 0x70),
      minimum: (machines.length >> 1) + 1,
      pauseMax: this.#pauseMax,
    });
    this.#members.set(machine, member);
    if (this.#over) member.finish();
    if (this.#made) machine.after(random.below(300 * MILLISECOND), () => member.join());
    else {
      this.#made = member.create();
      if (!this.#made) machine.after(random.below(300 * MILLISECOND), () => this.#again(machine, member));
    }
  }

  /** The first try to make the group failed. */
  #again(machine: Machine, member: GroupMember): void {
    if (this.#members.get(machine) !== member) return;
    if (this.#made) member.join();
    else this.#start(machine);
  }

  /** Looks now and then whether the group can still come back by itself. */
  #watch(): void {
    const { world } = this.#cluster;
    world.after(watchEvery, () => {
      const working = [...this.#members].some(
        ([machine, member]) => machine.kernel !== null && member.kernel === machine.kernel && member.working,
      );
      if (working) this.#workedAt = world.now;
      else if (this.#made && world.now - this.#workedAt > givenUpAfter) this.#giveUp();
      this.#watch();
    });
  }

  #giveUp(): void {
    this.#cluster.happened("groups given up");
    for (const [machine, member] of this.#members) if (member.kernel === machine.kernel) member.end();
    this.#life++;
    this.#made = false;
    this.#judge = this.#judgeOf();
    this.#workedAt = this.#cluster.world.now;
    for (const machine of this.#cluster.machines) if (machine.kernel !== null) this.#start(machine);
  }

  finish(): void {
    this.#over = true;
    for (const member of this.#members.values()) member.finish();
  }

  /** Every machine is a member again that has said its last word, and all were delivered the same. */
  whole(): boolean {
    const members = [...this.#members.values()];
    if (!members.every((member) => member.settled)) return false;
    const last = members[0]?.record.last;
    return members.every(({ record }) => record.last === last);
  }

  judge(): void {
    const members = [...this.#members.values()].filter(({ working }) => working);
    this.#judge.settled(members.map(({ record }) => record));
    this.#cluster.happened("group resets", this.#judge.resets);
  }
}
