// The vice server: the protocol of control/interface/vice.ts on its volumes.
//
// - Volumes are opened by whoever owns their folders, and given; a new one gets a folder by `folderFor`.
// - Breaks go out as calls to the clients' own servers (control/interface/venus.ts), bounded in time: a
//   client that does not answer is struck off.
// - What comes as a document is checked by its schema before anything looks at it.

import { z } from "zod";
import { STD_ARGBAD, STD_EXISTS, STD_NOTNOW, STD_SYSERR } from "../../../core-wasm/status.js";
import type { Folder } from "../../../drivers/folder.js";
import { type Capability, capabilityHex, portOnly } from "../../capability/capability.js";
import { keyedScheme } from "../../capability/scheme.js";
import type { OwnGeneration, ServerIdentity } from "../../capability/secrets.js";
import type { After } from "../../group/timer.js";
import { RECORDS_MAX, recordSchema } from "../../interface/file-records.js";
import { venusTable } from "../../interface/venus.js";
import {
  idsSchema,
  type Policy,
  policies,
  type Semantics,
  semantics,
  VERIFY_BEGIN,
  VERIFY_REPAIR,
  viceTable,
} from "../../interface/vice.js";
import { fromHex, toHex } from "../../kernel/bytes.js";
import type { Kernel } from "../../kernel/kernel.js";
import { stub } from "../../stub/client.js";
import type { ObjectTable } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { Server } from "../../stub/serving.js";
import { CellSide, sharedOf } from "./cell.js";
import { conflictsOf } from "./conflicts.js";
import type { NewDigest } from "./contents.js";
import type { Merge } from "./readying.js";
import type { Session } from "./sessions.js";
import { newVolume } from "./state.js";
import { ViceVolume } from "./volume.js";

export interface ViceServerOptions extends ServerIdentity {
  readonly kernel: Kernel;
  readonly key: Uint8Array;
  readonly own: OwnGeneration;
  /** A new, empty folder for the volume of that number. */
  readonly folderFor: (number: number) => Folder;
  /** Takes a volume's folder away at once, or throws; what it answers removes it, in its own time. */
  readonly discard: (number: number) => () => Promise<void>;
  /** Numbers of the volumes that there are, with their folders. */
  readonly volumes: readonly (readonly [number: number, folder: Folder])[];
  readonly newDigest: NewDigest;
  readonly random: (bytes: number) => Uint8Array;
  /** Seconds since 1970. */
  readonly time: () => number;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly after: After;
  readonly failed: (error: unknown) => void;
  readonly threads?: number;
  readonly leaseMs?: number;
  /** How long a client has to answer a break; default 1,000 ms. */
  readonly breakMs?: number;
  /** Merges contents, for volumes whose policy is `program`. */
  readonly merge?: Merge | undefined;
  /** The cell that it belongs to; without: nobody finds it who has no capability. */
  readonly cell?: string | undefined;
}

const generationBytes = 8;
const volumesMax = 65_535;
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const recordsSchema = z.object({ records: z.array(recordSchema).max(RECORDS_MAX) });

/** The volumes as objects: they do not age. */
class VolumeTable implements ObjectTable<ViceVolume> {
  lifetime = 255;
  readonly volumes = new Map<number, ViceVolume>();

  constructor(
    readonly own: OwnGeneration,
    readonly random: (bytes: number) => Uint8Array,
  ) {}

  get count(): number {
    return this.volumes.size;
  }

  get highest(): number {
    return Math.max(0, ...this.volumes.keys());
  }

  get(object: number): ViceVolume | undefined {
    return this.volumes.get(object);
  }

  generation(object: number): Uint8Array | undefined {
    if (object === 0) return this.own.generation;
    const volume = this.volumes.get(object);
    return volume === undefined ? undefined : fromHex(volume.generation);
  }

  async renew(object: number): Promise<void> {
    if (object === 0) this.own.renew();
    else await this.volumes.get(object)?.renew(toHex(this.random(generationBytes)));
  }

  touch(): void {}

  age(): undefined {
    return undefined;
  }

  grow(): number[] {
    return [];
  }

  remove(): undefined {
    return undefined;
  }
}

