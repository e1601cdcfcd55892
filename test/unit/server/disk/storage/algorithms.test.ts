// What docs/STORAGE-ALGORITHMS.md asks of an algorithm, on random lists of members. If one of these
// fails, a block lies nowhere, or where another one lies, or a stale copy is taken for a whole one.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MemberEntry } from "../../../../../control/server/disk/member/record.js";
import { algorithms } from "../../../../../control/server/disk/storage/algorithm.js";
import { recordOf } from "../fake-storage.js";

interface Kind {
  readonly isWitness: boolean;
  readonly blocks: number;
}

const kinds = fc.array(fc.record({ isWitness: fc.boolean(), blocks: fc.integer({ min: 1, max: 50 }) }), {
  minLength: 1,
  maxLength: 6,
});

const [sample] = recordOf().members;

/** A list of members and the size of the storage on them; null when there is none. */
function listOf(name: string, list: readonly Kind[]): { members: MemberEntry[]; size: number } | null {
  const algorithm = algorithms.find((each) => each.name === name);
  const withData = list.filter(({ isWitness }) => !isWitness);
  if (withData.length === 0 || sample === undefined || algorithm === undefined) return null;
  const size = algorithm.blocksOn(withData.map(({ blocks }) => blocks));
  return { members: list.map((kind) => ({ ...sample, ...kind })), size };
}

describe.each(algorithms)("the algorithm $name", (algorithm) => {
  it("puts every block somewhere, each at a place of its own, whatever range asks", () => {
    fc.assert(
      fc.property(kinds, fc.nat(), fc.nat(), (list, from, length) => {
        const made = listOf(algorithm.name, list);
        if (made === null) return;
        const { members, size } = made;
        const block = from % size;
        const blocks = 1 + (length % (size - block));
        const places = new Map<string, number>();
        const all = algorithm.parts(members, 0, size);
        for (const part of all)
          for (const place of part.members)
            for (let at = 0; at < part.blocks; at++) {
              const key = `${place}:${part.memberBlock + at}`;
              expect(places.has(key)).toBe(false);
              places.set(key, part.block + at);
              expect(members[place]?.isWitness).toBe(false);
              expect(part.memberBlock + at).toBeLessThan(algorithm.memberBlocks(members, place, size));
            }
        let next = block;
        for (const part of algorithm.parts(members, block, blocks)) {
          expect(part.block).toBe(next);
          next += part.blocks;
          for (const place of part.members)
            for (let at = 0; at < part.blocks; at++)
              expect(places.get(`${place}:${part.memberBlock + at}`)).toBe(part.block + at);
        }
        expect(next).toBe(block + blocks);
      }),
    );
  });

  it("is whole exactly when every part has somebody", () => {
    fc.assert(
      fc.property(kinds, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (list, there) => {
        const made = listOf(algorithm.name, list);
        if (made === null) return;
        const has = (place: number): boolean => there[place] === true;
        const parts = algorithm.parts(made.members, 0, made.size);
        const isCovered = parts.every(({ members }) => members.some(has));
        expect(algorithm.isWhole(made.members, has)).toBe(isCovered);
        expect(algorithm.isWhole(made.members, () => false)).toBe(false);
      }),
    );
  });
});
