// The updates of directories, as they are asked for: each becomes a command that all directory
// servers execute (order.ts).
//
// - What the caller's capability allows is checked before. The command carries the generation under
//   which it was good: when that is another one by the time it is executed, the capability is not.
// - An update that says who it is, in h_offset and h_extra, is executed once.

import { SP_UNAVAIL, STD_ARGBAD, STD_CAPBAD, STD_OK } from "../../../core-wasm/status.js";
import { PORT_BYTES } from "../../../core-wasm/wire/formats.js";
import { type Capability, capabilityBytes } from "../../capability/capability.js";
import { inOrder } from "../../capability/set.js";
import { COLUMNS_MAX, type directoryTable, MODIFY_RIGHT } from "../../interface/directory.js";
import type { StandardOperations } from "../../interface/standard.js";
import { Refused, refuse } from "../../stub/refused.js";
import type { Handlers } from "../../stub/serving.js";
import {
  type Command,
  digestOf,
  encodeCommand,
  INSTALL_ROWS_MAX,
  type Outcome,
  TOUCH_OBJECTS_MAX,
} from "./commands.js";
import { selecting } from "./lookup.js";
import { notNow, type Order } from "./order.js";
import type { Directory, DirectoryState } from "./state.js";

export interface UpdatesOptions {
  readonly state: DirectoryState;
  readonly order: Order;
  readonly random: (bytes: number) => Uint8Array;
  /** Seconds since 1970. */
  readonly time: () => number;
  /** The first of these capabilities that is a good one of this server, with such rights; else refuses. */
  readonly open: (
    capabilities: readonly Capability[],
    mask: number,
    source: bigint,
  ) => { readonly object: number };
  /** A capability of a directory, with all rights. */
  readonly capability: (object: number) => Capability;
}

type AllHandlers = Handlers<typeof directoryTable.operations, Directory>;
export type UpdateHandlers = Omit<
  AllHandlers,
  "lookup" | "setlookup" | "list" | "getmasks" | "getseqnr" | "members"
>;
type OwnStandard = Pick<Handlers<StandardOperations, Directory>, "age" | "destroy">;
/** What an update is to do, without what is the same for all. */
type Update = Command extends infer Each
  ? Each extends Command
    ? Omit<Each, "request" | "digest" | "time">
    : never
  : never;

interface Identity {
  readonly request: number;
  readonly requestMore: number;
}

const noRequest = new Uint8Array(PORT_BYTES);
const generationBytes = 8;

/** The standard operations do not know SP_UNAVAIL: whoever did not hear asks again. */
export const sure = <Value>(done: Promise<Value>): Promise<Value> =>
  done.catch((error: unknown) => {
    throw error instanceof Refused && error.status === SP_UNAVAIL ? notNow() : error;
  });

/** Columns as a command takes them. */
const columnsFor = (columns: readonly string[]): { readonly columns: readonly string[] } =>
  columns.length > COLUMNS_MAX ? refuse(STD_ARGBAD) : { columns };

/** What the caller asked for, of an update: not what this member made up for it. */
const digestible = (update: Update): Uint8Array =>
  encodeCommand({
    ...update,
    ...("fresh" in update ? { fresh: new Uint8Array(generationBytes) } : {}),
    ...{ request: noRequest, digest: 0, time: 0 },
  } as Command);

/** Who an update says that it is, in h_offset and h_extra. */
function identityOf({ request, requestMore }: { readonly request: number; readonly requestMore: number }) {
  const id = new Uint8Array(PORT_BYTES);
  const view = new DataView(id.buffer);
  view.setInt32(0, request, true);
  view.setUint16(4, requestMore, true);
  return id;
}

export class Updates {
  readonly #options: UpdatesOptions;
  #touched = new Set<number>();
  #touching: Promise<void> | null = null;
  #count = 0;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** How many were asked for here. */
  get count(): number {
    return this.#count;
  }

  /** Notes that an object is in use; many are told in one command. */
  touch(object: number): Promise<void> {
    if (object !== 0) this.#touched.add(object);
    this.#touching ??= Promise.resolve().then(async () => {
      while (this.#touched.size > 0) {
        const objects = [...this.#touched].slice(0, TOUCH_OBJECTS_MAX);
        for (const each of objects) this.#touched.delete(each);
        await this.submit({ kind: "touch", objects });
      }
    });
    const touching = this.#touching;
    const over = () => {
      if (this.#touching === touching) this.#touching = null;
    };
    touching.then(over, over);
    return touching;
  }