/** What a document has to be; else STD_ARGBAD. */
function checked<Value>(schema: z.ZodType<Value>, given: object): Value {
  const { success, data } = schema.safeParse(given);
  return success ? data : refuse(STD_ARGBAD);
}

const latin1Of = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

export class ViceServer {
  readonly #options: ViceServerOptions;
  readonly #table: VolumeTable;
  readonly #server: Server<typeof viceTable.operations, ViceVolume>;
  readonly #cell: CellSide;
  #last = 0;

  /** Begins to serve. Throws what opening a volume throws, and ProteusError when a table is full. */
  constructor(options: ViceServerOptions) {
    const { kernel, getPort, key, own, random, failed, threads = 16 } = options;
    this.#options = options;
    this.#table = new VolumeTable(own, random);
    for (const [number, folder] of options.volumes) {
      this.#table.volumes.set(number, this.#open(number, folder));
      this.#last = Math.max(this.#last, number);
    }
    const session = (volume: ViceVolume, given: Uint8Array): Session => volume.session(given);
    this.#server = new Server({
      ...{ kernel, getPort, failed, threads, table: viceTable, objects: this.#table },
      scheme: keyedScheme(kernel.privates, key, (object) => this.#table.generation(object)),
      info: (volume) => (volume === undefined ? "vice server" : `volume ${volume.name}`),
      status: (volume) => this.#status(volume),
      destroy: () => refuse(STD_NOTNOW), // a volume is more than a call should end
      handlers: {
        make: async (_asked, given) => ({ volume: await this.#make(given) }),
        volumes: () => ({ volumes: this.#list() }),
        describe: ({ value }) => ({ volume: this.#describe(value) }),
        change: async ({ value }, { quota }) => {
          await value.limit(quota);
          return {};
        },
        erase: async ({ value }, { force }) => {
          await this.#erase(value, force !== 0);
          return {};
        },
        share: async ({ value }, { rights }) => {
          await this.#cell.share(value, rights);
          return {};
        },
        shared: () => ({ shared: this.#cell.shared() }),
        cell: () => ({ cell: this.#cell.document() }),
        conflicts: ({ value }, { after }) => ({ conflicts: conflictsOf(value.state, after) }),
        remember: async ({ value }, { seconds }) => {
          await value.remember(seconds);
          return {};
        },
        past: ({ value }, { session: given, moment, object, after }) => {
          session(value, given);
          return { past: value.past(moment, object, latin1Of(after)) };
        },
        versions: ({ value }, { session: given, directory, name, after }) => {
          session(value, given);
          return { versions: value.versions(directory, latin1Of(name), after) };
        },
        settle: async ({ value }, { conflict }) => {
          await value.settle(conflict);
          return {};
        },
        verify: ({ value }, { flags }) => ({
          check: value.verify((flags & VERIFY_BEGIN) !== 0, (flags & VERIFY_REPAIR) !== 0),
        }),
        hello: async ({ value }, { uuid, port, machine }) => ({
          hello: await value.hello(uuid, port, machine),
        }),
        getstatus: ({ value }, given) => ({
          statuses: value.statuses(session(value, given.session), checked(idsSchema, given.ids).ids),
        }),
        entries: ({ value }, given) => ({
          entries: value.entries(session(value, given.session), given.directory, latin1Of(given.after)),
        }),
        fetch: ({ value }, { session: given, object, version, position, length }) => {
          session(value, given);
          return { data: value.fetch(object, version, position, length) };
        },
        send: ({ value }, { session: given, record, position, data = new Uint8Array(0) }) => ({
          next: value.send(session(value, given), record, position, data),
        }),
        reintegrate: async ({ value }, { session: given, records }) => ({
          reintegrated: await value.reintegrate(
            session(value, given),
            checked(recordsSchema, records).records,
          ),
        }),
        permit: async ({ value }, { session: given, fence }) => ({
          fence: await value.permits.answer(session(value, given), fence),
        }),
        keep: ({ value }, given) => {
          session(value, given.session);
          value.sweep(); // also when nobody writes
          return {};
        },
        giveup: ({ value }, given) => {
          value.giveUp(session(value, given.session), checked(idsSchema, given.ids).ids);
          return {};
        },
      },
    });
    this.#cell = new CellSide({
      ...{ kernel, putPort: this.#server.putPort, cell: options.cell, random, failed },
      ...{ after: options.after, volumes: this.#table.volumes },
      capabilityOf: (number, rights) => this.#server.capability(number, rights),
    });
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  /** A capability of the server itself. */
  capability(rights?: number): Capability {
    return this.#server.capability(0, rights);
  }

  /** A volume by its name, for those on this machine. */
  volume(name: string): ViceVolume | undefined {
    return [...this.#table.volumes.values()].find((each) => each.name === name);
  }

  #open(number: number, folder: Folder, first: Parameters<typeof newVolume> | null = null): ViceVolume {
    const { newDigest, random, time, now, after, leaseMs, merge } = this.#options;
    return new ViceVolume(
      {
        ...{ number, folder, newDigest, random, time, now, after, merge },
        ...(leaseMs === undefined ? {} : { leaseMs }),
        tell: (port, ids) =>
          this.#venus(port)
            .break({ ids: { ids } })
            .then(() => true),
        hurry: (port, fence) =>
          this.#venus(port)
            .hurry({ fence })
            .then(() => true),
      },
      first === null ? [] : newVolume(...first),
    );
  }

  /** A client's own server. */
  #venus(port: Uint8Array) {
    const { kernel, breakMs = 1000 } = this.#options;
    const within = { locateTimeoutMs: breakMs, pollMs: Math.ceil(breakMs / 4), deadMs: breakMs };
    return stub(kernel, venusTable, portOnly(port), within);
  }

  async #make({
    name,
    semantics: wanted,
    policy,
    owner,
  }: {
    readonly name: string;
    readonly semantics: string;
    readonly policy: string;
    readonly owner: number;
  }): Promise<Capability> {
    const isKnown = (text: string): text is Semantics => (semantics as readonly string[]).includes(text);
    const isPolicy = (text: string): text is Policy => (policies as readonly string[]).includes(text);
    if (!nameForm.test(name) || !isKnown(wanted) || !isPolicy(policy)) return refuse(STD_ARGBAD);
    if (policy === "program" && this.#options.merge === undefined) refuse(STD_NOTNOW);
    if (this.volume(name) !== undefined) refuse(STD_EXISTS);
    if (this.#last >= volumesMax) refuse(STD_ARGBAD);
    const { random, time, folderFor } = this.#options;
    const number = ++this.#last;
    const facts = {
      ...{ name, semantics: wanted, policy },
      ...{ identity: toHex(random(16)), generation: toHex(random(generationBytes)) },
    };
    const volume = this.#open(number, folderFor(number), [facts, owner, [Math.floor(time()), 0]]);
    this.#table.volumes.set(number, volume);
    return this.#server.capability(number);
  }

  async #erase(volume: ViceVolume, force: boolean): Promise<void> {
    const isEmpty = volume.describe().objects === 1 && volume.permits.recall(); // who has it may have made some
    if (!force && !isEmpty) refuse(STD_NOTNOW);
    const { discard, failed } = this.#options;
    let remove: () => Promise<void>;
    try {
      remove = discard(volume.number);
    } catch (error) {
      failed(error);
      return refuse(STD_SYSERR);
    }
    this.#table.volumes.delete(volume.number);
    volume.close();
    await remove().catch(failed); // what is left of it goes at the next start
  }

  #list(): object {
    return [...this.#table.volumes].map(([number, volume]) => ({
      ...this.#describe(volume),
      capability: capabilityHex(this.#server.capability(number)),
    }));
  }

  #describe(volume: ViceVolume): object {
    const shared = sharedOf(volume);
    return { ...volume.describe(), ...(shared === undefined ? {} : { shared }) };
  }

  #status(volume: ViceVolume | undefined): string {
    if (volume === undefined) return `volumes ${this.#table.count}`;
    return Object.entries(this.#describe(volume))
      .map(([name, value]) => `${name} ${String(value)}`)
      .join("\n");
  }

  /** Stops serving. */
  close(): void {
    this.#cell.close();
    this.#server.close();
    for (const volume of this.#table.volumes.values()) volume.close();
  }
}
