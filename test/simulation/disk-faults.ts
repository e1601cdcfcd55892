// What goes wrong with a storage in these tests: one function a fault, which ends when the fault does.
//
// - `classic` is what the seeds kept in seeds.json were drawn from: its order is theirs.
// - A medium is damaged only while some other copy of everything is left: DiskLife.damage and quietly.

import type { Reachable } from "../unit/server/disk/fake-link.js";
import type { FakeServer } from "../unit/server/disk/fake-storage.js";
import { RealMember } from "./disk-medium.js";
import { TreeMember } from "./disk-tree.js";
import type { DiskLife } from "./disks.js";

/** Where a fault strikes, and how long it lasts. */
export interface Strike {
  readonly life: DiskLife;
  readonly place: number;
  readonly member: Reachable;
  readonly server: FakeServer;
  readonly lasting: number;
}

export type Fault = (strike: Strike) => Promise<void>;

export const power: Fault = async ({ life, place, member, lasting }) => {
  if (!member.isOn) return;
  life.say(`member ${place} loses power for ${lasting}`);
  life.crash(member);
  await life.pause(lasting);
  member.start();
};

export const cut: Fault = async ({ life, place, server, lasting }) => {
  const link = server.links[place];
  if (link === undefined) return;
  life.say(`link ${place} is cut for ${lasting}`);
  link.isCut = true;
  await life.pause(lasting);
  link.isCut = false;
};

export const kill: Fault = async ({ life, server, lasting }) => {
  life.say("the server is killed");
  server.storage.stop();
  await life.pause(lasting / 4);
  life.serve();
};

export const takeOver: Fault = async ({ life, server, lasting }) => {
  life.say(`the server is cut off for ${lasting}, another one starts`);
  for (const link of server.links) link.isCut = true;
  life.serve();
  await life.pause(lasting);
  for (const link of server.links) link.isCut = false;
};

export const blackout: Fault = async ({ life }) => {
  const { members } = life.world;
  life.say("everybody loses power, one by one");
  for (const each of members) {
    if (each.isOn) life.crash(each);
    await life.pause(life.random.below(3000));
  }
  for (const each of [...members].sort(() => life.random.below(3) - 1)) {
    each.start();
    await life.pause(life.random.below(3000));
  }
};

export const blank: Fault = ({ life, place, member, lasting }) =>
  life.damage(place, "is changed for a blank one", () => life.exchange(member, lasting));

export const rot: Fault = ({ life, place, member }) =>
  life.damage(place, "rots", async () => {
    if (life.isQuiet) await life.rotAndScrub(member);
  });

export const classic: readonly Fault[] = [power, power, cut, cut, kill, takeOver, blackout, blank, rot];

// ---- comes and goes ----------------------------------------------------------------------

/** A link that comes and goes. */
export const flap: Fault = async ({ life, place, server }) => {
  const link = server.links[place];
  if (link === undefined) return;
  life.say(`link ${place} flaps`);
  for (let times = 3 + life.random.below(12); times > 0; times--) {
    link.isCut = true;
    await life.pause(20 + life.random.below(2500));
    link.isCut = false;
    await life.pause(20 + life.random.below(300));
  }
};

/** A machine that starts and falls again. */
export const flicker: Fault = async ({ life, place, member }) => {
  if (!member.isOn) return;
  life.say(`member ${place} comes and goes`);
  for (let times = 3 + life.random.below(6); times > 0; times--) {
    if (member.isOn) life.crash(member);
    await life.pause(10 + life.random.below(700));
    member.start();
    await life.pause(10 + life.random.below(700));
  }
};

// ---- media -------------------------------------------------------------------------------

/** A witness has no data: it may be blank at any time when no other medium is. */
export const blankWitness: Fault = async (strike) => {
  const { life, lasting } = strike;
  const place = life.world.record.members.findIndex(({ isWitness }) => isWitness);
  const member = life.world.members[place];
  if (member === undefined) return power(strike);
  await life.damage(place, "is a blank witness", () => life.exchange(member, lasting / 4), true);
};

/** Too small a medium is said to be so, and one that is large enough ends it. */
export const shortMedium: Fault = async ({ life, place, member, lasting }) => {
  if (life.world.record.members[place]?.isWitness === true) return;
  await life.damage(place, "is changed for one that is too small", async () => {
    await life.exchange(member, 100, life.world.record.storage.blocks >> 1);
    const isNamed = () => life.current.storage.status().members[place]?.state === "failed";
    for (let tries = 0; !isNamed(); tries++) {
      if (tries > 600) throw new Error(`nobody says that medium ${place} is too small`);
      await life.pause(100);
    }
    life.say(`medium ${place} is said to be of no use`);
    await life.exchange(member, lasting, life.world.record.storage.blocks);
  });
};

/** A flush that fails is a member that fails, and comes back. */
export const failFlush: Fault = ({ life, place, member }) =>
  life.quietly(place, "fails its next flush", async () => {
    if (life.world.record.members[place]?.isWitness === true) return;
    life.counts.media++;
    member.failFlush();
    await life.pause(2000);
  });

