// Work on many things, some of them at a time.
//
// - Items may be made as they are taken: whoever makes them waits until there is room.
// - Nothing is left under way when it ends.

/**
 * Does `work` for each item, at most `most` at a time; items are taken only when there is room.
 * The first error ends it: no more are begun, and it rejects when those under way have ended.
 */
export async function forEach<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  most: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const under = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      const one: Promise<void> = work(item)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => under.delete(one));
      under.add(one);
      while (under.size >= most && failures.length === 0) await Promise.race(under);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(under);
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Does `work` for an item and for all that it answers, and so on; at most `most` at a time. What
 * came last is done first, so that little waits. Errors: as forEach has them.
 */
export async function forTree<Item>(
  top: Item,
  most: number,
  work: (item: Item) => Promise<readonly Item[]>,
): Promise<void> {
  const waiting = [top];
  const under = new Set<Promise<void>>();
  const failures: unknown[] = [];
  while (failures.length === 0 && (waiting.length > 0 || under.size > 0)) {
    const item = under.size < most ? waiting.pop() : undefined;
    if (item === undefined) {
      await Promise.race(under);
      continue;
    }
    const one: Promise<void> = work(item)
      .then((items) => {
        for (const each of items.toReversed()) waiting.push(each);
      })
      .catch((error: unknown) => void failures.push(error))
      .finally(() => under.delete(one));
    under.add(one);
  }
  await Promise.all(under);
  if (failures.length > 0) throw failures[0];
}
