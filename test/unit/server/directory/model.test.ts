// Random operations on a directory server, beside a model: plain maps. If this fails, a name was
// lost or told wrongly, a right was given that no mask gives, or a replacement took place though
// the row was another one. Now and then the server starts again on its store.

import { expect, it } from "vitest";
import { type Capability, capabilityHex } from "../../../../control/capability/capability.js";
import { claims } from "../../../../control/capability/private-part.js";
import { inOrder, setOf } from "../../../../control/capability/set.js";
import { ProteusError } from "../../../../control/kernel/errors.js";
import { Directories } from "../../../../control/stub/directories.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { isLong, perTier } from "../../../simulation/seeds.js";
import { LoneDirectory } from "./alone.js";

interface Row {
  /** A number for a thing, or a directory. */
  of: number | Directory;
  masks: readonly number[];
}
type Directory = Map<string, Row>;

const names = ["a", "b", "c"];
const thing = (value: number): Capability => ({
  port: new Uint8Array(6).fill(7),
  // No rights: nobody is asked for fewer.
  private: Uint8Array.of(value & 0xff, value >> 8, 0, 0, 1, 2, 3, 4, 5, 6),
});

/** A path that goes on behind a thing is that thing's server's, and there is none. */
const nobody = "NAME_UNREACHABLE";

/** What the model says to an operation: a code, or what it answers. */
type Answer = string | readonly string[];

class Model {
  readonly root: Directory = new Map();

  /** The row at a path; a code when something before it is not there. */
  at(path: readonly string[]): { readonly directory: Directory; readonly name: string } | string {
    let directory = this.root;
    for (const name of path.slice(0, -1)) {
      const row = directory.get(name);
      if (row === undefined) return "NAME_NOT_FOUND";
      if (typeof row.of === "number") return nobody;
      directory = row.of;
    }
    return { directory, name: path.at(-1) ?? "" };
  }

  /** Rights of the second column, of a directory at a path. */
  reader(path: readonly string[]): number | string {
    let [directory, rights] = [this.root, 0x02];
    for (const [index, name] of path.entries()) {
      if ((rights & 0x0f) === 0) return "NAME_DENIED";
      const row = directory.get(name);
      if (row === undefined) return "NAME_NOT_FOUND";
      if (typeof row.of === "number") return index < path.length - 1 ? nobody : 0;
      const columns = [0, 1].filter((column) => (rights & (1 << column)) !== 0);
      rights = columns.reduce((sum, column) => sum | (row.masks[column] ?? 0), 0);
      directory = row.of;
    }
    return rights;
  }
}