/** A write that is lost or lands elsewhere, a block that cannot be read; a scrub finds what nobody has. */
export const lie: Fault = ({ life, place, member }) =>
  life.quietly(place, "lies", async () => {
    if (!(member instanceof RealMember)) return life.rotAndScrub(member);
    member.lie(life.pick(["lost", "misdirected", "unreadable"]));
    await life.pause(1500);
    member.lie(null);
    await life.scrub();
  });

// ---- on purpose, during a resync ---------------------------------------------------------

/** Makes a member lack something; then source, target, server or some of them fail in the middle of it. */
export const crashInResync: Fault = async ({ life, place, server, lasting }) => {
  const link = server.links[place];
  if (link === undefined || life.world.record.members[place]?.isWitness === true) return;
  life.say(`member ${place} is away, to be resynchronised`);
  link.isCut = true;
  await life.pause(2600 + life.random.below(1500));
  link.isCut = false;
  const isGoing = () => life.current.storage.status().members.some(({ state }) => state === "resyncing");
  for (let tries = 0; !isGoing(); tries++) {
    if (tries > 3000) return;
    await life.pause(2);
  }
  await life.pause(life.random.below(20));
  const { members } = life.current.storage.status();
  const [target, source] = ["resyncing", "in-sync"].map((wanted) => {
    const places = members.flatMap(({ state }, at) => (state === wanted ? [at] : []));
    return places[life.random.below(Math.max(1, places.length))];
  });
  const which = 1 + life.random.below(7);
  const chosen = [which & 1 ? source : undefined, which & 2 ? target : undefined];
  const falling = chosen.flatMap((at) => (at === undefined ? [] : (life.world.members[at] ?? [])));
  life.counts.inResync++;
  life.say(`in a resync fall: source ${chosen[0]}, target ${chosen[1]}, server ${(which & 4) !== 0}`);
  for (const each of falling) if (each.isOn) life.crash(each);
  if ((which & 4) !== 0) life.current.storage.stop();
  await life.pause(lasting);
  for (const each of falling) each.start();
  if ((which & 4) !== 0 && life.current.storage.hasEnded) life.serve();
};

/** A blank medium is made whole, slowly; it, or a source, loses power again and again meanwhile. */
export const fallWhileBlank: Fault = ({ life, place, member }) => {
  if (life.world.record.members[place]?.isWitness === true) return Promise.resolve();
  return life.damage(place, "is changed for a blank one, and falls while it is made whole", async () => {
    await life.exchange(member, 10);
    for (let times = 2 + life.random.below(4); times > 0; times--) {
      await life.pause(life.random.below(1500));
      const sources = life.world.members.filter((each) => each !== member && each.isOn);
      const falling = life.random.chance(0.6) || sources.length === 0 ? member : life.pick(sources);
      life.say(`${falling === member ? "the blank one" : "another one"} falls`);
      life.counts.inResync++;
      if (falling.isOn) life.crash(falling);
      await life.pause(10 + life.random.below(300));
      falling.start();
    }
  });
};

// ---- trees -------------------------------------------------------------------------------

const treeOf = (life: DiskLife): TreeMember | undefined =>
  life.world.members.find((each): each is TreeMember => each instanceof TreeMember);

/** Something below a member that lies on a storage: power, a link, the server, a medium. */
export const inside: Fault = async ({ life, lasting }) => {
  const tree = treeOf(life);
  if (tree === undefined) return;
  const at = life.random.below(tree.parts.length);
  const part = tree.parts[at] as Reachable;
  const kind = life.random.below(4);
  life.say(`inside: ${["power", "link", "server", "medium"][kind]} of ${at} for ${lasting}`);
  if (kind === 0 && part.isOn) {
    life.crash(part);
    await life.pause(lasting);
    part.start();
  } else if (kind === 1) {
    tree.cut(at, true);
    await life.pause(lasting);
    tree.cut(at, false);
  } else if (kind === 2) {
    life.widen();
    tree.server?.storage.stop();
  } else if (tree.state === "ok")
    await life.damage(at, "inside is changed for a blank one", () => life.exchange(part, lasting / 4));
};

/** The outer storage resynchronises a member whose own storage does so at the same time. */
export const together: Fault = async ({ life }) => {
  const tree = treeOf(life);
  if (tree === undefined) return;
  const place = life.world.members.indexOf(tree);
  const link = life.current.links[place];
  if (link === undefined || tree.state !== "ok") return;
  await life.damage(place, "is away while one below it is changed for a blank one", async () => {
    link.isCut = true;
    await life.pause(3000);
    const part = tree.parts[life.random.below(tree.parts.length)] as Reachable;
    const exchanged = life.exchange(part, 10);
    await life.pause(20 + life.random.below(600));
    link.isCut = false;
    const isOuter = () => life.current.storage.status().members[place]?.state === "resyncing";
    for (let tries = 0; tries < 4000; tries++) {
      await life.pause(1);
      if (!isOuter() || tree.state !== "resyncing") continue;
      life.counts.together++;
      break;
    }
    await exchanged;
  });
};
