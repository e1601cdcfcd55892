// Looking in what is sorted: names of directories, steps by their stamps and moments.
//
// - Pure. Items rise by what is asked for; equal ones stand together.
// - The names of the directory that was listed last are kept sorted, for its next page.

const itself = <Item>(item: Item): Item => item;

/** The index of the first item that is behind a key, or how many there are. */
export function firstBehind<Key extends string | number>(items: readonly Key[], key: Key): number;
export function firstBehind<Item, Key extends string | number>(
  items: readonly Item[],
  key: Key,
  keyOf: (item: Item) => Key,
): number;
export function firstBehind<Item, Key extends string | number>(
  items: readonly Item[],
  key: Key,
  keyOf: (item: Item) => Key = itself as unknown as (item: Item) => Key,
): number {
  let first = 0;
  for (let last = items.length; first < last; ) {
    const middle = (first + last) >> 1;
    const item = items[middle];
    if (item !== undefined && keyOf(item) <= key) first = middle + 1;
    else last = middle;
  }
  return first;
}

export class SortedNames {
  #last: { readonly directory: number; readonly version: number; readonly names: readonly string[] } | null =
    null;

  /** The names of a directory as of a version. */
  of(directory: number, version: number, names: ReadonlyMap<string, number> | undefined): readonly string[] {
    if (this.#last?.directory !== directory || this.#last.version !== version)
      this.#last = { directory, version, names: [...(names?.keys() ?? [])].sort() };
    return this.#last.names;
  }
}