it("a directory server does what maps of names do, whatever is done", { timeout: 600_000 }, async () => {
  const counts = new Map<string, number>();
  const seeds = perTier({ quick: 1, long: 12, nightly: 200 });
  for (let seed = 1; seed <= seeds; seed++) {
    const lone = await new LoneDirectory().start();
    const model = new Model();
    const random = new SeededRandom(seed);
    const below = (most: number) => random.next() % most;
    const pick = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;
    const code = async (work: Promise<unknown>): Promise<string> => {
      try {
        await lone.pool.end(work);
        return "ok";
      } catch (error) {
        if (error instanceof ProteusError) return error.code;
        throw error;
      }
    };
    // Who serves a thing is looked for, for a moment: nobody does.
    const namesOf = (rights: number) =>
      new Directories(lone.pool.near, setOf(lone.root(rights)), { call: { locateTimeoutMs: 20 } });
    let values = 0;
    for (let step = 0; step < 60; step++) {
      const directories = namesOf(0xff);
      const parts = Array.from({ length: 1 + below(3) }, () => pick(names));
      // The same by a detour.
      const path = below(3) === 0 ? `/${parts.join("/./x/../")}/.` : `/${parts.join("/")}`;
      const place = model.at(parts);
      const row = typeof place === "string" ? undefined : place.directory.get(place.name);
      const what = pick([
        "make",
        "make",
        "append",
        "replace",
        "swap",
        "remove",
        "discard",
        "chmod",
        "reader",
        "read",
      ]);
      let [expected, answer]: [Answer, Answer] = ["ok", "ok"];
      const value = ++values;
      switch (what) {
        case "make":
        case "append":
          expected = typeof place === "string" ? place : row === undefined ? "ok" : "NAME_EXISTS";
          answer = await code(
            what === "make"
              ? directories.makeDirectory(path)
              : directories.append(path, setOf(thing(value)), [0xff, 6]),
          );
          if (answer === "ok" && typeof place !== "string")
            place.directory.set(
              place.name,
              what === "make" ? { of: new Map(), masks: [0xff, 2] } : { of: value, masks: [0xff, 6] },
            );
          break;
        case "replace":
        case "swap": {
          const was = below(2) === 0 && typeof row?.of === "number" ? row.of : 0xffff;
          expected = typeof place === "string" ? place : row === undefined ? "NAME_NOT_FOUND" : "ok";
          if (expected === "ok" && what === "swap" && row?.of !== was) expected = "NAME_CHANGED";
          const former = what === "swap" ? [setOf(thing(was))] : [];
          answer = await code(directories.replace(path, setOf(thing(value)), ...former));
          if (answer === "ok" && row !== undefined) row.of = value;
          break;
        }
        case "remove":
          expected = typeof place === "string" ? place : row === undefined ? "NAME_NOT_FOUND" : "ok";
          answer = await code(directories.remove(path));
          if (answer === "ok" && typeof place !== "string") place.directory.delete(place.name);
          break;
        case "discard":
          if (typeof place === "string") expected = place;
          else if (row === undefined) expected = "NAME_NOT_FOUND";
          else if (typeof row.of === "number") expected = "NAME_NOT_DIRECTORY";
          else if (row.of.size > 0) expected = "NAME_NOT_EMPTY";
          answer = await code(directories.discard(path));
          if (answer === "ok" && typeof place !== "string") place.directory.delete(place.name);
          break;
        case "chmod": {
          const masks = [0xff, pick([0, 2, 0x42, 3])];
          expected = typeof place === "string" ? place : row === undefined ? "NAME_NOT_FOUND" : "ok";
          answer = await code(directories.chmod(path, masks));
          if (answer === "ok" && row !== undefined) row.masks = masks;
          break;
        }
        case "reader": {
          // Who has the second column of the root gets what all masks on the way give, and no more.
          const rights = model.reader(parts);
          try {
            const set = await lone.pool.end(namesOf(0x02).lookup(path));
            answer = inOrder(set).map(({ private: part }) => String(claims(part).rights));
            expected = [String(rights)];
          } catch (error) {
            answer = error instanceof ProteusError ? error.code : String(error);
            expected = typeof rights === "string" ? rights : "ok";
          }
          break;
        }
        default: {
          if (row !== undefined && typeof row.of === "number") {
            answer = inOrder(await lone.pool.end(directories.lookup(path))).map(capabilityHex);
            expected = [capabilityHex(thing(row.of))];
          } else if (row !== undefined) {
            answer = (await lone.pool.end(directories.list(path))).map(({ name }) => name).sort();
            expected = [...(row.of as Directory).keys()].sort();
          } else {
            answer = await code(directories.lookup(path));
            expected = typeof place === "string" ? place : "NAME_NOT_FOUND";
          }
        }
      }
      expect({ seed, step, what, path, answer }).toEqual({ seed, step, what, path, answer: expected });
      const key = `${what} ${typeof answer === "string" ? answer : "answered"}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (below(25) === 0) await lone.start();
    }
    expect(lone.pool.failures).toEqual([]);
  }
  if (!isLong) return;
  for (const each of [
    "make ok",
    "append NAME_EXISTS",
    "replace ok",
    "remove ok",
    "reader answered",
    "read answered",
  ])
    expect(counts.get(each), each).toBeGreaterThan(0);
});