  /** The standard operations that differ here. */
  standard(): OwnStandard {
    return {
      age: async () => {
        await this.#touching;
        let { object: left } = await sure(this.done({ kind: "age", again: 0 }));
        while (left > 0) ({ object: left } = await sure(this.done({ kind: "age", again: 1 })));
        return {};
      },
      destroy: async ({ object }) => {
        await sure(this.done({ kind: "destroy", ...this.#subject(object) }));
        return {};
      },
    };
  }

  /** A directory with the generation under which its capabilities are good now. */
  #subject(object: number): { readonly object: number; readonly generation: Uint8Array } {
    return { object, generation: this.#options.state.generation(object) ?? refuse(STD_CAPBAD) };
  }

  /** Has it executed everywhere. */
  async submit(update: Update, request = noRequest, asked: Uint8Array = noRequest): Promise<Outcome> {
    const common = { request, digest: digestOf(asked), time: Math.floor(this.#options.time()) };
    this.#count++;
    return this.#options.order.submit(encodeCommand({ ...update, ...common } as Command));
  }

  /** Has it done, or refuses as the outcome says. */
  async done(update: Update, identity?: Identity, asked?: Uint8Array): Promise<Outcome> {
    const request = identity === undefined ? noRequest : identityOf(identity);
    const outcome = await this.submit(update, request, asked ?? digestible(update));
    return outcome.status === STD_OK ? outcome : refuse(outcome.status);
  }

  handlers(): UpdateHandlers {
    return {
      create: async ({ object, rights }, { columns, ...identity }) => {
        selecting(rights);
        const fresh = this.#options.random(generationBytes);
        const made = await this.done(
          { kind: "create", ...this.#subject(object), fresh, ...columnsFor(columns) },
          identity,
        );
        return { directory: this.#options.capability(made.object) };
      },
      discard: ({ object }, identity) =>
        this.#change({ kind: "discard", ...this.#subject(object) }, identity),
      append: ({ object, rights }, { name, set, masks, ...identity }) => {
        selecting(rights);
        if (masks.length > COLUMNS_MAX) refuse(STD_ARGBAD);
        return this.#change({ kind: "append", ...this.#subject(object), name, set, masks }, identity);
      },
      chmod: ({ object, rights }, { name, masks, ...identity }) => {
        selecting(rights);
        if (masks.length > COLUMNS_MAX) refuse(STD_ARGBAD);
        return this.#change({ kind: "chmod", ...this.#subject(object), name, masks }, identity);
      },
      delete: ({ object, rights }, { name, ...identity }) => {
        selecting(rights);
        return this.#change({ kind: "delete", ...this.#subject(object), name }, identity);
      },
      replace: ({ object, rights }, { name, set, ...identity }) => {
        selecting(rights);
        return this.#change({ kind: "replace", ...this.#subject(object), name, set }, identity);
      },
      puttype: ({ object, rights }, { name, type, ...identity }) => {
        selecting(rights);
        const bytes = capabilityBytes(type);
        return this.#change({ kind: "puttype", ...this.#subject(object), name, type: bytes }, identity);
      },
      setcol: ({ object, rights }, { columns, ...identity }) => {
        selecting(rights);
        return this.#change({ kind: "setcol", ...this.#subject(object), ...columnsFor(columns) }, identity);
      },
      rename: ({ object, rights, source }, { name, directory, to, ...identity }) => {
        selecting(rights);
        const other = this.#options.open([directory], MODIFY_RIGHT, source);
        return this.#change(
          { kind: "rename", ...this.#subject(object), name, other: this.#subject(other.object), to },
          identity,
        );
      },
      install: ({ source }, { rows, ...identity }) => {
        if (rows.length > INSTALL_ROWS_MAX) refuse(STD_ARGBAD);
        const all = rows.map(({ directory, name, set, expected }) => {
          const { object } = this.#options.open(inOrder(directory), MODIFY_RIGHT, source);
          const former = expected === undefined ? [] : [capabilityBytes(expected)];
          return { ...this.#subject(object), name, set, expected: former };
        });
        return this.#change({ kind: "install", rows: all }, identity);
      },
    };
  }

  async #change(update: Update, identity: Identity): Promise<Record<string, never>> {
    await this.done(update, identity);
    return {};
  }
}
